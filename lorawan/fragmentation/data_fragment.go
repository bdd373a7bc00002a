package fragmentation

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	fragHeaderLen = 2
	maxFragSize   = 255
)

// FragOverhead is what DataFragment adds to a fragment: FragSize plus FragOverhead must
// fit the payload that the data rate allows.
const FragOverhead = 1 + fragHeaderLen

// DataFragment carries one fragment. It has no length of its own: it is the only command
// of its frame, and its data is the rest of the payload.
// Downlink, unicast or multicast, CID 0x08 (TS004-1.0.0 and TS004-2.0.0):
//
//	    0..1        2..
//	+-----------+----------+
//	| Index&N   | Data ... |  Index&N: FragIndex[15:14] N[13:0]
//	+-----------+----------+
type DataFragment struct {
	FragIndex uint8  // 0..3
	N         uint16 // 1..16383; up to NbFrag it is uncoded, above it is coded
	Data      []byte // FragSize bytes, 1..255; when parsed, a part of the payload, not a copy
}

// CID returns 0x08.
func (DataFragment) CID() byte { return cidDataFragment }

// Name returns "DataFragment".
func (DataFragment) Name() string { return "DataFragment" }

// String gives the fields for logs, such as "DataFragment index=0 n=12 size=48".
func (c DataFragment) String() string {
	return fmt.Sprintf("%s index=%d n=%d size=%d", c.Name(), c.FragIndex, c.N, len(c.Data))
}

// Append appends the command. It returns ErrRange for a FragIndex above 3, for N outside
// 1..16383 and for data outside 1..255 bytes.
func (c DataFragment) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if c.N == 0 || len(c.Data) == 0 {
		return b, fmt.Errorf("%s: N %d with %d bytes, want 1 or more of both: %w",
			c.Name(), c.N, len(c.Data), lorawan.ErrRange)
	}
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(c.Name(), "FragIndex", c.FragIndex, maxFragIndex),
		wire.CheckMax(c.Name(), "N", c.N, MaxNbFrag),
		wire.CheckMax(c.Name(), "size", len(c.Data), maxFragSize)); err != nil {
		return b, err
	}
	b = binary.LittleEndian.AppendUint16(append(b, c.CID()), uint16(c.FragIndex)<<14|c.N)
	return append(b, c.Data...), nil
}

// parseDataFragment accepts N = 0, which no server should send: the session decides.
func parseDataFragment(b []byte) (DataFragment, []byte, error) {
	if len(b) <= fragHeaderLen {
		return DataFragment{}, b, wire.TooShort("DataFragment", len(b), fragHeaderLen+1)
	}
	if err := wire.CheckMax("DataFragment", "size", len(b)-fragHeaderLen, maxFragSize); err != nil {
		return DataFragment{}, b, err
	}
	indexN := binary.LittleEndian.Uint16(b)
	return DataFragment{
		FragIndex: uint8(indexN >> 14),
		N:         indexN & MaxNbFrag,
		Data:      b[fragHeaderLen:len(b):len(b)],
	}, nil, nil
}
