package multipackage_test

import (
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

func FuzzParseDownlink(f *testing.F) {
	for _, s := range []string{"0101", "810082008300840002", "020407", "82030184010301" + "00000003"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkStable(t, "downlink", b) })
}

func FuzzParseUplink(f *testing.F) {
	for _, s := range []string{"01050001e10102ca0202c80302c90401cb01", "8100010282000202830003028400040102", "02008202000400e8030003", "02ff", "02ff03"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkStable(t, "uplink", b) })
}

// checkStable requires that a whole message that was read can be written, and reads the
// same again.
func checkStable(t *testing.T, direction string, b []byte) {
	t.Helper()
	for _, vs := range []multipackage.Versions{v1, v2, {}} {
		m, err := parse(direction, b, vs)
		if err != nil || ambiguous(m) {
			continue
		}
		out, err := m.Append(nil, vs)
		if err != nil {
			if errors.Is(err, lorawan.ErrRange) && unsendable(m) {
				continue
			}
			t.Fatalf("% x: %v: %v", b, m, err)
		}
		again, err := parse(direction, out, vs)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("% x: %v, then %v, %v", b, m, again, err)
		}
	}
}

// unsendable tells the messages with a command that a device must be able to read, to
// refuse it, and that no server may send.
func unsendable(m multipackage.Message) bool {
	for _, i := range m.Items {
		switch c := i.Command.(type) {
		case multipackage.MultiPackBufferReq:
			return c.StartByte > c.StopByte || c.StopByte >= multipackage.BufferSize
		case multicast.McClassBSessionReq:
			if c.SessionTime%128 != 0 {
				return true
			}
		case fragmentation.FragSessionSetupReq:
			if c.NbFrag == 0 || c.NbFrag > fragmentation.MaxNbFrag || c.FragSize == 0 {
				return true
			}
		}
	}
	return false
}

// ambiguous tells the messages with a status answer without a session: the zeros that
// some devices send after it are not written again, and what follows may look like them.
func ambiguous(m multipackage.Message) bool {
	for _, i := range m.Items {
		if c, ok := i.Command.(fragmentation.FragSessionStatusAns); ok && c.SessionDoesNotExist {
			return true
		}
	}
	return false
}

func FuzzReassembly(f *testing.F) {
	f.Add(uint8(0), uint8(0), []byte{1, 2, 3}, uint8(8), []byte{4})
	f.Add(uint8(1), uint8(127), []byte{1}, uint8(128), []byte{1})
	f.Fuzz(func(t *testing.T, token, base1 uint8, buf1 []byte, base2 uint8, buf2 []byte) {
		var r multipackage.Reassembly
		r.Start(token)
		err := r.Add(token%4, multipackage.MultiPackBufferFrag{BaseByte: base1, Buffer: buf1})
		if fits := len(buf1) > 0 && int(base1)+len(buf1) <= multipackage.BufferSize; fits != (err == nil) {
			t.Fatalf("%d bytes at %d: %v", len(buf1), base1, err)
		}
		_ = r.Add(token%4, multipackage.MultiPackBufferFrag{BaseByte: base2, Buffer: buf2})
		_, _ = r.Items(v2)
		if req, ok := r.Missing(); ok {
			if _, err := req.Append(nil, lorawan.V1); err != nil {
				t.Fatalf("asks for %v: %v", req, err)
			}
		}
	})
}
