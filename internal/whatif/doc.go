// Package whatif runs ways to update a fleet side by side on the same simulated network
// and measures what each costs: what `starling simulate` shows.
//
//	scenario (YAML, flags) ── fleet of sim: identities, phases, losses of links, all from one seed
//	                              │
//	        ┌─────────────────────┼──────────────────────┐   a fresh network each, all alike
//	        v                     v                      v
//	   starling              reference:R             chirpstack
//	   our engine            our engine under        a driver of its own
//	                         another policy          over network.Adapter
//	        └─────────────────────┼──────────────────────┘
//	                              v
//	   meters: time, air time, fragments, downlinks, energy, who is verified, hindsight
//
// Every device is a real one (package device), byte by byte or, in large fleets, by ranks
// (model.go), and what it spends is measured beside it (meter.go). A strategy says that a device is verified when its
// server has evidence: the device said that the block is complete.
//
// # Strategies
//
// "starling" is one campaign of our engine with its default policy, or with the policy of the
// scenario. It is not run again.
//
// "reference:R" is the server that docs/campaigns.md calls the reference. It runs on our
// engine, because a policy can say all of it: one stage after the other for all devices,
// retries, the success threshold held at the end of each stage, late answers, the share R of
// uncoded to all fragments sent once, status, no repair. R = 1 is FEC off: the block is
// repeated in rounds. Then the campaign is run again for the devices that failed.
//
// "chirpstack" is the flow of ChirpStack v4. Our engine cannot play it, so it has a driver
// (chirpstack.go): its stages go on at ticks of one uplink interval instead of upon
// uplinks, it names the session time before it knows how long set-up took, spaces fragments
// by a fixed margin, has no threshold, believes MissingFrag = 0 only, and makes a
// new group for each deployment. It too is run again for the devices that failed.
//
// Where their documentation leaves something open, or leaves it to the operator, the
// choice is the one that makes the other server look better; docs/simulate.md lists them.
//
// # What it does not do
//
// No collisions, no misbehaving devices, no delta and no installation: the campaigns
// deliver a file (BINARY), because that is what all three servers can do. The losses of a
// link are independent unless the scenario names a burst length.
package whatif
