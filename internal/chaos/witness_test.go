package chaos_test

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// witness sees everything that is sent, by whomever, and holds it against what must never happen:
//
//   - A frame that is sent again, with the ID that it had, is the same frame.
//   - A group's counter stands for one frame, and does not go back.
//   - The number of a fragment stands for the same bytes for ever, and does not go back in a new frame, but to 1 in
//     a new fragmentation session: after a set-up, and as often as the campaign has begun a further wave (see world.check).
//   - SessionCnt of a device and FragIndex does not go back in a new frame.
type witness struct {
	mu       sync.Mutex
	wrong    []string
	v1       map[lorawan.EUI64]bool // devices whose fragmentation package has no SessionCnt
	frames   map[string][]byte      // payloads by ID
	again    int                    // frames that were sent more than once
	nextFCnt map[lorawan.EUI64]uint32
	fragment map[fragmentKey][]byte
	high     map[fragmentKey]uint16 // of N = 0: the highest number
	cnt      map[fragmentKey]uint16 // SessionCnt, of N = 0
	nbFrag   map[uint8]uint16       // by FragIndex; there is one group
	setUp    map[uint8]bool         // a set-up was sent after the last fragment
	begun    map[fragmentKey]int    // how often fragments began at 1 again, of N = 0
	most     float64                // part of a block that was sent
}

type fragmentKey struct {
	eui       lorawan.EUI64 // group, or device
	fragIndex uint8
	n         uint16
}

func newWitness() *witness {
	return &witness{v1: map[lorawan.EUI64]bool{}, frames: map[string][]byte{}, nextFCnt: map[lorawan.EUI64]uint32{}, fragment: map[fragmentKey][]byte{}, high: map[fragmentKey]uint16{}, cnt: map[fragmentKey]uint16{}, nbFrag: map[uint8]uint16{},
		setUp: map[uint8]bool{}, begun: map[fragmentKey]int{}}
}

func (w *witness) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// seen tells if a frame was sent before. The caller holds mu.
func (w *witness) seen(to lorawan.EUI64, f network.Frame) bool {
	id := to.String() + " " + f.ID
	before, ok := w.frames[id]
	if ok && !bytes.Equal(before, f.Payload) {
		w.wrong = append(w.wrong, fmt.Sprintf("frame %s is %x, and was %x", id, f.Payload, before))
	}
	w.frames[id] = bytes.Clone(f.Payload)
	if ok {
		w.again++
	}
	return ok
}

func (w *witness) unicast(dev lorawan.EUI64, f network.Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen(dev, f) || f.FPort != lorawan.Fragmentation.DefaultFPort() {
		return
	}
	version := lorawan.V2
	if w.v1[dev] {
		version = lorawan.V1
	}
	commands, _ := fragmentation.ParseDownlink(version, f.Payload)
	for _, cmd := range commands {
		req, ok := cmd.(fragmentation.FragSessionSetupReq)
		if !ok {
			continue
		}
		w.nbFrag[req.FragIndex], w.setUp[req.FragIndex] = req.NbFrag, true
		if w.v1[dev] {
			continue
		}
		key := fragmentKey{eui: dev, fragIndex: req.FragIndex}
		if req.SessionCnt < w.cnt[key] {
			w.wrong = append(w.wrong, fmt.Sprintf("SessionCnt of %s slot %d goes back from %d to %d in frame %s", dev, req.FragIndex, w.cnt[key], req.SessionCnt, f.ID))
		}
		w.cnt[key] = max(w.cnt[key], req.SessionCnt)
	}
}

func (w *witness) multicast(by string, group lorawan.EUI64, f network.Frame, fcnt uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fcnt < w.nextFCnt[group] {
		w.wrong = append(w.wrong, fmt.Sprintf("group %s sends counter %d after %d", group, fcnt, w.nextFCnt[group]-1))
	}
	w.nextFCnt[group] = max(w.nextFCnt[group], fcnt+1)
	seen := w.seen(group, f)
	commands, _ := fragmentation.ParseDownlink(lorawan.V2, f.Payload)
	for _, cmd := range commands {
		if frag, ok := cmd.(fragmentation.DataFragment); ok {
			w.dataFragment(by, group, f, frag, seen)
		}
	}
}

func (w *witness) dataFragment(by string, group lorawan.EUI64, f network.Frame, frag fragmentation.DataFragment, seen bool) {
	key := fragmentKey{group, frag.FragIndex, frag.N}
	if before, ok := w.fragment[key]; ok && !bytes.Equal(before, frag.Data) {
		w.wrong = append(w.wrong, fmt.Sprintf("fragment %d of %s slot %d is %x, and was %x", frag.N, group, frag.FragIndex, frag.Data, before))
	}
	w.fragment[key] = bytes.Clone(frag.Data)
	key.n = 0
	if seen {
		return
	}
	if frag.N == 1 && w.high[key] > 0 && w.setUp[key.fragIndex] {
		w.begun[key]++
		w.high[key] = 0
	}
	if frag.N <= w.high[key] {
		w.wrong = append(w.wrong, fmt.Sprintf("fragment %d of %s slot %d follows %d, in frame %s by %s", frag.N, group, frag.FragIndex, w.high[key], f.ID, by))
	}
	w.high[key], w.setUp[key.fragIndex] = max(w.high[key], frag.N), false
	w.most = max(w.most, min(1, float64(frag.N)/float64(w.nbFrag[key.fragIndex])))
}

// block returns which part of the uncoded fragments of a session has been sent: the largest of all sessions.
func (w *witness) block() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

// inBlock tells if some uncoded fragments of a session have been sent, and some have not.
func (w *witness) inBlock() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, n := range w.high {
		if 0 < n && n < w.nbFrag[key.fragIndex] {
			return true
		}
	}
	return false
}
