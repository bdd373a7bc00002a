package multicast

import "github.com/starling-fuota/starling/lorawan"

// Each derivation encrypts one block: a tag, the address if it has one, zeros (TS005,
// key derivation).
const (
	tagMcRootKey10 = 0x00
	tagMcRootKey11 = 0x20
	tagMcKEKey     = 0x00
	tagMcAppSKey   = 0x01
	tagMcNwkSKey   = 0x02
)

// McRootKey10 derives the McRootKey of a LoRaWAN 1.0.x device:
// aes128_encrypt(GenAppKey, 0x00 | pad). GenAppKey is not the AppKey of the join; some
// integrators put that one there, and such a device decrypts no multicast frame.
func McRootKey10(genAppKey lorawan.AES128Key) lorawan.AES128Key {
	return lorawan.NewCipher(genAppKey).Encrypt([16]byte{tagMcRootKey10})
}

// McRootKey11 derives the McRootKey of a LoRaWAN 1.1 device:
// aes128_encrypt(AppKey, 0x20 | pad).
func McRootKey11(appKey lorawan.AES128Key) lorawan.AES128Key {
	return lorawan.NewCipher(appKey).Encrypt([16]byte{tagMcRootKey11})
}

// McKEKey derives the key that wraps McKeys for one device:
// aes128_encrypt(McRootKey, 0x00 | pad).
func McKEKey(mcRootKey lorawan.AES128Key) lorawan.AES128Key {
	return lorawan.NewCipher(mcRootKey).Encrypt([16]byte{tagMcKEKey})
}

// WrapMcKey returns McKeyEncrypted of McGroupSetupReq: aes128_decrypt(McKEKey, McKey).
// The server decrypts so that the device, which unwraps, needs encryption only.
func WrapMcKey(mcKEKey, mcKey lorawan.AES128Key) [16]byte {
	return lorawan.NewCipher(mcKEKey).Decrypt(mcKey)
}

// UnwrapMcKey is what the device does: aes128_encrypt(McKEKey, McKeyEncrypted). Any
// bytes unwrap to some key; nothing tells the right one.
func UnwrapMcKey(mcKEKey lorawan.AES128Key, encrypted [16]byte) lorawan.AES128Key {
	return lorawan.NewCipher(mcKEKey).Encrypt(encrypted)
}

// McAppSKey derives the key that encrypts the payloads of a group:
// aes128_encrypt(McKey, 0x01 | McAddr | pad).
func McAppSKey(mcKey lorawan.AES128Key, mcAddr lorawan.DevAddr) lorawan.AES128Key {
	return sessionKey(tagMcAppSKey, mcKey, mcAddr)
}

// McNwkSKey derives the key that signs the frames of a group, McNetSKey in some texts:
// aes128_encrypt(McKey, 0x02 | McAddr | pad).
func McNwkSKey(mcKey lorawan.AES128Key, mcAddr lorawan.DevAddr) lorawan.AES128Key {
	return sessionKey(tagMcNwkSKey, mcKey, mcAddr)
}

func sessionKey(tag byte, mcKey lorawan.AES128Key, mcAddr lorawan.DevAddr) lorawan.AES128Key {
	block := [16]byte{tag}
	addr, _ := mcAddr.AppendBinary(nil)
	copy(block[1:], addr)
	return lorawan.NewCipher(mcKey).Encrypt(block)
}
