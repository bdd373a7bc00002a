package multipackage

import (
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

// Command identifiers of package 0. Requests and answers share them.
const (
	cidDevPackage      = 0x01
	cidMultiPackBuffer = 0x02
)

var codec = wire.Codec{Package: lorawan.MultiPackage, Newest: lorawan.V1, Down: parseDownlink, Up: parseUplink}

// parseDownlink reads a command of package 0. A MultiPackBufferReq among others is only
// recognised, so that it can be refused: where it is alone ParseDownlink reads it.
func parseDownlink(_ lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	switch cid {
	case cidDevPackage:
		return DevPackageReq{}, body, nil
	case cidMultiPackBuffer:
		return MultiPackBufferReq{}, nil, nil
	}
	return wire.Unknown()
}

// parseUplink reads a command of package 0, and recognises MultiPackBufferFrag as
// parseDownlink does MultiPackBufferReq.
func parseUplink(_ lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	switch cid {
	case cidDevPackage:
		return wire.Parsed(parseDevPackageAns(body))
	case cidMultiPackBuffer:
		return MultiPackBufferFrag{}, nil, nil
	}
	return wire.Unknown()
}
