package template

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/evaluator"
	"apollo/evaluator/accuracy"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// A design that chooses a network is what it is on that network alone, bit for bit,
// to everyone who asks: the evaluator, the free check, the inspector and the model
// with a moved constant.
func TestAChosenNetworkIsMeasuredAlone(t *testing.T) {
	t.Parallel()
	nan := cmpopts.EquateNaNs()
	d := All()[0].Template().Backend.Describe() // all templates have the same metrics
	for _, x := range All() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			networks := []evaluator.Network{{Workload: tiny(t, "a", 16), Weight: 1, Accuracy: 60}, {Workload: tiny(t, "b", 40), Weight: 1, Accuracy: 70}}
			choice := evaluator.OneOf("network", networks)
			joint, own := x.Template().Choosing(choice), x.Template()
			// The network may stand anywhere.
			params := slices.Concat(joint.Params[len(own.Params):], own.Params)
			e, err := joint.Backend.New(evaluator.Task{Params: params, Networks: networks, Choice: choice})
			if err != nil {
				t.Fatal(err)
			}
			moved, value, err := x.Choosing(choice).Model(networks, "off_chip_energy", 1.2)
			if err != nil {
				t.Fatal(err)
			}
			sp, err := space.New(own.Params...)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(3, 4)) // any fixed seed
			for n := range 6 {
				at := n % 2
				design := sp.Values(sp.Draw(nil, rng))
				if n < 2 {
					design = own.Baseline
				}
				label := space.Value{Label: networks[at].Workload.Name}
				alone, err := own.Backend.New(evaluator.Task{Params: own.Params, Networks: networks[at : at+1]})
				if err != nil {
					t.Fatal(err)
				}
				want, err := alone.Evaluate(t.Context(), evaluator.Request{Design: design})
				if err != nil {
					t.Fatal(err)
				}
				whole := slices.Concat([]space.Value{label}, design)
				got, err := e.Evaluate(t.Context(), evaluator.Request{Design: whole})
				want.Values = append(want.Values, networks[at].Accuracy)
				if err != nil || cmp.Diff(want, got, nan) != "" {
					t.Fatalf("%v: %v\n%s", whole, err, cmp.Diff(want, got, nan))
				}
				free, freeWant := make([]float64, len(want.Values)), make([]float64, len(want.Values))
				e.(evaluator.Checker).Check(whole, free)
				alone.(evaluator.Checker).Check(design, freeWant)
				freeWant[len(freeWant)-1] = networks[at].Accuracy
				if cmp.Diff(freeWant, free, nan) != "" {
					t.Errorf("%v: the free check says %v, alone %v", whole, free, freeWant)
				}
				p := report.Point{Values: slices.Concat(design, []space.Value{label})}
				r, err := x.Choosing(choice).Inspect(networks, p, nil)
				plain, plainErr := x.Inspect(networks[at:at+1], report.Point{Values: design}, nil)
				if err != nil || plainErr != nil {
					t.Fatal(err, plainErr)
				}
				if last := r.Design[len(r.Design)-1]; len(r.Design) < len(p.Values) || !slices.ContainsFunc(r.Design, func(f report.Field) bool { return f.Name == "network" }) {
					t.Errorf("the inspector leaves out the network: ends in %+v", last)
				}
				accuracy := report.Metric{Metric: choice.Metrics[0], Value: new(networks[at].Accuracy)}
				r.Design, plain.Metrics = plain.Design, append(plain.Metrics, accuracy)
				if diff := cmp.Diff(plain, r, nan); diff != "" {
					t.Errorf("inspected (-alone +chosen):\n%s", diff)
				}
				movedAlone, valueAlone, err := x.Model(networks[at:at+1], "off_chip_energy", 1.2)
				if err != nil {
					t.Fatal(err)
				}
				m, why, err := moved(p)
				mAlone, whyAlone, errAlone := movedAlone(report.Point{Values: design})
				if err != nil || errAlone != nil || value != valueAlone || cmp.Diff(append(mAlone, accuracy), m, nan) != "" || cmp.Diff(whyAlone, why) != "" {
					t.Errorf("with a moved constant %v, alone %v (%v, %v)", m, mAlone, err, errAlone)
				}
			}
			for _, bad := range [][]space.Value{withNetwork("c", own.Baseline), own.Baseline, nil} {
				r, err := e.Evaluate(t.Context(), evaluator.Request{Design: bad})
				if err != nil || r.Outcome != evaluator.Failed || len(r.Values) != len(d.For(evaluator.Task{Networks: networks, Choice: choice})) {
					t.Errorf("%v: %+v, %v, want a failed result", bad, r, err)
				}
			}
			if x.Name != "edge" && x.Name != "systolic" {
				return // the way there is the same, and others take long
			}
			evaluatortest.Run(t, joint.Backend, evaluator.Task{Params: joint.Params, Networks: networks, Choice: choice},
				evaluator.Task{Params: own.Params, Networks: networks})
		})
	}
}

