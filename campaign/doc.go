// Package campaign decides how a fleet gets a new firmware: it plans a campaign and
// runs it as a pure state machine. It does no I/O, reads no clock and starts no
// goroutine: the same inputs give the same outputs, so a campaign can be replayed,
// simulated, and carried on by another process after a crash.
//
//	fleet objects ── Plan ──> Spec (who, what, how: fixed when the campaign starts)
//	                            │
//	              Start, Heard, Sent, Joined, TimerFired, StopRequested, ...
//	                            │  Step(now, input)
//	                            v
//	   +----------------- Campaign -----------------+        Output, stored before sent:
//	   | stages: a row of gates                     |  ───>  Downlinks  (wishes)
//	   |   devices work on the stages behind open   |        Events     (timeline)
//	   |   gates, each on its own; groups send      |        Devices, Groups (rows that changed)
//	   |   fragments during the data stage          |        WakeAt     (next TimerFired)
//	   +--------------------------------------------+
//
// A campaign of each type walks these stages (names and order of the reference
// server; those in brackets apply only where configured or needed):
//
//	MCGROUP  McGroupSetup  McSession
//	BINARY   McGroupSetup  FragSessionSetup  McSession  DataFragment  FragSessionStatus
//	FOTA     McGroupSetup  [DevRebootTime]  FragSessionSetup  McSession  DataFragment
//	         FragSessionStatus  DevUpgradeImage  [DevReboot]  DevVersion
//
// Where to find a rule: one unicast exchange with its retries is exchange.go; what
// each stage asks and how answers are judged is in the stage's own file
// (setup.go, session.go, status.go, install.go); fragments go out in transfer.go; when
// a stage opens and closes, and the success threshold, are gate.go; stop and its
// clean-up are stop.go; who takes part and with which fragment size is plan.go.
//
// A device is verified only by evidence: FOTA by a DevVersionAns with the target
// version, BINARY by a complete block (FragDataBlockReceivedReq or
// FragSessionStatusAns), MCGROUP by an accepted session.
//
// Sources: TS003 to TS006 in the versions that lorawan/* implements; stage order,
// threshold and clean-up are those of the reference server's public documentation.
package campaign
