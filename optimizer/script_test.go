package optimizer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// TestScripts runs testdata/scripts. They pin the proposals themselves: a
// change there means that a study which was started before cannot be resumed,
// so rewrite them (-rewrite) only on purpose, and say so.
//
//	start NAME seed=S levels=(4,-3) [options={…}] [objectives=N]   a count below 0 is categorical
//	ask N                                           prints trial, point, origin, parents
//	tell                                            lines of TRIAL VALUE… | TRIAL infeasible [VIOLATION] | TRIAL failed
//	restart                                         rebuilds the strategy from the log
func TestScripts(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := s.run(t, d)
			if err != nil {
				return out + "error: " + err.Error() + "\n"
			}
			return out
		})
	})
}

type script struct {
	algorithm optimizer.Algorithm
	problem   optimizer.Problem
	strategy  optimizer.Strategy
	points    []space.Point // by trial
	told      map[int]bool
	log       []optimizer.Observation
}

func (s *script) run(t *testing.T, d *datadriven.TestData) (string, error) {
	switch d.Cmd {
	case "start":
		return "", s.start(t, d)
	case "restart":
		strategy, err := s.algorithm.Start(s.problem)
		if err != nil {
			return "", err
		}
		strategy.Tell(s.log...)
		s.strategy = strategy
		return fmt.Sprintf("told %d\n", len(s.log)), nil
	case "ask":
		return s.ask(d)
	case "tell":
		for line := range strings.Lines(d.Input) {
			if err := s.tell(strings.Fields(line)); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("told %d\n", len(s.log)), nil
	}
	return "", fmt.Errorf("unknown command %q", d.Cmd)
}

func (s *script) start(t *testing.T, d *datadriven.TestData) (err error) {
	*s = script{told: map[int]bool{}}
	var options string
	d.MaybeScanArgs(t, "options", &options)
	if s.algorithm, err = optimizer.New(d.CmdArgs[0].Key, []byte(options)); err != nil {
		return err
	}
	d.ScanArgs(t, "seed", &s.problem.Seed)
	d.MaybeScanArgs(t, "objectives", &s.problem.Objectives)
	var params []space.Param
	for _, arg := range d.CmdArgs {
		if arg.Key != "levels" {
			continue
		}
		for i := range arg.Vals {
			var n int
			arg.Scan(t, i, &n)
			p := space.Param{Name: fmt.Sprint("p", i)}
			for level := range max(n, -n) {
				if n > 0 {
					p.Values = append(p.Values, float64(level))
				} else {
					p.Labels = append(p.Labels, fmt.Sprint("c", level))
				}
			}
			params = append(params, p)
		}
	}
	if s.problem.Space, err = space.New(params...); err != nil {
		return err
	}
	s.strategy, err = s.algorithm.Start(s.problem)
	return err
}

func (s *script) ask(d *datadriven.TestData) (string, error) {
	var n int
	if _, err := fmt.Sscan(d.CmdArgs[0].Key, &n); err != nil {
		return "", err
	}
	var pending []space.Point
	for trial, p := range s.points {
		if !s.told[trial] {
			pending = append(pending, p)
		}
	}
	got, err := s.strategy.Ask(uint64(len(s.points)), n, pending)
	var out strings.Builder
	for _, p := range got {
		fmt.Fprintf(&out, "%d %v %s %v\n", len(s.points), p.Point, p.Origin, p.Parents)
		s.points = append(s.points, p.Point)
	}
	return out.String(), err
}

func (s *script) tell(words []string) error {
	var o optimizer.Observation
	if _, err := fmt.Sscan(words[0], &o.Trial); err != nil {
		return err
	}
	o.Point = s.points[o.Trial]
	switch words[1] {
	case "failed":
		o.Status = optimizer.Failed
	case "infeasible":
		o.Status = optimizer.Infeasible
		if len(words) > 2 {
			if _, err := fmt.Sscan(words[2], &o.Violation); err != nil {
				return err
			}
		}
	default:
		o.Values = make([]float64, len(words)-1)
		for i, word := range words[1:] {
			if _, err := fmt.Sscan(word, &o.Values[i]); err != nil {
				return err
			}
		}
	}
	s.told[o.Trial] = true
	s.log = append(s.log, o)
	s.strategy.Tell(o)
	return nil
}
