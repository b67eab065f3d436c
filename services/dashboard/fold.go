package dashboard

import (
	"math"
	"slices"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/archive"
	"apollo/services/client"
)

// What a fold keeps at most, whatever the run.
const (
	maxTrials = 100_000 // trials of the table and of pictures, the last that finished
	maxKinds  = 50      // causes and origins that are counted by name
	maxFeed   = 100     // events that are told, the last
	columns   = 500     // of the best so far: each stands for a stretch of trials
	// maxOpen batches wait for their answer or their proposal. A study has 1024 in
	// flight and may lag 4096: more is a log that is read faster than its results.
	maxOpen = 8192
)

// Kinds of trials in pictures and tables.
const (
	kindFeasible   = "feasible"
	kindOver       = "over_budget"
	kindInfeasible = events.OutcomeInfeasible
	kindFailed     = events.OutcomeFailed
	kindStopped    = events.OutcomeStopped
	kindLow        = events.ReasonLowFidelity
)

// Mark is a trial that improved what was best.
type Mark struct {
	Trial  int     `json:"trial"`
	Value  float64 `json:"value"`
	Origin string  `json:"origin,omitempty"`
}

// Column stands for a stretch of trials that begins with First: how many there
// are with a value, how many of them are feasible, and the range of the values.
type Column struct {
	First    int     `json:"first"`
	Trials   int     `json:"trials"`
	Feasible int     `json:"feasible"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// Counts says how many trials ended how, as `study show -o json` does.
type Counts struct {
	events.Counts
	// Over trials were measured, and are over a limit.
	Over int `json:"-"`
}

// FeedEvent is what happened to a run, in words.
type FeedEvent struct {
	Time time.Time `json:"time"`
	// Kind is the word of its event's type.
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Fold is what the page of a run shows. It depends on the set of events alone, but
// for the order of the trials that are kept: proposals and answers may come in any.
type Fold struct {
	View   client.StudyView
	Counts Counts
	// Best is the best feasible value so far by trial, one entry per improvement.
	// With several objectives it is the hypervolume of the front, as the log says it.
	Best    []Mark
	Causes  tally
	Origins tally

	metric   int // of the first objective
	maximize bool
	feed     []FeedEvent
	params   []space.Param
	width    int // trials of a column
	columns  []Column
	rows     func(*events.TrialsProposed, *events.BatchEvaluated) []archiver.Row
	// kept are the last trials that finished. An entry never changes, so that a
	// reader needs the lock for the slice alone.
	kept     []kept
	texts    map[string]string // one copy of what many trials say
	proposed map[int]*events.TrialsProposed
	answers  map[int]*events.BatchEvaluated
	// voided are the trials that are known to be measured anew; stale says that one
	// became known which may be counted already.
	voided map[int]bool
	stale  bool
}

// Event folds an event of the run's log.
func (f *Fold) Event(m events.Message) error {
	_, payload, err := events.Decode(m.Data)
	if err != nil {
		f.View.Fold(m) // it says so
		return f.View.Err
	}
	f.View.FoldRead(m, payload)
	_, _, kind, _ := events.ParseStudySubject(m.Subject)
	switch p := payload.(type) {
	case events.TrialsProposed:
		for _, v := range p.Voids {
			if !f.voided[v] {
				f.voided[v], f.stale = true, true
			}
		}
		f.proposed[p.Batch] = &p
		f.join(p.Batch)
		return nil
	case events.StudyAccepted:
		err = f.begin()
	case events.StudyImproved:
		f.volume(&p)
	}
	if f.feed = append(f.feed, FeedEvent{m.Time.UTC(), kind, events.Render(payload)}); len(f.feed) > maxFeed {
		f.feed = slices.Delete(f.feed, 0, 1)
	}
	return err
}

func (f *Fold) begin() (err error) {
	spec := f.View.Spec
	f.metric = -1
	if len(spec.Objectives) > 0 {
		f.metric, f.maximize = spec.MetricIndex(spec.Objectives[0].Metric), spec.Objectives[0].Goal == "maximize"
	}
	f.width, f.texts = 1, map[string]string{}
	searched, err := spec.Space()
	if err != nil {
		return err
	}
	f.params = searched.Params()
	if f.voided == nil {
		f.voided = map[int]bool{}
	}
	f.proposed, f.answers = map[int]*events.TrialsProposed{}, map[int]*events.BatchEvaluated{}
	f.rows, err = archive.Rows(spec, f.View.Run)
	return err
}

// several reports whether the run has more than one objective.
func (f *Fold) several() bool { return len(f.View.Spec.Objectives) > 1 }

// volume notes what the front of a run with several objectives dominates.
func (f *Fold) volume(e *events.StudyImproved) {
	if !f.several() || e.Hypervolume == nil || f.voided[e.Best.Trial] {
		return
	}
	if last := len(f.Best) - 1; last < 0 || f.Best[last].Trial < e.Best.Trial {
		f.Best = append(f.Best, Mark{Trial: e.Best.Trial, Value: *e.Hypervolume})
	}
}

// Answer folds the answer to a batch, which may come before its proposal.
func (f *Fold) Answer(batch int, e *events.BatchEvaluated) {
	e.Batch = batch
	f.answers[batch] = e
	f.join(batch)
}

// Open returns how many proposals wait for an answer, and answers for a proposal.
func (f *Fold) Open() (proposals, answers int) { return len(f.proposed), len(f.answers) }

func (f *Fold) join(batch int) {
	p := f.proposed[batch]
	if p == nil {
		return
	}
	answer := f.answers[batch]
	if answer == nil && len(p.Reused) < len(p.Designs) {
		return
	}
	delete(f.answers, batch)
	// The proposer itself answers what needs no evaluation: it is nobody's.
	measured := len(p.Reused) < len(p.Designs)
	if answer != nil && measured && f.View.Identity != nil && answer.Identity() != *f.View.Identity {
		return // it counts nowhere: the batch still waits
	}
	delete(f.proposed, batch)
	rows := f.rows(p, answer)
	for i := range rows {
		f.row(&rows[i])
	}
	if len(f.kept) > 2*maxTrials { // seldom, so that a trial costs no copy of all
		f.kept = slices.Clone(f.kept[len(f.kept)-maxTrials:])
	}
}

func (f *Fold) row(r *archiver.Row) {
	if f.voided[int(r.Trial)] {
		f.Counts.Trials++
		f.Counts.Voided++
		return
	}
	t := f.keep(r)
	f.count(&t)
}

// count adds a trial to all that pages say of trials together.
func (f *Fold) count(t *kept) {
	f.Counts.Trials++
	switch t.kind {
	case kindFeasible, kindOver, kindLow:
		f.Counts.Measured++
		if t.kind == kindOver {
			f.Counts.Over++
		}
	case kindInfeasible:
		f.Counts.Infeasible++
	case kindStopped:
		f.Counts.Stopped++
	default:
		f.Counts.Failed++
	}
	if t.lowFidelity {
		f.Counts.LowFidelity++
	}
	feasible := t.kind == kindFeasible
	if feasible {
		f.Counts.Feasible++
	} else if t.kind != kindLow { // which is no failure
		f.Causes.add(t.cause, t, t.message)
	}
	f.Origins.add(group(t.origin), t, "")
	v := t.value(f.metric)
	if math.IsNaN(v) {
		return
	}
	if feasible && !f.several() {
		f.improve(Mark{t.trial, v, group(t.origin)})
	}
	f.column(t.trial, v, feasible)
}

// better reports whether a is at least as good as b.
func (f *Fold) better(a, b float64) bool { return a == b || (a > b) == f.maximize }

// improve keeps the stairs of the best value by trial, whatever the order in
// which the trials come.
func (f *Fold) improve(m Mark) {
	i, _ := slices.BinarySearchFunc(f.Best, m.Trial, func(b Mark, trial int) int { return b.Trial - trial })
	if i > 0 && f.better(f.Best[i-1].Value, m.Value) {
		return
	}
	k := i
	for k < len(f.Best) && f.better(m.Value, f.Best[k].Value) {
		k++
	}
	f.Best = slices.Replace(f.Best, i, k, m)
}

// column adds a value to its column. When a trial lies beyond the last one, two
// neighbours become one until it fits.
func (f *Fold) column(trial int, value float64, feasible bool) {
	for trial/f.width >= columns {
		f.fold()
	}
	i, there := slices.BinarySearchFunc(f.columns, trial/f.width, func(c Column, at int) int { return c.First/f.width - at })
	one := Column{First: trial / f.width * f.width, Trials: 1, Low: value, High: value}
	if feasible {
		one.Feasible = 1
	}
	if !there {
		f.columns = slices.Insert(f.columns, i, one)
		return
	}
	f.columns[i] = f.columns[i].with(one)
}

func (c Column) with(o Column) Column {
	return Column{c.First, c.Trials + o.Trials, c.Feasible + o.Feasible, min(c.Low, o.Low), max(c.High, o.High)}
}

func (f *Fold) fold() {
	f.width *= 2
	var out []Column
	for _, c := range f.columns {
		c.First = c.First / f.width * f.width
		if n := len(out); n > 0 && out[n-1].First == c.First {
			out[n-1] = out[n-1].with(c)
			continue
		}
		out = append(out, c)
	}
	f.columns = out
}

// Columns returns the columns of the picture, and how many trials each stands for.
func (f *Fold) Columns() (all []Column, width int) { return f.columns, f.width }
