package device

import (
	"time"

	"github.com/starling-fuota/starling/fec"
)

// Stack is what the software of a device can hold and where it departs from the
// specifications. The zero value is Ideal. A preset is a starting point: copy it and
// change what the product changed.
type Stack struct {
	Name string

	Decoder fec.Limits // limits of the fragment decoder, and the style of its status answers

	Groups       int // multicast groups, 1..4; 0: 4
	FragSessions int // FragIndex values taken, 1..4; 0: 4

	// MaxAnswer is the most bytes that the answers to one downlink may have, by
	// package identifier; what goes beyond is lost. 0: what the data rate carries.
	MaxAnswer [5]int

	// SharedDecoder: one decoder serves all FragIndex values, so that a new setup
	// replaces the session of any other index.
	SharedDecoder bool
	// KeepsSession: while a session exists, the setup of another index is answered
	// with "FragIndex not supported" instead.
	KeepsSession bool
	// IgnoresGroupMask: fragments are taken from every multicast group.
	IgnoresGroupMask bool
	// SessionCntInRAM: the replay protection of TS004-2.0.0 starts anew after a reboot.
	SessionCntInRAM bool
	// StatusInV1Order: FragSessionStatusAns has the order of 1.0.0 under package version 2.
	StatusInV1Order bool
	// PadsNoSession: three zero bytes follow a FragSessionStatusAns that says the
	// session does not exist.
	PadsNoSession bool

	// NoGroupStatus: the stack does not know McGroupStatusReq: it, and what follows, is lost.
	NoGroupStatus bool
	// PastIsUndefined: a session that should have started already is answered with
	// McGroupUndefined instead of StartMissed.
	PastIsUndefined bool
	// SetupResetsFCnt: a repeated McGroupSetupReq takes the counter back to its
	// minMcFCnt; other devices never accept a counter twice under one key.
	SetupResetsFCnt bool
	// OneSessionTimer: a session request replaces the one of any other group.
	OneSessionTimer bool
	// DropsOnUnknown: a downlink with an unknown command does nothing at all; other
	// devices carry out what came before it.
	DropsOnUnknown bool

	// TimeSyncInterval is the time between two AppTimeReq; 0: 24 h.
	TimeSyncInterval time.Duration
	// NoPeriodicity: DeviceAppTimePeriodicityReq is answered with NotSupported.
	NoPeriodicity bool
	// QuietInClassC: no AppTimeReq during a class C session.
	QuietInClassC bool

	FirmwareDialect Dialect
	// RebootsItself: a valid image is installed without a command, after the random
	// delay of BlockAckDelay, unless a reboot is scheduled.
	RebootsItself bool
	// LeavesWhenComplete: multicast sessions end with the complete block, so that no
	// multicast FragSessionStatusReq reaches the device any more.
	LeavesWhenComplete bool
	// Unchecked: an image is reported valid without a look into it; only the boot loader
	// finds out, and the old firmware comes back.
	Unchecked bool
	// AnswersRebootNow: RebootTime 0 is answered, and means: as soon as there is a valid image.
	AnswersRebootNow bool
	// NoCountdown: the stack does not know DevRebootCountdownReq.
	NoCountdown bool
	// EchoesRebootTime: DevRebootTimeAns repeats the time instead of giving the seconds to it.
	EchoesRebootTime bool
	// RebootTimeIsUnix: RebootTime is compared with Unix time, unsigned: a GPS time
	// gives a delay of a century.
	RebootTimeIsUnix bool
	// NoImageVersion: DevUpgradeImageAns gives version 0 for a valid image.
	NoImageVersion bool
	// SwapsBootVersion: the DevVersionAns after boot has its four version bytes reversed.
	SwapsBootVersion bool

	// KeepsState: groups, fragmentation sessions, the clock and the received image
	// survive a reboot.
	KeepsState bool
}

