package cli

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/pflag"

	"apollo/events/unit"
)

// ParseDuration reads a time as study files have it ("30 s", "2m", "1.5 h", "30d", "1h30m").
func ParseDuration(text string) (time.Duration, error) {
	q, err := unit.ParseDuration(text)
	seconds := q.Base()
	if err != nil || !(math.Abs(seconds) < time.Duration(math.MaxInt64).Seconds()) {
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
