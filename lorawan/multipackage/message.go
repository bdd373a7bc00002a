package multipackage

import (
	"fmt"
	"strings"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

const (
	packageIDFlag = 0x80
	tokenMask     = 0x03
	maxToken      = tokenMask

	// Tokens is how many command sets a Token tells apart.
	Tokens = maxToken + 1
)

// Item is one command and the package it belongs to.
type Item struct {
	Package lorawan.PackageID
	Command lorawan.Command
}

// String gives the package number and the command, such as "2:McGroupSetupAns group=0".
func (i Item) String() string { return fmt.Sprintf("%d:%v", uint8(i.Package), i.Command) }

// Message is the payload of one frame on FPort 225, in either direction.
type Message struct {
	Items []Item
	Token uint8 // 0..3; answers repeat the token of their commands

	// NoToken says that the token is absent. MultiPackBufferReq never has one; the error
	// form of MultiPackBufferFrag has none by the specification, and LoRa Basics Modem
	// appends it.
	NoToken bool
}

// String gives token and items for logs, such as "token=2 1:PackageVersionReq 2:PackageVersionReq".
func (m Message) String() string {
	var words []string
	if !m.NoToken {
		words = append(words, fmt.Sprintf("token=%d", m.Token))
	}
	for _, i := range m.Items {
		words = append(words, i.String())
	}
	return strings.Join(words, " ")
}

// ParseDownlink reads what a server sends. On error it returns the items before the
// failing one. The error wraps ErrUnknownPackage, ErrTrailing for a command beside one
// that must stand alone, or what the codec of a package returns.
func ParseDownlink(b []byte, vs Versions) (Message, error) {
	if body, ok := cutBufferCommand(b); ok {
		req, rest, err := parseMultiPackBufferReq(body)
		if err != nil {
			return Message{}, err
		}
		if len(rest) > 0 {
			return Message{}, errNotAlone(req)
		}
		return Message{Items: []Item{{lorawan.MultiPackage, req}}, NoToken: true}, nil
	}
	return parse(b, vs, downlinkParser)
}

// ParseUplink reads what a device sends, as ParseDownlink does in the other direction.
// Give the pieces of an answer, MultiPackBufferFrag, to a Reassembly.
func ParseUplink(b []byte, vs Versions) (Message, error) {
	if body, ok := cutBufferCommand(b); ok {
		return parseFragMessage(body)
	}
	return parse(b, vs, uplinkParser)
}

// cutBufferCommand tells whether b begins with CID 0x02 of package 0, which in both
// directions owns its whole frame, and returns what follows the CID.
func cutBufferCommand(b []byte) ([]byte, bool) {
	if len(b) > 0 && b[0] == packageIDFlag|byte(lorawan.MultiPackage) {
		b = b[1:]
	}
	if len(b) > 0 && b[0] == cidMultiPackBuffer {
		return b[1:], true
	}
	return nil, false
}

func parse(b []byte, vs Versions, parser func(lorawan.PackageID) (nextFunc, error)) (Message, error) {
	if len(b) < 2 {
		return Message{}, fmt.Errorf("multipackage: %d bytes, want a command and a token: %w", len(b), lorawan.ErrShort)
	}
	end := len(b) - 1
	items, err := parseItems(b[:end], vs, parser)
	return Message{Items: items, Token: b[end] & tokenMask}, err
}

func parseItems(b []byte, vs Versions, parser func(lorawan.PackageID) (nextFunc, error)) ([]Item, error) {
	var items []Item
	p := lorawan.MultiPackage
	for len(b) > 0 {
		if b[0]&packageIDFlag != 0 {
			p = lorawan.PackageID(b[0] &^ packageIDFlag)
			b = b[1:]
		}
		next, err := parser(p)
		if err != nil {
			return items, err
		}
		c, rest, err := next(versionOf(p, vs), b)
		if err != nil {
			return items, err
		}
		if standsAlone(c) {
			return items, errNotAlone(c)
		}
		items, b = append(items, Item{p, c}), rest
	}
	return items, nil
}

// Append appends the payload: a PackageID wherever the package changes, the commands, the
// token. It returns b unchanged and an error if there is no command, if a command must
// stand alone and does not (ErrTrailing), if the token is above 3 or absent where there
// must be one (ErrRange), if a package is unknown, or if a command refuses.
func (m Message) Append(b []byte, vs Versions) ([]byte, error) {
	if len(m.Items) == 0 {
		return b, fmt.Errorf("multipackage: no command: %w", lorawan.ErrRange)
	}
	if m.Token > maxToken {
		return b, fmt.Errorf("multipackage: Token %d is above %d: %w", m.Token, maxToken, lorawan.ErrRange)
	}
	out, err := AppendItems(b, vs, m.Items...)
	if err != nil {
		return b, err
	}
	switch c := m.Items[0].Command.(type) {
	case MultiPackBufferReq:
		return out, nil
	case MultiPackBufferFrag:
		if c.Error && m.NoToken {
			return out, nil
		}
	}
	if m.NoToken {
		return b, fmt.Errorf("multipackage: no Token for %s: %w", m.Items[0].Command.Name(), lorawan.ErrRange)
	}
	return append(out, m.Token), nil
}

// AppendItems appends commands without a token: the answer buffer of a device. Errors are
// those of Message.Append.
func AppendItems(b []byte, vs Versions, items ...Item) ([]byte, error) {
	out := b
	p := lorawan.MultiPackage
	for _, i := range items {
		if _, err := downlinkParser(i.Package); err != nil {
			return b, err
		}
		if standsAlone(i.Command) && (len(items) > 1 || i.Package != lorawan.MultiPackage) {
			return b, errNotAlone(i.Command)
		}
		if i.Package != p {
			p = i.Package
			out = append(out, packageIDFlag|byte(p))
		}
		var err error
		if out, err = i.Command.Append(out, versionOf(p, vs)); err != nil {
			return b, err
		}
	}
	return out, nil
}

// standsAlone reports whether a command cannot share its frame: the two of the answer
// buffer, and DataFragment, whose length is that of the frame and which devices do not
// take on this port at all.
func standsAlone(c lorawan.Command) bool {
	switch c.(type) {
	case MultiPackBufferReq, MultiPackBufferFrag, fragmentation.DataFragment:
		return true
	}
	return false
}

func errNotAlone(c lorawan.Command) error {
	return fmt.Errorf("%s in a frame with something else: %w", c.Name(), lorawan.ErrTrailing)
}