// Dialect is how a device speaks TS006: the bytes are the same, the manners differ.
type Dialect uint8

// Dialects of firmware management.
const (
	TS006 Dialect = iota // version 1.0.0
	// RC1 is the release candidate spoken by Actility's devices: DevVersionAns comes
	// unasked, 16 to 128 s after boot, and DevDeleteImageReq ignores the version.
	RC1
)

// String returns "ts006" or "rc1".
func (d Dialect) String() string {
	if d == RC1 {
		return "rc1"
	}
	return "ts006"
}

// Presets, as the stacks behave if nobody changes them. Limits of decoders are
// explained in package fec.
var (
	// Ideal follows the specifications and has no limits.
	Ideal = Stack{Name: "ideal"}

	// LoRaMacStock is LoRaMac-node.
	LoRaMacStock = Stack{
		Name: "LoRaMac-node", Decoder: fec.LoRaMacStock,
		SharedDecoder: true, IgnoresGroupMask: true, SessionCntInRAM: true,
		NoGroupStatus: true, PastIsUndefined: true, SetupResetsFCnt: true, OneSessionTimer: true, NoPeriodicity: true,
	}

	// ActilityL476 is Actility's firmware for the STM32L476.
	ActilityL476 = Stack{
		Name: "Actility STM32L476", Decoder: fec.ActilityL476,
		SharedDecoder: true, SessionCntInRAM: true,
		NoGroupStatus: true, PastIsUndefined: true, SetupResetsFCnt: true, OneSessionTimer: true, NoPeriodicity: true,
		FirmwareDialect: RC1, RebootsItself: true, LeavesWhenComplete: true, Unchecked: true,
		AnswersRebootNow: true, NoCountdown: true, EchoesRebootTime: true,
	}

	// ActilityWL55v1 is Actility's firmware for the STM32WL55, package versions 1.
	ActilityWL55v1 = Stack{
		Name: "Actility STM32WL55 v1", Decoder: fec.ActilityWL55v1,
		SharedDecoder: true, SessionCntInRAM: true,
		NoGroupStatus: true, PastIsUndefined: true, SetupResetsFCnt: true, OneSessionTimer: true, NoPeriodicity: true,
		FirmwareDialect: RC1, RebootsItself: true, LeavesWhenComplete: true, Unchecked: true,
		RebootTimeIsUnix: true, NoImageVersion: true,
	}

	// ActilityWL55v2 is the same with package versions 2.
	ActilityWL55v2 = Stack{
		Name: "Actility STM32WL55 v2", Decoder: fec.ActilityWL55v2,
		SharedDecoder: true, SessionCntInRAM: true, StatusInV1Order: true,
		OneSessionTimer: true, NoPeriodicity: true,
		FirmwareDialect: RC1, RebootsItself: true, LeavesWhenComplete: true, Unchecked: true,
		RebootTimeIsUnix: true, NoImageVersion: true,
		SwapsBootVersion: true,
	}

	// LBM is LoRa Basics Modem.
	LBM = Stack{
		Name: "LoRa Basics Modem", Decoder: fec.LBMDefault,
		MaxAnswer:     [5]int{2: 15, 3: 15, 4: 9}, // TS005, TS004, TS006
		SharedDecoder: true, SessionCntInRAM: true, PadsNoSession: true, DropsOnUnknown: true,
		TimeSyncInterval: 36 * time.Hour,
	}

	// Zephyr is the LoRaWAN subsystem of Zephyr: TS003 version 2, TS004 and TS005 version 1.
	Zephyr = Stack{
		Name: "Zephyr", Decoder: fec.Zephyr,
		SharedDecoder: true, KeepsSession: true, NoGroupStatus: true, DropsOnUnknown: true, QuietInClassC: true,
	}
)

const maxSlots = 4 // McGroupID and FragIndex have two bits

func slots(n int) int {
	if n <= 0 || n > maxSlots {
		return maxSlots
	}
	return n
}
