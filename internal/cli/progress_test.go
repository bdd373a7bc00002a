package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTheMeterShowsHowMuchIsSent(t *testing.T) {
	for _, tc := range []struct {
		size  int64
		shows []string
	}{
		{4, []string{"25% sent", "50% sent", "75% sent", "sent, waiting for the server"}},
		{-1, []string{"0 MB sent", "sent, waiting for the server"}}, // a pipe: a line that would say the same is not written
	} {
		var out bytes.Buffer
		m := &meter{in: iotest.OneByteReader(strings.NewReader("rows")), out: &out, size: tc.size}
		if b, err := io.ReadAll(m); err != nil || string(b) != "rows" {
			t.Errorf("%q, %v", b, err)
		}
		if got, want := out.String(), "\r\x1b[K"+strings.Join(tc.shows, "\r\x1b[K"); got != want {
			t.Errorf("size %d: %q, want %q", tc.size, got, want)
		}
	}
	if isTerminal(&bytes.Buffer{}) {
		t.Error("a buffer is no terminal")
	}
}

func TestABarShowsHowFarAJobIs(t *testing.T) {
	var out bytes.Buffer
	b := &bar{out: &out, terminal: true}
	b.show("queued", 0, 0)
	b.show("running", 1, 3)
	b.show("running", 1, 3) // nothing new, nothing drawn
	b.show("running", 4, 3) // it found more than it counted
	b.end()
	want := strings.Join([]string{"", "queued", "running [##########....................] 1/3", "running [##############################] 4/3", ""}, clearLine)
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}

	out.Reset()
	b = &bar{out: &out}
	b.show("queued", 0, 0)
	b.show("running", 1, 3)
	b.show("running", 2, 3)
	b.end()
	if want := "starling: the job is queued\nstarling: the job is running\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
