// Package service holds the use cases of the server. The REST API, the command line
// and the console call these functions and no others, so that one rule lives in one
// place.
//
//	api, web, cli ──> Service ──> store    objects, contents, progress
//	                     └──────> Runner   start, stop, pause, resume (the engine)
//
// Rules that hold here, beyond what package fleet says about single objects:
//
//   - A new reference leads to an object that exists and is not archived.
//   - What a RUNNING campaign uses does not change under it, but for texts that only
//     people read; a group takes part in one RUNNING campaign at a time.
//   - A campaign is edited until it is started. Nothing is deleted: objects are archived.
//   - The content of a file never changes; another content is another file.
//   - Keys come in and do not go out.
//
// The package knows nothing of HTTP and decides nothing about radio.
package service
