package events

import (
	"fmt"
	"slices"
)

// specRange is a number of a specification and its limits.
type specRange struct {
	what          string
	value, lo, hi int
}

// CheckSpec applies the limits of a study document to a specification that a log
// holds. The proposer writes it from a document that kept them; a log on a shared
// server may hold what somebody else wrote. files says that it may name files and
// programs of the proposer's machine.
func CheckSpec(s *Spec, files bool) error {
	if !IsName(s.Study) || !IsName(s.Evaluator.Name) {
		return fmt.Errorf("%w: study %.63q and evaluator %.63q must be DNS labels", ErrMalformed, s.Study, s.Evaluator.Name)
	}
	ranges := []specRange{
		{"trials", s.Budget.Trials, 1, MaxTrials},
		{"designs in a batch", s.Budget.Batch, 1, MaxBatch},
		{"batches in flight", s.Budget.Parallelism, 1, MaxParallelism},
		{"batches of lag", s.Budget.Lag, 0, MaxLag},
		{"attempts", s.Evaluator.Attempts, 0, MaxAttempts},
		{"parameters", len(s.Parameters), 1, MaxParameters},
		{"rules", len(s.Rules), 0, MaxRules},
		{"networks", len(s.Networks), 0, MaxNetworks},
		{"metrics", len(s.Metrics), 1, MaxMetrics},
		{"objectives", len(s.Objectives), 1, MaxObjectives},
		{"constraints", len(s.Constraints), 0, MaxConstraints},
		{"designs to start with", len(s.Start), 0, MaxStart},
		{"labels", len(s.Labels), 0, MaxLabels},
		{"receivers of notices", len(s.Notify), 0, MaxNotify},
	}
	if n := s.Evaluator.Noise; n != nil {
		ranges = append(ranges, specRange{"repeats", n.Repeats, 0, MaxRepeats})
	}
	if e := s.EarlyStop; e != nil {
		ranges = append(ranges, specRange{"finished trials before one is stopped", e.After, 1, MaxTrials})
		measured := slices.ContainsFunc(s.Measured(), func(m Metric) bool { return m.Name == e.Metric })
		objective := len(s.Objectives) == 1 && s.Objectives[0].Metric == e.Metric
		if e.Rule != RuleMedian || e.Warmup < 0 || e.Warmup > MaxWarmup || !measured || !objective {
			return fmt.Errorf("%w: trials are stopped early by the rule %.63q, from step %d on, for %.63q: want %s, a step from 0 on and the one objective, which is measured", ErrMalformed, e.Rule, e.Warmup, e.Metric, RuleMedian)
		}
	}
	if err := s.checkFidelity(); err != nil {
		return err
	}
	if f := s.Fork; f != nil {
		ranges = append(ranges, specRange{"shared trials", f.Trials, 1, s.Budget.Trials})
		if !IsName(f.Study) || !IsRun(f.Run) {
			return fmt.Errorf("%w: the fork is of study %.63q, run %.63q: want a DNS label and 8 hex digits", ErrMalformed, f.Study, f.Run)
		}
	}
	if t := s.Transfer; t != nil {
		ranges = append(ranges, specRange{"sources", len(t.Sources), 0, MaxSources}, specRange{"seed trials", t.Seeds, 0, MaxSeeds})
	}
	for _, p := range s.Parameters {
		ranges = append(ranges, specRange{"levels of " + Cut(p.Name, MaxCodeBytes), max(len(p.Values), len(p.Labels)), 1, MaxLevels})
	}
	for _, r := range ranges {
		if r.value < r.lo || r.value > r.hi {
			return fmt.Errorf("%w: %d %s, %d to %d are allowed", ErrMalformed, r.value, r.what, r.lo, r.hi)
		}
	}
	for i := range s.Notify {
		if err := s.Notify[i].check(); err != nil {
			return fmt.Errorf("%w: receiver %d of notices: %w", ErrMalformed, i, err)
		}
	}
	for _, t := range []struct {
		what string
		s    float64
		most float64
	}{
		{"time-out", s.Evaluator.TimeoutSeconds, MaxTimeoutSeconds},
		{"budget of wall time", s.Budget.WallSeconds, MaxBudgetSeconds},
		{"budget of evaluators", s.Budget.EvaluatorSeconds, MaxBudgetSeconds},
	} {
		if !(t.s >= 0 && t.s <= t.most) {
			return fmt.Errorf("%w: a %s of %v s, 0 to %v are allowed", ErrMalformed, t.what, t.s, t.most)
		}
	}
	if s.Transfer == nil || files {
		return nil
	}
	for i := range s.Transfer.Sources {
		if src := &s.Transfer.Sources[i]; src.Parquet != "" || src.Exec != "" {
			return fmt.Errorf("%w: source %d names a file or program of this machine, which only `apollo run` on it may do", ErrMalformed, i)
		}
	}
	return nil
}
