package device_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/region"
)

// A server sends a file of 100 bytes to one device, by unicast. One of five fragments
// is lost, and a coded fragment makes up for it.
func Example() {
	cfg := device.Config{
		DevEUI:  lorawan.MustParseEUI64("0004a30b001c0530"),
		DevAddr: lorawan.MustParseDevAddr("26011234"),
		NwkSKey: lorawan.MustParseAES128Key("00112233445566778899aabbccddeeff"),
		AppSKey: lorawan.MustParseAES128Key("ffeeddccbbaa99887766554433221100"),
		Band:    region.EU868, UplinkDR: 5,
		Packages: device.Packages{Fragmentation: lorawan.V1},
		Start:    time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	dev := device.New(cfg)
	session := lorawan.NewSession(cfg.DevAddr, cfg.NwkSKey, cfg.AppSKey)

	now, fcnt := cfg.Start, uint32(0)
	send := func(c lorawan.Command) {
		payload, err := c.Append(nil, lorawan.V1)
		if err != nil {
			panic(err)
		}
		dev.Receive(now, session.Seal(lorawan.DataFrame{
			Direction: lorawan.Downlink, FCnt: fcnt, FPort: 201, FRMPayload: payload,
		}))
		fcnt++
	}

	file := bytes.Repeat([]byte("starling! "), 10)
	enc, err := fec.NewEncoder(lorawan.V1, file, 20)
	if err != nil {
		panic(err)
	}
	send(fragmentation.FragSessionSetupReq{NbFrag: uint16(enc.NbFrag()), FragSize: 20})
	for up := dev.Wake(dev.NextWake()); len(up) > 0; up = nil {
		frame, _ := session.Open(up[0].PHYPayload, 0)
		answers, _ := fragmentation.ParseUplink(lorawan.V1, frame.FRMPayload)
		fmt.Println(answers[0])
	}
	for _, n := range []int{1, 2, 4, 5, 6} { // 3 is lost; 6 is the first coded one
		data, _ := enc.Fragment(n, nil)
		send(fragmentation.DataFragment{N: uint16(n), Data: data})
	}
	got, complete := dev.Image()
	fmt.Println(complete, bytes.Equal(got, file))
	// Output:
	// FragSessionSetupAns index=0
	// true true
}
