package apidocs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/swaggest/swgui/v5/static"
)

// Path is where the page is; everything that it needs beside the document is below.
const Path = "/docs"

// policy lets the page do what Swagger UI needs. It draws its icons from data URLs in its style
// sheet. Requests go to the page's own server only.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed assets
var own embed.FS

// file is an asset. Those of Swagger UI are embedded compressed.
type file struct {
	contentType string
	plain, gzip []byte // gzip may be nil
}

// Handler serves the page at Path and its assets below. document is where the OpenAPI document is,
// as the page sees it: "openapi.json" is beside the page, also behind a proxy that adds a prefix.
//
// It answers GET and HEAD, 404 for what it does not have, and sets the headers that the page
// needs to be safe. Mount it for Path and Path+"/".
func Handler(document string) http.Handler {
	files, version := assets()
	var page bytes.Buffer
	err := template.Must(template.ParseFS(own, "assets/index.html")).Execute(&page, map[string]string{
		"Document": document,
		"Assets":   strings.TrimPrefix(Path, "/") + "/" + version + "/", // relative, see document
	})
	if err != nil {
		panic(err) // the template is ours
	}
	sum := sha256.Sum256(page.Bytes())
	return &handler{page: page.Bytes(), etag: strconv.Quote(hex.EncodeToString(sum[:8])), version: version, files: files}
}

type handler struct {
	page    []byte
	etag    string
	version string // of all assets together
	files   map[string]file
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", policy)
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "the pages of "+Path+" can only be read", http.StatusMethodNotAllowed)
		return
	}
	rest, below := strings.CutPrefix(r.URL.Path, Path+"/")
	switch {
	case r.URL.Path == Path:
		h.servePage(w, r)
	case below && rest == "":
		// The page's links are relative to Path without the slash. So is this one.
		head.Set("Location", ".."+Path)
		w.WriteHeader(http.StatusPermanentRedirect)
	default:
		h.serveAsset(w, r, rest)
	}
}

// servePage sends the page, which may change with the program: browsers ask each time.
func (h *handler) servePage(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-cache")
	head.Set("ETag", h.etag)
	if strings.Contains(r.Header.Get("If-None-Match"), h.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, "text/html; charset=utf-8", h.page)
}

// serveAsset sends what never changes under its address: that has a digest of the contents.
func (h *handler) serveAsset(w http.ResponseWriter, r *http.Request, rest string) {
	version, name, _ := strings.Cut(rest, "/")
	f, ok := h.files[name]
	if !ok || version != h.version {
		http.Error(w, "there is nothing at this address; the API is described at "+Path, http.StatusNotFound)
		return
	}
	head := w.Header()
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	body := f.plain
	if f.gzip != nil {
		head.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			head.Set("Content-Encoding", "gzip")
			body = f.gzip
		}
	}
	send(w, r, f.contentType, body)
}

func send(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have gone
	}
}

// acceptsGzip reports whether the request's Accept-Encoding names gzip, and not with q=0.
func acceptsGzip(r *http.Request) bool {
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, ok := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q=")
		return !ok || strings.Trim(q, "0.") != ""
	}
	return false
}

// contentTypes are those of the assets, by the end of their name. The system's table is not asked: it may
// say something else, and with nosniff the page would stay empty.
var contentTypes = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".png": "image/png"}

// assets returns the files that the page uses, and a digest over all of them. They are
// embedded, so that a failure is one of the build: it panics.
var assets = sync.OnceValues(func() (map[string]file, string) {
	files, digest := map[string]file{}, sha256.New()
	for _, source := range []struct {
		fsys fs.FS
		name string
	}{
		{static.FS, "swagger-ui.css.gz"},
		{static.FS, "swagger-ui-bundle.js.gz"},
		{static.FS, "favicon-32x32.png"},
		{own, "assets/page.css"},
		{own, "assets/page.js"},
	} {
		content, err := fs.ReadFile(source.fsys, source.name)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(digest, "%s %d\n", source.name, len(content))
		digest.Write(content)
		f, name := file{plain: content}, path.Base(source.name)
		if plain, ok := strings.CutSuffix(name, ".gz"); ok {
			f, name = file{plain: inflate(content), gzip: content}, plain
		}
		f.contentType = contentTypes[path.Ext(name)]
		files[name] = f
	}
	return files, hex.EncodeToString(digest.Sum(nil)[:8])
})

func inflate(compressed []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		panic(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return plain
}
