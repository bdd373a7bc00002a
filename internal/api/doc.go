// Package api serves the use cases of package service over HTTP: REST under /api/v1,
// described by the OpenAPI document that is generated from these very types.
//
//	request ──> request id, access log, panics ──> door ──> mux ──> huma: decode, validate ──> service
//	                                                │ who asks, may they,     └──> streams         │
//	                                                │ was it asked before                          │
//	response <── JSON, or a problem document (RFC 9457) <──────────────────────────────────────────┘
//
// Conventions:
//
//   - Every operation names the permission that it needs; the mux is guarded by a table of doors, so
//     that a route below Prefix without one does not exist (door.go).
//   - JSON is snake_case; durations and frequencies carry their unit in name or doc.
//   - One schema per object. Read-only fields are ignored when sent; an absent field keeps
//     its value (PATCH) or its default (POST), and null is refused. Keys are write-only: "root_key"
//     goes in, "root_key_set" comes out. Keys in clear have operations of their own.
//   - Lists page with limit and an opaque cursor; what they are filtered and sorted by is in
//     store.FieldsOf. Nothing is deleted: DELETE archives.
//   - ETag is the revision; GET with If-None-Match is answered with 304, PATCH and DELETE with If-Match are
//     refused with 412 if it is another. Campaigns are not changed without (428).
//   - A POST with an Idempotency-Key has one effect and one answer (idempotency.go).
//   - Tables (text/csv) and contents stream. The bad rows of a table are no error of the request:
//     a report counts them. Only who sent a table sees its rows again.
//   - Every error is application/problem+json with a stable code and never repeats
//     a value that the client sent: it could be a key.
//
// docs/openapi.json is the document as it is served; the contract test holds every operation
// to it, on both databases. The package holds no rules of the domain, and does not decide who may
// do what: it asks package service, which decides again for itself.
package api

//go:generate go run ./openapi ../../docs/openapi.json
