// Package api serves the use cases of package service over HTTP: REST under /api/v1,
// described by the OpenAPI document that is generated from these very types.
//
//	request ──> request id, access log, panics ──> mux ──> huma: decode, validate ──> service
//	                                                └──> /healthz, 404, 405                │
//	response <── JSON, or a problem document (RFC 9457) <──────────────────────────────────┘
//
// Conventions:
//
//   - JSON is snake_case; durations and frequencies carry their unit in name or doc.
//   - One schema per object. Read-only fields are ignored when sent; an absent field keeps
//     its value (PATCH) or its default (POST). Keys are write-only: "root_key" goes in,
//     "root_key_set" comes out.
//   - Lists page with limit and cursor. Nothing is deleted: DELETE archives.
//   - ETag is the revision; PATCH and DELETE with If-Match are refused with 412 if it is another.
//   - Tables (text/csv) and contents stream. The bad rows of a table are no error of the request:
//     a report counts them. Only who sent a table sees its rows again.
//   - Every error is application/problem+json with a stable code and never repeats
//     a value that the client sent: it could be a key.
//
// The package holds no rules of the domain. Authentication and roles are not here yet.
package api
