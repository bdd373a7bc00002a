package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// Spec is all that a campaign knows of the world, copied out of the fleet when it
// starts: what an operator edits later does not reach a running campaign. It is
// stored once. It holds no keys: those come as Material at every Load.
type Spec struct {
	ID          string             `json:"id"`
	Type        fleet.CampaignType `json:"type"`
	Threshold   float64            `json:"threshold"`    // percent of Devices that must pass every stage
	MaxDuration time.Duration      `json:"max_duration"` // from Start; then the campaign ends
	// SessionStart is when the multicast session starts; zero: computed from the set-up stages.
	SessionStart time.Time `json:"session_start,omitzero"`
	// RebootAt is the reboot time given to devices; zero: they reboot when the image is checked.
	RebootAt time.Time      `json:"reboot_at,omitzero"`
	Firmware fleet.Firmware `json:"firmware,omitzero"` // target version as DevVersionAns reports it (FOTA)
	// NextChance: a command that is handed over when an uplink is reported still makes the
	// receive windows of that uplink, so none needs to wait in a queue.
	NextChance bool `json:"next_chance,omitempty"`
	// Policy has its defaults filled in.
	Policy fleet.CampaignPolicy `json:"policy"`
	// Delta is when deltas are sent (FOTA), and ImageSize the bytes of the full image; 0: nobody knows.
	Delta     fleet.DeltaMode `json:"delta,omitempty"`
	ImageSize int             `json:"image_size,omitempty"`
	// Schedule and CatchUp have their defaults filled in.
	Schedule fleet.Schedule    `json:"schedule,omitzero"`
	CatchUp  fleet.CatchUp     `json:"catch_up,omitzero"`
	Phases   []fleet.Phase     `json:"phases,omitempty"`
	Abort    []fleet.AbortRule `json:"abort,omitempty"`
	Traits   []Traits          `json:"traits"`
	Groups   []GroupSpec       `json:"groups"`  // ascending by DevEUI
	Lanes    []Lane            `json:"lanes"`   // lanes of one group stand together
	Devices  []Member          `json:"devices"` // ascending by DevEUI
}

// GroupSpec is a reliable multicast group as the campaign uses it.
type GroupSpec struct {
	DevEUI      lorawan.EUI64   `json:"dev_eui"`
	McAddr      lorawan.DevAddr `json:"mc_addr"`
	Class       fleet.Class     `json:"class"`
	Band        region.Band     `json:"band"`
	Frequency   uint32          `json:"frequency"` // Hz; 0 = class B channel hopping
	DataRate    uint8           `json:"data_rate"`
	Periodicity uint8           `json:"periodicity"` // class B: ping period 2^n s
	FirstFCnt   uint32          `json:"first_f_cnt"` // next counter the network will use
	// FrameInterval is the time one fragment is expected to take, from air time, duty
	// cycle and ping slots. It sizes the session; it does not pace the sending.
	FrameInterval time.Duration `json:"frame_interval"`
}

// Lane is the devices of one group that receive the same fragments: same payload (the full image, or the delta from
// what they run), same TS004 version (the parity of versions 1 and 2 differs), same fragment size.
type Lane struct {
	Group int `json:"group"` // index into Spec.Groups
	// Kind is the same for the lanes of a group whose devices differ in nothing but their version of TS004 and what they
	// run: a device may turn out to belong to another of them.
	Kind      int             `json:"kind,omitempty"`
	Base      fleet.Firmware  `json:"base,omitzero"` // what devices must run for the block, a delta; zero: it is no delta
	FragIndex uint8           `json:"frag_index"`    // keeps the lanes of one group apart on the air
	Version   lorawan.Version `json:"version"`       // TS004
	Payload   string          `json:"payload"`       // SHA-256 of the block, hexadecimal
	Size      int             `json:"size"`          // bytes of the block
	FragSize  uint8           `json:"frag_size"`
	NbFrag    uint16          `json:"nb_frag"`
	Padding   uint8           `json:"padding"`
	// Coded is how many coded fragments follow the uncoded ones in the first round:
	// all there will be with fixed redundancy, none otherwise.
	Coded uint16 `json:"coded"`
	// Redundancy is how further rounds come about: the policy's mode, except that fixed
	// redundancy of a group with none is the carousel, as in the reference server.
	Redundancy fleet.RedundancyMode `json:"redundancy"`
	// MaxCoded is the ceiling of coded fragments over all rounds.
	MaxCoded   uint16  `json:"max_coded"`
	FPort      uint8   `json:"f_port"` // of TS004 on the devices of the lane
	Descriptor [4]byte `json:"descriptor"`
	// BlockAckDelay spreads the answers of the lane over 2^(BlockAckDelay+4) seconds.
	BlockAckDelay uint8 `json:"block_ack_delay"`
}

