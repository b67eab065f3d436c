package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/events"
	"apollo/services/certify"
)

func (a *app) certifyCommand() *cobra.Command {
	var sets []string
	var fresh bool
	var workers int
	c := &cobra.Command{
		Use: "certify STUDY.yaml", Short: "Prove the best design of a study",
		Long: `Prove which legal design of a study is the best: every design that passes the rules and
the constraints on free metrics is evaluated, or left out with a group of designs that a
lower bound shows to be worse. The study needs one objective and a built-in template.
The answer is the optimum, the one with the lowest index of those that tie, and how many
designs were legal, evaluated, pruned by bounds, and have the optimal value.
The proof is kept in --data: interrupted, the same command goes on where it stopped, and
"run" and "study show" then print how far a study's best design is from the optimum.`,
		Example: "  apollo certify examples/mobilenetv2-6p8.yaml\n  apollo certify examples/mobilenetv2-6p8.yaml -o json",
		Args:    exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if workers < 1 {
				return usageErrorf("--workers %d: want at least 1", workers)
			}
			doc, err := a.readStudy(args[0], sets)
			if err != nil {
				return err
			}
			return a.certify(c.Context(), doc.Spec, fresh, workers)
		},
	}
	setFlag(c, &sets)
	c.Flags().BoolVar(&fresh, "fresh", false, "prove it anew although there is a proof, or a part of one")
	c.Flags().IntVar(&workers, "workers", runtime.NumCPU(), "`number` of workers; no count depends on it")
	return c
}

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
	// Designs are in the space; Legal of them pass the free checks, and were
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
}

// prover binds a study to the evaluator of its template for a proof.
func prover(spec *events.Spec) (*certify.Problem, evaluator.Evaluator, error) {
	catalog := builtins()
	t, ok := catalog.Template(spec.Template)
	if !ok || spec.Evaluator.Name != t.Backend.Describe().Name {
		return nil, nil, fmt.Errorf("%w: only a built-in template with its own evaluator can be certified", certify.ErrNoProof)
	}
	s, err := spec.Space()
	if err != nil {
		return nil, nil, err
	}
	ev, err := catalog.Bind(spec.Template, s.Params(), spec.Networks)
	if err != nil {
		return nil, nil, err
	}
	p, err := certify.New(spec, ev, t.Backend.Describe())
	return p, ev, err
}

func (a *app) certify(ctx context.Context, spec *events.Spec, fresh bool, workers int) error {
	problem, ev, err := prover(spec)
	if errors.Is(err, certify.ErrNoProof) {
		return hinted(exitUsage, "name one objective, a built-in template and no evaluator of your own", err)
	}
	if err != nil {
		return err
	}
	key, err := problem.Key(ctx)
	if err != nil {
		return err
	}
	proof, known, err := certify.Load(a.data, key)
	if err != nil && !fresh {
		return hinted(exitError, "--fresh proves it anew", err)
	}
	if !known || fresh {
		o := spec.Objectives[0]
		proof = certify.Proof{Key: key, Study: spec.Study, Metric: o.Metric, Unit: spec.Metrics[spec.MetricIndex(o.Metric)].Unit}
	}
	if proof.Proven {
		a.say("this was proven before; --fresh proves it anew")
	} else if err := a.prove(ctx, problem, ev, spec, &proof, workers); err != nil {
		return err
	}
	return a.printProof(spec, &proof)
}

// prove runs the proof to its end, keeping how far it is.
func (a *app) prove(ctx context.Context, problem *certify.Problem, ev evaluator.Evaluator, spec *events.Spec, proof *certify.Proof, workers int) error {
	if proof.Done > 0 {
		a.say("going on with the proof after %s of %s groups", count(proof.Done), count(proof.Groups))
	}
	var saved, shown time.Time
	report := func(s certify.State) error {
		proof.State = s
		if now := time.Now(); now.Sub(saved) >= plainEvery {
			saved = now
			if err := certify.Save(a.data, proof); err != nil {
				return err
			}
		}
		a.showProof(proof, &shown)
		return nil
	}
	state, err := problem.Run(ctx, certify.Options{Workers: workers, From: proof.State, Report: report})
	a.console.clear()
	proof.State = state
	if err != nil {
		err = errors.Join(err, certify.Save(a.data, proof))
		if isInterrupted(ctx) {
			return hinted(exitInterrupted, "the same command goes on where it stopped", err)
		}
		return err
	}
	if state.Value != nil {
		proof.Design = problem.Design(state.Index)
		if proof.Metrics, err = measure(ctx, ev, spec, proof.Design); err != nil {
			return err
		}
	}
	return certify.Save(a.data, proof)
}

