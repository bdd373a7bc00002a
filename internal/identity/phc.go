package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrHash is returned for a stored password hash that cannot be used.
var ErrHash = errors.New("identity: not a usable argon2id hash")

// Bounds of hashes that are read. A hash is stored text, which an import or an intruder may
// have put there: without bounds one login could take all memory or run for hours.
const (
	maxMemory   = 64 * 1024 // KiB: three times what is usual
	maxPasses   = 16
	maxLanes    = 4
	minSaltSize = 8 // bytes
	minHashSize = 16
	maxField    = 64  // bytes of salt or hash
	maxHashText = 256 // characters: above the longest text with all of the above
)

// params is the work that a hash takes (RFC 9106: m, t and p).
type params struct {
	memory uint32 // KiB, at least 8 for each lane
	passes uint32
	lanes  uint8
}

// passwordHash is a PHC string of argon2id, version 19 (0x13):
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//
// salt and hash are base64 without padding, with + and /.
type passwordHash struct {
	params
	salt, sum []byte
}

var phcBase64 = base64.RawStdEncoding.Strict()

// String returns the PHC string. It is stored and goes nowhere else.
func (h passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes,
		phcBase64.EncodeToString(h.salt), phcBase64.EncodeToString(h.sum))
}

// outdated reports whether h takes less work, or has less salt or hash, than new ones.
func (h passwordHash) outdated() bool {
	return h.memory < current.memory || h.passes < current.passes || len(h.salt) < saltSize || len(h.sum) < hashSize
}

// parseHash reads exactly what String writes, within the bounds. Errors are ErrHash and do
// not repeat the text.
func parseHash(text string) (passwordHash, error) {
	bad := func(what string) (passwordHash, error) {
		return passwordHash{}, fmt.Errorf("%w: %s (set the password again)", ErrHash, what)
	}
	if len(text) > maxHashText {
		return bad("too long")
	}
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return bad("not of the form $argon2id$v=19$m=...,t=...,p=...$salt$hash")
	}
	if part[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("another version than 19")
	}
	cost := strings.Split(part[3], ",")
	if len(cost) != 3 {
		return bad("parameters other than m, t and p")
	}
	lanes, ok := number(cost[2], "p=", 1, maxLanes)
	if !ok {
		return bad(fmt.Sprintf("p is not within 1 to %d", maxLanes))
	}
	memory, ok := number(cost[0], "m=", 8*lanes, maxMemory)
	if !ok {
		return bad(fmt.Sprintf("m is not within %d to %d KiB", 8*lanes, maxMemory))
	}
	passes, ok := number(cost[1], "t=", 1, maxPasses)
	if !ok {
		return bad(fmt.Sprintf("t is not within 1 to %d", maxPasses))
	}
	salt, ok := field(part[4], minSaltSize)
	if !ok {
		return bad(fmt.Sprintf("the salt is not %d to %d bytes of base64", minSaltSize, maxField))
	}
	sum, ok := field(part[5], minHashSize)
	if !ok {
		return bad(fmt.Sprintf("the hash is not %d to %d bytes of base64", minHashSize, maxField))
	}
	return passwordHash{params{memory, passes, uint8(lanes)}, salt, sum}, nil
}

// number reads "m=123" in lo..hi, in decimal digits as strconv writes them.
func number(text, prefix string, lo, hi uint32) (uint32, bool) {
	digits, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != digits || uint32(n) < lo || uint32(n) > hi {
		return 0, false
	}
	return uint32(n), true
}

// field reads lo to maxField bytes of base64. The decoder skips line breaks, which have no
// place here.
func field(text string, lo int) ([]byte, bool) {
	b, err := phcBase64.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") || len(b) < lo || len(b) > maxField {
		return nil, false
	}
	return b, true
}
