package fragmentation_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// stream makes the data block of a vector: SHA-256 of seed and a counter, end to end.
func stream(seed string, n int) []byte {
	var b []byte
	for i := uint32(0); len(b) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(seed), i))
		b = append(b, sum[:]...)
	}
	return b[:n]
}

func TestDataBlockMICVectors(t *testing.T) {
	var f struct {
		Cases []struct {
			RootKey         string `json:"root_key"`
			DataBlockIntKey string `json:"data_block_int_key"`
			SessionCnt      uint16 `json:"session_cnt"`
			FragIndex       uint8  `json:"frag_index"`
			Descriptor      string `json:"descriptor_wire"`
			Seed            string
			DataLen         int    `json:"data_len"`
			DataSHA256      string `json:"data_sha256"`
			MIC             string `json:"mic_wire"`
		}
	}
	b, err := os.ReadFile("testdata/data_block_mic.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil || len(f.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(f.Cases), err)
	}
	for _, c := range f.Cases {
		block := stream(c.Seed, c.DataLen)
		if sum := sha256.Sum256(block); hex.EncodeToString(sum[:]) != c.DataSHA256 {
			t.Fatalf("%s: the test makes another block", c.Seed)
		}
		root := lorawan.MustParseAES128Key(c.RootKey)
		key := fragmentation.DataBlockIntKey10(root)
		if key.Hex() != c.DataBlockIntKey || fragmentation.DataBlockIntKey11(root) != key {
			t.Errorf("%s: DataBlockIntKey %s, want %s", c.Seed, key.Hex(), c.DataBlockIntKey)
		}
		desc, err := hex.DecodeString(c.Descriptor)
		if err != nil {
			t.Fatal(err)
		}
		mic := fragmentation.DataBlockMIC(key, c.SessionCnt, c.FragIndex, [4]byte(desc), block)
		if hex.EncodeToString(mic[:]) != c.MIC {
			t.Errorf("%s: MIC %x, want %s", c.Seed, mic, c.MIC)
		}
	}
}

func TestMICDependsOnEverything(t *testing.T) {
	key := lorawan.AES128Key{1}
	block := stream("block", 100)
	mic := fragmentation.DataBlockMIC
	seen := map[[4]byte]string{}
	for name, m := range map[string][4]byte{
		"reference":  mic(key, 1, 0, [4]byte{}, block),
		"key":        mic(lorawan.AES128Key{2}, 1, 0, [4]byte{}, block),
		"SessionCnt": mic(key, 2, 0, [4]byte{}, block),
		"FragIndex":  mic(key, 1, 1, [4]byte{}, block),
		"Descriptor": mic(key, 1, 0, [4]byte{0, 0, 0, 1}, block),
		"padding":    mic(key, 1, 0, [4]byte{}, append(block[:100:100], 0)),
	} {
		if other, ok := seen[m]; ok {
			t.Errorf("%s and %s have the same MIC", name, other)
		}
		seen[m] = name
	}
}
