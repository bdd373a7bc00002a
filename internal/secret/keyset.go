package secret

import (
	"fmt"
	"strings"
)

// A wrapped key is 1 byte of format, then nonce, ciphertext and tag; the AAD holds the KEK's id.
const wrapFormat = 1

// maxID keeps a key that was put where an id belongs from passing as one: 32 bytes take 43 characters of base64.
const maxID = 40

// validID reports whether s can be the id of a KEK: 1 to 40 letters, digits, '-', '_' or '.'.
func validID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-_.", r):
		default:
			return false
		}
	}
	return true
}

// keySet is some KEKs, one of them primary. It does not change.
type keySet struct {
	primary string
	ids     []string // oldest first
	boxes   map[string]*box
}

func (s *keySet) wrap(plain []byte) (string, []byte) {
	wrapped := make([]byte, 1, 1+len(plain)+overhead)
	wrapped[0] = wrapFormat
	return s.primary, s.boxes[s.primary].append(wrapped, plain, wrapAAD(s.primary))
}

// unwrap returns ErrUnknownKEK or ErrSealed.
func (s *keySet) unwrap(id string, wrapped []byte) ([]byte, error) {
	b := s.boxes[id]
	if b == nil {
		return nil, fmt.Errorf("key %.40q is not among the %d there are: %w", id, len(s.ids), ErrUnknownKEK)
	}
	if len(wrapped) == 0 || wrapped[0] != wrapFormat {
		return nil, fmt.Errorf("%d bytes wrapped under key %s: not the format %d of this version: %w", len(wrapped), id, wrapFormat, ErrSealed)
	}
	plain, ok := b.open(wrapped[1:], wrapAAD(id))
	if !ok {
		return nil, fmt.Errorf("%d bytes wrapped under key %s: %w", len(wrapped), id, ErrSealed)
	}
	return plain, nil
}

func wrapAAD(id string) []byte { return AAD("starling wrapped key", id) }
