package relocated_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/relocated"
)

// client builds the reader of clients/c, with checks of memory where the compiler has them, and
// returns the program. It skips the test on a machine without a C compiler; CI has one.
func client(t testing.TB) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs cc to build clients/c")
		}
		t.Skip("cc is not here: clients/c is not tried")
	}
	source := filepath.Join("..", "..", "clients", "c")
	program := filepath.Join(t.TempDir(), "view")
	sources := []string{filepath.Join(source, "starling_view.c"), filepath.Join("testdata", "view_main.c")}
	for _, name := range append(sources, filepath.Join(source, "starling_view.h")) {
		// What the test opens itself makes the go command run it again when it changes.
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-pedantic", "-Werror",
		"-I", source, "-o", program}, sources...)
	checked := append([]string{"-fsanitize=address,undefined", "-fno-sanitize-recover"}, args...)
	if exec.Command(cc, checked...).Run() == nil {
		return program
	}
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// request is one case for the client.
type request struct {
	patch []byte // begins with a map, or not
	old   []byte
	reads [][2]uint32 // offset and length
}

// encode returns requests as the client reads them.
func encode(requests []request) []byte {
	var b []byte
	le := binary.LittleEndian
	for _, r := range requests {
		b = le.AppendUint32(b, uint32(len(r.patch)))
		b = append(b, r.patch...)
		b = le.AppendUint32(b, uint32(len(r.old)))
		b = append(b, r.old...)
		b = le.AppendUint32(b, uint32(len(r.reads)))
		for _, read := range r.reads {
			b = le.AppendUint32(le.AppendUint32(b, read[0]), read[1])
		}
	}
	return b
}

// run gives requests to the client and returns its answers.
func run(t *testing.T, program string, requests []request) *bytes.Reader {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Stdin = bytes.NewReader(encode(requests))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	return bytes.NewReader(out)
}

// Results of the client.
const (
	viewOK    = 0
	viewRange = 3
)

// compare holds the answers to requests against what this package says.
func compare(t *testing.T, requests []request, answers io.Reader) (accepted int) {
	t.Helper()
	answer := func(n uint32) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(answers, b); err != nil {
			t.Fatalf("the client does not answer: %v", err)
		}
		return b
	}
	number := func() uint32 { return binary.LittleEndian.Uint32(answer(4)) }
	for n, r := range requests {
		m, rest, err := relocated.Parse(r.patch)
		result, used := number(), number()
		if (err == nil) != (result == viewOK) {
			t.Fatalf("request %d: map % x: result %d, here %v", n, r.patch, result, err)
		}
		if code, ok := map[error]uint32{relocated.ErrShort: 1, relocated.ErrUnknown: 2, relocated.ErrRange: 3}[sentinel(err)]; ok && code != result && result != 1 && code != 1 {
			t.Fatalf("request %d: map % x: result %d, here %v", n, r.patch, result, err)
		}
		size := uint64(len(r.old))
		var whole []byte
		if err != nil {
			size = 0
		} else {
			accepted++
			if int(used) != len(r.patch)-len(rest) {
				t.Fatalf("request %d: map of %d bytes, here %d", n, used, len(r.patch)-len(rest))
			}
			if whole, err = relocated.Apply(r.old, m); err != nil {
				t.Fatal(err)
			}
		}
		for _, read := range r.reads {
			from, to := uint64(read[0]), uint64(read[0])+uint64(read[1])
			result := number()
			if to > size {
				if result != viewRange {
					t.Fatalf("request %d: %d..%d of %d: result %d", n, from, to, size, result)
				}
				continue
			}
			if result != viewOK {
				t.Fatalf("request %d: %d..%d of %d: result %d", n, from, to, size, result)
			}
			if got := answer(read[1]); !bytes.Equal(got, whole[from:to]) {
				t.Fatalf("request %d: %d..%d of %d, map %+v:\n% x, here\n% x", n, from, to, size, m, got, whole[from:to])
			}
		}
	}
	if rest, ok := answers.(*bytes.Reader); ok && rest.Len() != 0 {
		t.Fatalf("%d bytes more than asked for", rest.Len())
	}
	return accepted
}

func sentinel(err error) error {
	for _, s := range []error{relocated.ErrShort, relocated.ErrUnknown, relocated.ErrRange} {
		if errors.Is(err, s) {
			return s
		}
	}
	return nil
}

func TestTheClientInCReadsTheSameView(t *testing.T) {
	program := client(t)
	r := rand.New(rand.NewPCG(17, 18))
	var requests []request
	for range 3000 {
		old := likeCode(r, r.IntN(900))
		m := randomMap(r, len(old))
		if r.IntN(4) > 0 {
			m.FlashBase = 0x08000000
		}
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		q := request{patch: append(b, "patch"...), old: old}
		for range r.IntN(8) {
			from := r.Uint32N(uint32(len(old)) + 3)
			q.reads = append(q.reads, [2]uint32{from, r.Uint32N(uint32(len(old)) + 3)})
		}
		requests = append(requests, q, request{patch: b, old: old, reads: [][2]uint32{{0, uint32(len(old))}, {1, ^uint32(0)}, {^uint32(0), 1}}})
	}
	if n := compare(t, requests, run(t, program, requests)); n != len(requests) {
		t.Errorf("%d of %d maps accepted", n, len(requests))
	}
}

func TestTheClientInCRefusesTheSameMaps(t *testing.T) {
	program := client(t)
	r := rand.New(rand.NewPCG(19, 20))
	old := likeCode(r, 300)
	reads := [][2]uint32{{0, 300}, {7, 40}, {0, 0}}
	var requests []request
	for range 1500 {
		b, err := randomMap(r, 1<<r.IntN(32)).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			bad := bytes.Clone(b)
			for range 1 + r.IntN(3) {
				bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			}
			requests = append(requests, request{bad[:r.IntN(len(bad)+1)], old, reads}, request{bad, old, reads})
		}
		noise := []byte{0x10 | byte(r.UintN(2)), byte(r.UintN(32)), 1}
		for range r.IntN(30) {
			noise = append(noise, byte(r.UintN(256))>>r.IntN(8))
		}
		requests = append(requests, request{noise, old, reads})
	}
	if n := compare(t, requests, run(t, program, requests)); n == 0 || n == len(requests) {
		t.Errorf("%d of %d maps accepted: the other kind is not tried", n, len(requests))
	}
}

func TestTheClientInCReadsProgramsAsTheyAre(t *testing.T) {
	program := client(t)
	r := rand.New(rand.NewPCG(21, 22))
	f := deltatest.NewProgram(r, 120)
	old := f.Link()
	for range 5 {
		f.Insert(r, r.IntN(f.Functions()), 3, 1+r.IntN(20))
		f.Variables[r.IntN(len(f.Variables))] += 8
	}
	target := f.Link()
	c, err := relocated.Choose(old, target, relocated.Options{Flash: f.Base, Size: roughly(target)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Map.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	q := request{patch: b, old: old, reads: [][2]uint32{{0, uint32(len(old))}}}
	for _, cover := range c.Covers { // as a decoder does
		q.reads = append(q.reads, [2]uint32{uint32(cover.Old), uint32(cover.Length)})
	}
	if len(c.Map.F) == 0 || len(c.Map.R) == 0 {
		t.Fatalf("%+v tries too little", c.Map)
	}
	compare(t, []request{q}, run(t, program, []request{q}))
}
