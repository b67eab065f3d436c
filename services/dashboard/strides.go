package dashboard

import (
	"context"
	"time"
)

// A run that somebody watches is read in strides: at most once in leastPause, and so seldom
// that reading takes a 250th of a processor. Where trials come faster than that, the
// page is behind until somebody asks for all that is stored, or the run has ended.
const (
	// mostLead is how many batches of one stream wait until the other was read as far: less
	// than maxOpen by more than a stride.
	mostLead = maxOpen / 2
)

// strides are what is known of how one stream is read. The lock of the watch guards all but
// wake.
type strides struct {
	wake chan struct{}
	// began is when the stride began, ended the last one, and whole that after which nothing
	// was left.
	began, ended, whole time.Time
	asked, read         uint64 // who had asked when it began, and who has all that he asked for
	left                uint64 // messages that are stored and were not read
	version             uint64 // of the fold when it began
}

func newStrides() strides { return strides{wake: make(chan struct{}, 1)} }

func (s *strides) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is roused already
	}
}

func (w *watch) rouse() {
	w.log.rouse()
	w.facts.rouse()
}

// ask has all read that is stored now, and returns who asked.
func (w *watch) ask() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	w.rouse()
	return w.asked
}

// begin notes that a stride begins.
func (w *watch) begin(s *strides) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.began, s.asked, s.version = time.Now(), w.asked, w.version
}

// rest waits until the next stride is due.
func (w *watch) rest(ctx context.Context, s *strides, left uint64) error {
	pause := w.strode(s, left)
	for {
		due, at := w.due(s, pause)
		if due {
			w.begin(s)
			return nil
		}
		if err := sleep(ctx, s.wake, at); err != nil {
			return err
		}
	}
}

// strode notes that a stride has ended, and returns how long the pause after it is.
func (w *watch) strode(s *strides, left uint64) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.ended, s.left = time.Now(), left
	if left == 0 {
		s.whole, s.read = s.began, s.asked
	}
	w.moved.Broadcast()
	w.rouse() // the other stream may have waited for this one
	if w.fold.View.State.Terminal() && s.version == w.version {
		return mostPause
	}
	return min(max(leastPause, patience*s.ended.Sub(s.began)), mostPause)
}

// due reports whether the next stride of a stream may begin, or when it may; never where
// that is zero.
func (w *watch) due(s *strides, pause time.Duration) (now bool, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	other := &w.log
	if s == other {
		other = &w.facts
	}
	switch {
	case w.leads(s, other):
		return false, at
	case w.asked > s.read, w.leads(other, s):
		return true, at
	case w.listeners.Load() == 0:
		return false, at
	}
	at = s.ended.Add(pause)
	return !time.Now().Before(at), at
}

// leads reports whether a stream is so far ahead of the other that this one comes first.
// Where both are, the log goes on.
func (w *watch) leads(s, other *strides) bool {
	if s == &w.log && (len(w.fold.proposed) < mostLead || len(w.fold.answers) >= mostLead) || s == &w.facts && len(w.fold.answers) < mostLead {
		return false
	}
	return other.whole.Before(s.ended)
}

// sleep waits until it is roused, or for a time that is not zero.
func sleep(ctx context.Context, wake <-chan struct{}, until time.Time) error {
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-wake:
	case <-timer:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
