package commands

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/certify"
	"apollo/services/cli"
)

// landscapeBudgets are the area limits of the paper's studies, in mm²
// (arXiv 2102.01723, Section 4).
func landscapeBudgets() []float64 { return []float64{4.8, 5.8, 6.8} }

// landscapeNames are the templates that say what a landscape needs.
func landscapeNames() []string {
	var names []string
	for _, x := range template.All() {
		if x.HasLandscape() {
			names = append(names, x.Name)
		}
	}
	return names
}

func landscapeOf(name string) (*frame.Spec, error) {
	x, ok := template.Named(name)
	switch {
	case !ok:
		return nil, cli.Hinted(cli.ExitNotFound, "--landscape takes: "+strings.Join(landscapeNames(), ", "), fmt.Errorf("no template is called %q", name))
	case !x.HasLandscape():
		return nil, cli.Usagef("template %s has no target networks to draw a landscape for: want %s", name, strings.Join(landscapeNames(), ", "))
	}
	return x, nil
}

// landscapeReport is what the space of a template looks like for the networks
// that it is searched for.
type landscapeReport struct {
	Template string          `json:"template"`
	Version  string          `json:"version"`
	Draws    int             `json:"draws"`
	Networks []networkDraws  `json:"networks"`
	Optima   []networkBest   `json:"optima"`
	Levels   []levelUse      `json:"levels"`
	Regret   []networkRegret `json:"regret"`

	params []space.Param
}

// networkDraws describes uniform draws without an area limit; latencies are
// over the feasible ones.
type networkDraws struct {
	Network     string            `json:"network"`
	Infeasible  float64           `json:"infeasible_share"`
	MinSeconds  float64           `json:"min_s"`
	MeanSeconds float64           `json:"mean_s"`
	MaxSeconds  float64           `json:"max_s"`
	Rejections  []frame.Rejection `json:"rejections"`
}

// networkBest is the proven optimum of one network within an area.
type networkBest struct {
	Network        string         `json:"network"`
	MaxAreaMM2     float64        `json:"max_area_mm2"`
	LatencySeconds float64        `json:"latency_s"`
	Design         map[string]any `json:"design"`
	Tied           uint64         `json:"tied"`
	Legal          uint64         `json:"legal"`
	Evaluated      uint64         `json:"evaluated"`
	Seconds        float64        `json:"seconds"`
}

// levelUse counts the optima that have a level.
type levelUse struct {
	Parameter string  `json:"parameter"`
	Unit      string  `json:"unit,omitempty"`
	Value     float64 `json:"value"`
	Optima    int     `json:"optima"`
}

// networkRegret is how much slower than its own optimum a network is on the
// optimum of another, by network in the order of the report; null where it
// cannot run there, by the rule in Broken.
type networkRegret struct {
	OptimumOf  string     `json:"optimum_of"`
	MaxAreaMM2 float64    `json:"max_area_mm2"`
	Regret     []*float64 `json:"regret"`
	Broken     []string   `json:"broken"`
}

