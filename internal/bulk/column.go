package bulk

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// column is one field of a row type R: how a cell is read and written, and how the
// value moves into a stored object.
type column[R any] struct {
	name      string   // in our JSON
	aliases   []string // other names in a header row, as plain returns them
	reference int      // index in the reference format; absent: not there
	friendly  bool     // the friendly format is exported with it
	required  bool     // in the reference format, and for a new object
	identity  bool     // it is the key, or a part of it
	key       bool     // key material: exported only when asked
	passed    bool     // it is not read, and a file that has it says nothing wrong
	kept      bool     // an empty cell leaves the stored value as it is
	unique    bool     // two rows of a file must not have the same; the key never may
	text      bool     // spaces are a value

	read  func(cell string, r *R) *problem // the cell is not empty; nil: not read
	clear func(r *R)                       // what an empty cell does
	copy  func(dst, src *R)                // nil: not part of the object
	equal func(a, b *R) bool
	write func(r *R, f Format) string
}

// absent is the index of a column that a file does not have.
const absent = -1

// at returns the index of a column of the reference format.
func at(letter string) int {
	n := 0
	for _, c := range letter {
		n = n*26 + int(c-'A') + 1
	}
	return n - 1
}

// field returns a column of which the value is a comparable part of the row.
func field[R any, V comparable](name, letter string, part func(*R) *V, read func(string) (V, *problem), write func(V, Format) string) column[R] {
	index := absent
	if letter != "" {
		index = at(letter)
	}
	return column[R]{
		name: name, reference: index, friendly: true,
		read: func(cell string, r *R) *problem {
			v, p := read(cell)
			if p == nil {
				*part(r) = v
			}
			return p
		},
		clear: func(r *R) { var zero V; *part(r) = zero },
		copy:  func(dst, src *R) { *part(dst) = *part(src) },
		equal: func(a, b *R) bool { return *part(a) == *part(b) },
		write: func(r *R, f Format) string { return write(*part(r), f) },
	}
}

// textField returns a column of free text.
func textField[R any](name, letter string, part func(*R) *string) column[R] {
	c := field(name, letter, part, readText, writeText)
	c.text = true
	return c
}

// keyField returns a column of key material. Keys are compared in constant time.
func keyField[R any](name, letter string, part func(*R) *lorawan.AES128Key) column[R] {
	c := field(name, letter, part, readKey, func(k lorawan.AES128Key, _ Format) string {
		if k.IsZero() {
			return ""
		}
		return k.Hex()
	})
	c.key, c.kept = true, true
	c.equal = func(a, b *R) bool { return part(a).Equal(*part(b)) }
	return c
}

// called adds names under which a header row may call the column.
func (c column[R]) called(names ...string) column[R] {
	c.aliases = append(c.aliases, names...)
	return c
}

// needed makes the column mandatory.
func (c column[R]) needed() column[R] { c.required = true; return c }

// identifying makes the column mandatory in every file: it is the key, or a part of it.
func (c column[R]) identifying() column[R] { c.required, c.identity = true, true; return c }

// informing makes a column that is only written, for people and other programs.
func informing[R any](name string, write func(*R) string) column[R] {
	return column[R]{name: name, reference: absent, friendly: true, passed: true, write: func(r *R, _ Format) string { return write(r) }}
}

// keeping makes an empty cell leave the stored value as it is.
func (c column[R]) keeping() column[R] { c.kept = true; return c }

// plain reduces a column name to what counts: letters and digits, in lower case.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ', r == '_', r == '-', r == '.', r == '*', r == '\t':
			return -1
		}
		return r
	}, name)
}

// readText takes free text as it is: its rules are those of the object.
func readText(cell string) (string, *problem) { return strings.Clone(cell), nil }

func writeText(s string, _ Format) string { return s }

// writeStringer writes what String returns.
func writeStringer[V fmt.Stringer](v V, _ Format) string { return v.String() }

func readDevEUI(cell string) (e lorawan.EUI64, p *problem) {
	if !bareHex(e[:], cell) {
		e, _ = lorawan.ParseEUI64(cell) // zero is an error as well
	}
	if e.IsZero() {
		return e, hexProblem(cell, 16)
	}
	return e, nil
}

func readMcAddr(cell string) (a lorawan.DevAddr, p *problem) {
	if !bareHex(a[:], cell) {
		a, _ = lorawan.ParseDevAddr(cell)
	}
	if a.IsZero() {
		return a, hexProblem(cell, 8)
	}
	return a, nil
}

func readKey(cell string) (k lorawan.AES128Key, p *problem) {
	if !bareHex(k[:], cell) {
		k, _ = lorawan.ParseAES128Key(cell)
	}
	if k.IsZero() {
		return k, hexProblem(cell, 32)
	}
	return k, nil
}

// bareHex reads digits without separators, which is what nearly all files have: the parsers
// of package lorawan tolerate more and allocate for it, which counts in 100,000 rows.
func bareHex(dst []byte, cell string) bool {
	if len(cell) != 2*len(dst) {
		return false
	}
	_, err := hex.Decode(dst, []byte(cell))
	return err == nil
}

var separators = strings.NewReplacer("-", "", ":", "")

