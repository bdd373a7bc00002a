package device

import "time"

// Behaviour makes a device misbehave, as some device of every fleet does. The zero
// value behaves. A clock that is far off is Config.ClockOffset.
type Behaviour struct {
	Silent      bool          // no package ever sends anything; commands are obeyed, application uplinks go on
	AnswerDelay time.Duration // every answer is this much later than it should be
	Duplicates  bool          // every answer is sent twice, in two uplinks

	ResetAt             time.Time // the device loses its RAM at this true time; zero: never
	ResetAfterFragments int       // or once, when this many fragments were heard; 0: never

	RefusesSetup  bool   // FragSessionSetupAns says: not enough memory
	CorruptsImage bool   // one byte of every complete block is wrong
	WrongHardware bool   // every image is found to be for other hardware (UpImageStatus 2)
	WrongVersion  uint32 // version reported after an installation instead of the new one; 0: the new one
	FailsInstall  bool   // the boot loader refuses the image: the old firmware comes back
	IgnoresTime   bool   // AppTimeAns never corrects the clock

	// LosesPowerAt is the change of flash, counted from 1, during which power goes away in the
	// first installation that gets so far; 0: none. Only an Installer that models flash has changes.
	LosesPowerAt int
}
