package bench

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"time"

	"apollo/archiver"
	"apollo/events"
)

// Trace is a finished cell as its log tells it.
type Trace struct {
	Suite, Task, Family string
	Split               Split
	Lane                Lane
	Algorithm           string
	Build               string
	// Version is the evaluator's: what another one measured has another answer.
	Version string
	Seed    uint64
	// Budget and Batch are the study's.
	Budget, Batch int
	Study, Run    string
	Accepted      time.Time
	// Goals are -1 where an objective is maximised, else 1.
	Goals []float64
	// Values holds the objectives of every trial, trial by trial, in the
	// metrics' units; NaN where the trial is not feasible.
	Values []float64
	// Answers is the true value of the study's answer after every trial, where
	// Values are noisy; NaN where there is none. It is nil for other tasks.
	Answers []float64
	// CPU is what every trial's proposal took, in seconds.
	CPU []float64
	// Feasible is the number of feasible trials.
	Feasible int
}

// Trials is the number of trials.
func (t *Trace) Trials() int { return len(t.CPU) }

// ReadTraces reads the cells in a data directory's log that wanted says yes
// to; nil wants all. Files that cannot be read are given to skipped and left
// out. Runs that are no cells of a comparison are left out too.
func ReadTraces(data string, wanted func(study, run string) bool, skipped func(error)) ([]*Trace, error) {
	var traces []*Trace
	var current *Trace
	for row, err := range archiver.Scan(os.DirFS(data), archiver.Query{AllRuns: true}) {
		if bad, ok := errors.AsType[*archiver.FileError](err); ok {
			skipped(bad)
			continue
		}
		if err != nil {
			return nil, err
		}
		if wanted != nil && !wanted(row.Study, row.Run) {
			continue
		}
		if current == nil || current.Study != row.Study || current.Run != row.Run {
			current = newTrace(&row)
			if current.Suite != "" {
				traces = append(traces, current)
			}
		}
		current.appendRow(&row)
	}
	return traces, nil
}

// newTrace is the empty trace of a row's run; Suite is "" when it is no cell.
func newTrace(row *archiver.Row) *Trace {
	t := &Trace{Study: row.Study, Run: row.Run, Accepted: row.Columns.Accepted}
	spec := row.Columns.Spec
	if spec == nil {
		return t
	}
	t.Suite, t.Task, t.Family = spec.Labels[labelSuite], spec.Labels[labelTask], spec.Labels[labelFamily]
	t.Split, t.Lane = Split(spec.Labels[labelSplit]), Lane(spec.Labels[labelLane])
	t.Algorithm, t.Build = spec.Labels[labelAlgorithm], spec.Labels[labelBuild]
	t.Version = spec.Evaluator.Version
	t.Seed, t.Budget, t.Batch = spec.Seed, spec.Budget.Trials, spec.Budget.Batch
	for _, o := range spec.Objectives {
		t.Goals = append(t.Goals, goal(o))
	}
	return t
}

// goal is the factor that makes an objective one to be minimised.
func goal(o events.Objective) float64 {
	if o.Goal == "maximize" {
		return -1
	}
	return 1
}

func (t *Trace) appendRow(row *archiver.Row) {
	if t.Suite == "" {
		return
	}
	spec := row.Columns.Spec
	for _, o := range spec.Objectives {
		v := math.NaN()
		if row.Feasible {
			v = row.Metric(o.Metric)
		}
		t.Values = append(t.Values, v)
	}
	if row.Feasible {
		t.Feasible++
	}
	var extra map[string]float64
	cpu := math.NaN()
	if json.Unmarshal([]byte(row.Extra), &extra) == nil {
		if v, ok := extra[cpuKey]; ok {
			cpu = v
		}
	}
	t.CPU = append(t.CPU, cpu)
	if v, ok := extra[answerKey]; ok {
		for len(t.Answers) < len(t.CPU)-1 {
			t.Answers = append(t.Answers, math.NaN())
		}
		t.Answers = append(t.Answers, v)
	}
}

// SameVersion returns the traces whose evaluator has the version that the tasks
// have now.
func SameVersion(tasks []*Task, traces []*Trace) []*Trace {
	now := map[string]string{}
	for _, t := range tasks {
		now[t.Name] = t.Spec.Evaluator.Version
	}
	var out []*Trace
	for _, t := range traces {
		if v, ok := now[t.Task]; ok && v == t.Version {
			out = append(out, t)
		}
	}
	return out
}

// Latest returns the newest trace of every cell, where a log holds those of
// several builds, in the order of the input.
func Latest(traces []*Trace) []*Trace {
	type key struct {
		study  string
		budget int
		batch  int
	}
	newest := map[key]*Trace{}
	keyOf := func(t *Trace) key { return key{t.Study, t.Budget, t.Batch} }
	for _, t := range traces {
		if old := newest[keyOf(t)]; old == nil || t.Accepted.After(old.Accepted) {
			newest[keyOf(t)] = t
		}
	}
	var out []*Trace
	for _, t := range traces {
		if newest[keyOf(t)] == t {
			out = append(out, t)
		}
	}
	return out
}
