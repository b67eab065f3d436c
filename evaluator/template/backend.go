package template

import (
	"context"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/lower"
	"apollo/evaluator/model"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// Version changes with every change that can change a number.
const Version = "2"

// backend evaluates a template's designs.
type backend struct{ spec Spec }

var _ evaluator.Backend = backend{}

// Metrics in the order of Result.Values.
const (
	metricLatency = iota
	metricArea
	metricEnergy
)

// Describe implements evaluator.Backend.
func (b backend) Describe() evaluator.Description {
	return evaluator.Description{
		Name: b.spec.Name, Version: Version, Deterministic: true,
		Metrics: []evaluator.Metric{
			{Name: "latency_s", Unit: "s"},
			{Name: "area_mm2", Unit: "mm2", Cheap: true},
			{Name: "energy_j", Unit: "J"},
		},
	}
}

// shape is what the cost of a layer depends on.
type shape struct {
	p          model.Problem
	vector     bool
	ops, bytes int64 // of a layer without multiplications: elements computed, bytes moved
	id         string
}

// network is a workload as shapes.
type network struct {
	name   string
	weight float64
	layers []layer
}

// layer is one layer of a network.
type layer struct {
	id, op string
	macs   int64
	shape  int // index of the shape
}

// bound is a backend for one task.
type bound struct {
	spec      Spec
	constants constants
	position  []int
	design    int
	shapes    []shape
	nets      []network
	weights   float64
}

var (
	_ evaluator.Evaluator = (*bound)(nil)
	_ evaluator.Checker   = (*bound)(nil)
)

// New implements evaluator.Backend.
func (b backend) New(task evaluator.Task) (evaluator.Evaluator, error) {
	e := &bound{spec: b.spec, constants: declared(&b.spec), design: len(task.Params)}
	if err := e.findParams(task.Params); err != nil {
		return nil, err
	}
	if len(task.Networks) == 0 {
		return nil, fmt.Errorf("template %s: the task has no network", b.spec.Name)
	}
	for i, n := range task.Networks {
		if n.Workload == nil {
			return nil, fmt.Errorf("network %d: there is no workload", i)
		}
		if !(n.Weight > 0) || math.IsInf(n.Weight, 0) {
			return nil, fmt.Errorf("network %s: the weight is %g, want a positive number", n.Workload.Name, n.Weight)
		}
		if slices.ContainsFunc(e.nets, func(o network) bool { return o.name == n.Workload.Name }) {
			return nil, fmt.Errorf("network %s: the name is used twice", n.Workload.Name)
		}
		if err := e.add(n); err != nil {
			return nil, fmt.Errorf("network %s: %w", n.Workload.Name, err)
		}
	}
	return e, nil
}

// params returns the template's parameters.
func (e *bound) params() []space.Param {
	var list []space.Param
	for _, p := range e.spec.Params {
		list = append(list, p.Param)
	}
	return list
}

func (e *bound) findParams(have []space.Param) error {
	if len(have) != len(e.spec.Params) {
		return fmt.Errorf("template %s: %d parameters, want %d", e.spec.Name, len(have), len(e.spec.Params))
	}
	for _, want := range e.spec.Params {
		at := slices.IndexFunc(have, func(p space.Param) bool { return p.Name == want.Name })
		switch {
		case at < 0:
			return fmt.Errorf("template %s: the parameter %s is missing", e.spec.Name, want.Name)
		case have[at].Len() > 0 && have[at].Categorical() != want.Categorical():
			// An evaluator behind a bus is told names and units only.
			return fmt.Errorf("parameter %s: labels and numbers are confused", want.Name)
		case have[at].Unit != want.Unit:
			return fmt.Errorf("parameter %s: the unit is %q, want %q", want.Name, have[at].Unit, want.Unit)
		}
		e.position = append(e.position, at)
	}
	return nil
}

// add lowers a network; layers of equal shape are mapped once.
func (e *bound) add(n evaluator.Network) error {
	net := network{name: n.Workload.Name, weight: n.Weight}
	bits := n.Workload.Precision
	for i := range n.Workload.Layers {
		l := &n.Workload.Layers[i]
		if l.Op == workload.View {
			continue
		}
		p, err := lower.Problem(l, bits)
		if err != nil {
			return err
		}
		s := shape{p: p, vector: !l.Op.HasMACs()}
		if s.vector {
			s.ops = max(l.InputElements(), l.OutputElements())
			s.bytes = l.InputBytes(bits) + l.OutputBytes(bits) + l.WeightBytes(bits)
		}
		at := slices.IndexFunc(e.shapes, func(o shape) bool { o.id = s.id; return o == s })
		if at < 0 {
			at = len(e.shapes)
			s.id = l.ID
			e.shapes = append(e.shapes, s)
		}
		net.layers = append(net.layers, layer{l.ID, string(l.Op), l.MACs(), at})
	}
	if len(net.layers) == 0 {
		return fmt.Errorf("the network has no layer that does anything")
	}
	e.nets = append(e.nets, net)
	e.weights += n.Weight
	return nil
}

// maxValue bounds a parameter so that no product can overflow.
const maxValue = 1 << 40

// values reads a design in the template's order.
func (e *bound) values(design []space.Value) ([]int64, error) {
	if len(design) != e.design {
		return nil, fmt.Errorf("the design has %d values, the template %s has %d parameters", len(design), e.spec.Name, e.design)
	}
	v := make([]int64, len(e.position))
	for i, at := range e.position {
		p, x := &e.spec.Params[i], design[at]
		if p.Categorical() {
			level, ok := p.Level(x)
			if !ok {
				return nil, fmt.Errorf("%s is %q, want one of %v", p.Name, x, p.Labels)
			}
			v[i] = int64(level)
			continue
		}
		if x.Label != "" || x.Num != math.Trunc(x.Num) || x.Num < 1 || x.Num > maxValue {
			return nil, fmt.Errorf("%s is %s, want a whole number from 1 to 2^40", p.Name, x)
		}
		v[i] = int64(x.Num)
	}
	return v, nil
}

// Check implements evaluator.Checker: the area.
func (e *bound) Check(design []space.Value, dst []float64) {
	for i := range dst {
		dst[i] = math.NaN()
	}
	v, err := e.values(design)
	if err != nil || len(dst) <= metricArea {
		return
	}
	m := e.spec.machine(&e.constants, v)
	dst[metricArea] = m.Area.Total()
}

// Evaluate implements evaluator.Evaluator.
func (e *bound) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	if err := ctx.Err(); err != nil {
		return evaluator.Result{}, err
	}
	return e.evaluate(r.Design), nil
}

