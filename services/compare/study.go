// Package compare sets studies with the same objectives side by side: what they found,
// how fast, and in what they differ.
package compare

import (
	"fmt"
	"slices"
	"strings"

	"apollo/events"
	"apollo/optimizer/pareto"
	"apollo/services/cli"
)

// Study is a study as it is compared. Of its finished trials it keeps those that were on the
// front when they came, and of each of the others a bit: a million fit into little memory.
type Study struct {
	Study, Run, State string
	Spec              *events.Spec

	name string // unique among those compared
	// trials counts the finished trials, feasible those of them that are feasible; bit i of
	// those says whether the i-th one is.
	trials, feasible int
	those            []uint64
	// voided and lowFidelity count the trials that could not be feasible; not has the bits
	// of both.
	voided, lowFidelity int
	not                 []uint64
	// steps are the trials that none before them was better than or equal to in all
	// objectives, front those of them that none after them is either.
	steps []step
	front [][]float64
}

// step is a trial that changed what a study found.
type step struct {
	after, trial int       // so many finished trials, and its number
	point        []float64 // its objectives, all to be minimised
}

// Trial is a finished trial.
type Trial struct {
	Number   int
	Feasible bool
	// Voided: it was measured anew, and counts only as a trial that cost something.
	Voided bool
	// LowFidelity: its fidelity does not count, so that it could not be feasible.
	LowFidelity bool
	// Values are its metrics, in the study's order.
	Values []float64
}

// Add adds the next trial.
func (c *Study) Add(t Trial) {
	at := c.trials
	c.trials++
	if at/64 == len(c.those) {
		c.those, c.not = append(c.those, 0), append(c.not, 0)
	}
	switch {
	case t.Voided:
		c.voided++
	case t.LowFidelity:
		c.lowFidelity++
	}
	if t.Voided || t.LowFidelity {
		c.not[at/64] |= 1 << (at % 64)
		return
	}
	if !t.Feasible {
		return
	}
	c.feasible++
	c.those[at/64] |= 1 << (at % 64)
	p := make([]float64, len(c.Spec.Objectives))
	for i, o := range c.Spec.Objectives {
		p[i] = t.Values[c.Spec.MetricIndex(o.Metric)]
		if o.Goal == "maximize" {
			p[i] = -p[i]
		}
	}
	if slices.ContainsFunc(c.front, func(q []float64) bool { return slices.Equal(q, p) || pareto.Dominates(q, p) }) {
		return
	}
	c.front = slices.DeleteFunc(c.front, func(q []float64) bool { return pareto.Dominates(p, q) })
	c.front = append(c.front, p)
	c.steps = append(c.steps, step{c.trials, t.Number, p})
}

// shares are those of feasible trials after each one, of the trials that could be feasible;
// NaN before the first of those.
func (c *Study) shares() []float64 {
	out, feasible, could := make([]float64, c.trials), 0, 0
	for i := range out {
		feasible += int(c.those[i/64] >> (i % 64) & 1)
		could += int(^c.not[i/64] >> (i % 64) & 1)
		out[i] = float64(feasible) / float64(could)
	}
	return out
}

// distinguish gives every study a name of its own, and refuses one that is there
// twice.
func distinguish(studies []*Study) error {
	for i, c := range studies {
		c.name = c.Study
		for k, other := range studies {
			if i == k || other.Study != c.Study {
				continue
			}
			if other.Run == c.Run {
				return cli.Usagef("study %s, run %s, is there twice", c.Study, c.Run)
			}
			c.name = c.Study + "/" + c.Run
		}
	}
	return nil
}

// sameObjectives refuses studies that cannot be compared.
func sameObjectives(studies []*Study) error {
	describe := func(spec *events.Spec) string {
		var parts []string
		for _, o := range spec.Objectives {
			parts = append(parts, o.Goal+" "+o.Metric)
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	}
	first := studies[0]
	for _, c := range studies[1:] {
		if a, b := describe(first.Spec), describe(c.Spec); a != b {
			return cli.Hinted(cli.ExitUsage, "compare studies with the same objectives",
				fmt.Errorf("%s and %s cannot be compared: one is to %s, the other to %s", first.name, c.name, a, b))
		}
	}
	return nil
}
