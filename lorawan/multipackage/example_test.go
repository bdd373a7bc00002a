package multipackage_test

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

// A server asks a device that it knows nothing about for its packages.
func Example() {
	ask := multipackage.Message{
		Token: 1,
		Items: []multipackage.Item{{Package: lorawan.MultiPackage, Command: multipackage.DevPackageReq{}}},
	}
	downlink, err := ask.Append(nil, multipackage.Versions{})
	fmt.Printf("% x %v\n", downlink, err)

	uplink := []byte{0x01, 0x02, 0x01, 0x02, 0xca, 0x03, 0x01, 0xc9, 0x01}
	m, err := multipackage.ParseUplink(uplink, multipackage.Versions{})
	fmt.Println(m, err)
	for _, i := range m.Items {
		if ans, ok := i.Command.(multipackage.DevPackageAns); ok {
			fmt.Println("fragmentation", ans.Versions().Fragmentation)
		}
	}
	// Output:
	// 01 01 <nil>
	// token=1 0:DevPackageAns 1:v2@202 3:v1@201 <nil>
	// fragmentation 1.0.0
}

func ExampleReassembly() {
	var r multipackage.Reassembly
	r.Start(3) // the token of the commands

	_ = r.Add(3, multipackage.MultiPackBufferFrag{BaseByte: 0, Buffer: []byte{0x82, 0x02, 0x00}})
	_ = r.Add(3, multipackage.MultiPackBufferFrag{BaseByte: 6, Buffer: []byte{0x03, 0x00}})
	missing, _ := r.Missing()
	fmt.Println(missing)

	_ = r.Add(3, multipackage.MultiPackBufferFrag{BaseByte: 3, Buffer: []byte{0x04, 0x00, 0xe8}})
	items, err := r.Items(multipackage.Versions{McSetup: lorawan.V1})
	fmt.Println(items, err)
	// Output:
	// MultiPackBufferReq 3..6
	// [2:McGroupSetupAns group=0 2:McClassCSessionAns group=0 in=16m40s] <nil>
}
