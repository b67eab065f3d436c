package proposer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"apollo/events"
)

// Rivals says which evaluators have workers of several identities for all
// studies, one sentence each, with their names. Every study has one of them
// alone; which one, the first answer decides where the study does not say.
// Workers that serve one run alone are nobody's rivals.
func Rivals(workers []events.Presence) []string {
	all := slices.DeleteFunc(slices.Clone(workers), func(p events.Presence) bool { return p.Study != "" })
	slices.SortStableFunc(all, func(a, b events.Presence) int {
		return cmp.Or(cmp.Compare(a.Evaluator, b.Evaluator), cmp.Compare(a.Worker, b.Worker))
	})
	var out []string
	for len(all) > 0 {
		n := 1
		var distinct []events.Presence
		for ; n < len(all) && all[n].Evaluator == all[0].Evaluator; n++ {
		}
		for _, p := range all[:n] {
			if !slices.ContainsFunc(distinct, func(o events.Presence) bool { return o.Identity() == p.Identity() }) {
				distinct = append(distinct, p)
			}
		}
		if len(distinct) > 1 {
			out = append(out, fmt.Sprintf("%d different evaluators serve the name %s: %s", len(distinct), all[0].Evaluator, list(distinct, identified)))
		}
		all = all[n:]
	}
	return out
}

// RivalsHint is what to do about rivals.
const RivalsHint = "each study is measured by one of them alone; give them names of their own, or end the one that is not meant"

// rivals returns the sentence about an evaluator that was not told before; ""
// for none.
func (r *roster) rivals(evaluator string, now time.Time) string {
	there, _ := r.workers.Of(evaluator, now)
	found := Rivals(there)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(found) == 0 {
		delete(r.told, evaluator)
		return ""
	}
	if r.told[evaluator] == found[0] {
		return ""
	}
	r.told[evaluator] = found[0]
	return found[0]
}