// Member is a device that takes part.
type Member struct {
	DevEUI lorawan.EUI64 `json:"dev_eui"`
	Lane   int           `json:"lane"`          // index into Spec.Lanes
	Traits int           `json:"traits"`        // index into Spec.Traits
	Ask    bool          `json:"ask,omitempty"` // which version it runs, because its lane depends on it and nobody knows for sure
	// SessionCnts are the next TS004 v2 counters of this device, by FragIndex.
	SessionCnts [maxLanes]uint16 `json:"session_cnts,omitzero"`
	Wave        int              `json:"wave,omitempty"` // index into Spec.Phases, or len(Phases) for the rest
}

// Material is what a Spec refers to but does not carry: keys, and the bytes of
// payloads. It is never stored with a campaign.
type Material struct {
	RootKeys map[lorawan.EUI64]RootKey           // per member
	McKeys   map[lorawan.EUI64]lorawan.AES128Key // per group
	Payloads map[string][]byte                   // per Lane.Payload
}

// RootKey is the application root key of a device: GenAppKey in LoRaWAN 1.0.x, AppKey in 1.1.
type RootKey struct {
	Key     lorawan.AES128Key
	Version fleet.LoRaWANVersion
}

// check tells what a Spec and its Material lack; a campaign never starts on a broken one.
func (s *Spec) check(m Material) error {
	if len(s.Devices) == 0 {
		return fmt.Errorf("campaign %s: no device takes part: check device sets, regions and the reasons of the plan", s.ID)
	}
	byEUI := func(a, b Member) int { return a.DevEUI.Compare(b.DevEUI) }
	if !slices.IsSortedFunc(s.Devices, byEUI) {
		return fmt.Errorf("campaign %s: devices are not in ascending order", s.ID)
	}
	for _, d := range s.Devices {
		if d.Lane < 0 || d.Lane >= len(s.Lanes) || d.Traits < 0 || d.Traits >= len(s.Traits) {
			return fmt.Errorf("campaign %s: device %s refers to a lane or profile that is not there", s.ID, d.DevEUI)
		}
		if _, ok := m.RootKeys[d.DevEUI]; !ok {
			return fmt.Errorf("campaign %s: device %s has no root key", s.ID, d.DevEUI)
		}
	}
	for _, g := range s.Groups {
		if _, ok := m.McKeys[g.DevEUI]; !ok {
			return fmt.Errorf("campaign %s: multicast group %s has no McKey", s.ID, g.DevEUI)
		}
	}
	for i, l := range s.Lanes {
		if l.Group < 0 || l.Group >= len(s.Groups) {
			return fmt.Errorf("campaign %s: lane %d refers to a group that is not there", s.ID, i)
		}
		if s.Type != fleet.MCGroupCampaign && len(m.Payloads[l.Payload]) != l.Size {
			return fmt.Errorf("campaign %s: lane %d: payload %.12s has %d bytes, want %d", s.ID, i, l.Payload, len(m.Payloads[l.Payload]), l.Size)
		}
	}
	return nil
}
