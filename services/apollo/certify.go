package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/events"
	"apollo/services/certify"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/inspect"
)

func (a *app) certifyCommand() *cobra.Command {
	var sets []string
	var fresh bool
	var workers, steps int
	var sweep string
	var wall time.Duration
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "certify STUDY.yaml", Short: "Prove the best design of a study",
		Long: `Prove which legal design of a study is the best: every design that passes the rules and
the constraints on free metrics is evaluated, or left out with a group of designs that a
lower bound shows to be worse. The study needs one objective and a built-in template.
The answer is the optimum, the one with the lowest index of those that tie, and how many
designs were legal, evaluated, pruned by bounds, and have the optimal value.
The proof is kept in --data: interrupted, the same command goes on where it stopped, and
"run" and "study show" then print how far a study's best design is from the optimum.
With --wall it stops after that time and prints what no design is below, and how far above that
the best one is: a large space is bounded before it is proven, and the same command goes on.
--sweep moves the limit on a metric and proves the optimum under each in one walk: what
one more square millimetre buys, step by step. Its answer is kept in --data,
where the dashboard finds it.`,
		Example: "  apollo certify examples/mobilenetv2-6p8.yaml\n  apollo certify examples/mobilenetv2-6p8.yaml --sweep area=4..10mm2 --steps 13 -o csv\n  apollo certify examples/mobilenetv2-6p8.yaml --wall 1m\n  apollo certify examples/mobilenetv2-6p8.yaml -o json",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if workers < 1 {
				return cli.Usagef("--workers %d: want at least 1", workers)
			}
			if sweep == "" && slices.Contains(draw.Formats(), a.Output) {
				return cli.Usagef("-o %s is for --sweep: one optimum is no picture", a.Output)
			}
			if sweep == "" && c.Flags().Changed("steps") {
				return cli.Usagef("--steps is for --sweep")
			}
			if wall < 0 || wall > 0 && sweep != "" {
				return cli.Usagef("--wall %s: want a positive time, and no --sweep", wall)
			}
			doc, err := a.readStudy(args[0], sets)
			if err != nil {
				return err
			}
			if sweep != "" {
				return a.certifySweep(c.Context(), doc.Spec, sweep, steps, workers)
			}
			return a.certify(c.Context(), doc.Spec, certifyFlags{fresh, workers, wall})
		},
	}
	setFlag(c, &sets)
	c.Flags().BoolVar(&fresh, "fresh", false, "prove it anew although there is a proof, or a part of one")
	c.Flags().StringVar(&sweep, "sweep", "", "prove the optimum under each of some limits: `metric=low..high`, as in area=4..10mm2")
	_ = c.RegisterFlagCompletionFunc("sweep", a.completeLimited)
	cli.DurationVar(c.Flags(), &wall, "wall", 0, "`time` after which it stops and prints what is bounded, such as 5m; 0 for none")
	const halves = 13 // from 4 to 10 mm2 in halves
	c.Flags().IntVar(&steps, "steps", halves, "`number` of limits of a sweep, both ends among them")
	c.Flags().IntVar(&workers, "workers", runtime.NumCPU(), "`number` of workers; no count depends on it")
	return c
}

// certifyFlags say how to prove.
type certifyFlags struct {
	fresh   bool
	workers int
	wall    time.Duration // 0 for no end
}

// errWall ends a proof whose time is up.
var errWall = errors.New("the time of the proof is up")

// certified is the answer of `certify -o json`.
type certified struct {
	Study  string `json:"study"`
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	// Value is the optimum in Unit; null when no legal design is feasible, and
	// so are Design and Metrics.
	Value   *float64           `json:"value"`
	Design  map[string]any     `json:"design"`
	Metrics map[string]float64 `json:"metrics"`
	// Bound is what no design is below; Above is how far the value is above it, relative
	// to it. Null where nothing is bounded: an objective that is maximised.
	Bound *float64 `json:"bound"`
	Above *float64 `json:"above_bound"`
	// Designs are in the space, each counted once; Legal of them pass the free checks, and were
	// Evaluated or Pruned. Infeasible is how many of those are known to be.
	Designs    uint64 `json:"designs"`
	Legal      uint64 `json:"legal"`
	Evaluated  uint64 `json:"evaluated"`
	Pruned     uint64 `json:"pruned"`
	Infeasible uint64 `json:"infeasible"`
	// Tied designs have the optimal value, the one printed among them.
	Tied    uint64  `json:"tied"`
	Proven  bool    `json:"proven"`
	Seconds float64 `json:"seconds"`
	Proof   string  `json:"proof"`
	// Spec is the study, so that what reads the answer needs nothing else.
	Spec *events.Spec `json:"spec"`
}

