package services_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
	"apollo/services/catalog"
)

// toy is a template over a small lattice whose evaluations take a while: up to
// 40 ms of (fake) time, by design.
type toy struct {
	evaluations func(trial int) // called for every evaluation; nil does nothing
	version     string          // "" is "1"
	extras      int             // extra numbers of every answer
	skew        float64         // added to the latency: another model
	skewed      func() float64  // the same, at the moment of the evaluation; nil is 0
}

func levels(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i + 1)
	}
	return v
}

func toyTemplate(t toy) evaluator.Template {
	params := []space.Param{{Name: "x", Values: levels(16)}, {Name: "y", Values: levels(16)}, {Name: "z", Values: levels(8)}}
	return evaluator.Template{
		Name: "toy", Doc: "A lattice for tests.", Params: params, ParamDocs: []string{"a", "b", "c"},
		Baseline: []space.Value{{Num: 1}, {Num: 1}, {Num: 1}}, Backend: t,
	}
}

func toyCatalog(t toy) catalog.Catalog {
	return catalog.Catalog{
		Templates: []evaluator.Template{toyTemplate(t)},
		Network:   workload.Sized, NetworkNames: workload.Names(),
	}
}

func (t toy) Describe() evaluator.Description {
	return evaluator.Description{Name: "toy", Version: cmp.Or(t.version, "1"), Deterministic: true, Metrics: []evaluator.Metric{
		{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"},
	}}
}

func (t toy) New(task evaluator.Task) (evaluator.Evaluator, error) {
	if len(task.Params) != 3 {
		return nil, errors.New("the toy has three parameters")
	}
	return t, nil
}

func (t toy) Check(d []space.Value, dst []float64) {
	dst[0], dst[1], dst[2] = math.NaN(), d[0].Num+d[1].Num, math.NaN()
}

func (t toy) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	x, y, z := r.Design[0].Num, r.Design[1].Num, r.Design[2].Num
	select {
	case <-ctx.Done():
		return evaluator.Result{}, ctx.Err()
	case <-time.After(time.Duration(int(x*y*z)%41) * time.Millisecond):
	}
	if t.evaluations != nil {
		t.evaluations(r.Trial)
	}
	values := []float64{0, 0, 0}
	t.Check(r.Design, values)
	if int(x+3*y+z)%4 == 0 {
		values[0], values[2] = math.NaN(), math.NaN()
		return evaluator.Result{
			Outcome: evaluator.Infeasible, Values: values, Extra: t.extra(),
			Reason: &evaluator.Reason{Code: "toy", Need: 2, Have: 1, Unit: "B", Message: "it does not fit"},
		}, nil
	}
	skew := t.skew
	if t.skewed != nil {
		skew += t.skewed()
	}
	values[0] = skew + 1e-3*(1+(x-9)*(x-9)+(y-5)*(y-5)+(z-3)*(z-3))
	values[2] = 1e-6 * (x + y*z)
	return evaluator.Result{Outcome: evaluator.Measured, Values: values, Extra: t.extra()}, nil
}

// extra makes answers long.
func (t toy) extra() (out []evaluator.Extra) {
	for i := range t.extras {
		out = append(out, evaluator.Extra{Name: fmt.Sprintf("layer_%03d_latency_of_network_s", i), Value: 1.2345678e-5 * float64(i+1)})
	}
	return out
}

// toyStudy is a study document over the toy template.
func toyStudy(name string, trials int, more string) string {
	return fmt.Sprintf(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":%q},"spec":{"seed":3,
		"space":{"template":"toy"},"workload":{"networks":[{"name":"mobilenet_v2"}]},"objectives":[{"metric":"latency","goal":"minimize"}],
		"constraints":[{"metric":"area","max":"24 mm2"}],"algorithm":{"name":"evolution"},
		"budget":{"trials":%d,"batch":8,"parallelism":4}%s}}`, name, trials, more)
}