// hexProblem says what is wrong with a cell that should hold digits hexadecimal digits,
// without repeating any of them.
func hexProblem(cell string, digits int) *problem {
	cell = strings.TrimSpace(cell)
	number := strings.ContainsAny(cell, ".,") || strings.Contains(cell, "E+") || strings.Contains(cell, "e+")
	want := fmt.Sprintf("give %d hexadecimal digits", digits)
	clean := separators.Replace(cell)
	switch {
	case number:
		return &problem{"is a number as a spreadsheet shows it", "make the column text in the spreadsheet and enter it again: digits are lost"}
	case strings.Trim(clean, "0123456789abcdefABCDEF") != "":
		return &problem{"holds a character that is no hexadecimal digit", want}
	case len(clean) < digits:
		return &problem{fmt.Sprintf("has %d hexadecimal digits", len(clean)), want + "; a spreadsheet may have cut leading zeros"}
	case len(clean) > digits:
		return &problem{fmt.Sprintf("has %d hexadecimal digits", len(clean)), want}
	}
	return &problem{"is all zeros", want}
}

// readNumber returns a reader of whole numbers 0..limit.
func readNumber[V ~uint8 | uint16 | uint32](limit uint64, hint string) func(string) (V, *problem) {
	return func(cell string) (V, *problem) {
		n, err := strconv.ParseUint(strings.TrimSpace(cell), 10, 64)
		if err != nil || n > limit {
			return 0, &problem{fmt.Sprintf("is not a whole number within 0 to %d", limit), hint}
		}
		return V(n), nil
	}
}

func writeNumber[V ~uint8 | uint16 | uint32](n V, _ Format) string {
	return strconv.FormatUint(uint64(n), 10)
}

func readVersion(cell string) (fleet.LoRaWANVersion, *problem) {
	switch strings.ToUpper(strings.TrimSpace(cell)) {
	case "LORAWAN_1_0", "1.0", "1": // a spreadsheet makes 1 out of 1.0
		return fleet.LoRaWAN10, nil
	case "LORAWAN_1_1", "1.1":
		return fleet.LoRaWAN11, nil
	}
	return 0, &problem{"is no LoRaWAN version", "use LORAWAN_1_0 or LORAWAN_1_1, in the friendly format also 1.0 or 1.1"}
}

func writeVersion(v fleet.LoRaWANVersion, f Format) string {
	if f == Friendly {
		return v.String()
	}
	if v == fleet.LoRaWAN11 {
		return "LORAWAN_1_1"
	}
	return "LORAWAN_1_0"
}

func readFirmware(cell string) (fleet.Firmware, *problem) {
	f, err := fleet.ParseFirmware(cell)
	if err != nil {
		return f, &problem{"is no firmware version", "use X.Y.Z.P with 0 to 255 each, or 8 hexadecimal digits"}
	}
	return f, nil
}

// readNamed returns a reader of values that have names.
func readNamed[V any](parse func(string) (V, error), what, hint string) func(string) (V, *problem) {
	return func(cell string) (V, *problem) {
		v, err := parse(cell)
		if err != nil {
			return v, &problem{"is no " + what, hint}
		}
		return v, nil
	}
}

// readSeconds reads a duration, which is written in seconds.
func readSeconds(cell string) (time.Duration, *problem) {
	n, err := strconv.ParseUint(strings.TrimSpace(cell), 10, 31)
	if err != nil {
		return 0, &problem{"is not a whole number of seconds", "give seconds, such as 3600"}
	}
	return time.Duration(n) * time.Second, nil
}

// writeSeconds writes a duration as JSON has it: whole seconds without a fraction.
func writeSeconds(d time.Duration, _ Format) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

func readFlag(cell string) (bool, *problem) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, &problem{"is neither true nor false", "use true or false"}
}

func writeFlag(v bool, _ Format) string { return strconv.FormatBool(v) }

// writeTime writes a time as JSON has it; the zero time is an empty cell.
func writeTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// euiList returns a column that is a list of EUI64 with semicolons between them. Their order means nothing.
func euiList[R any](name, letter string, part func(*R) *[]lorawan.EUI64) column[R] {
	index := absent
	if letter != "" {
		index = at(letter)
	}
	return column[R]{
		name: name, reference: index, friendly: true, required: true,
		read: func(cell string, r *R) *problem {
			list := make([]lorawan.EUI64, 0, strings.Count(cell, ";")+1)
			i := 0
			for text := range strings.SplitSeq(cell, ";") {
				if i++; strings.TrimSpace(text) == "" {
					continue
				}
				e, p := readDevEUI(text)
				if p != nil {
					return &problem{fmt.Sprintf("number %d %s", i, p.reason), p.hint + "; separate DevEUIs by semicolons"}
				}
				list = append(list, e)
			}
			*part(r) = list
			return nil
		},
		clear: func(r *R) { *part(r) = nil },
		copy:  func(dst, src *R) { *part(dst) = *part(src) },
		equal: func(a, b *R) bool { return slices.Equal(sorted(*part(a)), sorted(*part(b))) },
		write: func(r *R, _ Format) string {
			var b strings.Builder
			for i, e := range *part(r) {
				if i > 0 {
					b.WriteByte(';')
				}
				b.WriteString(e.String())
			}
			return b.String()
		},
	}
}

func sorted(list []lorawan.EUI64) []lorawan.EUI64 {
	return slices.SortedFunc(slices.Values(list), lorawan.EUI64.Compare)
}
