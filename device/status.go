package device

import "time"

// Status is what a test or a report wants to know and no command tells.
type Status struct {
	Time       time.Time // the device's own idea of the time, at the last instant it lived through
	ClockError time.Duration

	FCntUp   uint32 // counter of the next uplink
	Groups   int    // multicast groups defined
	Sessions int    // multicast sessions accepted and not over

	FragSession     bool // a fragmentation session exists
	NbFrag          int  // of the youngest fragmentation session
	FragmentsHeard  int  // DataFragment commands taken, over all sessions
	FragmentsNeeded int  // independent fragments still missing in the youngest session
	Complete        bool // the last block is complete
	MICError        bool // and its MIC is wrong

	ImageStatus uint8 // UpImageStatus of TS006
	RebootAt    time.Time
	Reboots     int // resets and reboots since Start

	Uplinks    int // frames sent
	Downlinks  int // frames accepted, unicast and multicast
	Rejected   int // frames with its address, but a wrong MIC, counter or group window
	Airtime    time.Duration
	LastUplink time.Time // end of its transmission
}
