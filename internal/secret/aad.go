package secret

import "encoding/binary"

// AAD returns the additional data that binds a sealed value to its place: subscriber,
// table, row, column. Each part is preceded by its length (unsigned LEB128), so that
// different lists never give the same bytes: ("ab", "c") is not ("a", "bc").
func AAD(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += binary.MaxVarintLen16 + len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}
