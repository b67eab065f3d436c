package dashboard

import (
	"slices"
	"strings"

	"apollo/events"
)

// otherKinds counts what comes beyond maxKinds.
const otherKinds = "other"

// Tallied is how many trials have something in common, and the last of them.
type Tallied struct {
	Code     string `json:"code"`
	Trials   int    `json:"trials"`
	Feasible int    `json:"feasible"`
	// LowFidelity is how many could not be feasible, because their fidelity does not count.
	LowFidelity int    `json:"low_fidelity,omitempty"`
	Last        int    `json:"last_trial"`
	Message     string `json:"message,omitempty"`
}

// tally counts trials by a word.
type tally []Tallied

func (t *tally) add(code string, of *kept, message string) {
	at := func() int { return slices.IndexFunc(*t, func(c Tallied) bool { return c.Code == code }) }
	i := at()
	if i < 0 && len(*t) >= maxKinds {
		code, message = otherKinds, ""
		i = at()
	}
	if i < 0 {
		i = len(*t)
		*t = append(*t, Tallied{Code: code, Last: -1})
	}
	c := &(*t)[i]
	c.Trials++
	if of.kind == kindFeasible {
		c.Feasible++
	}
	if of.lowFidelity {
		c.LowFidelity++
	}
	if of.trial > c.Last {
		c.Last, c.Message = of.trial, message
	}
}

// sorted returns a copy with the most frequent first.
func (t tally) sorted() tally {
	out := slices.Clone(t)
	slices.SortFunc(out, func(a, b Tallied) int {
		if a.Trials != b.Trials {
			return b.Trials - a.Trials
		}
		return strings.Compare(a.Code, b.Code)
	})
	return out
}

// group is what proposed a trial, without the one of another study that it was
// derived from: "reuse:a/17" is "reuse:a", and "retry:17" is "retry".
func group(origin string) string {
	if _, anew := events.VoidedBy(origin); anew {
		return "retry"
	}
	at := strings.LastIndexByte(origin, '/')
	if at < 0 || at == len(origin)-1 || strings.Trim(origin[at+1:], "0123456789") != "" {
		return origin
	}
	return origin[:at]
}
