package dashboard

import (
	"math"
	"slices"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/archive"
	"apollo/services/client"
)

// What a fold keeps at most, whatever the run.
const (
	maxMarks   = 5000 // single trials of a picture; above, columns stand for them
	maxRecent  = 200  // trials of the table, the last that finished
	maxReasons = 50   // causes that are counted by name
	columns    = 500  // of a picture: each stands for a stretch of trials
	// maxOpen batches wait for their answer or their proposal. A study has 1024 in
	// flight and may lag 4096: more is a log that is read faster than its results.
	maxOpen = 8192
)

// otherReasons counts the causes beyond maxReasons.
const otherReasons = "other"

// Mark is one finished trial of a picture. Kind is feasible, over_budget,
// infeasible or failed.
type Mark struct {
	Trial int     `json:"trial"`
	Value float64 `json:"value"`
	Kind  string  `json:"kind"`
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

// Cause is how many trials were not feasible for one reason, and the last of them.
type Cause struct {
	Code    string `json:"code"`
	Trials  int    `json:"trials"`
	Last    int    `json:"last_trial"`
	Message string `json:"message,omitempty"`
}

// Counts says how many trials ended how, as `study show -o json` does.
type Counts struct {
	Trials     int `json:"trials"`
	Measured   int `json:"measured"`
	Infeasible int `json:"infeasible"`
	Failed     int `json:"failed"`
	Feasible   int `json:"feasible"`
}

// Fold is what the page of a run shows. It depends on the set of events alone, but
// for Recent: proposals and answers may come in any order.
type Fold struct {
	View   client.StudyView
	Counts Counts
	// Best is the best feasible value so far by trial, one entry per improvement.
	// With several objectives it is that of the first.
	Best []Mark
	// Marks has every trial that has a value of the objective, while they are few;
	// Columns is there for any number of them.
	Marks []Mark
	// Causes are in the order of their number.
	Causes []Cause

	metric   int // of the first objective
	maximize bool
	width    int // trials of a column
	columns  []Column
	rows     func(*events.TrialsProposed, *events.BatchEvaluated) []archiver.Row
	recent   []archiver.Row
	proposed map[int]*events.TrialsProposed
	answers  map[int]*events.BatchEvaluated
}

// Event folds an event of the run's log.
func (f *Fold) Event(m events.Message) error {
	f.View.Fold(m)
	if f.View.Err != nil {
		return f.View.Err
	}
	_, _, kind, _ := events.ParseStudySubject(m.Subject)
	switch kind {
	case "accepted":
		return f.begin()
	case "proposed":
		_, p, err := events.DecodeAs[events.TrialsProposed](m.Data)
		if err != nil {
			return err
		}
		f.proposed[p.Batch] = &p
		f.join(p.Batch)
	}
	return nil
}

func (f *Fold) begin() (err error) {
	spec := f.View.Spec
	f.metric = -1
	if len(spec.Objectives) > 0 {
		f.metric, f.maximize = spec.MetricIndex(spec.Objectives[0].Metric), spec.Objectives[0].Goal == "maximize"
	}
	f.width = 1
	f.proposed, f.answers = map[int]*events.TrialsProposed{}, map[int]*events.BatchEvaluated{}
	f.rows, err = archive.Rows(spec, f.View.Run)
	return err
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
	if answer != nil && f.View.Identity != nil && answer.Identity() != *f.View.Identity {
		return // it counts nowhere: the batch still waits
	}
	delete(f.proposed, batch)
	rows := f.rows(p, answer)
	for i := range rows {
		f.row(&rows[i])
	}
	f.recent = append(f.recent, rows...)
	if len(f.recent) > 2*maxRecent { // seldom, so that a trial costs no copy of all
		f.recent = slices.Clone(f.recent[len(f.recent)-maxRecent:])
	}
}

// Recent returns the last trials that finished, the latest first.
func (f *Fold) Recent() []archiver.Row {
	last := slices.Clone(f.recent[max(0, len(f.recent)-maxRecent):])
	slices.Reverse(last)
	return last
}

func (f *Fold) row(r *archiver.Row) {
	f.Counts.Trials++
	switch r.Outcome {
	case events.OutcomeMeasured:
		f.Counts.Measured++
	case events.OutcomeInfeasible:
		f.Counts.Infeasible++
	default:
		f.Counts.Failed++
	}
	if r.Feasible {
		f.Counts.Feasible++
	} else {
		f.cause(r)
	}
	if f.metric < 0 || f.metric >= len(r.Values) || math.IsNaN(r.Values[f.metric]) {
		return
	}
	m := Mark{int(r.Trial), r.Values[f.metric], kindOf(r)}
	if m.Kind == "feasible" {
		f.improve(m)
	}
	if len(f.Marks) <= maxMarks { // one more than the most says that there are more
		f.Marks = append(f.Marks, m)
	}
	f.column(m)
}

// kindOf tells the trials of a picture apart.
func kindOf(r *archiver.Row) string {
	switch {
	case r.Feasible:
		return "feasible"
	case r.Outcome == events.OutcomeMeasured:
		return "over_budget"
	}
	return r.Outcome
}

// cause counts why a trial is not feasible.
func (f *Fold) cause(r *archiver.Row) {
	code, message := r.Outcome, ""
	if r.Reason != nil {
		code, message = r.Reason.Code, r.Reason.Message
	}
	at := func() int { return slices.IndexFunc(f.Causes, func(c Cause) bool { return c.Code == code }) }
	i := at()
	if i < 0 && len(f.Causes) >= maxReasons {
		code, message = otherReasons, ""
		i = at()
	}
	if i < 0 {
		i = len(f.Causes)
		f.Causes = append(f.Causes, Cause{Code: code, Last: -1})
	}
	c := &f.Causes[i]
	c.Trials++
	if int(r.Trial) > c.Last {
		c.Last, c.Message = int(r.Trial), message
	}
	slices.SortFunc(f.Causes, func(a, b Cause) int {
		if a.Trials != b.Trials {
			return b.Trials - a.Trials
		}
		return strings.Compare(a.Code, b.Code)
	})
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

// column adds a mark to its column. When a trial lies beyond the last one, two
// neighbours become one until it fits.
func (f *Fold) column(m Mark) {
	for m.Trial/f.width >= columns {
		f.fold()
	}
	i, there := slices.BinarySearchFunc(f.columns, m.Trial/f.width, func(c Column, at int) int { return c.First/f.width - at })
	one := Column{First: m.Trial / f.width * f.width, Trials: 1, Low: m.Value, High: m.Value}
	if m.Kind == "feasible" {
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
