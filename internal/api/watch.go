package api

import (
	"net/http"

	"github.com/starling-fuota/starling/internal/apidocs"
	"github.com/starling-fuota/starling/internal/identity"
)

// watching registers what programs ask that watch over the server, and the page that shows the
// API to people. None of it is part of the API.
//
//	/healthz   the process can work          restart it if not
//	/readyz    it can work now               send it no requests if not
//	/startupz  it has started                wait if not
//	/metrics   figures, for who may read them
//	/docs      the API in a browser
//
// A process listens once its store is open and its schema is current, so the three mean the
// same for now; they are three because those who ask do three different things.
func (a *api) watching(mux *http.ServeMux) {
	for _, path := range []string{"/healthz", "/readyz", "/startupz"} {
		mux.HandleFunc("GET "+path, a.health)
	}
	page := apidocs.Handler("openapi.json")
	mux.Handle("GET /docs", page)
	mux.Handle("GET /docs/", page)
	if a.Metrics == nil {
		return
	}
	// With the door that the API has: the figures are those of the whole server.
	a.doors["GET /metrics"] = &door{permission: identity.ReadMetrics}
	mux.Handle("GET /metrics", a.Metrics)
}
