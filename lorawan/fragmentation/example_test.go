package fragmentation_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// A server announces a block to a version 2.0.0 device and reads its answer.
func Example() {
	block := make([]byte, 1000)
	const fragSize = 48
	nbFrag := (len(block) + fragSize - 1) / fragSize
	ackDelay, _ := fragmentation.BlockAckDelay(time.Minute)

	setup := fragmentation.FragSessionSetupReq{
		McGroupBitMask: 1 << 0,
		NbFrag:         uint16(nbFrag),
		FragSize:       fragSize,
		Padding:        uint8(nbFrag*fragSize - len(block)),
		BlockAckDelay:  ackDelay,
		SessionCnt:     1,
	}
	genAppKey := lorawan.MustParseAES128Key("5b4306824f1b86b8786b55310cff3bf3")
	setup.MIC = fragmentation.DataBlockMIC(fragmentation.DataBlockIntKey10(genAppKey),
		setup.SessionCnt, setup.FragIndex, setup.Descriptor, block)

	downlink, err := setup.Append(nil, lorawan.V2)
	fmt.Println(setup)
	fmt.Println(len(downlink), "bytes", err)

	answers, err := fragmentation.ParseUplink(lorawan.V2, []byte{0x02, 0x02})
	fmt.Println(answers, err)
	// Output:
	// FragSessionSetupReq index=0 groups=0001 nb=21 size=48 pad=8 ackdelay=2 cnt=1 mic=cd7669ea
	// 17 bytes <nil>
	// [FragSessionSetupAns index=0 NotEnoughMemory] <nil>
}
