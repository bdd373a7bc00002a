package fleet

import (
	"fmt"
	"strings"
)

// Class is a LoRaWAN device class. The zero value is class A, which every device has.
type Class uint8

// Device classes (TS001).
const (
	ClassA Class = iota
	ClassB
	ClassC
)

var classNames = []string{"A", "B", "C"}

// ParseClass reads "A", "B" or "C".
func ParseClass(s string) (Class, error) { return parseEnum[Class]("class", classNames, s) }

// String returns "A", "B" or "C".
func (c Class) String() string { return enumText(classNames, c) }

// MarshalText returns the letter of the class, or ErrText.
func (c Class) MarshalText() ([]byte, error) { return marshalEnum("class", classNames, c) }

// UnmarshalText reads what ParseClass reads.
func (c *Class) UnmarshalText(b []byte) (err error) {
	*c, err = ParseClass(string(b))
	return err
}

// Classes is the set of multicast session classes that a device supports, out of
// B and C. The zero value is the empty set.
type Classes uint8

// ClassesOf returns the set of the given classes. Class A is no multicast class and is ignored.
func ClassesOf(classes ...Class) Classes {
	var s Classes
	for _, c := range classes {
		if c == ClassB || c == ClassC {
			s |= 1 << c
		}
	}
	return s
}

// ParseClasses reads letters separated by commas, such as "B,C"; "" is the empty set.
func ParseClasses(text string) (Classes, error) {
	var s Classes
	if strings.TrimSpace(text) == "" {
		return 0, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		c, err := ParseClass(part)
		if err != nil || c == ClassA {
			return 0, fmt.Errorf("multicast classes %q: %w (use \"B\", \"C\" or \"B,C\")", text, ErrText)
		}
		s |= ClassesOf(c)
	}
	return s, nil
}

// Has reports whether the set contains c.
func (s Classes) Has(c Class) bool { return c <= ClassC && s&ClassesOf(c) != 0 }

// String returns "", "B", "C" or "B,C".
func (s Classes) String() string {
	var out []string
	for _, c := range []Class{ClassB, ClassC} {
		if s.Has(c) {
			out = append(out, c.String())
		}
	}
	return strings.Join(out, ",")
}

// MarshalText returns what String returns. It never fails.
func (s Classes) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseClasses reads.
func (s *Classes) UnmarshalText(b []byte) (err error) {
	*s, err = ParseClasses(string(b))
	return err
}
