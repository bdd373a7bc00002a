package multicast_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// A server puts a LoRaWAN 1.0 device into a group and opens a class C window.
func Example() {
	genAppKey := lorawan.MustParseAES128Key("7506aa290303a993ecd063052115db7a") // of the device
	mcKey := lorawan.MustParseAES128Key("8e506b852f760ad66734c3a8d8ac639b")     // of the group
	start := time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)

	kek := multicast.McKEKey(multicast.McRootKey10(genAppKey))
	timeOut, _ := multicast.ClassCTimeOut(10 * time.Minute)
	setup := multicast.McGroupSetupReq{
		McAddr:         lorawan.MustParseDevAddr("07ec4909"),
		McKeyEncrypted: multicast.WrapMcKey(kek, mcKey),
		MinMcFCnt:      120,
		MaxMcFCnt:      4000,
	}
	session := multicast.McClassCSessionReq{
		SessionTime: lorawan.GPSSeconds32(start),
		TimeOut:     timeOut,
		DLFrequency: 869_525_000,
		DR:          3,
	}
	downlink, err := lorawan.AppendAll(nil, lorawan.V1, setup, session)
	fmt.Println(setup)
	fmt.Println(session)
	fmt.Println(len(downlink), "bytes", err)

	// One uplink answers both.
	answers, err := multicast.ParseUplink(lorawan.V1, []byte{0x02, 0x00, 0x04, 0x00, 0x58, 0x02, 0x00})
	fmt.Println(answers, err)
	ans := answers[1].(multicast.McClassCSessionAns)
	fmt.Println("clock is right:", ans.ClockAgrees(start.Add(-10*time.Minute), session.SessionTime, 5*time.Second))
	// Output:
	// McGroupSetupReq group=0 addr=07ec4909 fcnt=120..4000
	// McClassCSessionReq group=0 start=1468576818 for=17m4s freq=869525000 dr=3
	// 41 bytes <nil>
	// [McGroupSetupAns group=0 McClassCSessionAns group=0 in=10m0s] <nil>
	// clock is right: true
}
