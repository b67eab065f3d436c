package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/study"
)

// endedText says how trials ended that were not all feasible.
func endedText(measured, infeasible, failed, stopped int) string {
	text := fmt.Sprintf("%s measured, %s infeasible, %s failed", cli.Count(measured), cli.Count(infeasible), cli.Count(failed))
	if stopped > 0 {
		text += fmt.Sprintf(", %s stopped early", cli.Count(stopped))
	}
	return text
}

// tally is what the trials of a run come to, without the trials: of each it keeps a few
// bytes, because a later one may void it.
type tally struct {
	judge *events.Judge
	marks []mark
	// codes are those of reasons; numbers finds them again.
	codes   []string
	numbers map[string]int32
	hashed  *events.TrialHash
	// gap: a trial has no answer, and the hash ends before it.
	gap    bool
	judged []events.Judgement // used again for each batch: a million are not kept

	// dropped counts the trials that lost their extra numbers.
	dropped int
	// silent counts the measured trials without an intermediate value, of a study that
	// stops evaluations early by them.
	silent int
	early  bool
	// fidelity is what went into each level of the study's fidelity.
	fidelity []fidelityUse
	spec     *events.Spec
	column   int // of the fidelity, -1 for none
	levels   space.Param
	// cellOf is the cell of each trial of a study by explore, from 1 on in the order in which
	// cells were opened; observe is nil for other studies.
	explore     optimizer.Explore
	observe     func(events.Design, *events.TrialResult) (optimizer.Observation, error)
	cellNumbers map[string]int32
	cellOf      []int32
}

// fidelityUse is what went into a level of the study's fidelity.
type fidelityUse struct {
	Value   string  `json:"value"`
	Trials  int     `json:"trials"`
	Seconds float64 `json:"seconds"`
}

func fidelityText(spec *events.Spec, used []fidelityUse) string {
	var parts []string
	for _, u := range used {
		parts = append(parts, fmt.Sprintf("%s at %s, %s", cli.Plural(u.Trials, "trial"), u.Value, cli.Quantity(u.Seconds, "s")))
	}
	return fmt.Sprintf("fidelity %s: %s; the last one counts", spec.Fidelity.Parameter, strings.Join(parts, "; "))
}

// mark is what counts of a trial.
type mark struct {
	reason           int32 // in codes, from 1 on
	outcome          uint8 // in outcomes
	feasible, voided bool
	lowFidelity      bool
}

// outcomes are those of marks; the first is that of a trial without an answer.
var outcomes = [...]string{"", events.OutcomeFailed, events.OutcomeMeasured, events.OutcomeInfeasible, events.OutcomeStopped}

func newTally(spec *events.Spec) (*tally, error) {
	judge, err := events.NewJudge(spec)
	t := &tally{judge: judge, spec: spec, numbers: map[string]int32{}, hashed: events.NewTrialHash(), early: spec.EarlyStop != nil, column: spec.FidelityColumn()}
	if t.column >= 0 {
		p := &spec.Parameters[t.column]
		for _, v := range p.Values {
			t.fidelity = append(t.fidelity, fidelityUse{Value: unit.Format(v, p.Unit)})
		}
		for _, v := range p.Labels {
			t.fidelity = append(t.fidelity, fidelityUse{Value: v})
		}
		t.levels = space.Param{Values: p.Values, Labels: p.Labels}
	}
	if err == nil && spec.Algorithm.Name == "explore" {
		if options := spec.Algorithm.Options; len(options) > 0 {
			err = json.Unmarshal(options, &t.explore)
		}
		if err == nil {
			t.cellNumbers = map[string]int32{}
			_, t.observe, err = study.Observer(spec)
		}
	}
	return t, err
}

// readTally counts the trials of a run on the bus.
func readTally(ctx context.Context, bus events.Bus, view *client.StudyView) (*tally, error) {
	c, err := newTally(view.Spec)
	if err != nil {
		return nil, err
	}
	for b, err := range client.Batches(ctx, bus, view, events.MaxTrials) {
		if err != nil {
			return nil, err
		}
		c.add(b)
	}
	return c, nil
}

// readCounted reads a run and counts its trials at once: its log is read once.
func readCounted(ctx context.Context, bus events.Bus, name, run string) (view *client.StudyView, c *tally, err error) {
	view, err = client.ReadRun(ctx, bus, name, run, func(began *client.StudyView) (func(*client.Batch), error) {
		if c, err = newTally(began.Spec); err != nil {
			return nil, err
		}
		return func(b *client.Batch) { c.add(b) }, nil
	})
	return view, c, err
}

