package main

import (
	"context"
	"iter"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/client"
	"apollo/services/inspect"
)

// trial is one trial of a run as the store tells it.
type trial struct {
	number, batch int
	design        events.Design
	origin        string
	parents       []int
	// result is nil while the trial runs.
	result    *events.TrialResult
	judgement events.Judgement
	worker    string
	// voidedBy is the trial that measures this one anew; 0 for none.
	voidedBy int
}

// ledger is the trials of one run, in order, with their answers.
type ledger struct {
	view   *client.StudyView
	trials []trial
	counts events.Counts
	// fidelity is what went into each level, of a study with fidelity.
	fidelity []fidelityUse
	// networks are those that designs only number.
	networks networkNames
	// meaning is which parameters mean something in a design.
	meaning *inspect.Meaning
	// hash covers the trials up to the first one without an answer.
	hash string
}

// newLedger is the ledger of a run before a trial was read.
func newLedger(view *client.StudyView) *ledger {
	return &ledger{view: view, networks: networkNamesOf(view.Spec), meaning: inspect.MeaningOf(view.Spec)}
}

// readLedger reads the trials of a run from the bus. It applies the same
// checks and the same judgement as the proposer and the archiver.
func readLedger(ctx context.Context, bus events.Bus, view *client.StudyView) (*ledger, error) {
	c, err := newTally(view.Spec)
	if err != nil {
		return nil, err
	}
	l := newLedger(view)
	l.trials = make([]trial, 0, view.Proposed)
	for b, err := range client.Batches(ctx, bus, view, events.MaxTrials) {
		if err != nil {
			return nil, err
		}
		l.add(b, c.add(b))
	}
	l.counts, l.fidelity, l.hash = c.counts(), c.fidelity, c.hash()
	return l, nil
}

// stream reads the trials of the ledger's run and yields them, as readTrials does, without
// holding them. Then the ledger has what it counts.
func (l *ledger) stream(ctx context.Context, bus events.Bus) iter.Seq2[*trial, error] {
	return func(yield func(*trial, error) bool) {
		c, err := newTally(l.view.Spec)
		if err != nil {
			yield(nil, err)
			return
		}
		for b, err := range client.Batches(ctx, bus, l.view, events.MaxTrials) {
			if err != nil {
				yield(nil, err)
				return
			}
			judged := c.add(b)
			for i := range b.Designs {
				t := trialOf(b, i)
				if t.voidedBy = l.view.VoidedBy[t.number]; t.voidedBy == 0 {
					t.judgement = judged[i]
				}
				if !yield(&t, nil) {
					return
				}
			}
		}
		l.counts, l.fidelity, l.hash = c.counts(), c.fidelity, c.hash()
	}
}

// feasible returns the feasible trials.
func (l *ledger) feasible() (out []*trial) {
	for i := range l.trials {
		if t := &l.trials[i]; t.judgement.Feasible {
			out = append(out, t)
		}
	}
	return out
}

// best is the best feasible trial of those that count, nil for none. The log names
// it as well, but of voided trials only once a proposer has said what is left.
func (l *ledger) best() *events.BestTrial {
	first := ranked(l.view.Spec, l.feasible())
	if len(first) == 0 {
		return nil
	}
	j := l.json(first[0])
	return &events.BestTrial{Trial: j.Trial, Design: j.Design, Metrics: j.Metrics}
}

// add adds the trials of the next batch.
func (l *ledger) add(b *client.Batch, judged []events.Judgement) {
	for i := range b.Designs {
		t := trialOf(b, i)
		t.judgement = judged[i]
		l.trials = append(l.trials, t)
	}
	for i := range b.Voids {
		if v, ok := b.Voided(i); ok && v < len(l.trials) {
			l.trials[v].voidedBy, l.trials[v].judgement = b.FirstTrial+i, events.Judgement{}
		}
	}
}

// trialJSON is one trial as `trial ls -o jsonl` prints it.
type trialJSON struct {
	Trial    int            `json:"trial"`
	Batch    int            `json:"batch"`
	Outcome  string         `json:"outcome"` // running | measured | infeasible | failed | stopped | voided
	Feasible bool           `json:"feasible"`
	Design   map[string]any `json:"design"`
	// Inactive names the parameters that mean nothing in the design.
	Inactive []string `json:"inactive,omitempty"`
	// NetworkName is that of the network, where the design only numbers it.
	NetworkName string             `json:"network_name,omitempty"`
	Metrics     map[string]float64 `json:"metrics"`
	Origin      string             `json:"origin"`
	Parents     []int              `json:"parents,omitempty"`
	Reason      *events.Reason     `json:"reason,omitempty"`
	Attempts    int                `json:"attempts,omitempty"`
	Seconds     float64            `json:"seconds,omitempty"`
	Worker      string             `json:"worker,omitempty"`
	// VoidedBy is the trial that measures this one anew, of one that is voided.
	VoidedBy int                `json:"voided_by,omitempty"`
	Extra    map[string]float64 `json:"extra,omitempty"`
	// LastError is that of the last attempt that failed, also of a trial that a
	// later attempt answered.
	LastError *events.LastError `json:"last_error,omitempty"`
	// Intermediate are the values that the evaluation reported before its answer.
	Intermediate *events.Curve `json:"intermediate,omitempty"`
	// Files are what the program left of the trial on this machine.
	Files []string `json:"files,omitempty"`
	// Spec is the study, in the answer for a single trial.
	Spec *events.Spec `json:"spec,omitempty"`
}

func (l *ledger) json(t *trial) trialJSON {
	spec := l.view.Spec
	j := trialJSON{
		Trial: t.number, Batch: t.batch, Outcome: l.view.State.OpenTrial(), Origin: t.origin, Parents: t.parents,
		Design: designMap(spec, t.design), Inactive: l.meaning.Inactive(t.design), Metrics: map[string]float64{}, Worker: t.worker, NetworkName: l.networks.of(t.design),
	}
	if r := t.result; r != nil {
		j.Outcome, j.Feasible, j.Reason = r.Outcome, t.judgement.Feasible, t.judgement.Reason
		j.Attempts, j.Seconds, j.Extra = r.Attempts, r.Seconds, r.Extra
		j.Intermediate = r.Intermediate
		j.Metrics, j.LastError = inspect.Metrics(spec, r.Values), r.LastFailure()
	}
	if t.voidedBy > 0 {
		j.Outcome, j.VoidedBy = "voided", t.voidedBy
	}
	return j
}

func designMap(spec *events.Spec, design []space.Value) map[string]any {
	m := make(map[string]any, len(design))
	for i, p := range spec.Parameters {
		if i < len(design) {
			m[p.Name] = plain(design[i])
		}
	}
	return m
}
