package pace

import (
	"testing"
	"time"
)

// TestPace fills something up, and empties it.
func TestPace(t *testing.T) {
	t.Parallel()
	began := time.Unix(0, 0)
	for name, test := range map[string]struct {
		used    func(minute int) float64
		minutes int // minutes
		want    time.Duration
		ok      bool
	}{
		"nothing is known":      {func(int) float64 { return 0 }, 0, 0, false},
		"not for long enough":   {func(m int) float64 { return float64(m) }, 9, 0, false},
		"one a minute":          {func(m int) float64 { return float64(m) }, 20, 980 * time.Minute, true},
		"it does not fill up":   {func(int) float64 { return 7 }, 20, 0, false},
		"it is emptied":         {func(m int) float64 { return 500 - float64(m) }, 20, 0, false},
		"full":                  {func(m int) float64 { return 1000 + float64(m) }, 20, 0, true},
		"of late it is quicker": {func(m int) float64 { return max(0, float64(m-600)) }, 960, 640 * time.Minute, true},
		"in ages":               {func(m int) float64 { return float64(m) * 1e-9 }, 20, 0, false},
	} {
		var p Pace
		for m := 0; m <= test.minutes && test.minutes > 0; m++ {
			p.Note(began.Add(time.Duration(m)*time.Minute), test.used(m))
			p.Note(began.Add(time.Duration(m)*time.Minute+time.Second), -1) // too soon after the other
		}
		if left, ok := p.FullIn(1000); ok != test.ok || (left-test.want).Abs() > 3*time.Minute {
			t.Errorf("%s: full in %s, %t; want %s, %t", name, left, ok, test.want, test.ok)
		}
	}
}
