// Package forecast says what a campaign will take before it costs anything: who takes part, in which
// fragments, for how long, with how much air time and energy, and how likely it succeeds.
//
//	campaign.Request ──campaign.Plan──> lanes, excluded devices, blockers
//	                        │
//	                        v      a few times, each with luck of its own
//	      +──────────────────────────────────────────+
//	      |  campaign.Campaign  <──events──  sim      |      Prediction: quantiles, means,
//	      |  (the machine that   ──frames─>  network  | ───>  shares of the runs
//	      |   will run it)                   of model |
//	      +──────────────────────────────────────────+
//	                        │
//	                        └─ again at the other data rates and classes: Alternatives
//
// Predictions follow the rules by running them. There is no second description of a campaign
// that could differ from the first: whoever changes the machine changes what is predicted of it.
// The radio is package sim with the devices that the fleet's profiles describe, under Assumptions:
// nobody knows a network's losses before something was sent in it.
//
// Large fleets are sampled and scaled; Predict says how, and what that does to the tail.
//
// What it does not do: it knows no other campaign at the same gateways, no operator who stops or
// pauses, no device that misbehaves. It reads no clock and draws no luck of its own: the
// same arguments give the same plan.
package forecast
