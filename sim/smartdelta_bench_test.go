package sim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/smartdelta"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/sim"
)

// patched is a release of 64 KiB, the one before, and the signed delta between them.
type patched struct {
	old, target, block []byte
	key                *ecdsa.PrivateKey
}

func newPatched(t testing.TB) patched {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	p := patched{old: make([]byte, 64<<10)}
	for i := range p.old {
		p.old[i] = byte(rnd.Uint32())
	}
	p.target = append([]byte(nil), p.old...)
	for range 20 {
		binary.LittleEndian.PutUint32(p.target[rnd.IntN(len(p.target)/4)*4:], rnd.Uint32())
	}
	var err error
	if p.key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), binary.BigEndian.AppendUint64(make([]byte, 24), 7)); err != nil {
		t.Fatal(err)
	}
	patch, err := delta.Create(p.old, p.target, delta.Options{Format: delta.HPatchLite})
	if err != nil {
		t.Fatal(err)
	}
	if p.block, err = delta.Sign(patch, p.old, p.target, delta.Identity{BaseVersion: 1, TargetVersion: 2}, p.key); err != nil {
		t.Fatal(err)
	}
	return p
}

// upgrade has a device get the block and reboot into what it makes.
func (p patched) upgrade(t testing.TB, spec sim.DeviceSpec, dev *device.Device) {
	t.Helper()
	session, fcnt := spec.UnicastSession(), uint32(0)
	send := func(fport uint8, c lorawan.Command) {
		payload, err := c.Append(nil, lorawan.V1)
		if err != nil {
			t.Fatal(err)
		}
		dev.Receive(start, session.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: fcnt, FPort: fport, FRMPayload: payload}))
		fcnt++
	}
	e, err := fec.NewEncoder(lorawan.V1, p.block, 200)
	if err != nil {
		t.Fatal(err)
	}
	send(201, fragmentation.FragSessionSetupReq{NbFrag: uint16(e.NbFrag()), FragSize: 200, Padding: uint8(e.Padding()), Descriptor: [4]byte{2}})
	for n := 1; n <= e.NbFrag(); n++ {
		data, err := e.Fragment(n, nil)
		if err != nil {
			t.Fatal(err)
		}
		send(201, fragmentation.DataFragment{N: uint16(n), Data: data})
	}
	send(203, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
	dev.Wake(start)
	if dev.RunningFirmware() != 2 {
		t.Fatal(dev.Status().Refusal)
	}
}

// BenchmarkSmartDelta has every device of a network get one signed delta for an image of 64 KiB and
// reboot into the result. heap-B/device is what stays; ns/device must not depend on the number of devices.
//
//	own     each device decodes, and holds what comes of it
//	shared  package smartdelta
func BenchmarkSmartDelta(b *testing.B) {
	p := newPatched(b)
	own := device.InstallerFunc(func(block, running []byte) ([]byte, error) {
		made, _, err := delta.Open(block, &p.key.PublicKey, envelope.Device{}, running, delta.Limits{})
		return made, err
	})
	for _, x := range []struct {
		name    string
		devices int
	}{{"own", 2000}, {"shared", 2000}, {"shared", 100000}} {
		b.Run(fmt.Sprintf("%s/%d", x.name, x.devices), func(b *testing.B) {
			var heap, allocs float64
			for b.Loop() {
				var in device.Installer = own
				if x.name == "shared" {
					var err error
					if in, err = smartdelta.New(smartdelta.Config{Key: &p.key.PublicKey}); err != nil {
						b.Fatal(err)
					}
				}
				crowd := device.NewCrowd()
				if err := crowd.Add(p.block); err != nil {
					b.Fatal(err)
				}
				f := newFleet(b, sim.FleetConfig{Devices: x.devices, Seed: 1, Start: start, Mix: []sim.Model{{Config: device.Config{
					Packages: device.Packages{Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1}, Firmware: 1, Image: p.old, Install: in, Crowd: crowd, FlashTime: time.Minute,
				}}}})
				n, err := sim.New(f.Config())
				if err != nil {
					b.Fatal(err)
				}
				before := memory()
				for _, spec := range f.Devices {
					p.upgrade(b, spec, n.Device(spec.DevEUI))
				}
				after := memory()
				heap += float64(after.HeapAlloc) - float64(before.HeapAlloc)
				allocs += float64(after.Mallocs) - float64(before.Mallocs)
				runtime.KeepAlive(n)
				runtime.KeepAlive(f)
			}
			per := float64(b.N) * float64(x.devices)
			b.ReportMetric(heap/per, "heap-B/device")
			b.ReportMetric(allocs/per, "allocs/device")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/per, "ns/device")
		})
	}
}

// memory is the heap without what nobody needs.
func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

func TestDevicesOfAFleetHoldOneImage(t *testing.T) {
	p := newPatched(t)
	in, err := smartdelta.New(smartdelta.Config{Key: &p.key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	const devices = 300
	f := newFleet(t, sim.FleetConfig{Devices: devices, Seed: 1, Start: start, Mix: []sim.Model{{Config: device.Config{
		Packages: device.Packages{Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1}, Firmware: 1, Image: p.old, Install: in,
	}}}})
	n, err := sim.New(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	before := memory()
	for _, spec := range f.Devices {
		p.upgrade(t, spec, n.Device(spec.DevEUI))
	}
	after := memory()
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > devices*int64(len(p.target))/4 {
		t.Errorf("%d devices hold %d bytes more, an image has %d", devices, grown, len(p.target))
	}
	runtime.KeepAlive(n)
	runtime.KeepAlive(f)
}
