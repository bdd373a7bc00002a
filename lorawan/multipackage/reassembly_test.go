package multipackage_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

func piece(buf []byte, base, n int) multipackage.MultiPackBufferFrag {
	return multipackage.MultiPackBufferFrag{BaseByte: uint8(base), Buffer: buf[base:min(base+n, len(buf))]}
}

func fullBuffer() []byte {
	b := make([]byte, multipackage.BufferSize)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestPiecesJoinInAnyOrder(t *testing.T) {
	buf := fullBuffer()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		size := 1 + rng.IntN(20)
		var frags []multipackage.MultiPackBufferFrag
		for base := 0; base < len(buf); base += size {
			frags = append(frags, piece(buf, base, size))
		}
		frags = append(frags, frags[rng.IntN(len(frags))]) // one arrives twice
		rng.Shuffle(len(frags), func(i, j int) { frags[i], frags[j] = frags[j], frags[i] })

		var r multipackage.Reassembly
		r.Start(2)
		for _, f := range frags {
			if err := r.Add(2, f); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.Bytes(); !bytes.Equal(got, buf) {
			t.Fatalf("pieces of %d: % x", size, got)
		}
		if req, ok := r.Missing(); ok {
			t.Fatalf("nothing is missing, but %v", req)
		}
	}
}

func TestOnlyTheHoleIsAskedFor(t *testing.T) {
	buf := fullBuffer()
	var r multipackage.Reassembly
	if req, ok := r.Missing(); ok {
		t.Errorf("nothing came: %v", req)
	}
	for _, c := range []struct {
		base, size int
		want       string
	}{
		{0, 10, ""},
		{20, 10, "MultiPackBufferReq 10..20"},
		{40, 10, "MultiPackBufferReq 10..20"},
		{10, 9, "MultiPackBufferReq 19..20"}, // one byte short, as LoRa Basics Modem cuts it
		{19, 1, "MultiPackBufferReq 30..40"},
		{30, 10, ""},
	} {
		if err := r.Add(0, piece(buf, c.base, c.size)); err != nil {
			t.Fatal(err)
		}
		req, ok := r.Missing()
		if ok != (c.want != "") || ok && req.String() != c.want {
			t.Errorf("after %d bytes at %d: %v, %v; want %q", c.size, c.base, req, ok, c.want)
		}
	}
	if got := r.Bytes(); !bytes.Equal(got, buf[:50]) {
		t.Errorf("% x", got)
	}
}

func TestLateAndBrokenPiecesChangeNothing(t *testing.T) {
	var r multipackage.Reassembly
	r.Start(1)
	good := multipackage.MultiPackBufferFrag{Buffer: []byte{1, 2, 3}}
	if err := r.Add(1, good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		token uint8
		frag  multipackage.MultiPackBufferFrag
		want  error
	}{
		{0, multipackage.MultiPackBufferFrag{Buffer: []byte{9}}, multipackage.ErrToken},
		{1, multipackage.MultiPackBufferFrag{Error: true}, lorawan.ErrRange},
		{1, multipackage.MultiPackBufferFrag{}, lorawan.ErrRange},
		{1, multipackage.MultiPackBufferFrag{BaseByte: 127, Buffer: []byte{1, 2}}, lorawan.ErrRange},
		{1, multipackage.MultiPackBufferFrag{BaseByte: 255, Buffer: []byte{1}}, lorawan.ErrRange},
	} {
		if err := r.Add(c.token, c.frag); !errors.Is(err, c.want) {
			t.Errorf("token %d, %v: %v, want %v", c.token, c.frag, err, c.want)
		}
		if got := r.Bytes(); !bytes.Equal(got, good.Buffer) {
			t.Fatalf("after %v: % x", c.frag, got)
		}
	}
}

func TestContradictionStartsOver(t *testing.T) {
	var r multipackage.Reassembly
	for _, f := range []multipackage.MultiPackBufferFrag{
		{Buffer: []byte{1, 2, 3}},
		{BaseByte: 3, Buffer: []byte{4, 5}},
		{Buffer: []byte{1, 2, 9}},
	} {
		if err := r.Add(0, f); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Bytes(); !bytes.Equal(got, []byte{1, 2, 9}) {
		t.Errorf("% x, want the new buffer only", got)
	}
}

func TestAnswersAreReadAsTheyBecomeComplete(t *testing.T) {
	want := []multipackage.Item{
		{lorawan.McSetup, multicast.McGroupSetupAns{}},
		{lorawan.McSetup, multicast.McClassCSessionAns{TimeToStart: 1000}},
	}
	buf, err := multipackage.AppendItems(nil, v1, want...)
	if err != nil {
		t.Fatal(err)
	}
	var r multipackage.Reassembly
	if err := r.Add(0, piece(buf, 0, 5)); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Items(v1); len(got) != 1 || got[0] != want[0] || !errors.Is(err, lorawan.ErrShort) {
		t.Errorf("%v, %v; want the first answer and ErrShort", got, err)
	}
	if err := r.Add(0, piece(buf, 5, 5)); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Items(v1); err != nil || len(got) != 2 || got[1] != want[1] {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}
