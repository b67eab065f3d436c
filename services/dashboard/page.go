package dashboard

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/cli"
)

// studyPage is what the page of a run shows.
type studyPage struct {
	Study, Run, State, Reason string
	Counts                    Counts
	Budget                    int
	Best                      *events.BestTrial
	Causes                    []Cause
	Trials                    []TrialRow
	Parameters, Metrics       []string
	Picture                   *picture
	// Reading says that the run is still being read; Error why it no longer is.
	Reading bool
	Error   string
	spec    *events.Spec
}

// TrialRow is a trial of the table, as `trial ls -o jsonl` prints it.
type TrialRow struct {
	Trial    int                `json:"trial"`
	Batch    int                `json:"batch"`
	Outcome  string             `json:"outcome"`
	Feasible bool               `json:"feasible"`
	Design   map[string]any     `json:"design"`
	Metrics  map[string]float64 `json:"metrics"`
	Origin   string             `json:"origin"`
	Reason   *events.Reason     `json:"reason,omitempty"`
	Seconds  float64            `json:"seconds,omitempty"`
	Worker   string             `json:"worker,omitempty"`

	cells []string
}

// Cells are the values of the parameters and metrics, in order, for people.
func (r TrialRow) Cells() []string { return r.cells }

// page copies what a page shows of a fold; the watch's lock is held meanwhile.
func (w *watch) page() studyPage {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &w.fold
	p := studyPage{
		Study: f.View.Study, Run: f.View.Run, State: string(f.View.State), Reason: f.View.Reason, Counts: f.Counts, Budget: f.View.Budget,
		Best: f.View.Best, Causes: slices.Clone(f.Causes), Reading: w.caught < 2, spec: f.View.Spec,
	}
	if w.err != nil {
		p.Error = w.err.Error()
	}
	if p.spec == nil {
		p.spec = &events.Spec{}
		return p
	}
	for _, param := range p.spec.Parameters {
		p.Parameters = append(p.Parameters, param.Name)
	}
	for _, m := range p.spec.Metrics {
		p.Metrics = append(p.Metrics, m.Short())
	}
	for _, r := range f.Recent() {
		p.Trials = append(p.Trials, trialRow(p.spec, &r))
	}
	p.Picture = draw(f)
	return p
}

func trialRow(spec *events.Spec, r *archiver.Row) TrialRow {
	t := TrialRow{
		Trial: int(r.Trial), Batch: int(r.Batch), Outcome: r.Outcome, Feasible: r.Feasible, Design: map[string]any{}, Metrics: map[string]float64{},
		Origin: r.Origin, Reason: r.Reason, Seconds: r.Seconds, Worker: r.Worker,
	}
	for i, p := range spec.Parameters {
		if i >= len(r.Design) {
			break
		}
		if v := r.Design[i]; v.Label != "" {
			t.Design[p.Name], t.cells = v.Label, append(t.cells, v.Label)
		} else {
			t.Design[p.Name], t.cells = v.Num, append(t.cells, cli.Quantity(v.Num, p.Unit))
		}
	}
	for i, m := range spec.Metrics {
		text := "-"
		if i < len(r.Values) && !math.IsNaN(r.Values[i]) {
			t.Metrics[m.Name], text = r.Values[i], cli.Metric(r.Values[i], m.Unit)
		}
		t.cells = append(t.cells, text)
	}
	return t
}

// quantity writes a metric of a trial for people.
func quantity(spec *events.Spec, best *events.BestTrial, metric string) string {
	i := spec.MetricIndex(metric)
	if i < 0 || best == nil {
		return "-"
	}
	v, measured := best.Metrics[metric]
	if !measured {
		return "-"
	}
	return cli.Metric(v, spec.Metrics[i].Unit)
}

// BestText is the objective of the best trial in a few words.
func (l Listed) BestText() string {
	if l.Best == nil || len(l.spec.Objectives) == 0 {
		return "-"
	}
	return quantity(l.spec, l.Best, l.spec.Objectives[0].Metric)
}

// RateText is the rate, and when the run will have ended.
func (l Listed) RateText() string {
	if l.TrialsPerSecond <= 0 {
		return ""
	}
	text := cli.Significant(l.TrialsPerSecond) + "/s"
	if left := l.Budget - l.Trials; left > 0 {
		text += ", " + cli.Duration(time.Duration(float64(left)/l.TrialsPerSecond*float64(time.Second))) + " left"
	}
	return text
}

// Headline says what was found, under which limits.
func (p *studyPage) Headline() string {
	if p.Best == nil || len(p.spec.Objectives) == 0 {
		return "no feasible design yet"
	}
	metric := p.spec.Objectives[0].Metric
	text := fmt.Sprintf("best %s, trial %d", quantity(p.spec, p.Best, metric), p.Best.Trial)
	for _, c := range p.spec.Constraints {
		if c.Max != nil {
			text += fmt.Sprintf(", %s %s of at most %s", c.Metric, quantity(p.spec, p.Best, c.Metric), limit(p.spec, c.Metric, *c.Max))
		}
		if c.Min != nil {
			text += fmt.Sprintf(", %s %s of at least %s", c.Metric, quantity(p.spec, p.Best, c.Metric), limit(p.spec, c.Metric, *c.Min))
		}
	}
	return text
}

func limit(spec *events.Spec, metric string, v float64) string {
	i := spec.MetricIndex(metric)
	if i < 0 {
		return cli.Significant(v)
	}
	return cli.Metric(v, spec.Metrics[i].Unit)
}

// share is a part of all trials for people.
func share(part, whole int) string { return cli.Share(part, whole) }

// breakable lets a browser break a long name after its underscores.
func breakable(name string) string { return strings.ReplaceAll(name, "_", "_\u200b") }
