package logs

import (
	"regexp"
	"slices"
	"strings"
)

// The shapes of secrets. Group 1 is what is taken out. Each is looked for in the text
// as it came, so that what one takes out cannot hide half a key from another.
var (
	// A PEM block, or what there is of it.
	pemBlock = regexp.MustCompile(`(?s)(-----BEGIN.*?(?:-----END[^-]*-----|\z))`)
	// A password in the URL of a database may hold anything, when it is the reason why the URL
	// cannot be read: it goes to the last @ of the line.
	databaseURL = regexp.MustCompile(`(?i)postgres(?:ql)?://[^\s:@/]*:(.*)@`)
	otherURL    = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s:@/?#]*:([^\s/?#]*)@`)
	// password=x, as in the other form of connection strings and in queries.
	password = regexp.MustCompile(`(?i)password=('[^']*'|[^\s&"']+)`)
	bearer   = regexp.MustCompile(`(?i)(?:bearer[ \t]+)+([^\s"',;]+)`)
	// Tokens of this server carry 43 characters behind their prefix; half of them is still too much.
	tokens = regexp.MustCompile(`st[ls]_([A-Za-z0-9_-]{20,})`)
	// 32 hexadecimal digits are an AES-128 key, however they are grouped.
	hexKey = regexp.MustCompile(`((?:[0-9A-Fa-f][:-]?){31,}[0-9A-Fa-f])`)
	// Runs of base64 that could be 16 bytes or more; encodesKey decides.
	base64Run = regexp.MustCompile(`([A-Za-z0-9+/_-]{22,}=*)`)

	uuid = regexp.MustCompile(`\b[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\b`)
)

// Classes of bytes.
const (
	hexDigit = 1 << iota
	separator
	coded // base64, both alphabets
)

var class = func() (t [256]uint8) {
	for c := range t {
		if strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			t[c] |= hexDigit
		}
		if c == ':' || c == '-' {
			t[c] |= separator
		}
		if b := byte(c); isUpper(b) || isLower(b) || strings.IndexByte("+/_-", b) >= 0 {
			t[c] |= coded
		}
	}
	return t
}()

// suspect reports whether redact could find something in s. It may be wrong the other
// way: then redact only costs time. It takes one pass and no memory.
func suspect(s string) bool {
	digits, run := 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case class[c]&hexDigit != 0:
			if digits++; digits == 32 {
				return true
			}
		case class[c]&separator == 0 || i == 0 || class[s[i-1]]&hexDigit == 0:
			digits = 0
		}
		if class[c]&coded != 0 {
			run++
		} else {
			if run >= 22 && (c == '=' || encodesKey(s[i-run:i])) {
				return true
			}
			run = 0
		}
		switch c {
		case '_': // stl_, sts_
			if i >= 3 && s[i-3] == 's' && s[i-2] == 't' && (s[i-1] == 'l' || s[i-1] == 's') {
				return true
			}
		case '-':
			if strings.HasPrefix(s[i:], "-----BEGIN") {
				return true
			}
		case ':':
			if strings.HasPrefix(s[i:], "://") && strings.IndexByte(s[i:], '@') > 0 {
				return true
			}
		case '=':
			if hasSuffixFold(s[:i], "password") {
				return true
			}
		case ' ', '\t':
			if hasSuffixFold(s[:i], "bearer") {
				return true
			}
		}
	}
	return run >= 22 && encodesKey(s[len(s)-run:])
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// redact replaces the secrets in the text of an attribute of this name.
func redact(name, s string) string {
	if identifies(name, s) {
		return s
	}
	var b strings.Builder
	done := 0
	for _, p := range secretSpans(s) {
		switch {
		case p.end <= done: // empty, or in what went before
			continue
		case p.begin > done || b.Len() == 0:
			b.WriteString(s[done:p.begin])
			b.WriteString(redacted)
		}
		done = p.end
	}
	b.WriteString(s[done:])
	return b.String()
}

// span is the part s[begin:end] of a string.
type span struct{ begin, end int }

// secretSpans returns where the secrets of s are, sorted by begin. They may overlap.
func secretSpans(s string) []span {
	var found []span
	for _, shape := range []*regexp.Regexp{pemBlock, databaseURL, otherURL, password, bearer, tokens} {
		for _, m := range shape.FindAllStringSubmatchIndex(s, -1) {
			found = append(found, span{m[2], m[3]})
		}
	}
	// UUIDs have the 32 digits of a key in groups that nobody writes a key in.
	begin := 0
	for _, id := range append(uuids(s), span{len(s), len(s)}) {
		part := s[begin:id.begin]
		for _, m := range hexKey.FindAllStringIndex(part, -1) {
			found = append(found, span{begin + m[0], begin + m[1]})
		}
		for _, m := range base64Run.FindAllStringIndex(part, -1) {
			if run := part[m[0]:m[1]]; run[len(run)-1] == '=' || encodesKey(run) {
				found = append(found, span{begin + m[0], begin + m[1]})
			}
		}
		begin = id.end
	}
	slices.SortFunc(found, func(a, b span) int { return a.begin - b.begin })
	return found
}

// uuids returns where s has UUIDs. One that touches further hexadecimal digits is none: it
// could be an end of a key with something in front of it.
func uuids(s string) []span {
	var found []span
	for _, m := range uuid.FindAllStringIndex(s, -1) {
		before, after := s[:m[0]], s[m[1]:]
		if len(after) > 1 && class[after[0]]&separator != 0 && class[after[1]]&hexDigit != 0 {
			continue
		}
		if n := len(before); n > 1 && class[before[n-1]]&separator != 0 {
			// "device-" is a word in front of a UUID, "feed-" could be digits.
			if word := lastWord(strings.ToLower(before[:n-1])); word != "" && allHex(word) {
				continue
			}
		}
		found = append(found, span{m[0], m[1]})
	}
	return found
}

// encodesKey reports whether a run of base64 without padding looks like random bytes: 16
// or 32 of them, or 48 and more (a private key in PKCS#8 has 138), in capital and small letters and
// digits. Words and paths rarely look so. One key of 16 bytes in thirty has no digit
// and passes: this is a guess, where padding and hexadecimal digits are certain.
func encodesKey(run string) bool {
	if len(run) != 22 && len(run) != 43 && len(run) < 64 {
		return false
	}
	var upper, small, digit bool
	slashes := 0
	for i := range len(run) {
		switch c := run[i]; {
		case c == '/':
			slashes++
		case isUpper(c):
			upper = true
		case c >= '0' && c <= '9':
			digit = true
		case isLower(c):
			small = true
		}
	}
	// A path has a slash for each name; among random bytes one character in 64 is one.
	path := slashes*16 > len(run) || slashes > 0 && len(run) < 64
	return upper && small && digit && !path
}
