package archiver

import (
	"cmp"
	"slices"
)

// span is the trials from First to Last, both included.
type span struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// spans is a set of trial numbers as ascending, separate ranges. The trials of
// a run come in nearly ascending order, so it stays a few ranges long.
type spans []span

// find returns the index of the first range that ends at or after trial.
func (s spans) find(trial int64) int {
	i, _ := slices.BinarySearchFunc(s, trial, func(r span, t int64) int { return cmp.Compare(r.Last, t) })
	return i
}

func (s spans) has(trial int64) bool {
	i := s.find(trial)
	return i < len(s) && s[i].First <= trial
}

// insert puts trial into the set; it reports false when it was there.
func (s *spans) insert(trial int64) bool {
	list := *s
	i := list.find(trial)
	if i < len(list) && list[i].First <= trial {
		return false
	}
	joinsNext := i < len(list) && list[i].First == trial+1
	joinsPrev := i > 0 && list[i-1].Last == trial-1
	switch {
	case joinsPrev && joinsNext:
		list[i-1].Last = list[i].Last
		*s = slices.Delete(list, i, i+1)
	case joinsPrev:
		list[i-1].Last = trial
	case joinsNext:
		list[i].First = trial
	default:
		*s = slices.Insert(list, i, span{trial, trial})
	}
	return true
}

// merge adds all of o.
func (s *spans) merge(o spans) {
	if len(o) == 0 {
		return
	}
	all := append(slices.Clone(*s), o...)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.First, b.First) })
	out := all[:1]
	for _, r := range all[1:] {
		last := &out[len(out)-1]
		if r.First <= last.Last+1 {
			last.Last = max(last.Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	*s = out
}

// count returns the number of trials in the set.
func (s spans) count() int64 {
	var n int64
	for _, r := range s {
		n += r.Last - r.First + 1
	}
	return n
}

func spansOf(rows []*Row) spans {
	var s spans
	for i := range rows {
		s.insert(rows[i].Trial)
	}
	return s
}
