package device_test

import (
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/multipackage"
	"github.com/starling-fuota/starling/lorawan/region"
)

var newest = multipackage.Versions{
	ClockSync: lorawan.V2, McSetup: lorawan.V2, Fragmentation: lorawan.V2, FirmwareMgmt: lorawan.V1, MultiPackage: lorawan.V1,
}

// sendAll sends commands of several packages in one frame and returns the frames that come back.
func (s *server) sendAll(token uint8, items ...multipackage.Item) [][]byte {
	s.t.Helper()
	_, alone := items[0].Command.(multipackage.MultiPackBufferReq)
	payload, err := multipackage.Message{Items: items, Token: token, NoToken: alone}.Append(nil, newest)
	if err != nil {
		s.t.Fatal(err)
	}
	s.heard = nil
	s.sendBytes(225, payload)
	s.advance(time.Minute)
	return s.take(lorawan.MultiPackage)
}

func (s *server) message(frames [][]byte) multipackage.Message {
	s.t.Helper()
	if len(frames) != 1 {
		s.t.Fatalf("%d frames, want 1", len(frames))
	}
	m, err := multipackage.ParseUplink(frames[0], newest)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func TestPackagesAreDiscovered(t *testing.T) {
	cfg := config()
	cfg.Ports.Fragmentation = 77
	s := serve(t, cfg)
	m := s.message(s.sendAll(2, multipackage.Item{Package: lorawan.MultiPackage, Command: multipackage.DevPackageReq{}}))
	if m.Token != 2 || len(m.Items) != 1 {
		t.Fatal(m)
	}
	ans := m.Items[0].Command.(multipackage.DevPackageAns)
	if len(ans.Packages) != 5 || ans.Versions() != newest || ans.Packages[3].FPort != 77 {
		t.Error(ans)
	}
}

func TestCommandsOfSeveralPackagesAreAnsweredTogether(t *testing.T) {
	s := quiet(t, nil)
	m := s.message(s.sendAll(3,
		multipackage.Item{Package: lorawan.McSetup, Command: multicast.McGroupDeleteReq{McGroupID: 1}},
		multipackage.Item{Package: lorawan.FirmwareMgmt, Command: firmware.DevVersionReq{}},
		multipackage.Item{Package: lorawan.FirmwareMgmt, Command: lorawan.PackageVersionReq{}},
		multipackage.Item{Package: lorawan.MultiPackage, Command: lorawan.PackageVersionReq{}},
	))
	want := []lorawan.Command{
		multicast.McGroupDeleteAns{McGroupID: 1, McGroupUndefined: true},
		firmware.DevVersionAns{FWVersion: 0x04030201, HWVersion: 7},
		lorawan.PackageVersionAns{PackageIdentifier: lorawan.FirmwareMgmt, PackageVersion: lorawan.V1},
		lorawan.PackageVersionAns{PackageIdentifier: lorawan.MultiPackage, PackageVersion: lorawan.V1},
	}
	if m.Token != 3 || len(m.Items) != len(want) {
		t.Fatal(m)
	}
	for i, c := range want {
		if m.Items[i].Command != c {
			t.Errorf("answer %d: %v, want %v", i, m.Items[i].Command, c)
		}
	}
}

func TestLongAnswersComeInPiecesAndAgainWhenAsked(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Band, c.UplinkDR = region.US915, 0 }) // 11 bytes of payload
	items := []multipackage.Item{{Package: lorawan.MultiPackage, Command: multipackage.DevPackageReq{}}}
	for range 3 {
		items = append(items, multipackage.Item{Package: lorawan.FirmwareMgmt, Command: firmware.DevVersionReq{}})
	}
	buffer := make([]byte, 2+4*3+1+3*9) // DevPackageAns without TS003, PackageID, three DevVersionAns
	read := func(frames [][]byte) (n int) {
		for _, b := range frames {
			m, err := multipackage.ParseUplink(b, newest)
			if err != nil {
				t.Fatal(err)
			}
			frag := m.Items[0].Command.(multipackage.MultiPackBufferFrag)
			if len(b) > 11 || m.Token != 1 {
				t.Errorf("%v in %d bytes", m, len(b))
			}
			n += copy(buffer[frag.BaseByte:], frag.Buffer)
		}
		return n
	}
	if n := read(s.sendAll(1, items...)); n != len(buffer) {
		t.Fatalf("%d bytes of %d came", n, len(buffer))
	}
	got, err := multipackage.ParseUplink(slices.Concat(buffer, []byte{1}), newest)
	if err != nil || len(got.Items) != 4 {
		t.Fatalf("%v, %v", got, err)
	}
	again := func(from, to uint8) [][]byte {
		return s.sendAll(0, multipackage.Item{Command: multipackage.MultiPackBufferReq{StartByte: from, StopByte: to}})
	}
	if n := read(again(8, 20)); n != 13 {
		t.Errorf("%d bytes for 8..20", n)
	}
	if m := s.message(again(8, 100)); !m.Items[0].Command.(multipackage.MultiPackBufferFrag).Error {
		t.Errorf("beyond the buffer: %v", m)
	}
}
