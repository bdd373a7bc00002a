package fleet

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// seconds is the JSON form of a duration: a number of seconds, under a name that
// ends in "_s". Whole seconds are written without a fraction.
type seconds time.Duration

// MarshalJSON writes the number of seconds.
func (s seconds) MarshalJSON() ([]byte, error) {
	if d := time.Duration(s); d%time.Second == 0 {
		return json.Marshal(int64(d / time.Second))
	}
	return json.Marshal(time.Duration(s).Seconds())
}

// UnmarshalJSON reads a number of seconds.
func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if math.Abs(f) > math.MaxInt64/float64(time.Second)/2 {
		return fmt.Errorf("duration of %g seconds: %w", f, ErrText)
	}
	*s = seconds(math.Round(f * float64(time.Second)))
	return nil
}
