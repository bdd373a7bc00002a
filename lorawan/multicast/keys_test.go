package multicast_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

func TestKeyVectors(t *testing.T) {
	var f struct {
		Cases []struct {
			GenAppKey   string          `json:"gen_app_key"`
			AppKey      string          `json:"app_key_lw11"`
			McKey       string          `json:"mc_key"`
			McAddr      lorawan.DevAddr `json:"mc_addr"`
			McRootKey10 string          `json:"mc_root_key_from_gen_app_key"`
			McRootKey11 string          `json:"mc_root_key_from_app_key_lw11"`
			McKEKey10   string          `json:"mc_ke_key_lw10x"`
			McKEKey11   string          `json:"mc_ke_key_lw11"`
			Encrypted10 string          `json:"mc_key_encrypted_lw10x"`
			Encrypted11 string          `json:"mc_key_encrypted_lw11"`
			McAppSKey   string          `json:"mc_app_s_key"`
			McNwkSKey   string          `json:"mc_nwk_s_key"`
		}
	}
	b, err := os.ReadFile("testdata/mc_keys.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil || len(f.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(f.Cases), err)
	}
	for i, c := range f.Cases {
		check := func(name string, got lorawan.AES128Key, want string) {
			t.Helper()
			if got.Hex() != want {
				t.Errorf("case %d: %s %s, want %s", i, name, got.Hex(), want)
			}
		}
		mcKey := lorawan.MustParseAES128Key(c.McKey)
		wrap := func(version string, root lorawan.AES128Key, wantKEK, wantEncrypted string) {
			t.Helper()
			kek := multicast.McKEKey(root)
			check("McKEKey "+version, kek, wantKEK)
			enc := multicast.WrapMcKey(kek, mcKey)
			if hex.EncodeToString(enc[:]) != wantEncrypted {
				t.Errorf("case %d: McKeyEncrypted %s %x, want %s", i, version, enc, wantEncrypted)
			}
			check("unwrapped "+version, multicast.UnwrapMcKey(kek, enc), c.McKey)
		}
		root10 := multicast.McRootKey10(lorawan.MustParseAES128Key(c.GenAppKey))
		root11 := multicast.McRootKey11(lorawan.MustParseAES128Key(c.AppKey))
		check("McRootKey 1.0", root10, c.McRootKey10)
		check("McRootKey 1.1", root11, c.McRootKey11)
		wrap("1.0", root10, c.McKEKey10, c.Encrypted10)
		wrap("1.1", root11, c.McKEKey11, c.Encrypted11)
		check("McAppSKey", multicast.McAppSKey(mcKey, c.McAddr), c.McAppSKey)
		check("McNwkSKey", multicast.McNwkSKey(mcKey, c.McAddr), c.McNwkSKey)
	}
}

func TestWrongRootKeyUnwrapsToAnotherKeyInSilence(t *testing.T) {
	mcKey := lorawan.AES128Key{1, 2, 3}
	enc := multicast.WrapMcKey(multicast.McKEKey(multicast.McRootKey10(lorawan.AES128Key{1})), mcKey)
	if got := multicast.UnwrapMcKey(multicast.McKEKey(multicast.McRootKey10(lorawan.AES128Key{2})), enc); got.Equal(mcKey) {
		t.Error("a wrong key gave the right one")
	}
}
