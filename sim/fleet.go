package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// MaxFleet is the most devices that NewFleet makes: DevAddr has 24 bits for them. The
// addresses from 01000000 on, of the same NetID 000000, stay free for multicast groups.
const MaxFleet = 1<<24 - 1

// FleetConfig describes a fleet in a few words. The zero value of a field is what its comment says.
type FleetConfig struct {
	Devices int       // 0..MaxFleet
	Seed    uint64    // of identities, keys, clocks and, in Fleet.Config, of the network
	Start   time.Time // when virtual time begins

	Bands    []region.Band // that models without a band are spread over; none: EU868
	Gateways int           // per band; 0: 1
	Reach    int           // gateways that a device is linked to; 0: 1, at most Gateways
	Up, Down Loss          // of every link; nil: none

	Mix []Model // none: one model, Standard

	UplinkDRs    []uint8       // each device keeps one of them; none: the model's
	UplinkPeriod time.Duration // of models that have none themselves
	UplinkJitter time.Duration // of models that have none themselves

	ClockError    time.Duration // each clock is off by up to this much, either way
	ClockDriftPPM float64       // each clock drifts by up to this much, either way
}

// Model is a kind of device in a fleet.
type Model struct {
	// Weight is how many devices of each Weight-sum have this model; 0: 1.
	Weight int
	// Config is the pattern. The fleet sets what is a device's own (DevEUI, DevAddr, keys, Seed,
	// Start, clock) and what is zero here and given there (Band, UplinkPeriod, UplinkJitter).
	Config device.Config
}

// Standard is a LoRaWAN 1.0 device without limits that has versions 2.0.0 of clock
// synchronisation, multicast setup and fragmentation, firmware management 1.0.0, and classes B and C.
var Standard = Model{Config: device.Config{
	ClassB: true, ClassC: true,
	Packages: device.Packages{
		ClockSync: lorawan.V2, McSetup: lorawan.V2, Fragmentation: lorawan.V2, FirmwareMgmt: lorawan.V1,
	},
	Stack:    device.Ideal,
	Firmware: 0x00000001, // 1.0.0.0, first byte X
}}

// Fleet is what NewFleet makes: everything that a server must be told, keys included,
// and everything that a network needs.
type Fleet struct {
	Seed     uint64
	Start    time.Time
	Gateways []Gateway
	Devices  []DeviceSpec
}

// Config returns a network of the fleet, with defaults for the rest.
func (f Fleet) Config() Config {
	return Config{Seed: f.Seed, Start: f.Start, Gateways: f.Gateways, Devices: f.Devices}
}

// NewFleet makes a fleet. Device i is the same in every fleet of the same seed and description,
// however many devices there are. Fleets of different seeds have different DevEUIs
// (of 24 bits of the seed's hash) and keys, and the same DevAddrs.
//
// It returns ErrConfig for counts out of range and negative weights; New finds the rest.
func NewFleet(cfg FleetConfig) (Fleet, error) {
	if cfg.Devices < 0 || cfg.Devices > MaxFleet {
		return Fleet{}, fmt.Errorf("%d devices: %w, want 0 to %d", cfg.Devices, ErrConfig, MaxFleet)
	}
	if cfg.Gateways < 0 || cfg.Reach < 0 {
		return Fleet{}, fmt.Errorf("%d gateways, reach %d: %w", cfg.Gateways, cfg.Reach, ErrConfig)
	}
	cfg.Gateways = max(cfg.Gateways, 1)
	cfg.Reach = min(max(cfg.Reach, 1), cfg.Gateways)
	if len(cfg.Bands) == 0 {
		cfg.Bands = []region.Band{region.EU868}
	}
	if len(cfg.Mix) == 0 {
		cfg.Mix = []Model{Standard}
	}
	var round []device.Config // one entry per unit of weight
	for i, m := range cfg.Mix {
		if m.Weight < 0 {
			return Fleet{}, fmt.Errorf("model %d of the mix: weight %d: %w", i, m.Weight, ErrConfig)
		}
		round = append(round, slices.Repeat([]device.Config{m.Config}, max(m.Weight, 1))...)
	}

	f := Fleet{Seed: cfg.Seed, Start: cfg.Start, Devices: make([]DeviceSpec, 0, cfg.Devices)}
	bands := slices.Clone(cfg.Bands)
	for _, m := range cfg.Mix {
		if m.Config.Band != 0 {
			bands = append(bands, m.Config.Band)
		}
	}
	for i, b := range bands {
		if slices.Contains(bands[:i], b) {
			continue
		}
		for j := range cfg.Gateways {
			f.Gateways = append(f.Gateways, Gateway{ID: gatewayID(b, j), Band: b})
		}
	}
	for i := range cfg.Devices {
		// Each round of models lives in one band, so that bands and models mix evenly.
		spec := DeviceSpec{Config: round[i%len(round)]}
		if spec.Band == 0 {
			spec.Band = cfg.Bands[i/len(round)%len(cfg.Bands)]
		}
		cfg.individual(&spec, i)
		f.Devices = append(f.Devices, spec)
	}
	return f, nil
}

