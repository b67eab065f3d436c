package main

import (
	"testing"

	"apollo/events"
)

// Each chip's own design is one that every variant may find: it is in the space and
// keeps the caps, and uses all of its units.
func TestOwnDesignsKeepTheirCaps(t *testing.T) {
	t.Parallel()
	n := networks()[4]
	for _, c := range chips() {
		for _, variant := range variants() {
			task, err := newTask(&c, &n, variant)
			if err != nil {
				t.Fatal(err)
			}
			sp, err := task.Spec.Space()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sp.Point(c.design()); err != nil {
				t.Errorf("%s: %v", task.Name, err)
			}
			j, err := events.NewJudge(task.Spec)
			if err != nil {
				t.Fatal(err)
			}
			if r := j.Rules(c.design()); r != nil {
				t.Errorf("%s: %s", task.Name, r.Message)
			}
			larger := c.design()
			larger[1].Num *= 2
			if j.RulesOK(larger) {
				t.Errorf("%s: twice the units keep the caps", task.Name)
			}
		}
	}
}

// The network of + network is one that reaches at least the accuracy, and seeds that have not
// run for the network itself do not count.
func TestOtherNetworks(t *testing.T) {
	t.Parallel()
	c := chips()[3]
	p := &page{run: &run{trials: 24, strategies: []string{"default"}}, found: results{}}
	edp := map[string]float64{"vgg16": 9, "resnet50_v1": 3, "unet": 1, "mobilenet_v2": 2, "squeezenet": 0.5, "mnasnet_a1": 4}
	for _, n := range networks() {
		p.rows = append(p.rows, row{chip: c, network: n})
		by := map[uint64]cost{1: {edp: edp[n.name]}}
		if n.name != "vgg16" {
			by[2] = cost{edp: edp[n.name]}
		}
		p.found[search{taskName(&c, &n, connectivity), "default", 24}] = by
	}
	for at, want := range []struct {
		edp   float64
		seeds int
		from  string
	}{{2, 1, "MobileNetV2"}, {3, 2, "ResNet-50"}, {0, 0, ""}, {2, 2, "MobileNetV2"}, {0.5, 2, "SqueezeNet"}, {3, 2, "ResNet-50"}} {
		best, from := p.other(&p.rows[at])
		name := p.rows[at].network.name
		if len(best) != want.seeds || want.seeds > 0 && (best[1].edp != want.edp || len(from) != 1 || from[0] != want.from) {
			t.Errorf("%s: %v of %v, want %v", name, best, from, want)
		}
	}
}
