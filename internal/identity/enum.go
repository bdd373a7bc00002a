package identity

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/starling-fuota/starling/fleet"
)

// enumText returns the name of v, or a visible placeholder for a value that no constant stands for.
func enumText[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("invalid(%d)", uint8(v))
}

// marshalEnum is enumText for MarshalText: an invalid value is an error there, because the
// text could not be read again.
func marshalEnum[T ~uint8](what string, names []string, v T) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("%s %d: %w", what, uint8(v), fleet.ErrText)
	}
	return []byte(names[v]), nil
}

// parseEnum finds text among names; case does not matter.
func parseEnum[T ~uint8](what string, names []string, text string) (T, error) {
	for i, n := range names {
		if strings.EqualFold(n, strings.TrimSpace(text)) {
			return T(i), nil
		}
	}
	return 0, fmt.Errorf("%s %q: %w (use one of %s)", what, text, fleet.ErrText, quoted(names))
}

func quoted[S ~string](names []S) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = strconv.Quote(string(n))
	}
	return strings.Join(q, ", ")
}
