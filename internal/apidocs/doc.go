// Package apidocs serves a page on which people read and try the API, from the program
// itself: it works in a network without a way out.
//
//	browser ── GET /docs ──────────────────> page ─┐ refers to
//	        ── GET /docs/HASH/swagger-ui ... ──> Swagger UI, embedded
//	        ── GET /openapi.json ──> the API's own document, served by package api
//
// Swagger UI 5 (Apache License 2.0) comes with the module github.com/swaggest/swgui
// (Apache License 2.0), of which only the files are used. It reads OpenAPI 3.1.
//
// The page's content security policy lets it talk to its own server and to nobody else, and runs no
// script but the embedded ones. A document cannot change that, whatever its descriptions hold.
//
// The package does not make the document, and does not log anybody in: requests that are tried
// from the page carry the session of the browser or a token that is typed in, which is
// forgotten with the page.
package apidocs