// proofHint says what a study needs for a proof.
const proofHint = "name one objective, a built-in template and no evaluator of your own, and restrict a large space"

// prover binds a study to the evaluator of its template for a proof.
func prover(spec *events.Spec) (*certify.Problem, evaluator.Evaluator, error) {
	catalog := inspect.Builtins()
	t, ok := catalog.TemplateOf(spec)
	if !ok || spec.Evaluator.Name != t.Backend.Describe().Name {
		return nil, nil, fmt.Errorf("%w: only a built-in template with its own evaluator can be certified", certify.ErrNoProof)
	}
	s, err := spec.Space()
	if err != nil {
		return nil, nil, err
	}
	ev, err := catalog.Bind(spec, s.Params())
	if err != nil {
		return nil, nil, err
	}
	d := t.Backend.Describe()
	task, err := catalog.Task(s.Params(), spec.Networks, spec.Search, "", spec.Measured())
	if err != nil {
		return nil, nil, err
	}
	d.Metrics = d.For(task)
	p, err := certify.New(spec, ev, d)
	return p, ev, err
}

func (a *app) certify(ctx context.Context, spec *events.Spec, flags certifyFlags) error {
	problem, ev, err := prover(spec)
	if errors.Is(err, certify.ErrNoProof) {
		return cli.Hinted(cli.ExitUsage, proofHint, err)
	}
	if err != nil {
		return err
	}
	key, err := problem.Key(ctx)
	if err != nil {
		return err
	}
	proof, known, err := certify.Load(a.Data, key)
	if err != nil && !flags.fresh {
		return cli.Hinted(cli.ExitError, "--fresh proves it anew", err)
	}
	if !known || flags.fresh {
		o := spec.Objectives[0]
		proof = certify.Proof{Key: key, Study: spec.Study, Metric: o.Metric, Unit: spec.Metrics[spec.MetricIndex(o.Metric)].Unit}
	}
	if proof.Proven {
		a.Say("this was proven before; --fresh proves it anew")
	} else if err := a.prove(ctx, problem, ev, spec, &proof, flags); err != nil {
		return err
	}
	return a.printProof(spec, &proof)
}

// prove runs the proof to its end, keeping how far it is.
func (a *app) prove(ctx context.Context, problem *certify.Problem, ev evaluator.Evaluator, spec *events.Spec, proof *certify.Proof, flags certifyFlags) error {
	if proof.Done > 0 {
		a.Say("going on with the proof after %s of %s groups", cli.Count(proof.Done), cli.Count(proof.Groups))
	}
	var saved, shown time.Time
	report := func(s certify.State) error {
		proof.State = s
		if now := time.Now(); now.Sub(saved) >= cli.PlainEvery {
			saved = now
			if err := certify.Save(a.Data, proof); err != nil {
				return err
			}
		}
		a.showProof(proof, &shown)
		return nil
	}
	if flags.wall > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, flags.wall, errWall)
		defer stop()
	}
	state, err := problem.Run(ctx, certify.Options{Workers: flags.workers, From: proof.State, Report: report})
	a.Console.Clear()
	proof.State = state
	if errors.Is(err, errWall) {
		err = nil
		ctx = context.WithoutCancel(ctx) // to measure the best design
	}
	if err != nil {
		err = errors.Join(err, certify.Save(a.Data, proof))
		if cli.IsInterrupted(ctx) {
			return cli.Hinted(cli.ExitInterrupted, "the same command goes on where it stopped", err)
		}
		return err
	}
	if state.Value != nil {
		proof.Design = problem.Design(state.Index)
		if proof.Metrics, err = measure(ctx, ev, spec, proof.Design); err != nil {
			return err
		}
	}
	return certify.Save(a.Data, proof)
}

// measure returns all metrics of a design.
func measure(ctx context.Context, ev evaluator.Evaluator, spec *events.Spec, design map[string]any) (map[string]float64, error) {
	r, err := ev.Evaluate(ctx, evaluator.Request{Study: spec.Study, Trial: -1, Design: inspect.DesignOf(spec, design)})
	if err != nil {
		return nil, err
	}
	derive, err := events.NewDeriver(spec.Metrics)
	if err != nil {
		return nil, err
	}
	row, metrics := derive.Row(r.Values), map[string]float64{}
	for i, m := range spec.Metrics {
		metrics[m.Name] = row[i]
	}
	return metrics, nil
}

