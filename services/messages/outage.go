package messages

import (
	"slices"
	"sync"
	"time"
)

// tellEvery is the shortest time between two lines about the same outage.
const tellEvery = time.Minute

// Outage keeps the log short while the same thing fails again and again: a line
// the first time, at most one a minute after that, and one when it is over. The
// zero value is ready. Calls may be concurrent.
type Outage struct {
	mu sync.Mutex // guards what follows
	// since is when it failed first, zero while nothing fails, and told when that
	// was said last.
	since, told time.Time
	failed      int
}

// Failed notes a failure and says so with say, unless that was said within the last
// minute. From the second line on it says how often it has failed, and for how long.
func (o *Outage) Failed(say func(msg string, args ...any), msg string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.failed++; o.failed == 1 {
		o.since = now
	} else {
		if now.Sub(o.told) < tellEvery {
			return
		}
		args = append(slices.Clip(args), "times", o.failed, "since", now.Sub(o.since).Round(time.Second))
	}
	o.told = now
	say(msg, args...)
}

// Over says, with say, that what failed works again, and how long ago it failed first:
// the outage may have ended before anything was tried again. It does nothing where
// nothing has failed.
func (o *Outage) Over(say func(msg string, args ...any), msg string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == 0 {
		return
	}
	say(msg, "times", o.failed, "since_first_failure", time.Since(o.since).Round(time.Millisecond))
	o.since, o.told, o.failed = time.Time{}, time.Time{}, 0
}
