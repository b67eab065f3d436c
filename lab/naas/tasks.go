package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

const kib = 1 << 10

// chip is a published accelerator: what it has is what the designs beside it may
// have, and the design of the template spatial that is nearest to it is what gains
// are measured against.
type chip struct {
	name, title string
	// axes, x and y are the array, holds the operand that its order of loops keeps
	// in the units.
	axes  string
	x, y  int64
	holds model.Operand
	// local, shared and noc are bytes of a unit, of the array, and of a cycle; io is
	// bytes in a second.
	local, shared, noc int64
	io                 float64
	// memory caps the bytes on chip.
	memory int64
	// source says where the caps are from.
	source string
	// paper is what the paper prints over all of its networks: mean speed-up times mean
	// saving of energy.
	paper float64
}

// units caps the units of an array.
func (c *chip) units() int64 { return c.x * c.y }

// chips are the five of the paper. The order of the loops is that of the template
// which follows the chip; of Edge TPU nothing is published, it has the order of NVDLA. The template's
// clock is 1 GHz: interfaces have the bytes in a cycle that the chip has in one of its own.
func chips() []chip {
	return []chip{
		{
			"edgetpu", "Edge TPU", "C+K", 64, 64, model.Weights, 128, 4096 * kib, 256, 16e9, 8192 * kib,
			"4 TOPS at 480 MHz are 4,096 units; 8 MiB is what the compiler's guide says (coral.ai). The template's largest shared memory is 4 MiB. Interface: chosen", 2.9,
		},
		{
			"nvdla-1024", "NVDLA-1024", "C+K", 64, 16, model.Weights, 128, 512 * kib, 128, 16e9, 640 * kib,
			"64 x 16 units and the 512 KiB of nv_full's buffer (nvdla.org, hardware manual), 128 B in a unit for sums", 2.4,
		},
		{
			"nvdla-256", "NVDLA-256", "C+K", 32, 8, model.Weights, 128, 128 * kib, 64, 8e9, 160 * kib,
			"nv_small_256: 32 x 8 units, a buffer of 128 KiB, an interface of 64 bits (nvdla.org), 128 B in a unit for sums", 2.4,
		},
		{
			"eyeriss", "Eyeriss", "P+R", 14, 12, model.Weights, 512, 64 * kib, 16, 4e9, 192 * kib,
			"12 x 14 units with 0.5 KiB each and a buffer of 108 KiB: 192 KiB (Y.-H. Chen et al., JSSC 2017); 5 B a cycle in our template, here 4", 9.2,
		},
		{
			"shidiannao", "ShiDianNao", "P+Q", 8, 8, model.Outputs, 128, 256 * kib, 64, 8e9, 288 * kib,
			"8 x 8 units, 288 KiB in all (Z. Du et al., ISCA 2015)", 21,
		},
	}
}

// network is one of the paper's six tasks.
type network struct {
	name, title string
	// accuracy is what its authors publish, ImageNet top-1 in percent; 0 for none.
	accuracy float64
	source   string
}

func networks() []network {
	const slim = "tensorflow/models, research/slim"
	return []network{
		{"vgg16", "VGG16", 71.5, slim},
		{"resnet50_v1", "ResNet-50", 75.2, slim},
		{"unet", "U-Net", 0, ""},
		{"mobilenet_v2", "MobileNetV2", 71.8, slim},
		{"squeezenet", "SqueezeNet", 57.5, "F. N. Iandola et al., arXiv 1602.07360"},
		{"mnasnet_a1", "MnasNet", 75.2, "tensorflow/tpu, models/official/mnasnet"},
	}
}

// The variants of a comparison, in the order in which they add to each other.
const (
	sizing       = "sizing"
	mapping      = "mapping"
	connectivity = "connectivity"
)

func variants() []string { return []string{sizing, mapping, connectivity} }

// design is the chip in the parameters of spatial. What groups may do is that of the
// presets: nothing past a tree, one a lane elsewhere.
func (c *chip) design() []space.Value {
	number := func(v int64) space.Value { return space.Value{Num: float64(v)} }
	outputs := "idle"
	if c.axes == "C+K" {
		outputs = "groups"
	}
	return []space.Value{
		{Label: c.axes},
		number(c.x), number(c.y), number(2),
		{Label: "idle"},
		{Label: outputs},
		number(c.local), number(c.shared), number(c.noc),
		{Num: c.io},
	}
}

// template is what evaluates a variant: only + mapping knows more than one order of
// loops.
func (c *chip) template(variant string) (*frame.Spec, error) {
	if variant == sizing {
		return template.SpatialHolding(c.holds), nil
	}
	s, ok := template.Named("spatial")
	if !ok {
		return nil, fmt.Errorf("there is no template spatial")
	}
	return s, nil
}

// rules are the caps. Where there are fewer axes a rule that names y or z is open.
func (c *chip) rules() []events.Rule {
	return []events.Rule{
		{ID: "units-x", Expr: fmt.Sprintf("x <= %d", c.units())},
		{ID: "units-xy", Expr: fmt.Sprintf("x * y <= %d", c.units())},
		{ID: "units-xyz", Expr: fmt.Sprintf("x * y * z <= %d", c.units())},
		{ID: "memory-x", Expr: fmt.Sprintf("shared_memory + x * local_memory <= %d", c.memory)},
		{ID: "memory-xy", Expr: fmt.Sprintf("shared_memory + x * y * local_memory <= %d", c.memory)},
		{ID: "memory-xyz", Expr: fmt.Sprintf("shared_memory + x * y * z * local_memory <= %d", c.memory)},
		{ID: "noc", Expr: fmt.Sprintf("noc <= %d", c.noc)},
	}
}

