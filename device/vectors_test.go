package device_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// cases reads the cases of a vector file. Other implementations made them.
func cases[C any](t *testing.T, file string) []C {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Cases []C }
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) == 0 {
		t.Fatalf("%s: no cases", file)
	}
	return v.Cases
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWrappedKeysOfOthersOpenTheFramesOfOthers(t *testing.T) {
	type keys struct {
		GenAppKey   string          `json:"gen_app_key"`
		AppKey      string          `json:"app_key_lw11"`
		McAddr      lorawan.DevAddr `json:"mc_addr"`
		Encrypted10 string          `json:"mc_key_encrypted_lw10x"`
		Encrypted11 string          `json:"mc_key_encrypted_lw11"`
		McAppSKey   string          `json:"mc_app_s_key"`
		McNwkSKey   string          `json:"mc_nwk_s_key"`
	}
	for _, k := range cases[keys](t, "mc_keys.json") {
		for _, lw11 := range []bool{false, true} {
			s := quiet(t, func(c *device.Config) {
				c.LoRaWAN11, c.RootKey = lw11, lorawan.MustParseAES128Key(k.GenAppKey)
				if lw11 {
					c.RootKey = lorawan.MustParseAES128Key(k.AppKey)
				}
			})
			encrypted := k.Encrypted10
			if lw11 {
				encrypted = k.Encrypted11
			}
			answer[multicast.McGroupSetupAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McGroupSetupReq{
				McAddr: k.McAddr, McKeyEncrypted: [16]byte(unhex(t, encrypted)), MaxMcFCnt: 10,
			})
			s.setUpTransfer(someBlock(100), 10, nil)
			s.mc = lorawan.NewSession(k.McAddr, lorawan.MustParseAES128Key(k.McNwkSKey), lorawan.MustParseAES128Key(k.McAppSKey))
			s.multicast(fragmentation.DataFragment{N: 1, Data: make([]byte, 10)})
			if s.dev.Status().FragmentsHeard != 1 {
				t.Errorf("group %s, LoRaWAN 1.1 %t: the fragment was not understood", k.McAddr, lw11)
			}
		}
	}
}

func TestMulticastFramesOfOthersAreAccepted(t *testing.T) {
	type frame struct {
		McAddr lorawan.DevAddr `json:"mc_addr"`
		McKey  string          `json:"mc_key"`
		FCnt   uint32          `json:"fcnt32"`
		PHY    string          `json:"phy_payload_hex"`
	}
	for _, f := range cases[frame](t, "multicast_frames.json") {
		s := quiet(t, nil)
		kek := multicast.McKEKey(multicast.McRootKey10(rootKey))
		answer[multicast.McGroupSetupAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McGroupSetupReq{
			McAddr: f.McAddr, McKeyEncrypted: multicast.WrapMcKey(kek, lorawan.MustParseAES128Key(f.McKey)), MinMcFCnt: f.FCnt, MaxMcFCnt: f.FCnt + 1,
		})
		before := s.dev.Status().Downlinks
		phy := unhex(t, f.PHY)
		s.dev.Receive(s.now, phy)
		if s.dev.Status().Downlinks != before+1 {
			t.Errorf("group %s, counter %d: rejected", f.McAddr, f.FCnt)
		}
		phy[len(phy)-1] ^= 1
		s.dev.Receive(s.now.Add(time.Second), phy)
		if s.dev.Status().Downlinks != before+1 {
			t.Errorf("group %s, counter %d: accepted with a wrong MIC", f.McAddr, f.FCnt)
		}
	}
}
