package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/starling-fuota/starling/internal/service"
)

// documentPath is where the OpenAPI document is.
const documentPath = "/openapi.json"

// documentType is the media type of OpenAPI documents in JSON.
const documentType = "application/openapi+json"

// Document returns the OpenAPI document as it is checked in: with line breaks, and without
// the version of a program.
func Document() ([]byte, error) {
	a, _ := newAPI(Config{Service: service.New(service.Config{}), Version: "1"})
	raw, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, raw, "", "  ")
	out.WriteByte('\n')
	return out.Bytes(), err
}

// document serves the document, which does not change while the program runs.
func (a *api) document(mux *http.ServeMux) {
	raw, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic(err) // it is made of our own types
	}
	sum := sha256.Sum256(raw)
	tag := strconv.Quote(hex.EncodeToString(sum[:8]))
	mux.HandleFunc("GET "+documentPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if known(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", documentType)
		_, _ = w.Write(raw) // nobody is left to tell
	})
}
