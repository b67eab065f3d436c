package transfer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/study"
)

const (
	// seedsPerSource is how many designs one source seeds (chosen: see
	// docs/transfer.md).
	seedsPerSource = 5
	// maxRepair bounds the legality checks of one seed's repair.
	maxRepair = 20_000
)

// merge takes trials of the same measurement: they are the study's own but for
// the judgement. The best feasible ones become trials of this run.
func (l *Learner) merge(log *archiver.SourceLog, picks []*pick) {
	var good []*pick
	for _, p := range picks {
		if l.taken[l.space.Index(p.point)] {
			continue
		}
		if p.moved > 0 {
			continue // a level that this study does not have
		}
		l.taken[l.space.Index(p.point)] = true
		l.knowledge.Merged = append(l.knowledge.Merged, l.known(log, p))
		if p.status == optimizer.Measured {
			good = append(good, p)
		}
	}
	slices.SortStableFunc(good, byFirstObjective)
	for _, p := range good[:min(len(good), seedsPerSource)] {
		l.knowledge.Best = append(l.knowledge.Best, l.known(log, p))
	}
}

func byFirstObjective(a, b *pick) int { return cmp.Compare(a.objectives[0], b.objectives[0]) }

func (l *Learner) known(log *archiver.SourceLog, p *pick) study.Known {
	return study.Known{
		From: fmt.Sprintf("%s/%d", log.Study, p.trial.Trial), Point: p.point, Design: l.space.Values(p.point),
		Outcome: p.trial.Outcome, Values: p.values, Reason: p.trial.Reason,
	}
}

// task takes trials of another measurement.
func (l *Learner) task(log *archiver.SourceLog, picks []*pick, m *mapping, features []float64) {
	t := optimizer.Task{Name: log.Study + "/" + log.Run, Space: l.space, Workload: features}
	for _, c := range m.params {
		t.Mapped = append(t.Mapped, c.index >= 0)
	}
	if !slices.Contains(t.Mapped, false) {
		t.Mapped = nil
	}
	for _, p := range picks {
		t.Observations = append(t.Observations, optimizer.Observation{
			Point: p.point, Status: p.status, Values: p.objectives, Violation: p.violation, Trial: p.trial.Trial, Origin: p.trial.Origin,
		})
	}
	l.knowledge.Tasks = append(l.knowledge.Tasks, t)
	l.seed(log, picks)
}

// seed takes the best designs of another measurement: those legal here come
// first, then the nearest legal neighbours of those that are not.
func (l *Learner) seed(log *archiver.SourceLog, picks []*pick) {
	var ranked []*pick
	for _, p := range picks {
		if p.objectives != nil {
			ranked = append(ranked, p)
		}
	}
	slices.SortStableFunc(ranked, byFirstObjective)
	found := 0
	for _, repair := range []bool{false, true} {
		for i, c := range ranked {
			if found == seedsPerSource || repair && i >= 2*seedsPerSource {
				break
			}
			p := c.point
			if repair {
				p = repairPoint(l.space, p, l.target.Legal)
			}
			if p == nil || l.taken[l.space.Index(p)] || !l.target.Legal(p) {
				continue
			}
			l.taken[l.space.Index(p)] = true
			found++
			l.knowledge.Seeds = append(l.knowledge.Seeds, study.Known{
				From: fmt.Sprintf("%s/%d", log.Study, c.trial.Trial), Point: p, Design: l.space.Values(p),
			})
		}
	}
}

// repairPoint returns a legal point few single-level steps away from p, found
// breadth first, or nil when none is within reach.
func repairPoint(sp space.Space, p space.Point, legal func(space.Point) bool) space.Point {
	visited := map[uint64]bool{sp.Index(p): true}
	queue := []space.Point{p}
	for len(queue) > 0 && len(visited) < maxRepair {
		at := queue[0]
		queue = queue[1:]
		if legal(at) {
			return at
		}
		for i := range at {
			for _, step := range []int{-1, 1} {
				q := at.Clone()
				q[i] += step
				if !sp.Contains(q) || visited[sp.Index(q)] {
					continue
				}
				visited[sp.Index(q)] = true
				queue = append(queue, q)
			}
		}
	}
	return nil
}

// interleave orders seeds so that every source gives its best first.
func interleave(seeds []study.Known) []study.Known {
	rank := map[string]int{}
	type ranked struct {
		study.Known
		rank int
	}
	order := make([]ranked, len(seeds))
	for i, s := range seeds {
		source := s.From[:strings.LastIndexByte(s.From, '/')]
		order[i] = ranked{s, rank[source]}
		rank[source]++
	}
	slices.SortStableFunc(order, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]study.Known, len(seeds))
	for i := range order {
		out[i] = order[i].Known
	}
	return out
}

// Same reports whether pinned sources are those that a learner gave: the same
// trials, used in the same way.
func Same(pinned, now []events.SourcePin) bool {
	return slices.EqualFunc(pinned, now, samePin)
}

func samePin(a, b events.SourcePin) bool {
	return a.Study == b.Study && a.Run == b.Run && a.Trials == b.Trials && a.SHA256 == b.SHA256 && (a.Use == UseMerge) == (b.Use == UseMerge)
}
