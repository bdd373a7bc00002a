// Package service holds the use cases of the server. The REST API calls these functions
// and no others, and the command line and the console call the API, so that one rule lives
// in one place.
//
//	api ── As(ctx, Actor) ──> Service ── may they? is it right? ──> store: the change and its
//	                             │                                  audit entry, one transaction
//	                             ├──> Runner     start, stop, pause, resume (the engine)
//	                             ├──> Rotation   of the key that keys are sealed under
//	                             └──> a job, for what takes longer than a request
//	Work ── claims what is due ──┘              many objects, reports, rotation
//
// Resource is what every kind of object has: Create, Find, List, Update, Archive. What is
// particular about a kind is in its rules (rules.go, people.go).
//
// Rules that hold here, beyond what package fleet says about single objects:
//
//   - A new reference leads to an object that exists and is not archived.
//   - What a RUNNING campaign uses does not change under it, but for texts that only
//     people read; a group takes part in one RUNNING campaign at a time.
//   - A campaign is edited until it is started. Nothing is deleted: objects are archived.
//   - The content of a file never changes; another content is another file.
//   - Keys come in and do not go out, but for the use cases that reveal them, which record it first.
//   - Nobody gives a permission that they do not have, and the last administrator of the server stays.
//   - A job is done at least once: whatever its work does must bear to be done again.
//
// The package knows nothing of HTTP and decides nothing about radio. Passwords, tokens and
// permissions are package identity's; here is who may see and change which object.
package service
