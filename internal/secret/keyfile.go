package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The keyring file is text, in lines that end with \n:
//
//	starling keyring 1
//	# what it is, for whoever finds it
//	key 4fd1d3c0a2b9e817 2026-10-01T12:00:00Z <32 bytes in base64>
//	key ...                                   oldest first
//	primary 4fd1d3c0a2b9e817
//	sum <SHA-256 of all bytes before this line, in hexadecimal>
//
// The sum is there for accidents: a file that was cut, edited or converted must not pass
// as one with other or fewer keys. The first line is read before it, so that a later
// version may do otherwise.
const (
	fileMagic   = "starling keyring "
	fileVersion = 1
	fileNote    = "# The keys below open the database. Keep them secret, do not edit them, and keep a\n" +
		"# backup apart from the backups of the database: without them its secrets are lost.\n"
	maxFile = 1 << 20 // bytes, some 10,000 keys
)

// fileKey is one KEK with its age, as the file has it.
type fileKey struct {
	id      string
	created time.Time // UTC, whole seconds
	key     key
}

// keyFile is the content of a keyring file. parseKeyFile makes sure that ids and keys are
// unique and that primary is one of them.
type keyFile struct {
	keys    []fileKey // oldest first
	primary string
}

func (k fileKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key %s", k.id) }
func (c keyFile) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "keyring of %d keys", len(c.keys)) }

// keySet makes the ciphers.
func (c keyFile) keySet() *keySet {
	s := &keySet{primary: c.primary, boxes: make(map[string]*box, len(c.keys))}
	for _, k := range c.keys {
		s.ids = append(s.ids, k.id)
		s.boxes[k.id] = newBox(k.key)
	}
	return s
}

func (c keyFile) has(id string) bool {
	for _, k := range c.keys {
		if k.id == id {
			return true
		}
	}
	return false
}

// encode returns the text of the file.
func (c keyFile) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d\n%s", fileMagic, fileVersion, fileNote)
	for _, k := range c.keys {
		fmt.Fprintf(&b, "key %s %s %s\n", k.id, k.created.Format(time.RFC3339), base64.StdEncoding.EncodeToString(k.key[:]))
	}
	fmt.Fprintf(&b, "primary %s\n", c.primary)
	return appendSum(b.Bytes())
}

func appendSum(body []byte) []byte {
	sum := sha256.Sum256(body)
	return fmt.Appendf(body, "sum %x\n", sum)
}

// parseKeyFile reads the text of a file. Errors are ErrDamaged or ErrVersion with the line;
// they never repeat what a line holds.
func parseKeyFile(text []byte) (keyFile, error) {
	if err := checkVersion(text); err != nil {
		return keyFile{}, err
	}
	body, err := checkSum(text)
	if err != nil {
		return keyFile{}, err
	}
	var c keyFile
	n := 0
	for line := range bytes.Lines(body) {
		if n++; n == 1 || line[0] == '#' {
			continue
		}
		if fault := c.parseLine(strings.TrimSuffix(string(line), "\n")); fault != "" {
			return keyFile{}, fmt.Errorf("line %d: %s: %w", n, fault, ErrDamaged)
		}
	}
	if c.primary == "" {
		return keyFile{}, fmt.Errorf("no line names the primary: %w", ErrDamaged)
	}
	return c, nil
}

func checkVersion(text []byte) error {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	version, found := strings.CutPrefix(string(first), fileMagic)
	if !found {
		return fmt.Errorf("line 1: %d bytes that do not begin with %q: %w", len(text), fileMagic, ErrDamaged)
	}
	v, err := strconv.ParseUint(version, 10, 31)
	if err != nil || strconv.FormatUint(v, 10) != version {
		return fmt.Errorf("line 1: the version is not a number: %w", ErrDamaged)
	}
	if v != fileVersion {
		return fmt.Errorf("line 1: version %d, this program reads version %d: use the program that wrote it: %w", v, fileVersion, ErrVersion)
	}
	return nil
}

// checkSum returns what comes before the last line, which must hold its sum.
func checkSum(text []byte) ([]byte, error) {
	sumLine := len("sum ") + hex.EncodedLen(sha256.Size) + len("\n")
	at := max(0, len(text)-sumLine)
	body, last := text[:at], text[at:]
	if !bytes.HasPrefix(last, []byte("sum ")) || !bytes.HasSuffix(body, []byte("\n")) {
		return nil, fmt.Errorf("the last line is no sum, so the file was cut or edited: %w", ErrDamaged)
	}
	if !bytes.Equal(appendSum(bytes.Clone(body)), text) {
		return nil, fmt.Errorf("the sum in the last line does not fit, so the file was changed: %w", ErrDamaged)
	}
	return body, nil
}

// parseLine takes in one line of the body. It returns what is wrong, or "".
func (c *keyFile) parseLine(line string) string {
	fields := strings.Split(line, " ")
	switch {
	case c.primary != "":
		return "the primary must be the last"
	case fields[0] == "primary" && len(fields) == 2:
		if !c.has(fields[1]) {
			return "the primary is none of the keys"
		}
		c.primary = fields[1]
		return ""
	case fields[0] == "key" && len(fields) == 4:
		return c.parseKeyLine(fields[1], fields[2], fields[3])
	}
	return "neither a key nor the primary"
}

func (c *keyFile) parseKeyLine(id, created, text string) string {
	if !validID(id) {
		return "the id is not valid"
	}
	at, err := time.Parse(time.RFC3339, created)
	if err != nil || at.UTC().Format(time.RFC3339) != created {
		return "the time is not of the form 2006-01-02T15:04:05Z"
	}
	k, fault := parseKey(text)
	if fault != "" {
		return fault
	}
	for _, o := range c.keys {
		if o.id == id || o.key == k {
			return "the id or the key was there before"
		}
	}
	c.keys = append(c.keys, fileKey{id, at.UTC(), k})
	return ""
}