// measure returns all metrics of a design.
func measure(ctx context.Context, ev evaluator.Evaluator, spec *events.Spec, design map[string]any) (map[string]float64, error) {
	r, err := ev.Evaluate(ctx, evaluator.Request{Study: spec.Study, Trial: -1, Design: designOf(spec, &events.BestTrial{Design: design})})
	if err != nil {
		return nil, err
	}
	metrics := map[string]float64{}
	for i, m := range spec.Metrics {
		metrics[m.Name] = r.Values[i]
	}
	return metrics, nil
}

func (a *app) showProof(proof *certify.Proof, shown *time.Time) {
	parts := []string{
		fmt.Sprintf("%s of %s groups settled", count(proof.Done), count(proof.Groups)),
		fmt.Sprintf("%s designs legal, %s evaluated", count(proof.Legal), count(proof.Evaluated)),
	}
	if proof.Value != nil {
		parts = append(parts, "best "+quantity(*proof.Value, proof.Unit))
	}
	line := strings.Join(parts, ", ")
	switch now := time.Now(); {
	case a.quiet:
	case a.console.live:
		a.console.show(line)
	case now.Sub(*shown) >= plainEvery:
		*shown = now
		a.say("%s", line)
	}
}

func (a *app) printProof(spec *events.Spec, proof *certify.Proof) error {
	s, err := spec.Space()
	if err != nil {
		return err
	}
	value := certified{
		Study: spec.Study, Metric: proof.Metric, Unit: proof.Unit, Value: proof.Value, Design: proof.Design, Metrics: proof.Metrics,
		Designs: s.Size(), Legal: proof.Legal, Evaluated: proof.Evaluated, Pruned: proof.Pruned, Infeasible: proof.Infeasible,
		Tied: proof.Tied, Proven: proof.Proven, Seconds: round(proof.Seconds, 3), Proof: certify.Path(a.data, proof.Key),
	}
	if err := a.print(answer{value: value, text: func(w io.Writer, p paint) { proofText(w, p, spec, &value) }}); err != nil {
		return err
	}
	if value.Value == nil {
		return hinted(exitInfeasible, "loosen the constraints", fmt.Errorf("none of the %s legal designs is feasible", count(value.Legal)))
	}
	return nil
}

func proofText(w io.Writer, p paint, spec *events.Spec, v *certified) {
	if v.Value != nil {
		best := &events.BestTrial{Design: v.Design, Metrics: v.Metrics}
		fmt.Fprintf(w, "%s: %s is optimal, proven\n\n", p.bold(v.Study), bestText(spec, best))
		designGrid(spec, designOf(spec, best), nil).text(w, p)
		fmt.Fprintln(w)
		metricGrid(spec, best, baseline{}).text(w, p)
		fmt.Fprintln(w)
	}
	g := &grid{header: []string{"", ">", ""}}
	g.add("designs", count(v.Designs), "in the space")
	g.add("legal", count(v.Legal), "by the rules and the constraints on free metrics")
	g.add("evaluated", count(v.Evaluated), "one by one")
	g.add("pruned", count(v.Pruned), "in groups, by bounds")
	g.add("infeasible", count(v.Infeasible), "at least, of the legal ones")
	g.add("tied", count(v.Tied), "have the optimal value")
	g.text(w, p)
	fmt.Fprintf(w, "\ntime  %s\nproof %s\n", duration(time.Duration(v.Seconds*float64(time.Second))), v.Proof)
}
