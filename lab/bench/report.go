package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/lab/stats"
)

// Report is what a comparison found. Regrets are relative: 0.1 is 10 % above
// the known answer. Numbers that do not exist are null: a regret before the
// first feasible design, an interval from fewer than three seeds.
type Report struct {
	Suite string `json:"suite"`
	// Split is the split of all tasks, or "mixed".
	Split string `json:"split"`
	// Defaults says on which tasks the product's defaults were chosen.
	Defaults string   `json:"defaults"`
	Trials   int      `json:"trials"`
	Batch    int      `json:"batch"`
	Seeds    []uint64 `json:"seeds"`
	// Reference is the algorithm that others are measured against.
	Reference string `json:"reference"`
	// Resamples is the number of bootstrap resamples behind the intervals, at
	// the level Confidence.
	Resamples  int     `json:"resamples"`
	Confidence float64 `json:"confidence"`
	// Builds are the builds of the binary whose cells these are.
	Builds []string     `json:"builds"`
	Lanes  []LaneReport `json:"lanes"`
	// Twins are pairs of a task and one to learn from that were left out.
	Twins []Twin `json:"twins,omitempty"`
	// Failures are cells without a result, which count nowhere.
	Failures []FailureReport `json:"failures,omitempty"`
}

// LaneReport is the comparison in one lane.
type LaneReport struct {
	Lane       Lane              `json:"lane"`
	Tasks      []TaskReport      `json:"tasks"`
	Algorithms []AlgorithmReport `json:"algorithms"`
	// Pairs compare every algorithm with every other.
	Pairs []PairReport `json:"pairs"`
}

// TaskReport says what is known of a task, and how each algorithm did on it.
type TaskReport struct {
	Task   string `json:"task"`
	Family string `json:"family"`
	Split  Split  `json:"split"`
	// Best is the known answer in Unit (one objective); Volume is the known
	// hypervolume (several).
	Best   *float64 `json:"best,omitempty"`
	Metric string   `json:"metric,omitempty"`
	Unit   string   `json:"unit,omitempty"`
	Volume *float64 `json:"volume,omitempty"`
	Proven bool     `json:"proven"`
	Source string   `json:"source"`
	// Baseline is the objective of the baseline design, whether it keeps the
	// constraints or not; null where it cannot run, or there is none.
	Baseline *float64 `json:"baseline,omitempty"`
	// BaselineFeasible says that it keeps them.
	BaselineFeasible bool         `json:"baseline_feasible"`
	Algorithms       []TaskResult `json:"algorithms"`
}

// TaskResult is an algorithm on one task.
type TaskResult struct {
	Algorithm string `json:"algorithm"`
	Cells     int    `json:"cells"`
	// Regret is the median over the seeds after each trial.
	Regret        []*float64 `json:"regret"`
	FeasibleShare float64    `json:"feasible_share"`
	// CPUSeconds is the median CPU time of a suggestion.
	CPUSeconds *float64 `json:"cpu_s"`
	// Marks, LogEfficiency, Censored and WinRate are as in AlgorithmReport.
	Marks         []Mark  `json:"marks,omitempty"`
	LogEfficiency *Figure `json:"log_efficiency,omitempty"`
	Censored      bool    `json:"log_efficiency_censored,omitempty"`
	WinRate       *Figure `json:"win_rate,omitempty"`
	// Reaches is the number of trials after which the median regret is what the
	// reference's is at its end; null when it never is.
	Reaches *float64 `json:"trials_to_reach_reference,omitempty"`
}