// params are the parameters of a variant: those that it does not search have one
// level.
func (c *chip) params(t *evaluator.Template, variant string) []space.Param {
	fixed := []string{"io_bandwidth"}
	if variant != connectivity {
		fixed = append(fixed, "axes", "grouped_sums", "grouped_outputs", "z")
	}
	params := slices.Clone(t.Params)
	for i, v := range c.design() {
		switch p := &params[i]; {
		case !slices.Contains(fixed, p.Name):
		case v.Label != "":
			p.Labels = []string{v.Label}
		default:
			p.Values = []float64{v.Num}
		}
	}
	return params
}

// taskName names a task of the suite.
func taskName(c *chip, n *network, variant string) string {
	return c.name + "-" + shortName(n.name) + "-" + variant
}

// shortName is a network's name as a DNS label.
func shortName(name string) string {
	b := []byte(name)
	for i := range b {
		if b[i] == '_' {
			b[i] = '-'
		}
	}
	return string(b)
}

// naasSuite has a task for each chip, network and variant.
func naasSuite() bench.Suite {
	return bench.Suite{
		Name: "naas", Doc: "Six networks under the caps of five accelerators.", Lanes: []bench.Lane{bench.KnownArea},
		Tasks: func(bench.Environment) (tasks []bench.Task, err error) {
			for _, c := range chips() {
				for _, n := range networks() {
					for _, variant := range variants() {
						task, err := newTask(&c, &n, variant)
						if err != nil {
							return nil, fmt.Errorf("%s: %w", taskName(&c, &n, variant), err)
						}
						tasks = append(tasks, task)
					}
				}
			}
			return tasks, nil
		},
	}
}

const (
	latencyMetric = "latency_s"
	energyMetric  = "energy_j"
	edpMetric     = "edp_js"
)

func newTask(c *chip, n *network, variant string) (bench.Task, error) {
	spec, err := c.template(variant)
	if err != nil {
		return bench.Task{}, err
	}
	t := spec.Template()
	params := c.params(&t, variant)
	net, id, err := builtin(n.name)
	if err != nil {
		return bench.Task{}, err
	}
	d := t.Backend.Describe()
	s := &events.Spec{
		KnownConstraints: "checked", Order: "strict", Duplicates: "reuse", Template: t.Name, Rules: c.rules(),
		Objectives: []events.Objective{{Metric: edpMetric, Goal: "minimize"}},
		Networks:   []events.Network{{Name: n.name, Weight: 1, SHA256: id}},
		Evaluator:  events.EvaluatorSpec{Name: "spatial-edp", Version: d.Version + "-" + variant, TimeoutSeconds: 60, Attempts: 1, Deterministic: true, MaxFailures: 1},
	}
	for _, m := range d.Of([]evaluator.Network{net}) {
		s.Metrics = append(s.Metrics, events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
	s.Metrics = append(s.Metrics, events.Metric{Name: edpMetric, Unit: "Js"})
	for i, p := range params {
		s.Parameters = append(s.Parameters, events.Parameter{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels, When: t.When[i]})
	}
	return bench.Task{
		Name: taskName(c, n, variant), Family: n.name, Split: bench.Test, Spec: s, Features: t.Features, Baseline: c.design(),
		Evaluator: &lazy{backend: t.Backend, task: evaluator.Task{Params: params, Networks: []evaluator.Network{net}, MapperGoal: evaluator.MapEnergyDelay}},
	}, nil
}

func builtin(name string) (n evaluator.Network, id string, err error) {
	w, err := workload.Builtin(name)
	if err != nil {
		return n, "", err
	}
	id, err = w.Identity()
	return evaluator.Network{Workload: w, Weight: 1}, id, err
}

// lazy binds a template when it is first asked: a process that runs one search makes
// ninety tasks. It adds the product of energy and time behind the template's metrics.
type lazy struct {
	backend evaluator.Backend
	task    evaluator.Task
	once    sync.Once
	bound   evaluator.Evaluator
	err     error
}

var (
	_ evaluator.Evaluator = (*lazy)(nil)
	_ evaluator.Checker   = (*lazy)(nil)
)

func (l *lazy) bind() error {
	l.once.Do(func() { l.bound, l.err = l.backend.New(l.task) })
	return l.err
}

// Check implements evaluator.Checker.
func (l *lazy) Check(design []space.Value, dst []float64) {
	if l.bind() == nil {
		l.bound.(evaluator.Checker).Check(design, dst)
	}
}

// Evaluate implements evaluator.Evaluator.
func (l *lazy) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	if err := l.bind(); err != nil {
		return evaluator.Result{}, err
	}
	out, err := l.bound.Evaluate(ctx, r)
	if err != nil {
		return out, err
	}
	at := func(name string) float64 {
		return out.Values[slices.IndexFunc(l.backend.Describe().Metrics, func(m evaluator.Metric) bool { return m.Name == name })]
	}
	out.Values = append(out.Values, at(latencyMetric)*at(energyMetric))
	return out, nil
}
