package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
)

// answers checks rows against the trials that wait. Those that say again what was
// told go to Known.
func (m *manual) answers(rows []rowJSON, value *told) (out []events.TrialResult, err error) {
	for i := range rows {
		row := &rows[i]
		t, err := m.trialOf(row)
		var r events.TrialResult
		if err == nil {
			r, err = m.answer(t, row)
		}
		twice := err == nil && slices.ContainsFunc(out, func(o events.TrialResult) bool { return o.Trial == t.number })
		switch {
		case err == nil && twice:
			err = cli.Usagef("trial %d is there twice", t.number)
		case err == nil && t.result != nil && sameAnswer(t.result, &r):
			value.Known = append(value.Known, t.number)
			continue
		case err == nil && t.result != nil:
			err = cli.Hinted(cli.ExitRejected, fmt.Sprintf("`apollo study retry %s --trials %d` asks for it anew", m.view.Study, t.number),
				fmt.Errorf("trial %d was told already, and otherwise: the first answer counts", t.number))
		case err == nil && m.view.State.Terminal():
			err = cli.Hinted(cli.ExitRejected, "", fmt.Errorf("study %s is %s: nobody waits for trial %d any more", m.view.Study, m.view.State, t.number))
		}
		if err != nil && len(rows) > 1 {
			code, hint := cli.Classify(context.Background(), err)
			err = cli.Hinted(code, hint, fmt.Errorf("row %d: %w", i+1, err))
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// trialOf finds the trial that a row is about: by its number, or by its design.
func (m *manual) trialOf(row *rowJSON) (*trial, error) {
	trials := m.ledger.trials
	if n := row.Trial; n != nil {
		if *n < 0 || *n >= len(trials) {
			return nil, cli.Hinted(cli.ExitNotFound, fmt.Sprintf("`apollo trial ask %s` shows what waits", m.view.Study),
				fmt.Errorf("study %s has no trial %d: it has %d so far, from 0", m.view.Study, *n, len(trials)))
		}
		return &trials[*n], m.sameDesign(&trials[*n], row.Design)
	}
	if len(row.Design) == 0 {
		return nil, cli.Usagef("a row names its trial, or its design")
	}
	_ = row.fill(m.ledger.meaning, m.view.Spec, true) // asTried says what is missing
	design, err := asTried(m.view.Spec, m.ledger.meaning, row.Design)
	if err != nil {
		return nil, err
	}
	want := fmt.Sprint(design)
	for i := len(trials) - 1; i >= 0; i-- {
		if fmt.Sprint(trials[i].design) == want {
			return &trials[i], nil
		}
	}
	return nil, cli.Hinted(cli.ExitNotFound, fmt.Sprintf("`apollo trial add %s` adds designs of your own", m.view.Study),
		fmt.Errorf("study %s has not asked for %v", m.view.Study, row.Design))
}

// sameDesign refuses a row that names a trial beside parameters of another design.
func (m *manual) sameDesign(t *trial, named map[string]any) error {
	whole := map[string]any{}
	for i, p := range m.view.Spec.Parameters {
		switch v, there := named[p.Name]; {
		case there && v != nil:
			whole[p.Name] = v
		case len(p.Labels) > 0:
			whole[p.Name] = t.design[i].Label
		default:
			whole[p.Name] = t.design[i].Num
		}
	}
	design, err := asTried(m.view.Spec, m.ledger.meaning, whole)
	if err != nil {
		return err
	}
	for i, p := range m.view.Spec.Parameters {
		if design[i] != t.design[i] {
			return cli.Usagef("trial %d is another design: its %s is %v, and not %v", t.number, p.Name, t.design[i], design[i])
		}
	}
	return nil
}

// answer is what a row says of its trial.
func (m *manual) answer(t *trial, row *rowJSON) (r events.TrialResult, err error) {
	spec, metrics := m.view.Spec, row.measured(m.view.Spec)
	r = events.TrialResult{Trial: t.number, Outcome: row.Outcome, Attempts: 1}
	switch r.Outcome {
	case "", events.OutcomeMeasured:
		r.Outcome = events.OutcomeMeasured
	case events.OutcomeInfeasible, events.OutcomeFailed:
		r.Reason = &events.Reason{Code: r.Outcome}
		if row.Reason != nil {
			r.Reason = row.Reason
		}
		if err := checkReason(r.Reason); err != nil {
			return r, err
		}
	default:
		return r, cli.Usagef("the outcome %q of trial %d is unknown: want measured, infeasible or failed", events.Cut(r.Outcome, events.MaxCodeBytes), t.number)
	}
	for _, metric := range spec.Measured() {
		v, there := metrics[metric.Name]
		if !there {
			v = math.NaN()
		}
		if !there && r.Outcome == events.OutcomeMeasured {
			return r, cli.Usagef("trial %d lacks the metric %s: say it, or --infeasible or --failed", t.number, metric.Short())
		}
		r.Values = append(r.Values, v)
		delete(metrics, metric.Name)
	}
	for name := range metrics {
		_, err = metricOf(spec, name)
	}
	return r, err
}

// sameAnswer reports whether an answer says what is stored.
func sameAnswer(have, want *events.TrialResult) bool {
	for i, v := range want.Values { // computed metrics stand behind the measured ones
		if i >= len(have.Values) || have.Values[i] != v && !(math.IsNaN(have.Values[i]) && math.IsNaN(v)) {
			return false
		}
	}
	return have.Outcome == want.Outcome
}

// tell records the answers.
func (m *manual) tell(ctx context.Context, answers []events.TrialResult, value *told) error {
	judge, err := events.NewJudge(m.view.Spec)
	if err != nil {
		return err
	}
	for _, r := range answers {
		work := &events.BatchRequested{
			Study: m.view.Study, Run: m.view.Run, Batch: m.ledger.trials[r.Trial].batch, Evaluator: m.view.Spec.Evaluator.Name,
			Metrics: m.view.Spec.Measured(), Trials: []int{r.Trial},
		}
		err := client.Tell(ctx, m.session.bus, work, judge.Deriver(), workerName(), r)
		if errors.Is(err, client.ErrTold) {
			err = cli.Hinted(cli.ExitRejected, "somebody else told it a moment ago: `apollo trial show` says what", err)
		}
		if err != nil {
			return err
		}
		value.Told = append(value.Told, r.Trial)
	}
	return nil
}
