package main

import (
	"context"
	"fmt"

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
	counts counts
	// hash covers the trials up to the first one without an answer.
	hash string
}

// counts says how many trials ended how.
type counts struct {
	Trials     int `json:"trials"`
	Measured   int `json:"measured"`
	Infeasible int `json:"infeasible"`
	Failed     int `json:"failed"`
	Feasible   int `json:"feasible"`
	// Voided trials were measured anew: they are among none of the others.
	Voided int `json:"voided,omitempty"`
}

// readLedger reads the trials of a run from the bus. It applies the same
// checks and the same judgement as the proposer and the archiver.
func readLedger(ctx context.Context, bus events.Bus, view *client.StudyView) (*ledger, error) {
	judge, err := events.NewJudge(view.Spec)
	if err != nil {
		return nil, err
	}
	l := &ledger{view: view}
	proposed, err := l.readProposed(ctx, bus.Log())
	if err != nil {
		return nil, err
	}
	if err := l.readResults(ctx, bus.Facts(), judge, proposed); err != nil {
		return nil, err
	}
	for i := range l.trials {
		t := &l.trials[i]
		if t.result != nil {
			if t.voidedBy == 0 {
				t.judgement = judge.Judge(t.design, t.result)
			}
			l.counts.count(t)
		}
	}
	l.hash = hashTrials(l.trials)
	return l, nil
}

func (c *counts) count(t *trial) {
	c.Trials++
	if t.voidedBy > 0 {
		c.Voided++
		return
	}
	switch t.result.Outcome {
	case events.OutcomeMeasured:
		c.Measured++
	case events.OutcomeInfeasible:
		c.Infeasible++
	default:
		c.Failed++
	}
	if t.judgement.Feasible {
		c.Feasible++
	}
}

// best is the best feasible trial of those that count, nil for none. The log names
// it as well, but of voided trials only once a proposer has said what is left.
func (l *ledger) best() *events.BestTrial {
	first := choose(l, true, 1, 0)
	if len(first) == 0 {
		return nil
	}
	j := l.json(first[0])
	return &events.BestTrial{Trial: j.Trial, Design: j.Design, Metrics: j.Metrics}
}

func (l *ledger) readProposed(ctx context.Context, log events.Log) ([]*events.TrialsProposed, error) {
	var batches []*events.TrialsProposed
	for m, err := range log.Read(ctx, 0, events.StudySubject(l.view.Study, l.view.Run, "proposed")) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		_, p, err := events.DecodeAs[events.TrialsProposed](m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err)
		}
		batches = append(batches, &p)
		for i, d := range p.Designs {
			t := trial{number: p.FirstTrial + i, batch: p.Batch, design: d}
			if i < len(p.Origins) {
				t.origin = p.Origins[i]
			}
			if i < len(p.Parents) {
				t.parents = p.Parents[i]
			}
			l.trials = append(l.trials, t)
		}
		for i, v := range p.Voids {
			if v >= 0 && v < p.FirstTrial {
				l.trials[v].voidedBy = p.FirstTrial + i
			}
		}
		for i := range p.Reused {
			l.answer(p.Reused[i], "")
		}
	}
	return batches, nil
}

func (l *ledger) readResults(ctx context.Context, facts events.Facts, judge *events.Judge, batches []*events.TrialsProposed) error {
	spec := l.view.Spec
	filter := fmt.Sprintf("result.%s.%s.%s.*", spec.Evaluator.Name, l.view.Study, l.view.Run)
	for m, err := range facts.Read(ctx, 0, filter) {
		if err != nil {
			return fmt.Errorf("read the results: %w", err)
		}
		batch, ok := events.BatchOfSubject(m.Subject)
		if !ok || batch >= len(batches) {
			continue
		}
		// What does not decode fails its trials, as it does for the proposer.
		_, r, _ := events.DecodeAs[events.BatchEvaluated](m.Data)
		r.Batch = batch
		want := events.ExpectedOf(workOf(spec, batches[batch]))
		want.Identity, want.Derive = l.view.Identity, judge.Deriver()
		trials, _ := events.ValidateResult(want, &r)
		for i := range trials {
			l.answer(trials[i], r.Worker)
		}
	}
	return nil
}

// workOf is the work item that a batch was sent as, without its designs.
func workOf(spec *events.Spec, p *events.TrialsProposed) *events.BatchRequested {
	known := map[int]bool{}
	for _, r := range p.Reused {
		known[r.Trial] = true
	}
	w := &events.BatchRequested{Study: p.Study, Run: p.Run, Batch: p.Batch, Evaluator: spec.Evaluator.Name, Metrics: spec.Measured(), Trials: []int{}}
	for i := range p.Designs {
		if !known[p.FirstTrial+i] {
			w.Trials = append(w.Trials, p.FirstTrial+i)
		}
	}
	return w
}

func (l *ledger) answer(r events.TrialResult, worker string) {
	if r.Trial < 0 || r.Trial >= len(l.trials) || l.trials[r.Trial].result != nil {
		return
	}
	l.trials[r.Trial].result, l.trials[r.Trial].worker = &r, worker
}

func hashTrials(trials []trial) string {
	h := events.NewTrialHash()
	for i := range trials {
		t := &trials[i]
		if t.result == nil {
			break
		}
		h.Add(t.number, t.design, t.result.Outcome, t.result.Values)
	}
	return h.String()
}

// trialJSON is one trial as `trial ls -o jsonl` prints it.
type trialJSON struct {
	Trial    int                `json:"trial"`
	Batch    int                `json:"batch"`
	Outcome  string             `json:"outcome"` // running | measured | infeasible | failed | voided
	Feasible bool               `json:"feasible"`
	Design   map[string]any     `json:"design"`
	Metrics  map[string]float64 `json:"metrics"`
	Origin   string             `json:"origin"`
	Parents  []int              `json:"parents,omitempty"`
	Reason   *events.Reason     `json:"reason,omitempty"`
	Attempts int                `json:"attempts,omitempty"`
	Seconds  float64            `json:"seconds,omitempty"`
	Worker   string             `json:"worker,omitempty"`
	// VoidedBy is the trial that measures this one anew, of one that is voided.
	VoidedBy int                `json:"voided_by,omitempty"`
	Extra    map[string]float64 `json:"extra,omitempty"`
	// LastError is that of the last attempt that failed, also of a trial that a
	// later attempt answered.
	LastError *events.LastError `json:"last_error,omitempty"`
	// Files are what the program left of the trial on this machine.
	Files []string `json:"files,omitempty"`
	// Spec is the study, in the answer for a single trial.
	Spec *events.Spec `json:"spec,omitempty"`
}

func (l *ledger) json(t *trial) trialJSON {
	spec := l.view.Spec
	j := trialJSON{
		Trial: t.number, Batch: t.batch, Outcome: "running", Origin: t.origin, Parents: t.parents,
		Design: designMap(spec, t.design), Metrics: map[string]float64{}, Worker: t.worker,
	}
	if r := t.result; r != nil {
		j.Outcome, j.Feasible, j.Reason = r.Outcome, t.judgement.Feasible, t.judgement.Reason
		j.Attempts, j.Seconds, j.Extra = r.Attempts, r.Seconds, r.Extra
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
