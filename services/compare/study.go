// Package compare sets studies with the same objectives side by side: what they found,
// how fast, and in what they differ.
package compare

import (
	"fmt"
	"slices"
	"strings"

	"apollo/events"
	"apollo/services/cli"
)

// Study is a study as it is compared: its finished trials in order.
type Study struct {
	Study, Run, State string
	Spec              *events.Spec

	name string // unique among those compared
	// points are the objectives of each finished trial, all to be minimised; nil for one
	// that is not feasible.
	points [][]float64
	trials []int // their numbers
}

// Add adds the next finished trial, with its metrics in the study's order.
func (c *Study) Add(trial int, feasible bool, values []float64) {
	var p []float64
	if feasible {
		p = make([]float64, len(c.Spec.Objectives))
		for i, o := range c.Spec.Objectives {
			p[i] = values[c.Spec.MetricIndex(o.Metric)]
			if o.Goal == "maximize" {
				p[i] = -p[i]
			}
		}
	}
	c.points, c.trials = append(c.points, p), append(c.trials, trial)
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
