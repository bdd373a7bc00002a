package fec_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

func readVectors(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func versionOf(t testing.TB, spec string) lorawan.Version {
	t.Helper()
	switch spec {
	case "TS004-1.0.0":
		return lorawan.V1
	case "TS004-2.0.0":
		return lorawan.V2
	}
	t.Fatalf("unknown specification %q", spec)
	return 0
}

// stream is the test data of fec_decode.json: SHA-256 in counter mode over a seed.
func stream(seed string, n int) []byte {
	var out []byte
	for i := uint32(0); len(out) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(seed), i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// arrivals unfolds a list of numbers and inclusive [from, to] runs.
func arrivals(t testing.TB, list []json.RawMessage) []int {
	t.Helper()
	var out []int
	for _, raw := range list {
		var run [2]int
		if err := json.Unmarshal(raw, &run[0]); err == nil {
			out = append(out, run[0])
			continue
		}
		if err := json.Unmarshal(raw, &run); err != nil {
			t.Fatal(err)
		}
		for n := run[0]; n <= run[1]; n++ {
			out = append(out, n)
		}
	}
	return out
}

// roomy is a preset compiled as for the vectors: FRAG_MAX_NB 2200, FRAG_MAX_REDUNDANCY 1200.
func roomy(l fec.Limits) fec.Limits {
	l.NbFrag, l.MaxLost, l.FragSize, l.MinFragSize = 2200, 1200, 255, 0
	return l
}

func limitsOf(t testing.TB, decoder string) fec.Limits {
	t.Helper()
	switch {
	case strings.Contains(decoder, "stock header"):
		return fec.LoRaMacStock
	case strings.HasPrefix(decoder, "LoRaMac"):
		return roomy(fec.LoRaMacStock)
	case strings.HasPrefix(decoder, "LBM"):
		return roomy(fec.LBMDefault)
	case strings.HasPrefix(decoder, "Actility WL55 (package version 1)"):
		return roomy(fec.ActilityWL55v1)
	case strings.HasPrefix(decoder, "Actility WL55 (package version 2)"):
		return roomy(fec.ActilityWL55v2)
	}
	t.Fatalf("unknown decoder %q", decoder)
	return fec.Limits{}
}

func TestParityRowsAreThoseOfDevices(t *testing.T) {
	var file struct {
		Cases []struct {
			Spec   string `json:"spec"`
			Index  int    `json:"coded_index"`
			NbFrag int    `json:"nb_frag"`
			Weight int    `json:"weight"`
			Bits   string `json:"row_bits"`
		} `json:"cases"`
	}
	readVectors(t, "fec_parity_rows.json", &file)
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	var row fec.Row
	for _, c := range file.Cases {
		row = fec.ParityRow(versionOf(t, c.Spec), c.Index, c.NbFrag, row)
		got := make([]byte, c.NbFrag)
		for i := range got {
			got[i] = '0'
			if row.Has(i) {
				got[i] = '1'
			}
		}
		if string(got) != c.Bits || row.Weight() != c.Weight {
			t.Errorf("%s k=%d M=%d:\n got %s weight %d\nwant %s weight %d",
				c.Spec, c.Index, c.NbFrag, got, row.Weight(), c.Bits, c.Weight)
		}
	}
}

func TestFragmentsAreThoseOfServers(t *testing.T) {
	var file struct {
		Cases []struct {
			Spec       string   `json:"spec"`
			Data       string   `json:"data_hex"`
			FragSize   int      `json:"frag_size"`
			NbFrag     int      `json:"nb_frag"`
			Padding    int      `json:"padding"`
			Redundancy int      `json:"redundancy"`
			Fragments  []string `json:"fragments"`
		} `json:"cases"`
	}
	readVectors(t, "fec_encode.json", &file)
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for i, c := range file.Cases {
		data, err := hex.DecodeString(c.Data)
		if err != nil {
			t.Fatal(err)
		}
		e, err := fec.NewEncoder(versionOf(t, c.Spec), data, c.FragSize)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		if e.NbFrag() != c.NbFrag || e.Padding() != c.Padding || e.FragSize() != c.FragSize {
			t.Errorf("case %d: NbFrag %d Padding %d FragSize %d, want %d %d %d",
				i, e.NbFrag(), e.Padding(), e.FragSize(), c.NbFrag, c.Padding, c.FragSize)
		}
		if len(c.Fragments) != c.NbFrag+c.Redundancy {
			t.Fatalf("case %d: %d fragments in the vector", i, len(c.Fragments))
		}
		for n, want := range c.Fragments {
			got, err := e.Fragment(n+1, nil)
			if err != nil || hex.EncodeToString(got) != want {
				t.Errorf("case %d %s N=%d: %x, %v, want %s", i, c.Spec, n+1, got, err, want)
			}
		}
	}
}

// outcome is what a real decoder did.
type outcome struct {
	Finished    bool `json:"finished"`
	ReturnCode  int  `json:"return_code"`
	FinishedAt  *int `json:"finished_at_wire_n"`
	Lost        int  `json:"lost_uncoded"`
	MatrixError bool `json:"matrix_error"`
	DataMatches bool `json:"data_matches"`
}

// check feeds arrival to a decoder, and its ranks, and compares with a real decoder.
func (want outcome) check(t *testing.T, e *fec.Encoder, data []byte, v lorawan.Version, lim fec.Limits, arrival []int) {
	t.Helper()
	d, err := fec.NewDecoder(v, e.NbFrag(), e.FragSize(), lim)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fec.NewRankDecoder(v, e.NbFrag(), lim)
	if err != nil {
		t.Fatal(err)
	}
	finishedAt := 0
	for _, n := range arrival {
		frag, _ := e.Fragment(n, nil)
		was := d.Done()
		done, err := d.Add(n, frag)
		if err != nil {
			t.Fatal(err)
		}
		if done && !was {
			finishedAt = n
		}
		if rankDone, err := r.Add(n); rankDone != done || err != nil {
			t.Fatalf("N=%d: RankDecoder done=%v err=%v, Decoder done=%v", n, rankDone, err, done)
		}
	}
	if d.Report() != r.Report() {
		t.Errorf("RankDecoder reports %+v, Decoder %+v", r.Report(), d.Report())
	}
	wantAt := 0
	if want.FinishedAt != nil {
		wantAt = *want.FinishedAt
	}
	if d.Done() != want.Finished || finishedAt != wantAt {
		t.Errorf("done %v at N=%d, real decoder %v at N=%d", d.Done(), finishedAt, want.Finished, wantAt)
	}
	if d.Lost() != want.Lost {
		t.Errorf("lost %d, real decoder %d", d.Lost(), want.Lost)
	}
	if got := d.Report().MatrixError; got != want.MatrixError || (d.Failed() != nil) != want.MatrixError {
		t.Errorf("matrix error %v, failed %v, real decoder %v", got, d.Failed(), want.MatrixError)
	}
	if got := bytes.Equal(d.Bytes()[:len(data)], data); got != want.DataMatches {
		t.Errorf("data matches: %v, real decoder %v", got, want.DataMatches)
	}
}

func TestDecodingEndsWhereRealDecodersEnd(t *testing.T) {
	var file struct {
		Cases []struct {
			Spec       string             `json:"spec"`
			Seed       string             `json:"seed"`
			DataLen    int                `json:"data_len"`
			SHA256     string             `json:"data_sha256"`
			FragSize   int                `json:"frag_size"`
			NbFrag     int                `json:"nb_frag"`
			Mode       string             `json:"loss_mode"`
			Surviving  []json.RawMessage  `json:"surviving_wire_n"`
			Rank       int                `json:"rank"`
			Solvable   bool               `json:"solvable"`
			SolvableAt *int               `json:"solvable_at_wire_n"`
			Decoders   map[string]outcome `json:"decoders"`
		} `json:"cases"`
	}
	readVectors(t, "fec_decode.json", &file)
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Cases {
		t.Run(c.Spec+" "+c.Seed+" "+c.Mode, func(t *testing.T) {
			data := stream(c.Seed, c.DataLen)
			if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != c.SHA256 {
				t.Fatalf("test data has sha256 %x, want %s", sum, c.SHA256)
			}
			v := versionOf(t, c.Spec)
			e, err := fec.NewEncoder(v, data, c.FragSize)
			if err != nil {
				t.Fatal(err)
			}
			arrival := arrivals(t, c.Surviving)

			ideal, _ := fec.NewRankDecoder(v, c.NbFrag, fec.Limits{})
			for _, n := range arrival {
				ideal.Add(n)
			}
			if ideal.Rank() != c.Rank || ideal.Done() != c.Solvable {
				t.Errorf("rank %d done %v, elimination says %d %v", ideal.Rank(), ideal.Done(), c.Rank, c.Solvable)
			}
			if c.Solvable && ideal.LastN() != *c.SolvableAt {
				t.Errorf("solved at N=%d, elimination says %d", ideal.LastN(), *c.SolvableAt)
			}
			for name, want := range c.Decoders {
				t.Run(name, func(t *testing.T) { want.check(t, e, data, v, limitsOf(t, name), arrival) })
			}
		})
	}
}

type quirks struct {
	MissingMeasured struct {
		Cases []struct {
			Scenario   string `json:"scenario"`
			NbFrag     int    `json:"nb_frag"`
			Lost       []int  `json:"lost"`
			Coded      int    `json:"coded_available"`
			ReturnCode int    `json:"return_code"`
			LastIndex  int    `json:"last_index_seen"`
			LostCount  int    `json:"lost_uncoded"`
			Missing    int    `json:"missing_frag"`
		} `json:"cases"`
	} `json:"missing_frag_measured"`
	Cases []struct {
		Scenario string            `json:"scenario"`
		Spec     string            `json:"spec"`
		Decoder  string            `json:"decoder"`
		NbFrag   int               `json:"nb_frag"`
		FragSize int               `json:"frag_size"`
		Arrival  []json.RawMessage `json:"arrival"`
		outcome
	} `json:"cases"`
}

func TestQuirksOfRealDecodersAreReproduced(t *testing.T) {
	var file quirks
	readVectors(t, "fec_decoder_quirks.json", &file)
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Cases {
		t.Run(c.Scenario+" "+c.Decoder, func(t *testing.T) {
			v := versionOf(t, c.Spec)
			data := stream("quirk", c.NbFrag*c.FragSize)
			e, err := fec.NewEncoder(v, data, c.FragSize)
			if err != nil {
				t.Fatal(err)
			}
			c.outcome.check(t, e, data, v, limitsOf(t, c.Decoder), arrivals(t, c.Arrival))
		})
	}
}

func TestLBMReportsOneMissingAfterLossFreeReception(t *testing.T) {
	var file quirks
	readVectors(t, "fec_decoder_quirks.json", &file)
	if len(file.MissingMeasured.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, v := range []lorawan.Version{lorawan.V1, lorawan.V2} {
		for _, c := range file.MissingMeasured.Cases {
			d, err := fec.NewDecoder(v, c.NbFrag, 50, fec.LBMDefault)
			if err != nil {
				t.Fatal(err)
			}
			lost := map[int]bool{}
			for _, n := range c.Lost {
				lost[n] = true
			}
			frag := make([]byte, 50)
			for n := 1; n <= c.NbFrag+c.Coded; n++ {
				if !lost[n] {
					d.Add(n, frag)
				}
			}
			r := d.Report()
			if int(r.MissingFrag) != c.Missing || int(r.NbFragReceived) != c.LastIndex-c.LostCount ||
				d.LastN() != c.LastIndex || d.Lost() != c.LostCount || d.Done() != (c.ReturnCode == 0) {
				t.Errorf("%v %s: %+v last %d lost %d done %v, want %+v", v, c.Scenario, r, d.LastN(), d.Lost(), d.Done(), c)
			}
		}
	}
}