// readUse is what went into each level of a run's fidelity, nil without one, and how many
// cells a run by explore covered.
func readUse(ctx context.Context, bus events.Bus, view *client.StudyView) (levels []fidelityUse, cells int, err error) {
	if view.Spec.Fidelity == nil && view.Spec.Algorithm.Name != "explore" {
		return nil, 0, nil
	}
	t, err := readTally(ctx, bus, view)
	if err != nil {
		return nil, 0, err
	}
	return t.fidelity, t.cells(), nil
}

// cells counts the cells of behaviour that a run by explore covered.
func (c *tally) cells() int {
	covered := make([]bool, len(c.cellNumbers)+1)
	n := 0
	for i, at := range c.cellOf {
		if at > 0 && !c.marks[i].voided && !covered[at] {
			covered[at] = true
			n++
		}
	}
	return n
}

// cell is the number of a trial's cell, 0 for none.
func (c *tally) cell(d events.Design, r *events.TrialResult) int32 {
	o, err := c.observe(d, r)
	if err != nil {
		return 0
	}
	name := c.explore.CellOf(o)
	if name == "" {
		return 0
	}
	if c.cellNumbers[name] == 0 {
		c.cellNumbers[name] = int32(len(c.cellNumbers) + 1)
	}
	return c.cellNumbers[name]
}

func cellsText(cells int) string { return cli.Plural(cells, "cell") + " of behaviour covered" }

// add counts the trials of the next batch, with the same judgement as the proposer and
// the archiver. What it returns is valid until the next call.
func (c *tally) add(b *client.Batch) []events.Judgement {
	c.judged = c.judged[:0]
	for i, d := range b.Designs {
		var judged events.Judgement
		var m mark
		if c.observe != nil {
			c.cellOf = append(c.cellOf, 0)
		}
		if r := b.Answers[i]; r != nil {
			judged = c.judge.Judge(d, r)
			m = mark{outcome: uint8(max(1, slices.Index(outcomes[:], r.Outcome))), feasible: judged.Feasible}
			if judged.Reason != nil {
				m.reason = c.number(judged.Reason.Code)
			}
			if r.Extra[events.ExtraDropped] > 0 {
				c.dropped++
			}
			if c.early && r.Outcome == events.OutcomeMeasured && r.Intermediate == nil {
				c.silent++
			}
			if c.observe != nil {
				c.cellOf[len(c.cellOf)-1] = c.cell(d, r)
			}
			if c.column >= 0 {
				m.lowFidelity = !c.spec.Full(d)
				if level, ok := c.levels.Level(d[c.column]); ok {
					c.fidelity[level].Trials++
					c.fidelity[level].Seconds += r.Seconds
				}
			}
			if !c.gap {
				c.hashed.Add(b.FirstTrial+i, d, r.Outcome, r.Values)
			}
		} else {
			c.gap = true
		}
		c.marks, c.judged = append(c.marks, m), append(c.judged, judged)
	}
	for i := range b.Voids {
		if v, ok := b.Voided(i); ok && v < len(c.marks) {
			c.marks[v].voided = true
		}
	}
	return c.judged
}

func (c *tally) number(code string) int32 {
	n := c.numbers[code]
	if n == 0 {
		c.codes = append(c.codes, code)
		n = int32(len(c.codes))
		c.numbers[code] = n
	}
	return n
}

// counts says how the trials ended that have an answer.
func (c *tally) counts() (n events.Counts) {
	for i := range c.marks {
		if m := &c.marks[i]; m.outcome != 0 {
			n.Add(outcomes[m.outcome], m.feasible, m.voided, m.lowFidelity)
		}
	}
	return n
}

// hash covers the trials up to the first one without an answer.
func (c *tally) hash() string { return c.hashed.String() }

// reasons counts, in the order in which they first came up, the reasons of the trials that
// failed, or those of the others that are not feasible. A fidelity that does not count is
// none of them: counts has those, also where they break a limit.
func (c *tally) reasons(failed bool) []reasonCount {
	out, places := []reasonCount{}, make([]int, len(c.codes)+1)
	for i := range c.marks {
		m := &c.marks[i]
		if m.reason == 0 || m.voided || c.codes[m.reason-1] == events.ReasonLowFidelity || (outcomes[m.outcome] == events.OutcomeFailed) != failed {
			continue
		}
		if places[m.reason] == 0 {
			out = append(out, reasonCount{Code: c.codes[m.reason-1]})
			places[m.reason] = len(out)
		}
		out[places[m.reason]-1].Trials++
	}
	return out
}
