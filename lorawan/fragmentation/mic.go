package fragmentation

import (
	"encoding/binary"

	"github.com/starling-fuota/starling/lorawan"
)

// DataBlockIntKey10 derives the data block integrity key of a LoRaWAN 1.0.x device from
// its GenAppKey (TS004-2.0.0): aes128_encrypt(GenAppKey, 0x30 | pad).
func DataBlockIntKey10(genAppKey lorawan.AES128Key) lorawan.AES128Key {
	return dataBlockIntKey(genAppKey)
}

// DataBlockIntKey11 derives the data block integrity key of a LoRaWAN 1.1 device from its
// AppKey (TS004-2.0.0): aes128_encrypt(AppKey, 0x30 | pad).
func DataBlockIntKey11(appKey lorawan.AES128Key) lorawan.AES128Key {
	return dataBlockIntKey(appKey)
}

func dataBlockIntKey(root lorawan.AES128Key) lorawan.AES128Key {
	return lorawan.NewCipher(root).Encrypt([16]byte{0x30})
}

// DataBlockMIC returns the MIC of FragSessionSetupReq, as sent. block is the data
// without padding. The key differs from device to device, and so does the MIC: compute
// it once per device and session.
//
// It is the first four bytes of aes128_cmac(DataBlockIntKey, B0 | block) with
// (TS004-2.0.0):
//
//	      0     1..2        3          4..7        8..11   12..15
//	B0 +------+-----------+----------+-----------+-------+--------+
//	   | 0x49 |SessionCnt |FragIndex |Descriptor | zeros | length |
//	   +------+-----------+----------+-----------+-------+--------+
func DataBlockMIC(key lorawan.AES128Key, sessionCnt uint16, fragIndex uint8, descriptor [4]byte, block []byte) [4]byte {
	var b0 [16]byte
	b0[0] = 0x49
	binary.LittleEndian.PutUint16(b0[1:], sessionCnt)
	b0[3] = fragIndex
	copy(b0[4:], descriptor[:])
	binary.LittleEndian.PutUint32(b0[12:], uint32(len(block)))
	cmac := lorawan.NewCipher(key).CMAC(b0[:], block)
	return [4]byte(cmac[:4])
}
