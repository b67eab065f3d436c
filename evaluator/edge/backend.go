package edge

import (
	"context"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// Version changes with every change of the model that can change a number.
const Version = "4"

// Metrics in the order of Result.Values.
const (
	metricLatency = iota
	metricArea
	metricEnergy
	metricCount
)

// Backend evaluates designs of the template in closed form. Its zero value is
// ready for use; it is safe for concurrent use.
type Backend struct{}

// Describe implements evaluator.Backend.
func (Backend) Describe() evaluator.Description {
	return evaluator.Description{
		Name: Name, Version: Version, Deterministic: true,
		Metrics: []evaluator.Metric{
			{Name: "latency_s", Unit: "s"},
			{Name: "area_mm2", Unit: "mm2", Cheap: true},
			{Name: "energy_j", Unit: "J"},
		},
	}
}

// New implements evaluator.Backend. The task must hold the ten parameters, in
// any order and with any positive whole levels, and at least one network.
func (Backend) New(task evaluator.Task) (evaluator.Evaluator, error) { return bind(task) }

// bound is the backend for one task. Everything in it but the cache is fixed.
type bound struct {
	// position holds, for each parameter of the template, its index in a
	// request's design.
	position [paramCount]int
	params   []space.Param
	design   int // values in a design
	sizer    *sizer
	nets     []network
	weights  float64 // sum of the networks' weights
	*scratchPool
}

var (
	_ evaluator.Evaluator = (*bound)(nil)
	_ evaluator.Checker   = (*bound)(nil)
)

func bind(task evaluator.Task) (*bound, error) {
	b := &bound{params: task.Params, design: len(task.Params), sizer: newSizer(declared(), task.Params)}
	if err := b.findParams(task.Params); err != nil {
		return nil, err
	}
	if len(task.Networks) == 0 {
		return nil, fmt.Errorf("template %s: the task has no network", Name)
	}
	var shapes []shape
	for i, n := range task.Networks {
		if n.Workload == nil {
			return nil, fmt.Errorf("network %d: there is no workload", i)
		}
		if !(n.Weight > 0) || math.IsInf(n.Weight, 0) {
			return nil, fmt.Errorf("network %s: the weight is %g, want a positive number", n.Workload.Name, n.Weight)
		}
		if slices.ContainsFunc(b.nets, func(o network) bool { return o.name == n.Workload.Name }) {
			return nil, fmt.Errorf("network %s: the name is used twice", n.Workload.Name)
		}
		net, err := newNetwork(n.Workload, &shapes)
		if err != nil {
			return nil, fmt.Errorf("network %s: %w", n.Workload.Name, err)
		}
		net.weight = n.Weight
		b.nets = append(b.nets, net)
		b.weights += n.Weight
	}
	b.scratchPool = newScratchPool(shapes)
	return b, nil
}

func (b *bound) findParams(have []space.Param) error {
	for i, want := range params() {
		at := slices.IndexFunc(have, func(p space.Param) bool { return p.Name == want.Name })
		if at < 0 {
			return fmt.Errorf("template %s: the parameter %s is missing", Name, want.Name)
		}
		if have[at].Categorical() {
			return fmt.Errorf("parameter %s: has labels, want numbers", want.Name)
		}
		if have[at].Unit != want.Unit {
			return fmt.Errorf("parameter %s: the unit is %q, want %q", want.Name, have[at].Unit, want.Unit)
		}
		b.position[i] = at
	}
	for _, p := range have {
		if !slices.ContainsFunc(params(), func(q space.Param) bool { return q.Name == p.Name }) {
			return fmt.Errorf("parameter %s: the template %s has no such parameter", p.Name, Name)
		}
	}
	return nil
}

// chip reads the parameters of a design in the task's order.
func (b *bound) chip(design []space.Value) (Chip, bool) {
	var c Chip
	if len(design) != b.design {
		return c, false
	}
	for i, field := range c.fields() {
		v := &design[b.position[i]]
		n := int64(v.Num)
		if v.Label != "" || float64(n) != v.Num || n < 1 || n > maxValue {
			return c, false
		}
		*field = n
	}
	return c, true
}

// Check implements evaluator.Checker: the area. A design that is no chip has
// none.
func (b *bound) Check(design []space.Value, dst []float64) {
	for i := range dst {
		dst[i] = math.NaN()
	}
	if c, ok := b.chip(design); ok && len(dst) > metricArea {
		a := b.sizer.area(&c)
		dst[metricArea] = a.Total
	}
}

// Evaluate implements evaluator.Evaluator. A design that is no chip, which no
// space that the task accepts can hold, has failed.
func (b *bound) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	if err := ctx.Err(); err != nil {
		return evaluator.Result{}, err
	}
	values := []float64{math.NaN(), math.NaN(), math.NaN()}
	c, ok := b.chip(r.Design)
	if !ok {
		return evaluator.Result{Outcome: evaluator.Failed, Values: values, Reason: b.malformed(r.Design)}, nil
	}
	a := b.sizer.area(&c)
	values[metricArea] = a.Total
	s := b.get()
	defer b.put(s)
	if why := b.measure(&c, s); why != nil {
		return evaluator.Result{Outcome: evaluator.Infeasible, Values: values, Reason: why}, nil
	}
	values[metricLatency] = b.mean(s.totals, func(t *totals) float64 { return t.latencySeconds })
	values[metricEnergy] = b.mean(s.totals, func(t *totals) float64 { return t.energyJ })
	return evaluator.Result{Outcome: evaluator.Measured, Values: values, Extra: b.extra(s.totals)}, nil
}

func (b *bound) malformed(design []space.Value) *evaluator.Reason {
	ordered := design
	if len(design) == b.design && b.design == paramCount {
		ordered = make([]space.Value, paramCount)
		for i, at := range b.position {
			ordered[i] = design[at]
		}
	}
	why := "the design is malformed"
	if _, err := ChipOf(ordered); err != nil {
		why = err.Error()
	}
	return &evaluator.Reason{Code: "malformed_design", Message: why}
}

// mean is the weighted geometric mean over the networks; of one network it is
// the number itself, bit for bit.
func (b *bound) mean(all []totals, of func(*totals) float64) float64 {
	if len(all) == 1 {
		return of(&all[0])
	}
	var sum float64
	for i := range all {
		sum += b.nets[i].weight * math.Log(of(&all[i]))
	}
	return math.Exp(sum / b.weights)
}

// extra lists the metrics of each network when there are several.
func (b *bound) extra(all []totals) []evaluator.Extra {
	if len(all) == 1 {
		return nil
	}
	extra := make([]evaluator.Extra, 0, 2*len(all))
	for i := range all {
		extra = append(extra,
			evaluator.Extra{Name: "latency_s." + b.nets[i].name, Value: all[i].latencySeconds},
			evaluator.Extra{Name: "energy_j." + b.nets[i].name, Value: all[i].energyJ})
	}
	return extra
}

// layerName names a layer in reasons and reports.
func (b *bound) layerName(net *network, layer string) string {
	if len(b.nets) == 1 {
		return layer
	}
	return net.name + "/" + layer
}
