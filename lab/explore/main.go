// Command explore counts the cells of behaviour that strategies cover, and prints the
// tables of docs/results.md#exploration. With -learn the policy learns first, on other
// templates and networks. `make explore` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/lab/stats"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// task is a template with a network.
type task struct{ template, network string }

// tasks change the template first, then the network.
func tasks() []task {
	return []task{
		{"edge", "mobilenet_v2"},
		{"systolic", "mobilenet_v2"},
		{"gemmini", "mobilenet_v2"},
		{"eyeriss", "mobilenet_v2"},
		{"edge", "ppocr_v4_recognition"},
		{"systolic", "resnet50_v1"},
	}
}

// contender is a strategy with a name for tables.
type contender struct {
	name string
	optimizer.Algorithm
}

func contenders(learned *optimizer.Policy) []contender {
	return []contender{
		{"random", optimizer.Random{}},
		{"sobol", optimizer.Sobol{}},
		{"walk", optimizer.Explore{Walk: true}},
		{"explore", optimizer.Explore{}},
		{"predicted", optimizer.Explore{Policy: optimizer.PredictedPolicy()}},
		{"policy", optimizer.Explore{Policy: learned}},
	}
}

// marks are the numbers of trials after which cells are counted.
func marks() []int { return []int{100, 300, 1000} }

// bins is what a doubling of latency, area and energy is cut into; that of the strategy.
const bins = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	seeds := flag.Int("seeds", 10, "`number` of seeds")
	file := flag.String("policy", "examples/explore-policy.json", "`file` of the policy")
	learn := flag.Bool("learn", false, "let the policy learn first, and write it to its file")
	flag.Parse()
	err := run(ctx, os.Stdout, *seeds, *file, *learn)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "explore:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, seeds int, file string, learn bool) error {
	const fewest = 3
	if seeds < fewest {
		return fmt.Errorf("-seeds %d: an interval needs %d", seeds, fewest)
	}
	if learn {
		if err := learnTo(ctx, file); err != nil {
			return err
		}
	}
	policy, err := readPolicy(file)
	if err != nil {
		return err
	}
	all := contenders(policy)
	fmt.Fprint(w, "| template, network | trials |")
	for _, c := range all {
		fmt.Fprintf(w, " `%s` |", c.name)
	}
	fmt.Fprint(w, "\n|---|--:|"+strings.Repeat("--:|", len(all))+"\n")
	for _, t := range tasks() {
		p, err := newProblem(t)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", t.template, t.network, err)
		}
		covered := map[string][][]float64{}
		for _, c := range all {
			for seed := range uint64(seeds) {
				counts, _, err := p.cover(ctx, c, seed+1)
				if err != nil {
					return fmt.Errorf("%s, %s, %s: %w", t.template, t.network, c.name, err)
				}
				covered[c.name] = append(covered[c.name], counts)
			}
		}
		for i, n := range marks() {
			fmt.Fprintf(w, "| `%s`, %s | %d |", t.template, t.network, n)
			for _, c := range all {
				var values []float64
				for _, counts := range covered[c.name] {
					values = append(values, counts[i])
				}
				x := stats.MedianInterval(values)
				fmt.Fprintf(w, " %.0f [%.0f, %.0f] |", x.Value, x.Low, x.High)
			}
			fmt.Fprintln(w)
		}
	}
	return nil
}

// problem measures designs, each once.
type problem struct {
	space  space.Space
	ev     evaluator.Evaluator
	values []int // columns of the objectives
	known  map[space.Key]optimizer.Observation
}

func newProblem(t task) (*problem, error) {
	spec, ok := template.Named(t.template)
	if !ok {
		return nil, errors.New("there is no such template")
	}
	w, err := workload.Builtin(t.network)
	if err != nil {
		return nil, err
	}
	tm := spec.Template()
	p := &problem{known: map[space.Key]optimizer.Observation{}}
	if p.space, err = space.New(tm.Params...); err != nil {
		return nil, err
	}
	d := tm.Backend.Describe()
	for _, name := range []string{"latency_s", "area_mm2", "energy_j"} {
		p.values = append(p.values, slices.IndexFunc(d.Metrics, func(m evaluator.Metric) bool { return m.Name == name }))
	}
	p.ev, err = tm.Backend.New(evaluator.Task{Params: tm.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	return p, err
}

// measure says what a design does: its objectives, or why it does not run.
func (p *problem) measure(ctx context.Context, at space.Point, trial int) (optimizer.Observation, error) {
	key := p.space.Key(at)
	o, ok := p.known[key]
	if !ok {
		r, err := p.ev.Evaluate(ctx, evaluator.Request{Design: p.space.Values(at)})
		if err != nil {
			return o, err
		}
		o = optimizer.Observation{Point: at.Clone(), Status: optimizer.Infeasible}
		if r.Outcome == evaluator.Measured {
			o.Status = optimizer.Measured
			for _, i := range p.values {
				o.Values = append(o.Values, r.Values[i])
			}
		} else if r.Reason != nil {
			o.Cause = r.Reason.Code
		}
		p.known[key] = o
	}
	o.Trial = trial
	return o, nil
}

// cover counts the cells that a search has covered at each mark, and returns its trials.
func (p *problem) cover(ctx context.Context, c contender, seed uint64) (counts []float64, log []optimizer.Observation, err error) {
	s, err := c.Start(optimizer.Problem{Space: p.space, Seed: seed, Objectives: len(p.values)})
	if err != nil {
		return nil, nil, err
	}
	cells := map[string]bool{}
	for trial := range slices.Max(marks()) {
		got, err := s.Ask(uint64(trial), 1, nil)
		if errors.Is(err, optimizer.ErrExhausted) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		o, err := p.measure(ctx, got[0].Point, trial)
		if err != nil {
			return nil, nil, err
		}
		s.Tell(o)
		log = append(log, o)
		if cell := optimizer.CellOf(o, bins); cell != "" {
			cells[cell] = true
		}
		if slices.Contains(marks(), trial+1) {
			counts = append(counts, float64(len(cells)))
		}
	}
	for len(counts) < len(marks()) { // the space has fewer designs
		counts = append(counts, math.NaN())
	}
	return counts, log, nil
}
