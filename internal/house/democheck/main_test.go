package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// whole goes out as it is, pair as a delta.
var (
	whole = firmware{path: "new.bin", image: []byte("firmware")}
	pair  = firmware{path: "new.bin", from: "old.bin", image: whole.image}
)

// good is a report as the demo must print it.
func good() report {
	sum := sha256.Sum256(whole.image)
	hash := hex.EncodeToString(sum[:])
	r := report{Campaigns: []campaign{
		{Name: "groups", Type: "multicast_groups", Status: succeeded, Devices: devices, ElapsedSeconds: 60},
		{Name: "binary", Type: "binary_file", Status: succeeded, Devices: devices, Verified: devices, PayloadBytes: len(whole.image),
			PayloadSHA256: hash, FragmentsSent: 12, CodedSent: 4, AirtimeSeconds: 3.5, ElapsedSeconds: 600},
		{Name: "upgrade", Type: "firmware_upgrade", Status: succeeded, Devices: devices, Verified: devices, PayloadBytes: len(whole.image),
			PayloadSHA256: hash, FragmentsSent: 12, CodedSent: 4, AirtimeSeconds: 3.5, ElapsedSeconds: 600,
			Image: &upgrade{Bytes: len(whole.image), SHA256: hash, FullDevices: devices}},
	}}
	for i := range devices {
		r.Devices = append(r.Devices, device{fmt.Sprintf("%016x", i), hash, "1.1.0"})
	}
	return r
}

// goodDelta is a report of a demo that has sent a delta.
func goodDelta() report {
	r := good()
	c := &r.Campaigns[2]
	c.PayloadBytes, c.PayloadSHA256 = 5, strings.Repeat("ab", 32)
	c.Image.DeltaDevices, c.Image.FullDevices = devices, 0
	c.Image.Delta = &patch{FromBytes: 9, PatchBytes: 3, SignedBytes: 5}
	return r
}

func encode(t *testing.T, r report) []byte {
	t.Helper()
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// demo is a demo that behaves: it succeeds unless the loss is hopeless.
func demo(t *testing.T) runner {
	t.Helper()
	return func(_ context.Context, args ...string) ([]byte, int, error) {
		r := good()
		if slices.Contains(args, "--from") {
			r = goodDelta()
		}
		if slices.Contains(args, "0.95") {
			r.Campaigns[1].Status = "FAILED"
			return encode(t, r), belowThreshold, nil
		}
		return encode(t, r), 0, nil
	}
}

func TestAGoodDemoPasses(t *testing.T) {
	for _, f := range []firmware{whole, pair} {
		if err := checkImage(context.Background(), demo(t), demo(t), f); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestDemoIsRunAsTheReadmeShowsIt(t *testing.T) {
	var seen []string
	spy := func(ctx context.Context, args ...string) ([]byte, int, error) {
		seen = append(seen, strings.Join(args, " "))
		return demo(t)(ctx, args...)
	}
	if err := checkImage(context.Background(), spy, spy, whole); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"demo --devices 200 --loss 0.3 --seed 7 --exit --json --file new.bin",
		"demo --devices 200 --loss 0.3 --seed 7 --exit --json --file new.bin",
		"demo --devices 200 --loss 0.95 --seed 7 --exit --json --file new.bin",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("runs: %q, want %q", seen, want)
	}
	seen = nil
	if err := checkImage(context.Background(), spy, spy, pair); err != nil || !strings.HasSuffix(seen[0], "--file new.bin --from old.bin") {
		t.Errorf("runs: %q, %v", seen, err)
	}
}

func TestEachLieInAReportIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*report)
		want   string
	}{
		"a campaign is missing":      {func(r *report) { r.Campaigns = r.Campaigns[:2] }, "2 campaigns"},
		"a campaign failed":          {func(r *report) { r.Campaigns[0].Status = "FAILED" }, "is FAILED"},
		"a campaign without a type":  {func(r *report) { r.Campaigns[0].Type = "" }, "both must be told"},
		"not all verified":           {func(r *report) { r.Campaigns[2].Verified-- }, "199 devices verified"},
		"a device was left out":      {func(r *report) { r.Campaigns[0].Devices-- }, "199 devices"},
		"one failed":                 {func(r *report) { r.Campaigns[2].Failed = 1 }, "1 failed"},
		"no time passed":             {func(r *report) { r.Campaigns[0].ElapsedSeconds = 0 }, "took 0 s"},
		"payload without fragments":  {func(r *report) { r.Campaigns[1].FragmentsSent = 0 }, "0 fragments"},
		"payload without air time":   {func(r *report) { r.Campaigns[1].AirtimeSeconds = 0 }, "0 s on air"},
		"payload without hash":       {func(r *report) { r.Campaigns[1].PayloadSHA256 = "" }, `SHA-256 ""`},
		"nothing was sent":           {func(r *report) { r.Campaigns[1].PayloadBytes, r.Campaigns[2].PayloadBytes = 0, 0 }, "no campaign has a payload"},
		"loss needs coded fragments": {func(r *report) { r.Campaigns[1].CodedSent, r.Campaigns[2].CodedSent = 0, 0 }, "no coded fragments"},
		"a device is missing":        {func(r *report) { r.Devices = r.Devices[1:] }, "199 devices"},
		"a device twice":             {func(r *report) { r.Devices[1].DevEUI = r.Devices[0].DevEUI }, "not a DevEUI of its own"},
		"a DevEUI in capitals":       {func(r *report) { r.Devices[1].DevEUI = "00000000000000AA" }, "not a DevEUI of its own"},
		"a device holds less":        {func(r *report) { r.Devices[9].PayloadSHA256 = "" }, `0000000000000009 holds ""`},
		"a device runs the old one":  {func(r *report) { r.Devices[9].FirmwareVersion = "1.0.0" }, `runs version "1.0.0"`},
		"nothing is upgraded":        {func(r *report) { r.Campaigns[2].Image = nil }, "0 campaigns with an image"},
		"another image is upgraded":  {func(r *report) { r.Campaigns[2].Image.SHA256 = "ab" }, `leads to the image "ab"`},
		"something else was sent":    {func(r *report) { r.Campaigns[2].PayloadBytes-- }, "want the image"},
		"a delta without a base":     {func(r *report) { r.Campaigns[2].Image.Delta = &patch{} }, "a delta went out: true, want false"},
		"many devices are told once": {func(r *report) { r.Devices = slices.Repeat(r.Devices[:1], devices) }, "and 194 more"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.change(&r)
			liar := func(context.Context, ...string) ([]byte, int, error) { return encode(t, r), 0, nil }
			err := checkImage(context.Background(), liar, demo(t), whole)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to say %q", err, c.want)
			}
		})
	}
}

func TestEachLieAboutADeltaIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*campaign)
		want   string
	}{
		"no delta":             {func(c *campaign) { c.Image.Delta = nil }, "a delta went out: false, want true"},
		"some got the image":   {func(c *campaign) { c.Image.DeltaDevices, c.Image.FullDevices = 199, 1 }, "199 devices were sent a delta and 1 the image"},
		"a device got nothing": {func(c *campaign) { c.Image.FullDevices = 1 }, "200 devices were sent a delta and 1 the image"},
		"no base":              {func(c *campaign) { c.Image.Delta.FromBytes = 0 }, "delta of 3 from 0 bytes"},
		"no patch":             {func(c *campaign) { c.Image.Delta.PatchBytes = 0 }, "delta of 0"},
		"no signature":         {func(c *campaign) { c.Image.Delta.PatchBytes = 5 }, "delta of 5 from 9 bytes, signed 5"},
		"another payload":      {func(c *campaign) { c.PayloadBytes = 6 }, "payload 6"},
		"as long as the image": {func(c *campaign) { c.Image.Delta.SignedBytes, c.PayloadBytes = 8, 8 }, "the delta must be less"},
	} {
		t.Run(name, func(t *testing.T) {
			r := goodDelta()
			c.change(&r.Campaigns[2])
			liar := func(context.Context, ...string) ([]byte, int, error) { return encode(t, r), 0, nil }
			err := checkImage(context.Background(), liar, demo(t), pair)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to say %q", err, c.want)
			}
		})
	}
}

func TestEachWrongRunIsFound(t *testing.T) {
	fixed := func(out []byte, code int) runner {
		return func(context.Context, ...string) ([]byte, int, error) { return out, code, nil }
	}
	fine := encode(t, good())
	for name, c := range map[string]struct {
		readme, built runner
		want          string
	}{
		"the demo fails":                {fixed(fine, 1), demo(t), "exit code 1, want 0"},
		"nothing is printed":            {fixed(nil, 0), demo(t), "no report"},
		"messages before the report":    {fixed(append([]byte("hello "), fine...), 0), demo(t), "no report"},
		"messages after the report":     {fixed(append(slices.Clone(fine), "bye"...), 0), demo(t), "goes on after"},
		"a field is missing":            {fixed([]byte(strings.Replace(string(fine), `"failed"`, `"fail"`, 1)), 0), demo(t), `no field "failed"`},
		"a device field is missing":     {fixed([]byte(strings.Replace(string(fine), `"dev_eui"`, `"eui"`, 1)), 0), demo(t), `no field "dev_eui"`},
		"a number is text":              {fixed([]byte(strings.Replace(string(fine), `"failed":0`, `"failed":"0"`, 1)), 0), demo(t), "report: json"},
		"the second run differs":        {demo(t), fixed(append(slices.Clone(fine), '\n'), 0), "reports differ"},
		"the second run fails":          {demo(t), fixed(fine, 1), "exit codes 0 and 1"},
		"hopeless loss is a success":    {demo(t), fixed(fine, 0), "loss 0.95: exit code 0, want 8"},
		"exit code and report disagree": {demo(t), hopelessPrints(t, fine), "yet the report says"},
		"hopeless loss prints nothing":  {demo(t), hopelessPrints(t, nil), "loss 0.95: standard output is no report"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkImage(context.Background(), c.readme, c.built, whole)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to say %q", err, c.want)
			}
		})
	}
}

// hopelessPrints behaves until the loss is hopeless, and prints out then.
func hopelessPrints(t *testing.T, out []byte) runner {
	t.Helper()
	return func(ctx context.Context, args ...string) ([]byte, int, error) {
		if slices.Contains(args, "0.95") {
			return out, belowThreshold, nil
		}
		return demo(t)(ctx, args...)
	}
}

func TestExitCodesOfProgramsAreNoErrors(t *testing.T) {
	run := program("go")
	if _, code, err := run(context.Background(), "version"); code != 0 || err != nil {
		t.Errorf("go version: %d, %v", code, err)
	}
	if _, code, err := run(context.Background(), "no-such-command"); code != 2 || err != nil {
		t.Errorf("go no-such-command: %d, %v, want exit code 2", code, err)
	}
	if _, _, err := program("no-such-program-anywhere")(context.Background()); err == nil {
		t.Error("a missing program is no error")
	}
}
