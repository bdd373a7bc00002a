package sim

import "testing"

// TestChannelsBeginAsTheyGoOn: a link that began in the good state would lose too little at first.
func TestChannelsBeginAsTheyGoOn(t *testing.T) {
	const n = 10000
	lost := 0
	for i := range uint64(n) {
		c, err := newChannel(Bursty{Mean: 0.3, Burst: 50}, 1, i)
		if err != nil {
			t.Fatal(err)
		}
		if c.loses() {
			lost++
		}
	}
	if lost < n*27/100 || lost > n*33/100 {
		t.Errorf("%d of %d first frames lost, want 30 %%", lost, n)
	}
}
