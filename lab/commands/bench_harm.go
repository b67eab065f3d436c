package commands

import (
	"fmt"
	"math"
	"strings"

	"apollo/lab/bench"
	"apollo/services/cli"
)

// mostHarm is by how much sources may make the best value worse, as
// docs/transfer.md promises.
const mostHarm = 0.05

// harmGrid says for each algorithm and number of trials on how many tasks sources
// may have done more harm than promised: where the upper end of the change's
// interval is above it. Nil where nothing is compared with itself without sources.
func harmGrid(r *bench.Report, l *bench.LaneReport) *cli.Grid {
	if !strings.HasSuffix(r.Reference, "-alone") || len(l.Tasks) == 0 {
		return nil
	}
	g := &cli.Grid{Header: []string{"ALGORITHM", ">TRIALS", ">TASKS", ">WORSE", ">MAY BE", ">LARGEST UPPER END", "TASK"}}
	for _, a := range l.Algorithms {
		if a.Algorithm == r.Reference {
			continue
		}
		for m := range a.Marks {
			h := harmOf(l, a.Algorithm, m)
			g.Add(a.Algorithm, cli.Count(a.Marks[m].Trials), cli.Count(h.tasks), cli.Count(h.worse), cli.Count(h.perhaps), h.text(), h.task)
		}
	}
	if len(g.Rows) == 0 {
		return nil
	}
	return g
}

// harm is what sources did at one number of trials.
type harm struct {
	tasks, worse, perhaps int
	// high is the largest upper end, of task.
	high float64
	task string
}

func harmOf(l *bench.LaneReport, algorithm string, mark int) harm {
	h := harm{high: math.Inf(-1)}
	for _, t := range l.Tasks {
		for _, a := range t.Algorithms {
			if a.Algorithm != algorithm || mark >= len(a.Marks) || a.Marks[mark].Change == nil {
				continue
			}
			c := a.Marks[mark].Change
			if c.Value != nil && c.Low == nil {
				continue // too few seeds for an interval
			}
			h.tasks++
			if endless(c.Low) > mostHarm {
				h.worse++
			}
			if high := endless(c.High); high > h.high {
				h.high, h.task = high, t.Task
			}
			if endless(c.High) > mostHarm {
				h.perhaps++
			}
		}
	}
	return h
}

// endless is an end of an interval; where there is none, nothing feasible was found.
func endless(v *float64) float64 {
	if v == nil {
		return math.Inf(1)
	}
	return *v
}

func (h harm) text() string {
	switch {
	case h.tasks == 0:
		return "-"
	case math.IsInf(h.high, 1):
		return "none feasible"
	}
	return fmt.Sprintf("%+.1f %%", 100*h.high)
}

func harmNote(r *bench.Report) string {
	return fmt.Sprintf("Harm: tasks on which the median best value is more than %.0f %% worse than that of %s with the whole\n"+
		"%.0f %% interval (WORSE), or with a part of it (MAY BE).", 100*mostHarm, r.Reference, 100*r.Confidence)
}