func (e *bound) evaluate(design []space.Value) evaluator.Result {
	result := evaluator.Result{Outcome: evaluator.Failed, Values: []float64{math.NaN(), math.NaN(), math.NaN()}}
	v, err := e.values(design)
	if err != nil {
		result.Reason = &evaluator.Reason{Code: "malformed_design", Message: err.Error()}
		return result
	}
	m := e.spec.machine(&e.constants, v)
	result.Values[metricArea] = m.Area.Total()
	costs := make([]Cost, len(e.shapes))
	for i := range e.shapes {
		var misfit *Misfit
		if costs[i], misfit = m.layer(&e.shapes[i]); misfit != nil {
			result.Outcome, result.Reason = evaluator.Infeasible, misfit.reason(e.shapes[i].id)
			return result
		}
	}
	result.Outcome = evaluator.Measured
	e.totals(&m, costs, &result)
	return result
}

// layer returns the cost of one layer; those without multiplications stream
// their tensors past the units.
func (m *Machine) layer(s *shape) (Cost, *Misfit) {
	if !s.vector {
		var loops model.Mapping
		return m.Flow.Find(&s.p, &loops)
	}
	return Cost{
		Cycles: max(model.CeilDiv(s.ops, m.Units), m.ioCycles(s.bytes)), OffChip: s.bytes,
		EnergyPJ: float64(s.ops)*m.AddPJ + float64(s.bytes)*m.DRAMPJPerByte,
	}, nil
}

func (f *Misfit) reason(layer string) *evaluator.Reason {
	return &evaluator.Reason{
		Code: f.Code, Layer: layer, Need: float64(f.Need), Have: float64(f.Have), Unit: f.Unit,
		Message: fmt.Sprintf("layer %s: %s needs %d %s, there are %d: a larger %s would help", layer, f.What, f.Need, f.Unit, f.Have, f.Param),
	}
}

// totals sums the layers of every network; several networks give weighted
// geometric means, and their own metrics as extras.
func (e *bound) totals(m *Machine, costs []Cost, r *evaluator.Result) {
	each := make([]totals, len(e.nets))
	for i := range e.nets {
		for _, l := range e.nets[i].layers {
			each[i].add(&costs[l.shape])
		}
		each[i].finish(m)
		if len(e.nets) > 1 {
			r.Extra = append(r.Extra,
				evaluator.Extra{Name: "latency_s." + e.nets[i].name, Value: each[i].seconds},
				evaluator.Extra{Name: "energy_j." + e.nets[i].name, Value: each[i].joules})
		}
	}
	r.Values[metricLatency], r.Values[metricEnergy] = e.mean(each)
}

// totals are the sums over one network.
type totals struct {
	cycles          int64
	pj              float64
	seconds, joules float64
}

func (t *totals) add(c *Cost) {
	t.cycles += c.Cycles
	t.pj += c.EnergyPJ
}

// joulesPerPicojoule is 1 pJ in J.
const joulesPerPicojoule = 1e-12

func (t *totals) finish(m *Machine) {
	t.seconds = float64(t.cycles) / float64(m.ClockHz)
	t.joules = t.pj*joulesPerPicojoule + m.LeakageW*t.seconds
}

// mean returns latency and energy over all networks: those of the only one, or
// weighted geometric means.
func (e *bound) mean(each []totals) (seconds, joules float64) {
	if len(each) == 1 {
		return each[0].seconds, each[0].joules
	}
	var logSeconds, logJoules float64
	for i := range each {
		logSeconds += e.nets[i].weight * math.Log(each[i].seconds)
		logJoules += e.nets[i].weight * math.Log(each[i].joules)
	}
	return math.Exp(logSeconds / e.weights), math.Exp(logJoules / e.weights)
}
