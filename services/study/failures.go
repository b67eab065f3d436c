package study

import (
	"fmt"
	"math"

	"apollo/events"
	"apollo/optimizer/space"
)

// failures counts the failed trials in a row that could not be foreseen, which
// pause a study: a part of the space that always fails is the search's business,
// and an evaluator that is down is somebody's. Trials count in order.
type failures struct {
	unforeseen, foreseen int // in the row
	last                 string
	// floor is the first trial that counts: a resumed study starts anew. It is a
	// trial number, so that a fold in another order of results gives the same.
	floor int

	// Designs that were answered, those that failed in earlier rows, and in this
	// one, which foretell nothing: all may have failed for one reason.
	answered, failed, row []space.Point
}

// rememberedDesigns is how many designs of each kind, the last ones, failures
// are compared with. Chosen: it bounds memory and time.
const rememberedDesigns = 500

// count adds the next trial.
func (f *failures) count(sp space.Space, p space.Point, r *events.TrialResult) {
	switch {
	case r.Outcome != events.OutcomeFailed:
		f.answered = remember(f.answered, p)
		f.failed = remember(f.failed, f.row...)
		f.unforeseen, f.foreseen, f.row = 0, 0, nil
	case r.Trial >= f.floor:
		if nearest(sp, f.failed, p) <= nearest(sp, f.answered, p) && len(f.failed) > 0 {
			f.foreseen++
		} else {
			f.unforeseen++
		}
		f.row = remember(f.row, p)
		if r.Reason != nil {
			f.last = r.Reason.Message
		}
	}
}

// resume forgets the row: its cause is mended. Trials before next do not count.
func (f *failures) resume(next int) {
	f.unforeseen, f.foreseen, f.row, f.floor = 0, 0, nil, next
}

// reason says why a study pauses.
func (f *failures) reason() string {
	if f.foreseen == 0 {
		return fmt.Sprintf("%d trials in a row failed; the last one: %s", f.unforeseen, f.last)
	}
	return fmt.Sprintf("%d trials in a row failed, %d of them where nothing had failed before; the last one: %s",
		f.unforeseen+f.foreseen, f.unforeseen, f.last)
}

func remember(known []space.Point, more ...space.Point) []space.Point {
	known = append(known, more...)
	if extra := len(known) - rememberedDesigns; extra > rememberedDesigns {
		known = append(known[:0], known[extra:]...)
	}
	return known
}

func nearest(sp space.Space, known []space.Point, p space.Point) float64 {
	least := math.Inf(1)
	for _, q := range known {
		least = min(least, sp.Distance(p, q))
	}
	return least
}
