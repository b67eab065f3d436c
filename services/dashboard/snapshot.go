package dashboard

import (
	"maps"
	"math"
	"slices"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/client"
	"apollo/services/inspect"
)

// snapshot is what pages are made of: a fold at one moment, which nobody changes.
type snapshot struct {
	view     client.StudyView
	spec     *events.Spec
	counts   Counts
	best     []Mark
	columns  []Column
	width    int
	metric   int
	kept     []kept
	params   []space.Param
	causes   tally
	origins  tally
	answer   []events.BestTrial
	voided   map[int]bool
	baseline inspect.Baseline
	optimum  *float64
	feed     []FeedEvent
	repairs  *repairs // of the watch
	version  uint64   // of the watch
	reading  bool
	left     uint64 // batches that were answered and are not counted yet
	err      error
}

func (w *watch) snapshot() *snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &w.fold
	s := &snapshot{
		view: f.View, spec: f.View.Spec, counts: f.Counts, best: slices.Clone(f.Best), columns: slices.Clone(f.columns), width: f.width, metric: f.metric,
		kept: f.kept[max(0, len(f.kept)-maxTrials):], params: f.params, causes: f.Causes.sorted(), origins: f.Origins.sorted(),
		voided: maps.Clone(f.voided), baseline: w.baseline, optimum: w.optimum, feed: slices.Clone(f.feed), repairs: w.repairs, version: w.version, reading: w.caught < 2, left: w.facts.left, err: w.err,
	}
	if s.spec == nil {
		s.spec = &events.Spec{}
		return s
	}
	s.answer = f.View.Answer()
	return s
}

// heard has a snapshot that is behind say what the events of the run say already.
func (s *snapshot) heard(v client.StudyView) {
	if s.left > 0 {
		s.view.State, s.view.Reason, s.view.Best, s.answer = v.State, v.Reason, v.Best, v.Answer()
	}
}

// within is a snapshot of those of the kept trials that lie in all intervals. What the log
// says of the whole run stays: its state, and the hypervolume of several objectives.
func (s *snapshot) within(in []interval) *snapshot {
	inside := insideOf(s.spec, in)
	if inside == nil {
		return s
	}
	f := Fold{View: s.view, metric: s.metric, maximize: s.objective().Goal == "maximize", width: 1}
	for i := range s.kept {
		if t := &s.kept[i]; inside(t) {
			f.kept = append(f.kept, *t)
			f.count(t)
		}
	}
	of := *s
	of.counts, of.columns, of.width, of.kept, of.causes, of.origins = f.Counts, f.columns, f.width, f.kept, f.Causes.sorted(), f.Origins.sorted()
	if !f.several() {
		of.best = f.Best
	}
	of.answer = nil
	for _, b := range s.answer {
		if t := of.trial(b.Trial); t != nil {
			of.answer = append(of.answer, b)
		}
	}
	return &of
}

// trial finds a trial that is kept.
func (s *snapshot) trial(number int) *kept {
	if number >= 0 && number < len(s.kept) && s.kept[number].trial == number {
		return &s.kept[number] // where they came in order, which is the rule
	}
	for i := range s.kept {
		if s.kept[i].trial == number {
			return &s.kept[i]
		}
	}
	return nil
}

// objective is the first objective.
func (s *snapshot) objective() events.Objective { return s.spec.Objectives[0] }

// gain is how many times better a value is than the baseline's: 0 where that cannot
// be said.
func (s *snapshot) gain(o events.Objective, v float64) float64 {
	base, measured := s.baseline.Metrics[o.Metric]
	switch {
	case !measured || v <= 0 || base <= 0 || math.IsInf(base, 0):
		return 0
	case o.Goal == "maximize":
		return v / base
	}
	return base / v
}
