package cli

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "30s": 30 * time.Second, "30 s": 30 * time.Second, "2min": 2 * time.Minute, "2 min": 2 * time.Minute, "5m": 5 * time.Minute, "1m30s": 90 * time.Second,
		"703ms": 703 * time.Millisecond, "703 ms": 703 * time.Millisecond, "1.5 h": 90 * time.Minute, "12h": 12 * time.Hour, "30d": 720 * time.Hour, "2 m": 2 * time.Minute, "1h30m": 90 * time.Minute, "1e3 s": 1000 * time.Second, "0.5 d": 12 * time.Hour, "-1s": -time.Second,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "30", "x", "3 mm", "1e300 h", "nan", "nand", "infd", "d", "1 day"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}