// Figure is a number with its bootstrap interval.
type Figure struct {
	Value *float64 `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

// AlgorithmReport is an algorithm over all tasks of a lane.
type AlgorithmReport struct {
	Algorithm string `json:"algorithm"`
	Cells     int    `json:"cells"`
	// Missing cells failed or are not in the log. An algorithm that misses some
	// is not scored: Marks, Within, LogEfficiency and WinRate are empty.
	Missing int  `json:"missing,omitempty"`
	Scored  bool `json:"scored"`
	// Regret is the median over all cells after each trial, Quartile1 and
	// Quartile3 are the band around it.
	Regret    []*float64 `json:"regret"`
	Quartile1 []*float64 `json:"quartile1"`
	Quartile3 []*float64 `json:"quartile3"`
	// Marks are regret and mean rank after some numbers of trials.
	Marks []Mark `json:"marks,omitempty"`
	// Within says how many cells came how close.
	Within []Within `json:"within,omitempty"`
	// LogEfficiency and WinRate are against the reference; null for itself.
	LogEfficiency *Figure `json:"log_efficiency,omitempty"`
	// Censored says that LogEfficiency is at most its value.
	Censored      bool    `json:"log_efficiency_censored,omitempty"`
	WinRate       *Figure `json:"win_rate,omitempty"`
	FeasibleShare float64 `json:"feasible_share"`
	CPU           CPU     `json:"cpu"`
}

// Mark is how an algorithm does after a number of trials.
type Mark struct {
	Trials int    `json:"trials"`
	Regret Figure `json:"regret"`
	Rank   Figure `json:"rank"`
	// Change is how much worse the median best design is than the reference's,
	// relative to that one's value; of several tasks the median. Seeds are paired.
	// Negative where it is better. Null for the reference itself.
	Change *Figure `json:"change,omitempty"`
}

// Within is the share of cells that came within a regret.
type Within struct {
	Regret float64 `json:"regret"`
	Share  Figure  `json:"share"`
	// Trials is the median number of trials that it took; null where fewer
	// than half of the cells came so far.
	Trials *float64 `json:"trials"`
	// Profile is the share of cells that had come within after each trial.
	Profile []float64 `json:"profile"`
}

// CPU is the CPU time of suggestions, in seconds: ask and tell, with what a
// peer's own process used.
type CPU struct {
	Median *float64 `json:"median_s"`
	P95    *float64 `json:"p95_s"`
	// At are medians around the 100th, 1,000th and 5,000th trial.
	At []CPUAt `json:"at,omitempty"`
}

// CPUAt is the median CPU time of the tenth of the suggestions that ends at a
// trial.
type CPUAt struct {
	Trials int     `json:"trials"`
	Median float64 `json:"median_s"`
}

// PairReport compares two algorithms.
type PairReport struct {
	Algorithm     string `json:"algorithm"`
	Against       string `json:"against"`
	LogEfficiency Figure `json:"log_efficiency"`
	Censored      bool   `json:"log_efficiency_censored,omitempty"`
	WinRate       Figure `json:"win_rate"`
}

// FailureReport is a cell without a result.
type FailureReport struct {
	Task      string `json:"task"`
	Lane      Lane   `json:"lane"`
	Algorithm string `json:"algorithm"`
	Seed      uint64 `json:"seed"`
	Timeout   bool   `json:"timeout"`
	Error     string `json:"error"`
}

// Options say what a report is to hold.
type Options struct {
	// Reference is the algorithm that others are measured against.
	Reference string
	// Order lists algorithms in the order of the tables; others follow.
	Order []string
	// Resamples is the number of bootstrap resamples.
	Resamples int
	// Marks are the numbers of trials to report; nil means 10, 20, 50, 100, and
	// so on.
	Marks []int
	// Twins are the pairs that were left out.
	Twins []Twin
	// Asking is called before the answer of a task is looked up, which takes a
	// while where it must be proven first; nil for nothing.
	Asking func(task string)
}

// marks and tolerances are those of every report (see docs/benchmarks.md).
func marks(trials int, chosen []int) []int {
	var out []int
	if chosen == nil {
		chosen = []int{10, 20, 50, 100, 200, 500, 1000, 2000, 5000}
	}
	for _, n := range chosen {
		if n < trials {
			out = append(out, n)
		}
	}
	return append(out, trials)
}

func tolerances() []float64 { return []float64{0.10, 0.03, 0.01} }

const defaultsNote = "the product's defaults were chosen on tasks of the development split only"

// NewReport computes a report of traces of one suite and budget. tasks are the
// suite's; those without a trace are left out. The error says whose answer is
// not known.
func NewReport(ctx context.Context, tasks []*Task, traces []*Trace, o Options) (*Report, error) {
	if len(traces) == 0 {
		return nil, fmt.Errorf("there are no finished cells to report")
	}
	first := traces[0]
	r := &Report{
		Suite: first.Suite, Trials: first.Budget, Batch: first.Batch, Reference: o.Reference, Defaults: defaultsNote,
		Resamples: o.Resamples, Confidence: stats.Confidence, Twins: o.Twins,
	}
	b := &builder{options: o, tasks: tasks, trials: first.Budget, curves: map[*Trace]stats.Curve{}, known: map[string]Known{}}
	if err := b.regrets(ctx, traces); err != nil {
		return nil, err
	}
	var lanes []Lane
	for _, t := range traces {
		if !slices.Contains(lanes, t.Lane) {
			lanes = append(lanes, t.Lane)
		}
		if !slices.Contains(r.Seeds, t.Seed) {
			r.Seeds = append(r.Seeds, t.Seed)
		}
		if !slices.Contains(r.Builds, t.Build) {
			r.Builds = append(r.Builds, t.Build)
		}
		switch {
		case r.Split == "":
			r.Split = string(t.Split)
		case r.Split != string(t.Split):
			r.Split = "mixed"
		}
	}
	slices.Sort(r.Seeds)
	slices.Sort(r.Builds)
	slices.SortFunc(lanes, func(a, b Lane) int { return cmp.Compare(laneOrder(a), laneOrder(b)) })
	for _, lane := range lanes {
		l, err := b.lane(ctx, lane, traces)
		if err != nil {
			return nil, fmt.Errorf("lane %s: %w", lane, err)
		}
		r.Lanes = append(r.Lanes, *l)
	}
	return r, nil
}

func laneOrder(l Lane) int { return slices.Index([]Lane{KnownArea, AllKnown, Paper}, l) }

// number is a JSON number, or nil for what is none.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func numbers(curve stats.Curve) []*float64 {
	out := make([]*float64, len(curve))
	for i, v := range curve {
		out[i] = number(v)
	}
	return out
}

func figure(i stats.Interval) Figure {
	return Figure{number(i.Value), number(i.Low), number(i.High)}
}

// Fail adds the cells without a result.
func (r *Report) Fail(failures []Failure) {
	for _, f := range failures {
		r.Failures = append(r.Failures, FailureReport{
			Task: f.Cell.Task.Name, Lane: f.Cell.Lane, Algorithm: f.Cell.By.Label, Seed: f.Cell.Seed,
			Timeout: errors.Is(f.Err, ErrTimeout), Error: f.Err.Error(),
		})
	}
}
