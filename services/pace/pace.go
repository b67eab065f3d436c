// Package pace says when something is full, from how it filled up lately.
package pace

import (
	"time"
)

const (
	// every is how far samples are apart, window over how many the pace is taken, and
	// least over how much time at least: a burst of a minute says nothing of days.
	every  = time.Minute
	window = 6 * 60
	least  = 10 * time.Minute
)

// Pace knows how something filled up in the last six hours. The zero value knows
// nothing. It is used by one goroutine.
type Pace struct{ samples []sample }

type sample struct {
	at   time.Time
	used float64
}

// Note takes down how much is used now. It may be called as often as one likes.
func (p *Pace) Note(now time.Time, used float64) {
	if n := len(p.samples); n > 0 && now.Sub(p.samples[n-1].at) < every {
		return
	}
	if len(p.samples) == window {
		p.samples = append(p.samples[:0], p.samples[1:]...)
	}
	p.samples = append(p.samples, sample{now, used})
}

// FullIn returns when it holds most, if it goes on so. ok is false where it does
// not fill up, or nobody has looked for long enough.
func (p *Pace) FullIn(most float64) (left time.Duration, ok bool) {
	if len(p.samples) == 0 {
		return 0, false
	}
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	took, more := last.at.Sub(first.at), last.used-first.used
	if took < least || more <= 0 {
		return 0, false
	}
	const century = 100 * 365 * 24 * time.Hour // longer ones do not fit
	seconds := max(0, most-last.used) / more * took.Seconds()
	if seconds > century.Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}
