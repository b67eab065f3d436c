package suite

import (
	"fmt"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/lab/bench"
)

// network is a built-in network as a task.
type network struct {
	name   string // of the workload
	short  string // in names of tasks
	family string // networks that share a backbone
}

// networks are the seven that the paper's comparison uses.
func networks() []network {
	return []network{
		{"mobilenet_v2", "mobilenetv2", "mobilenet_v2"},
		{"mobilenet_edgetpu", "mobilenetedgetpu", "mobilenet_edgetpu"},
		{"ssd_mobilenet_v2", "ssdmobilenetv2", "mobilenet_v2"},
		{"ssdlite_mobiledet_edgetpu", "mobiledet", "mobiledet"},
		{"deeplabv3_mobilenet_v2", "deeplabv3", "mobilenet_v2"},
		{"ppocr_v4_detection", "ppocrdet", "ppocr"},
		{"ppocr_v4_recognition", "ppocrrec", "ppocr"},
	}
}

// developmentFamily is the backbone that defaults may be chosen on.
const developmentFamily = "mobilenet_v2"

// onTemplate is a network on a template: its study without goals, and who measures.
func (n network) onTemplate(t *evaluator.Template) (*events.Spec, evaluator.Evaluator, error) {
	w, err := workload.Builtin(n.name)
	if err != nil {
		return nil, nil, err
	}
	id, err := w.Identity()
	if err != nil {
		return nil, nil, err
	}
	ev, err := t.Backend.New(evaluator.Task{Params: t.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		return nil, nil, fmt.Errorf("network %s: %w", n.name, err)
	}
	d := t.Backend.Describe()
	s := declared(d.Name, t.Params, described(d))
	s.Template, s.Evaluator.Version = t.Name, d.Version
	s.Networks = []events.Network{{Name: n.name, Weight: 1, SHA256: id}}
	return s, ev, nil
}

// task is a network on a template with the latency to minimise under an area.
func (n network) task(t *evaluator.Template, name string, areaMM2 float64) (bench.Task, error) {
	s, ev, err := n.onTemplate(t)
	if err != nil {
		return bench.Task{}, err
	}
	s.Objectives = []events.Objective{{Metric: "latency_s", Goal: "minimize"}}
	s.Constraints = []events.Constraint{atMost("area_mm2", areaMM2)}
	return bench.Task{
		Name: name, Family: n.family, Split: split(n.family, developmentFamily),
		Spec: s, Evaluator: ev, Features: t.Features, Baseline: t.Baseline,
	}, nil
}
