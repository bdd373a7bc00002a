package fec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

// arrive draws what a lossy, repeating, reordering network delivers of fragments 1..n.
func arrive(rng *rand.Rand, n int, loss, repeat, swap float64) []int {
	var out []int
	for i := 1; i <= n; i++ {
		if rng.Float64() < loss {
			continue
		}
		out = append(out, i)
		if rng.Float64() < repeat {
			out = append(out, i)
		}
	}
	for i := range out {
		if rng.Float64() < swap {
			j := rng.IntN(len(out))
			out[i], out[j] = out[j], out[i]
		}
	}
	return out
}

// The central property: after every fragment the decoder has the rank that elimination
// over all columns has, and it has the block exactly when that rank is full.
func TestDecodingSucceedsExactlyAtFullRank(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	solved := 0
	const runs = 300
	for run := range runs {
		v := versions[run%2]
		m := 1 + rng.IntN(200)
		if run < 40 {
			m = 1 + run/4 // tiny counts are where the generator degenerates
		}
		size := 1 + rng.IntN(12)
		block := randomBlock(rng, m*size-rng.IntN(size))
		loss, swap := rng.Float64(), 0.0
		if rng.IntN(2) == 0 {
			swap = rng.Float64()
		}
		arrival := arrive(rng, m+rng.IntN(2*m+20), loss, 0.2, swap)
		name := fmt.Sprintf("run %d: %v M=%d size %d loss %.2f swap %.2f", run, v, m, size, loss, swap)

		e, err := fec.NewEncoder(v, block, size)
		if err != nil {
			t.Fatal(err)
		}
		d, err := fec.NewDecoder(v, m, size, fec.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ranks, _ := fec.NewRankDecoder(v, m, fec.Limits{})
		oracle := newSlowRank(v, m)
		rank, known := 0, map[int]bool{}
		for _, n := range arrival {
			frag, _ := e.Fragment(n, nil)
			keep := bytes.Clone(frag)
			done, err := d.Add(n, frag)
			if err != nil {
				t.Fatalf("%s: N=%d: %v", name, n, err)
			}
			if !bytes.Equal(frag, keep) {
				t.Fatalf("%s: N=%d: Add changed the caller's data", name, n)
			}
			rank = oracle.add(n)
			if n <= m {
				known[n] = true
			}
			if !d.Done() && d.Missing() != m-len(known) {
				t.Fatalf("%s: N=%d: missing %d, want %d", name, n, d.Missing(), m-len(known))
			}
			if d.Rank() != rank || d.Needed() != m-rank || done != (rank == m) || d.Done() != done {
				t.Fatalf("%s: N=%d: rank %d needed %d done %v, elimination says rank %d",
					name, n, d.Rank(), d.Needed(), done, rank)
			}
			if rankDone, err := ranks.Add(n); err != nil || rankDone != done || ranks.Rank() != rank || ranks.Report() != d.Report() {
				t.Fatalf("%s: N=%d: RankDecoder done %v rank %d err %v", name, n, rankDone, ranks.Rank(), err)
			}
		}
		if d.Failed() != nil || (d.Missing() == 0) != d.Done() {
			t.Fatalf("%s: failed %v, missing %d, done %v", name, d.Failed(), d.Missing(), d.Done())
		}
		if d.Done() {
			solved++
			if !bytes.Equal(d.Bytes()[:len(block)], block) {
				t.Fatalf("%s: wrong block", name)
			}
		}
	}
	if solved < runs/5 || solved > runs*4/5 {
		t.Errorf("%d of %d runs were solvable: the losses do not test both ends", solved, runs)
	}
}

// Decoders that keep the order lose what comes late, and nothing else.
func TestDroppingDecoderEqualsIdealOneWithoutTheLateFragments(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 0))
	for run := range 200 {
		v := versions[run%2]
		m := 1 + rng.IntN(100)
		arrival := arrive(rng, 3*m+10, rng.Float64()*0.6, 0.2, 0.3)
		lim := fec.Limits{DropsLower: true}
		d, _ := fec.NewRankDecoder(v, m, lim)
		ideal, _ := fec.NewRankDecoder(v, m, fec.Limits{})
		highest := 0
		for _, n := range arrival {
			if n <= m && n < highest {
				d.Add(n)
				continue
			}
			highest = max(highest, n)
			done, _ := d.Add(n)
			if want, _ := ideal.Add(n); done != want || d.Rank() != ideal.Rank() {
				t.Fatalf("run %d M=%d N=%d: rank %d, want %d", run, m, n, d.Rank(), ideal.Rank())
			}
		}
	}
}

