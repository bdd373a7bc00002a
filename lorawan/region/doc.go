// Package region holds the regional facts that a firmware update depends on:
// which data rates exist, how much application payload each one carries, how long
// a frame occupies the air, how much of the time a transmitter may be on, and the
// default frequencies of RX2, ping slots and beacons.
//
//	Band ── DR ──┬── DataRate (SF, bandwidth) ── TimeOnAir ──┐
//	             └── MaxPayload N ── MaxFragSize N-3          ├─ frames, hours
//	Band ── frequency ── SubBand (duty cycle, power) ────────┘
//	Band ── RX2, PingSlot, Beacon ── McClassCSessionReq, McClassBSessionReq
//	Band ── UplinkChannels, RX1 ── what the simulator needs
//
// Everything is a table or integer arithmetic. Tables are those of RP002-1.0.3;
// where the codebases of the field disagree, the vectors in testdata say who says
// what, and the comment beside the value says which one was taken.
//
// What it does not do: it is no legal advice. Duty cycles and powers are planning
// defaults; a deployment configures its own. LR-FHSS rates are listed because their
// numbers are taken, but LR-FHSS is uplink only and its air time is not computed.
// The sub-plans of CN470 (20 or 26 MHz, A or B) are not listed: the network says
// which frequencies it uses.
//
// Sources: RP002-1.0.3 (regional parameters), TS001-1.0.4 (link layer).
package region
