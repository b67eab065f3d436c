package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"apollo/events/unit"
)

// ParseDuration reads a time as study files have it ("30 s", "2min", "1.5 h"), in Go's words
// ("1m30s"), or in days ("30d").
func ParseDuration(text string) (time.Duration, error) {
	seconds := math.NaN()
	if q, err := unit.Parse(text); err == nil && (q.Unit.Dimension == unit.Time || q.Base() == 0 && q.Unit.Symbol == "") {
		seconds = q.Base()
	} else if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(strings.TrimSpace(days), 64); err == nil {
			seconds = n * (24 * time.Hour).Seconds()
		}
	} else if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	if !(math.Abs(seconds) < time.Duration(math.MaxInt64).Seconds()) {
		return 0, fmt.Errorf("%q: want a time, such as 30s, 2min, 12h or 30d", unit.Clip(text, 40))
	}
	return time.Duration(math.Round(seconds * float64(time.Second))), nil
}

type durationValue time.Duration

func (d *durationValue) Set(text string) error {
	v, err := ParseDuration(text)
	if err == nil {
		*d = durationValue(v)
	}
	return err
}

func (d *durationValue) String() string { return time.Duration(*d).String() }
func (*durationValue) Type() string     { return "duration" }

// DurationVar defines a flag that takes what ParseDuration reads.
func DurationVar(f *pflag.FlagSet, p *time.Duration, name string, byDefault time.Duration, usage string) {
	*p = byDefault
	f.Var((*durationValue)(p), name, usage)
}
