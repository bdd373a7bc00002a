package logs

import (
	"bytes"
	"strings"
)

// Names are compared in lower case and without the marks between words, so that
// app_s_key, app-s-key, AppSKey and APPSKEY are one name.
var (
	// secretParts make a name a secret's wherever they stand in it.
	secretParts = [][]byte{[]byte("password"), []byte("passwd"), []byte("passphrase"), []byte("secret"), []byte("token"),
		[]byte("authorization"), []byte("bearer"), []byte("cookie"), []byte("private"), []byte("credential")}
	// secretEnds do so at its end only: a keyring is no key.
	secretEnds = [][]byte{[]byte("key"), []byte("keys"), []byte("kek"), []byte("dek")}
)

// secretName reports whether an attribute of this name holds a secret, whatever its value.
// Not so if the last word says something about the secret: token_id, rootKeySet.
func secretName(name string) bool {
	var space [64]byte // most names fit, and take no memory then
	plain := space[:0]
	for i := range len(name) {
		if c := lower(name[i]); c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 {
			plain = append(plain, c)
		}
	}
	for _, end := range secretEnds {
		if bytes.HasSuffix(plain, end) {
			return true
		}
	}
	for _, part := range secretParts {
		if bytes.Contains(plain, part) {
			return !about(lastWord(name))
		}
	}
	return false
}

// about reports whether a last word makes a name one of something about a secret.
func about(word string) bool {
	for _, w := range [...]string{"id", "ids", "set", "kind", "name", "count", "at"} {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}

// lastWord returns the last word of a name, without the mark before it. Where no mark and no
// capital letter shows where it begins ("tokenid"), it is the whole name: rather no log than a leak.
func lastWord(name string) string {
	i := len(name)
	for i > 0 && isUpper(name[i-1]) { // ID, SET
		i--
	}
	if i == len(name) {
		for i > 0 && isLower(name[i-1]) { // id, Id
			i--
		}
		if i > 0 && isUpper(name[i-1]) {
			i--
		}
	}
	return name[i:]
}

// identifies reports whether s is nothing but an identifier, under a name that
// promises one: a request id (letters, digits, dash, point and underscore, up to 64), a UUID,
// a trace id, a SHA-256 digest, a commit. Such values have the shape of keys and must stay readable.
//
// A key that somebody passes off as a request id comes out by this door.
// Digests are not let through under other lengths: 32 digits named a digest are a key.
func identifies(name, s string) bool {
	switch word := lastWord(name); {
	case strings.EqualFold(word, "id"):
		return len(s) <= 64 && !strings.ContainsFunc(s, notInID) && len(tokens.FindString(s)) == 0
	case strings.EqualFold(word, "sha256"), strings.EqualFold(word, "digest"), strings.EqualFold(word, "etag"):
		return len(s) == 64 && allHex(s)
	case strings.EqualFold(word, "commit"):
		return len(s) == 40 && allHex(s)
	}
	return false
}

func notInID(r rune) bool {
	return r >= 0x80 || class[byte(r)]&coded == 0 && r != '.' || r == '+' || r == '/'
}

func allHex(s string) bool {
	for i := range len(s) {
		if class[s[i]]&hexDigit == 0 {
			return false
		}
	}
	return true
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