func withNetwork(label string, design []space.Value) []space.Value {
	return slices.Concat([]space.Value{{Label: label}}, design)
}

// A design that chooses a network of a family is what it is on that network alone,
// and what is cheap of it is known without building the network.
func TestANetworkOfAFamilyIsMeasuredAlone(t *testing.T) {
	t.Parallel()
	f, _ := workload.FamilyNamed("mobilenet_v1")
	known, err := accuracy.Builtin(f, accuracy.Published)
	if err != nil {
		t.Fatal(err)
	}
	own, err := f.Build(f.Own())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range All() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			family := evaluator.Network{Workload: own, Weight: 1, Family: &evaluator.Family{Family: f, Known: known}}
			choice := evaluator.OfFamily(family)
			alone, joint := x.Template(), x.Template().Choosing(choice)
			e, err := joint.Backend.New(evaluator.Task{Params: joint.Params, Networks: []evaluator.Network{family}, Choice: choice})
			if err != nil {
				t.Fatal(err)
			}
			for _, values := range [][]int64{{50, 160}, {100, 224}} {
				w, err := f.Build(values)
				if err != nil {
					t.Fatal(err)
				}
				one, err := alone.Backend.New(evaluator.Task{Params: alone.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
				if err != nil {
					t.Fatal(err)
				}
				want, err := one.Evaluate(t.Context(), evaluator.Request{Design: alone.Baseline})
				if err != nil {
					t.Fatal(err)
				}
				percent, interval := known.At(values)
				rest := []float64{percent, interval, float64(w.Totals().MACs), float64(w.Totals().Params)}
				want.Values = append(want.Values, rest...)
				design := append(slices.Clone(alone.Baseline), space.Value{Num: float64(values[0])}, space.Value{Num: float64(values[1])})
				got, err := e.Evaluate(t.Context(), evaluator.Request{Design: design})
				if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); err != nil || diff != "" {
					t.Errorf("%v: %v (-alone +of the family)\n%s", values, err, diff)
				}
				free, freeWant := make([]float64, len(want.Values)), make([]float64, len(want.Values))
				e.(evaluator.Checker).Check(design, free)
				one.(evaluator.Checker).Check(alone.Baseline, freeWant)
				copy(freeWant[len(freeWant)-len(rest):], rest)
				if diff := cmp.Diff(freeWant, free, cmpopts.EquateNaNs()); diff != "" {
					t.Errorf("%v: the free check (-alone +of the family)\n%s", values, diff)
				}
				r, err := x.Choosing(choice).Inspect(nil, report.Point{Values: design}, nil)
				if err != nil || r.Networks[0].Name != w.Name || *r.Metrics.Of("network_macs") != rest[2] {
					t.Errorf("%v: inspected it is %+v, %v", values, r.Networks, err)
				}
			}
			bad := append(slices.Clone(alone.Baseline), space.Value{Num: 60}, space.Value{Num: 224})
			if r, err := e.Evaluate(t.Context(), evaluator.Request{Design: bad}); err != nil || r.Outcome != evaluator.Failed || r.Reason.Message != "width is 60, want one of [25 50 75 100]" {
				t.Errorf("a width that there is not: %+v, %v", r, err)
			}
			if x.Name == "edge" {
				evaluatortest.Run(t, joint.Backend, evaluator.Task{Params: joint.Params, Networks: []evaluator.Network{family}, Choice: choice},
					evaluator.Task{Params: alone.Params, Networks: []evaluator.Network{family}})
			}
		})
	}
}