func (a *app) showProof(proof *certify.Proof, shown *time.Time) {
	parts := []string{
		fmt.Sprintf("%s of %s groups settled", cli.Count(proof.Done), cli.Count(proof.Groups)),
		fmt.Sprintf("%s designs legal, %s evaluated", cli.Count(proof.Legal), cli.Count(proof.Evaluated)),
	}
	if proof.Value != nil {
		parts = append(parts, "best "+cli.Quantity(*proof.Value, proof.Unit))
	}
	a.showGroups(strings.Join(parts, ", "), shown)
}

// showGroups says how far a proof is: at once on a terminal, else now and then.
func (a *app) showGroups(line string, shown *time.Time) {
	switch now := time.Now(); {
	case a.Quiet:
	case a.Console.Live:
		a.Console.Show(line)
	case now.Sub(*shown) >= cli.PlainEvery:
		*shown = now
		a.Say("%s", line)
	}
}

func (a *app) printProof(spec *events.Spec, proof *certify.Proof) error {
	designs, err := events.Designs(spec.Parameters)
	if err != nil {
		return err
	}
	value := certified{
		Study: spec.Study, Metric: proof.Metric, Unit: proof.Unit, Value: proof.Value, Design: proof.Design, Metrics: proof.Metrics,
		Bound: proof.Bound, Designs: designs, Legal: proof.Legal, Evaluated: proof.Evaluated, Pruned: proof.Pruned, Infeasible: proof.Infeasible,
		Tied: proof.Tied, Proven: proof.Proven, Seconds: cli.Round(proof.Seconds, 3), Proof: certify.Path(a.Data, proof.Key), Spec: spec,
	}
	if value.Bound != nil && value.Value != nil && *value.Bound > 0 {
		value.Above = new(*value.Value / *value.Bound - 1)
	}
	var best *events.BestTrial
	if value.Value != nil {
		best = &events.BestTrial{Design: value.Design, Metrics: value.Metrics}
	}
	if err := a.Print(cli.Answer{Value: value, Sheet: proofSheet(spec, best), Text: func(w io.Writer, p cli.Paint) { proofText(w, p, spec, &value) }}); err != nil {
		return err
	}
	if value.Value == nil && value.Proven {
		return cli.Hinted(cli.ExitInfeasible, "loosen the constraints", fmt.Errorf("none of the %s legal designs is feasible", cli.Count(value.Legal)))
	}
	return nil
}

// proofSheet is the optimum as a row: no trial of any study.
func proofSheet(spec *events.Spec, best *events.BestTrial) *cli.Grid {
	g := answerSheet(spec, nil, best)
	g.Header = g.Header[1:]
	for i := range g.Rows {
		g.Rows[i] = g.Rows[i][1:]
	}
	return g
}

func proofText(w io.Writer, p cli.Paint, spec *events.Spec, v *certified) {
	if v.Value != nil {
		best := &events.BestTrial{Design: v.Design, Metrics: v.Metrics}
		how := "is optimal, proven"
		if !v.Proven {
			how = "is the best so far"
		}
		fmt.Fprintf(w, "%s: %s %s%s\n\n", p.Bold(v.Study), bestText(spec, best), how, boundText(v))
		designGrid(spec, inspect.DesignOf(spec, best.Design), nil).Text(w, p)
		fmt.Fprintln(w)
		metricGrid(spec, best, inspect.Baseline{}).Text(w, p)
		fmt.Fprintln(w)
	}
	if v.Value == nil && !v.Proven {
		fmt.Fprintf(w, "%s: no feasible design was seen%s\n\n", p.Bold(v.Study), boundText(v))
	}
	g := &cli.Grid{Header: []string{"", ">", ""}}
	g.Add("designs", cli.Count(v.Designs), "in the space")
	g.Add("legal", cli.Count(v.Legal), "by the rules and the constraints on free metrics")
	g.Add("evaluated", cli.Count(v.Evaluated), "one by one")
	g.Add("pruned", cli.Count(v.Pruned), "in groups, by bounds")
	g.Add("infeasible", cli.Count(v.Infeasible), "at least, of the legal ones")
	tied := "have the optimal value"
	if !v.Proven {
		tied = "have the best value so far"
	}
	g.Add("tied", cli.Count(v.Tied), tied)
	g.Text(w, p)
	fmt.Fprintf(w, "\ntime  %s\nproof %s\n", cli.Duration(time.Duration(v.Seconds*float64(time.Second))), v.Proof)
}

// boundText says what is known of an optimum that is not proven.
func boundText(v *certified) string {
	switch {
	case v.Proven:
		return ""
	case v.Bound == nil:
		return "; no bound is known yet"
	case v.Above == nil:
		return "; no design is below " + cli.Quantity(*v.Bound, v.Unit)
	}
	return fmt.Sprintf("; no design is below %s, so it is at most %s above the optimum", cli.Quantity(*v.Bound, v.Unit), cli.Percent(*v.Above))
}
