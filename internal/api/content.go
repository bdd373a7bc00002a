package api

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/starling-fuota/starling/internal/identity"
)

const octets = "application/octet-stream"

// contents registers upload and download. Both stream, which huma's own handlers
// do not, so that only their description goes through huma.
func (a *api) contents() {
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9A-Za-z_-]+$"}}
	bytes := map[string]*huma.MediaType{octets: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	one := a.huma.OpenAPI().Paths[Prefix+"/files/{id}"].Get.Responses["200"]

	a.stream(identity.WriteFleet, &huma.Operation{OperationID: "upload-file", Method: http.MethodPut, Path: Prefix + "/files/{id}/content", Tags: []string{"files"},
		Summary: "Upload the content of a file", Description: "Once: another content is another file. The same content again is no error.",
		Parameters: []*huma.Param{id, {Name: "Content-Digest", In: "header", Description: "sha-256=:base64: (RFC 9530); a damaged content is refused",
			Schema: &huma.Schema{Type: huma.TypeString}}},
		RequestBody: &huma.RequestBody{Required: true, Content: bytes},
		Responses:   map[string]*huma.Response{"200": one},
	}, a.upload)
	a.stream(identity.ReadFleet, &huma.Operation{OperationID: "download-file", Method: http.MethodGet, Path: Prefix + "/files/{id}/content", Tags: []string{"files"},
		Summary: "Download the content of a file", Parameters: []*huma.Param{id, {Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "ETags that the client has; 304 if the content is one of them"}},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: bytes}, "304": notModified()["304"]},
	}, a.download)
}

// stream registers a handler that needs a permission, and answers by itself unless it returns
// an error. It passes the same door as all others.
func (a *api) stream(need identity.Permission, op *huma.Operation, handle func(http.ResponseWriter, *http.Request) error) {
	a.admit(need, op)
	a.answer(op, handle)
}

// streamForAnybody is stream for logging in.
func (a *api) streamForAnybody(op *huma.Operation, handle func(http.ResponseWriter, *http.Request) error) {
	a.admitAnybody(op)
	a.answer(op, handle)
}

func (a *api) answer(op *huma.Operation, handle func(http.ResponseWriter, *http.Request) error) {
	a.huma.OpenAPI().AddOperation(op)
	a.huma.Adapter().Handle(op, func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		if err := onlyParameters(op, r); err != nil {
			a.refuse(w, r, err)
			return
		}
		control := http.NewResponseController(w)
		deadline := time.Now().Add(contentTime)
		// A connection without deadlines, as in some tests, is no reason to refuse.
		_ = errors.Join(control.SetReadDeadline(deadline), control.SetWriteDeadline(deadline))
		if err := handle(w, r); err != nil {
			a.refuse(w, r, err)
		}
	})
}

// onlyParameters refuses parameters that an operation does not have, as huma does for others.
func onlyParameters(op *huma.Operation, r *http.Request) error {
	for name := range r.URL.Query() {
		if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name }) {
			return badParameter("query."+name, "is no parameter of this", "leave it out")
		}
	}
	return nil
}

func (a *api) upload(w http.ResponseWriter, r *http.Request) error {
	digest, err := contentDigest(r.Header.Values("Content-Digest"))
	if err != nil {
		return err
	}
	f, err := a.Service.Upload(r.Context(), r.PathValue("id"), body{r.Body}, digest)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", etag(f.Revision))
	return json.NewEncoder(w).Encode(showFile(f))
}

// body tells a broken connection from a mistake of the server.
type body struct{ io.Reader }

func (b body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = newProblem(codeMalformed, "The content ended before it was complete. Send it again.")
	}
	return n, err
}

var sha256Digest = regexp.MustCompile(`(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):`)

// contentDigest returns the SHA-256 of a Content-Digest header in hexadecimal, "" without one.
func contentDigest(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", nil
	}
	m := sha256Digest.FindStringSubmatch(strings.Join(headers, ","))
	if m != nil {
		if sum, err := base64.StdEncoding.DecodeString(m[1]); err == nil && len(sum) == 32 {
			return hex.EncodeToString(sum), nil
		}
	}
	return "", badParameter("header.Content-Digest", "has no SHA-256 digest", "write sha-256=:base64:")
}

func (a *api) download(w http.ResponseWriter, r *http.Request) error {
	f, content, err := a.Service.Download(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	tag := `"` + f.SHA256 + `"`
	w.Header().Set("ETag", tag)
	if known(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", octets)
	w.Header().Set("Content-Length", fmt.Sprint(f.Size))
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if _, err := io.Copy(w, content); err != nil {
		a.breakOff(r, "download", err)
	}
	return nil
}
