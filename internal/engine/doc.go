// Package engine runs campaigns: it carries facts from the network and from people to
// the state machine of package campaign, stores what follows, and only then sends.
//
//	network.Source ──event──> HandleUplink, HandleReport        people ──> Start, Stop, ...
//	                               │                                          │
//	                               v                                          v
//	                        campaign.Step(now, input)  <───────── one goroutine owns them all
//	                               │
//	                        store.CommitStep: state + timeline + outbox, one transaction
//	                               │  after commit
//	                        dispatch: network.Adapter, then store.MarkSent
//
// With a Lease, several processes share the campaigns of a store: each owns some, stops sending
// before its lease can have ended, and passes on what belongs to others through the store's inbox.
//
// After a crash, Load brings every running campaign back from its last committed step,
// and the outbox is sent again from the first frame that was not marked: commands may
// go out twice, and none is lost. After a commit that failed or whose fate is unknown,
// the engine throws its memory of the campaign away and loads it again.
//
// Beside campaigns, it answers clock requests, keeps the version that a device reports, and
// asks devices whose version is old for it again (poll.go).
//
// The engine reads no clock of its own: time is that of its network.Source, so that
// the same code runs a campaign of days in seconds on a simulated network.
package engine
