package main

import (
	"math"
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
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

// The template eyeriss is taken to the clock of spatial: half the clock and half the leakage
// in twice the time is the same design.
func TestReplicatedHasTheClockOfSpatial(t *testing.T) {
	t.Parallel()
	net, _, err := builtin("squeezenet")
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) report.Design {
		s, _ := template.Named(name)
		s.MapperGoal = evaluator.MapEnergyDelay
		r, err := s.Inspect([]evaluator.Network{net}, report.Point{Values: s.Presets()[0].Values}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := of("spatial"); r.ClockHz != clockHz {
		t.Errorf("spatial has %d Hz, want %g", r.ClockHz, clockHz)
	}
	r := of("eyeriss")
	got, err := replicated("squeezenet")
	if err != nil {
		t.Fatal(err)
	}
	n, leakage := &r.Networks[0], 0.0
	for _, part := range n.Energy.Parts() {
		if part.Name == "leakage" {
			leakage = part.Value
		}
	}
	cycles := n.Latency.Total * float64(r.ClockHz)
	if want := cycles / clockHz; math.Abs(got.latency-want) > 1e-9*want {
		t.Errorf("latency %g s, want %g for %g cycles", got.latency, want, cycles)
	}
	want := n.Energy.Total() - leakage + leakage*got.latency/n.Latency.Total
	if leakage == 0 || math.Abs(got.energy-want) > 1e-9*want || got.edp != got.latency*got.energy {
		t.Errorf("%+v, want %g J with leakage of %g J in %g s", got, want, leakage, n.Latency.Total)
	}
}

func TestCountsOfDesigns(t *testing.T) {
	t.Parallel()
	p := &page{run: &run{trials: 24}, found: results{search{"a", "default", 100}: nil, search{"a", "default", 24}: nil, search{"b", "default", 50}: nil}}
	if got := p.counts(); !slices.Equal(got, []int{24, 50, 100}) {
		t.Errorf("counts() = %v, want 24, 50, 100", got)
	}
}