// individual fills in what is a device's own.
func (cfg FleetConfig) individual(spec *DeviceSpec, i int) {
	luck := rand.New(rand.NewPCG(cfg.Seed, stream("fleet", fmt.Sprint(i))))
	spec.DevEUI = fleetEUI(cfg.Seed, i)
	binary.BigEndian.PutUint32(spec.DevAddr[:], uint32(i+1))
	spec.NwkSKey = fleetKey(cfg.Seed, i, "NwkSKey")
	spec.AppSKey = fleetKey(cfg.Seed, i, "AppSKey")
	spec.RootKey = fleetKey(cfg.Seed, i, "RootKey")
	spec.Seed = luck.Uint64() | 1 // 0 would ask for another
	spec.Start = cfg.Start
	spec.ClockOffset = time.Duration((2*luck.Float64() - 1) * float64(cfg.ClockError))
	spec.ClockDriftPPM = (2*luck.Float64() - 1) * cfg.ClockDriftPPM
	if n := len(cfg.UplinkDRs); n > 0 {
		spec.UplinkDR = cfg.UplinkDRs[luck.IntN(n)]
	}
	if spec.UplinkPeriod == 0 {
		spec.UplinkPeriod = cfg.UplinkPeriod
	}
	if spec.UplinkJitter == 0 {
		spec.UplinkJitter = cfg.UplinkJitter
	}
	nearest := luck.IntN(cfg.Gateways)
	for j := range cfg.Reach {
		spec.Links = append(spec.Links, Link{
			Gateway: gatewayID(spec.Band, (nearest+j)%cfg.Gateways), Up: cfg.Up, Down: cfg.Down,
		})
	}
}

// gatewayID names gateway j of a band, such as "eu868-1".
func gatewayID(b region.Band, j int) string {
	return fmt.Sprintf("%s-%d", strings.ToLower(b.String()), j+1)
}

// fleetEUI is a locally administered EUI-64: 02, three bytes of the seed's hash, four of the index.
func fleetEUI(seed uint64, i int) (eui lorawan.EUI64) {
	binary.BigEndian.PutUint32(eui[:4], uint32(stream("fleet", fmt.Sprint(seed))&0xffffff|0x02<<24))
	binary.BigEndian.PutUint32(eui[4:], uint32(i))
	return eui
}

// fleetKey derives a key of device i: its index and the key's name, encrypted under the seed. It is as
// secret as the seed, that is, not at all.
func fleetKey(seed uint64, i int, name string) lorawan.AES128Key {
	var master lorawan.AES128Key
	binary.BigEndian.PutUint64(master[:], seed)
	var in [16]byte
	binary.BigEndian.PutUint64(in[:], uint64(i))
	copy(in[8:], name)
	return lorawan.NewCipher(master).Encrypt(in)
}