func TestWrongFragmentsAreRefusedAndChangeNothing(t *testing.T) {
	e, _ := fec.NewEncoder(lorawan.V1, stream("refuse", 200), 10)
	d, _ := fec.NewDecoder(lorawan.V1, 20, 10, fec.Limits{Style: fec.StyleZephyr})
	frag, _ := e.Fragment(5, nil)
	d.Add(5, frag)
	before, image := d.Report(), bytes.Clone(d.Bytes())
	for _, c := range []struct {
		n    int
		data []byte
		want error
	}{
		{0, frag, fec.ErrIndex},
		{-3, frag, fec.ErrIndex},
		{fec.MaxFragments + 1, frag, fec.ErrIndex},
		{6, frag[:9], fec.ErrFragment},
		{6, append(bytes.Clone(frag), 0), fec.ErrFragment},
		{6, nil, fec.ErrFragment},
	} {
		if done, err := d.Add(c.n, c.data); done || !errors.Is(err, c.want) {
			t.Errorf("N=%d, %d bytes: done %v, %v, want %v", c.n, len(c.data), done, err, c.want)
		}
	}
	if d.Report() != before || !bytes.Equal(d.Bytes(), image) || d.Received() != 1 || d.LastN() != 5 {
		t.Errorf("state changed: %+v", d.Report())
	}
}

func TestAfterTheEndEverythingIsIgnored(t *testing.T) {
	block := stream("end", 100)
	e, _ := fec.NewEncoder(lorawan.V2, block, 10)
	d, _ := fec.NewDecoder(lorawan.V2, 10, 10, fec.Limits{})
	for n := 2; !d.Done(); n++ {
		frag, _ := e.Fragment(n, nil)
		d.Add(n, frag)
	}
	received, last, report := d.Received(), d.LastN(), d.Report()
	for _, n := range []int{1, 10, 11, 500} {
		if done, err := d.Add(n, make([]byte, 10)); !done || err != nil {
			t.Errorf("N=%d: done %v, %v", n, done, err)
		}
	}
	if !bytes.Equal(d.Bytes(), block) || d.Received() != received || d.LastN() != last || d.Report() != report {
		t.Error("a fragment after the end changed the decoder")
	}
}

