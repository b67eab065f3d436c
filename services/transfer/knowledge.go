package transfer

import (
	"cmp"
	"fmt"
	"slices"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/pareto"
	"apollo/services/study"
)

// reusedFront is how many trials of a source of the same measurement become
// trials of a run with several objectives; with one objective it is the best
// alone. The answer needs no more, the strategy knows them all, and each takes
// the place of a trial that could find a better one. Chosen.
const reusedFront = 5

// merge takes trials of the same measurement: they are the study's own but for
// the judgement. The best feasible ones become trials of this run.
func (l *Learner) merge(log *archiver.SourceLog, picks []*pick) {
	var good []*pick
	for _, p := range picks {
		if l.taken[l.space.Key(p.point)] {
			continue
		}
		if p.moved > 0 {
			continue // a level that this study does not have
		}
		l.taken[l.space.Key(p.point)] = true
		l.knowledge.Merged = append(l.knowledge.Merged, l.known(log, p))
		if p.status == optimizer.Measured {
			good = append(good, p)
		}
	}
	good = bestFirst(good)
	reused := 1
	if len(l.target.Spec.Objectives) > 1 {
		reused = reusedFront
	}
	for _, p := range good[:min(len(good), reused)] {
		l.knowledge.Best = append(l.knowledge.Best, l.known(log, p))
	}
}

// bestFirst orders measured trials: by the one objective, or by fronts, within
// a front the least crowded first.
func bestFirst(picks []*pick) []*pick {
	points := make([][]float64, len(picks))
	for i, p := range picks {
		points[i] = p.objectives
	}
	if len(points) == 0 || len(points[0]) == 1 {
		slices.SortStableFunc(picks, func(a, b *pick) int { return cmp.Compare(a.objectives[0], b.objectives[0]) })
		return picks
	}
	out := make([]*pick, len(picks))
	for k, i := range pareto.Rank(points) {
		out[k] = picks[i]
	}
	return out
}

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
			Point: p.point, Status: p.status, Values: p.objectives, Violation: p.violation, Cause: p.cause,
			Trial: p.trial.Trial, Origin: p.trial.Origin,
		})
	}
	l.knowledge.Tasks = append(l.knowledge.Tasks, t)
}

// Same reports whether pinned sources are those that a learner gave: the same
// trials, used in the same way.
func Same(pinned, now []events.SourcePin) bool {
	return slices.EqualFunc(pinned, now, samePin)
}

func samePin(a, b events.SourcePin) bool {
	return a.Study == b.Study && a.Run == b.Run && a.Trials == b.Trials && a.SHA256 == b.SHA256 && (a.Use == UseMerge) == (b.Use == UseMerge)
}