// landscape measures the space of a template: uniform draws, the proven optima,
// and what they have in common.
func (a *Lab) landscape(ctx context.Context, x *frame.Spec, draws int) (*landscapeReport, error) {
	t := x.Template()
	r := &landscapeReport{Template: x.Name, Version: x.Version, Draws: draws, params: t.Params}
	evs := make([]evaluator.Evaluator, 0, len(x.Targets))
	for _, name := range x.Targets {
		w, err := workload.Builtin(name)
		if err != nil {
			return nil, err
		}
		l, err := x.Landscape(w, draws, 1)
		if err != nil {
			return nil, err
		}
		r.Networks = append(r.Networks, networkDraws{
			Network: name, Infeasible: float64(l.Infeasible) / float64(l.Draws), Rejections: l.Rejections,
			MinSeconds: l.MinSeconds, MeanSeconds: l.MeanSeconds, MaxSeconds: l.MaxSeconds,
		})
		ev, err := t.Backend.New(evaluator.Task{Params: t.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
		if err != nil {
			return nil, err
		}
		evs = append(evs, ev)
	}
	for _, area := range landscapeBudgets() {
		for i, name := range x.Targets {
			a.Say("proving the optimum of %s within %g mm2", name, area)
			best, err := optimumOf(ctx, &t, evs[i], name, area)
			if err != nil {
				return nil, fmt.Errorf("%s within %g mm2: %w", name, area, err)
			}
			r.Optima = append(r.Optima, best)
			regret := networkRegret{OptimumOf: name, MaxAreaMM2: area}
			for _, ev := range evs {
				latency, broken, err := latencyOf(ctx, &t, ev, best.Design)
				if err != nil {
					return nil, err
				}
				regret.Regret, regret.Broken = append(regret.Regret, latency), append(regret.Broken, broken)
			}
			r.Regret = append(r.Regret, regret)
		}
	}
	r.relate()
	r.Levels = levelsOf(t.Params, r.Optima)
	return r, nil
}

// optimumOf proves the optimum of one network within an area.
func optimumOf(ctx context.Context, t *evaluator.Template, ev evaluator.Evaluator, network string, area float64) (networkBest, error) {
	desc := t.Backend.Describe()
	spec := &events.Spec{
		Study: "landscape", Template: t.Name,
		Objectives:  []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		Constraints: []events.Constraint{{Metric: "area_mm2", Max: new(area)}},
	}
	for _, p := range t.Params {
		spec.Parameters = append(spec.Parameters, events.Parameter{Name: p.Name, Unit: p.Unit, Values: p.Values})
	}
	for _, m := range desc.Of(nil) {
		spec.Metrics = append(spec.Metrics, events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
	problem, err := certify.New(spec, ev, desc)
	if err != nil {
		return networkBest{}, err
	}
	state, err := problem.Run(ctx, certify.Options{Workers: runtime.NumCPU()})
	if err != nil {
		return networkBest{}, err
	}
	if state.Value == nil {
		return networkBest{}, fmt.Errorf("none of the %d legal designs is feasible", state.Legal)
	}
	return networkBest{
		Network: network, MaxAreaMM2: area, LatencySeconds: *state.Value, Design: problem.Design(state.Index),
		Tied: state.Tied, Legal: state.Legal, Evaluated: state.Evaluated, Seconds: cli.Round(state.Seconds, 3),
	}, nil
}

// latencyOf measures a design; the latency is nil when it is infeasible, by the
// rule named.
func latencyOf(ctx context.Context, t *evaluator.Template, ev evaluator.Evaluator, design map[string]any) (latency *float64, broken string, err error) {
	values := make([]space.Value, len(t.Params))
	for i, p := range t.Params {
		values[i].Num, _ = design[p.Name].(float64) // the template has no labels
	}
	result, err := ev.Evaluate(ctx, evaluator.Request{Study: "landscape", Trial: -1, Design: values})
	if err != nil {
		return nil, "", err
	}
	if result.Outcome != evaluator.Measured {
		return nil, result.Reason.Code, nil
	}
	at := slices.IndexFunc(t.Backend.Describe().Metrics, func(m evaluator.Metric) bool { return m.Name == "latency_s" })
	return &result.Values[at], "", nil
}

// relate turns the latencies in Regret into regrets.
func (r *landscapeReport) relate() {
	for i := range r.Regret {
		first := i - i%len(r.Networks) // the optima of this area
		for j, latency := range r.Regret[i].Regret {
			if latency != nil {
				*latency = *latency/r.Optima[first+j].LatencySeconds - 1
			}
		}
	}
}

// levelsOf counts the optima that have each level of each parameter.
func levelsOf(params []space.Param, optima []networkBest) []levelUse {
	var out []levelUse
	for _, p := range params {
		for _, v := range p.Values {
			use := levelUse{Parameter: p.Name, Unit: p.Unit, Value: v}
			for i := range optima {
				if optima[i].Design[p.Name] == v {
					use.Optima++
				}
			}
			out = append(out, use)
		}
	}
	return out
}

// areaText is an area limit as people write it.
func areaText(mm2 float64) string { return strconv.FormatFloat(mm2, 'g', -1, 64) + " mm2" }