func TestSessionBeyondTheLimitsIsRefused(t *testing.T) {
	for _, c := range []struct {
		name             string
		nbFrag, fragSize int
		lim              fec.Limits
		want             error
	}{
		{"ideal, largest", fec.MaxFragments, 255, fec.Limits{}, nil},
		{"NbFrag 0", 0, 50, fec.Limits{}, fec.ErrIndex},
		{"NbFrag beyond 14 bits", fec.MaxFragments + 1, 50, fec.Limits{}, fec.ErrIndex},
		{"FragSize 0", 10, 0, fec.Limits{}, fec.ErrFragment},
		{"FragSize 256", 10, 256, fec.Limits{}, fec.ErrFragment},
		{"LoRaMac, most fragments", 21, 50, fec.LoRaMacStock, nil},
		{"LoRaMac, one more", 22, 50, fec.LoRaMacStock, fec.ErrLimit},
		{"LoRaMac, larger fragments", 21, 51, fec.LoRaMacStock, fec.ErrLimit},
		{"LBM, one more", 101, 242, fec.LBMDefault, fec.ErrLimit},
		{"Actility L476", 1000, 230, fec.ActilityL476, nil},
		{"Actility L476, larger fragments", 1000, 231, fec.ActilityL476, fec.ErrLimit},
		{"Actility WL55, small fragments", 100, 39, fec.ActilityWL55v1, fec.ErrLimit},
		{"Zephyr, small fragments", 100, 47, fec.Zephyr, fec.ErrLimit},
		{"Zephyr", 1000, 232, fec.Zephyr, nil},
		{"slot", 100, 50, fec.Limits{BlockSize: 4999}, fec.ErrLimit},
		{"slot just fits", 100, 50, fec.Limits{BlockSize: 5000}, nil},
	} {
		if _, err := fec.NewDecoder(lorawan.V1, c.nbFrag, c.fragSize, c.lim); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := fec.NewRankDecoder(lorawan.V1, 0, fec.Limits{}); !errors.Is(err, fec.ErrIndex) {
		t.Errorf("RankDecoder of nothing: %v", err)
	}
	if d, _ := fec.NewDecoder(lorawan.V1, 10, 20, fec.Limits{}); d.NbFrag() != 10 || d.FragSize() != 20 || len(d.Bytes()) != 200 {
		t.Errorf("NbFrag %d FragSize %d, %d bytes", d.NbFrag(), d.FragSize(), len(d.Bytes()))
	}
	if _, err := fec.NewDecoder(3, 10, 10, fec.Limits{}); !errors.Is(err, fec.ErrVersion) {
		t.Errorf("version 3: %v", err)
	}
	if _, err := fec.NewRankDecoder(lorawan.V1, 22, fec.LoRaMacStock); !errors.Is(err, fec.ErrLimit) {
		t.Errorf("RankDecoder beyond NbFrag: %v", err)
	}
}

func TestLossableCountsWhatADecoderHasRoomFor(t *testing.T) {
	for _, c := range []struct {
		lim    fec.Limits
		nbFrag int
		want   int
	}{
		{fec.Limits{}, 300, 300},
		{fec.LoRaMacStock, 20, 5},
		{fec.LoRaMacStock, 3, 3},
		{fec.ActilityL476, 1000, 60},
		{fec.Zephyr, 1000, 200},
		{fec.Limits{MaxLostPercent: 20, NbFrag: 2000}, 1000, 400},
		{fec.Limits{MaxLostPercent: 20, MaxLost: 7}, 1000, 7},
	} {
		if got := c.lim.Lossable(c.nbFrag); got != c.want {
			t.Errorf("%+v NbFrag %d: %d, want %d", c.lim, c.nbFrag, got, c.want)
		}
	}
}

// receive feeds all of 1..upTo but the lost ones.
func receive(t *testing.T, d *fec.Decoder, e *fec.Encoder, upTo int, lost ...int) {
	t.Helper()
next:
	for n := 1; n <= upTo; n++ {
		for _, l := range lost {
			if n == l {
				continue next
			}
		}
		frag, err := e.Fragment(n, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Add(n, frag); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBeyondItsLimitADecoderFailsInTheWayOfItsStack(t *testing.T) {
	block := stream("over", 1000)
	for _, c := range []struct {
		name        string
		lim         fec.Limits
		done        bool
		matrixError bool
	}{
		{"LoRaMac finishes with a wrong image", fec.Limits{MaxLost: 2, DropsLower: true, FinishesOverLimit: true, Style: fec.StyleLoRaMac}, true, true},
		{"LBM stays unfinished", fec.Limits{MaxLost: 2, DropsLower: true, Style: fec.StyleLBM}, false, true},
		{"Zephyr stays unfinished and silent", fec.Limits{MaxLostPercent: 10, SpoiledByUncoded: true, Style: fec.StyleZephyr}, false, false},
	} {
		e, _ := fec.NewEncoder(lorawan.V1, block, 50)
		d, _ := fec.NewDecoder(lorawan.V1, 20, 50, c.lim)
		receive(t, d, e, 20, 3, 4, 20) // a lost tail counts too
		if d.Done() || d.Failed() != nil {
			t.Errorf("%s: failed before a coded fragment came", c.name)
		}
		receive(t, d, e, 60, 3, 4, 20)
		if d.Done() != c.done || !errors.Is(d.Failed(), fec.ErrMatrix) || d.Report().MatrixError != c.matrixError {
			t.Errorf("%s: done %v, failed %v, report %+v", c.name, d.Done(), d.Failed(), d.Report())
		}
		if bytes.Equal(d.Bytes(), block) {
			t.Errorf("%s: the image is right", c.name)
		}
	}
}

func TestUncodedAfterCodedSpoilsZephyr(t *testing.T) {
	e, _ := fec.NewEncoder(lorawan.V1, stream("spoil", 1000), 50)
	lim := fec.Zephyr
	d, _ := fec.NewDecoder(lorawan.V1, 20, 50, lim)
	receive(t, d, e, 21, 3, 4)
	receive(t, d, e, 1)
	if d.Done() || !errors.Is(d.Failed(), fec.ErrOrder) {
		t.Errorf("done %v, failed %v", d.Done(), d.Failed())
	}
	// Before the first coded fragment any order is fine.
	d, _ = fec.NewDecoder(lorawan.V1, 20, 50, lim)
	receive(t, d, e, 20, 3, 4)
	receive(t, d, e, 20)
	if !d.Done() || d.Failed() != nil {
		t.Errorf("done %v, failed %v", d.Done(), d.Failed())
	}
}

func TestReportsFollowTheStack(t *testing.T) {
	block := stream("report", 1000)
	for _, c := range []struct {
		name  string
		style fec.Style
		lost  []int
		upTo  int
		want  fec.Report
	}{
		{"TS004, loss-free", fec.StyleSpec, nil, 20, fec.Report{NbFragReceived: 20}},
		{"TS004, three lost", fec.StyleSpec, []int{3, 7, 11}, 20, fec.Report{NbFragReceived: 17, MissingFrag: 3}},
		{"TS004, recovered", fec.StyleSpec, []int{3, 7, 11}, 40, fec.Report{NbFragReceived: 20}},
		{"LoRaMac, loss-free", fec.StyleLoRaMac, nil, 20, fec.Report{NbFragReceived: 20}},
		{"LoRaMac, recovered but still missing", fec.StyleLoRaMac, []int{3, 7, 11}, 40, fec.Report{NbFragReceived: 23, MissingFrag: 3}},
		{"LBM, loss-free but one missing", fec.StyleLBM, nil, 20, fec.Report{NbFragReceived: 20, MissingFrag: 1}},
		{"LBM, recovered", fec.StyleLBM, []int{3, 7, 11}, 40, fec.Report{NbFragReceived: 20}},
		{"Zephyr, counts after the end", fec.StyleZephyr, nil, 30, fec.Report{NbFragReceived: 30}},
		{"Zephyr, three lost", fec.StyleZephyr, []int{3, 7, 11}, 20, fec.Report{NbFragReceived: 17, MissingFrag: 3}},
	} {
		e, _ := fec.NewEncoder(lorawan.V1, block, 50)
		d, _ := fec.NewDecoder(lorawan.V1, 20, 50, fec.Limits{DropsLower: true, Style: c.style})
		receive(t, d, e, c.upTo, c.lost...)
		if d.Report() != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, d.Report(), c.want)
		}
	}
	if got := fec.StyleZephyr.String() + ", " + fec.StyleLBM.String(); got != "Zephyr, LoRa Basics Modem" {
		t.Errorf("styles %s", got)
	}
	d, _ := fec.NewRankDecoder(lorawan.V1, 1000, fec.Limits{})
	if got := d.Report().MissingFrag; got != 255 {
		t.Errorf("1000 missing are reported as %d, want 255", got)
	}
	// A low fragment after a hole must not make NbFragReceived negative.
	d, _ = fec.NewRankDecoder(lorawan.V1, 20, fec.Limits{DropsLower: true, Style: fec.StyleLBM})
	d.Add(20)
	d.Add(1)
	if got := d.Report().NbFragReceived; got != 0 {
		t.Errorf("NbFragReceived %d, want 0", got)
	}
}

func TestSpecialFragmentCounts(t *testing.T) {
	for _, v := range versions {
		// M=1: coded fragments are empty sums; only the fragment itself helps.
		d, _ := fec.NewRankDecoder(v, 1, fec.Limits{})
		for n := 2; n < 100; n++ {
			if done, _ := d.Add(n); done || d.Rank() != 0 {
				t.Fatalf("%v M=1: done by N=%d", v, n)
			}
		}
		if done, _ := d.Add(1); !done {
			t.Errorf("%v M=1: not done", v)
		}
	}
	// v2, every uncoded fragment lost, M/2 even: all rows have even weight and nothing
	// solves the block, until one uncoded fragment arrives.
	d, _ := fec.NewRankDecoder(lorawan.V2, 32, fec.Limits{})
	for n := 33; n < 1000; n++ {
		d.Add(n)
	}
	if d.Done() || d.Needed() != 1 {
		t.Errorf("v2 M=32 coded only: needed %d", d.Needed())
	}
	if done, _ := d.Add(17); !done {
		t.Errorf("v2 M=32: one uncoded fragment did not solve it")
	}
}

func TestRowOfAnotherSessionIsRefused(t *testing.T) {
	d, _ := fec.NewRankDecoder(lorawan.V1, 100, fec.Limits{})
	if _, err := d.AddRow(101, fec.ParityRow(lorawan.V1, 1, 64, nil)); !errors.Is(err, fec.ErrIndex) {
		t.Errorf("%v", err)
	}
	if d.Received() != 0 {
		t.Error("the refused row was counted")
	}
}
