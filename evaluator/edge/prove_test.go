package edge

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/frame"
	"apollo/evaluator/tech"
	"apollo/optimizer/space"
)

// No design beats the bounds of its stages, and the last stage is the
// evaluator's answer, for one network and for several.
func TestProbeNeverExceedsTheModel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, networks := range [][]string{{"mobilenet_v2"}, {"mobilenet_edgetpu"}, {"bert_base"}, {"unet"}, {"inception_v3"}, {"deeplabv3_mobilenet_v2"}, {"ppocr_v4_recognition"}, {"mobilenet_v2", "mobilenet_edgetpu"}} {
		e := evaluatorOf(t, networks...)
		wanted := []bool{true, true, true}
		p := e.(evaluator.Prover).NewProbe(wanted)
		rng := rand.New(rand.NewPCG(9, 9))
		feasible := 0
		tightest := [stageNetwork + 1]float64{}
		for range 500 {
			c := randomChip(rng)
			design := c.values()
			got, err := e.Evaluate(t.Context(), evaluator.Request{Design: design})
			if err != nil {
				t.Fatal(err)
			}
			measured := got.Outcome == evaluator.Measured
			if measured {
				feasible++
			}
			for stage := range tightest {
				values := make([]float64, len(wanted))
				if !p.Fix(stage, design, values) {
					if measured {
						t.Fatalf("%v: stage %d rejects the feasible %+v", networks, stage, c)
					}
					break
				}
				if stage == stageNetwork && !measured {
					t.Fatalf("%v: the probe measures the infeasible %+v", networks, c)
				}
				if stage == stageNetwork && !slices.Equal(values, got.Values) {
					t.Fatalf("%v: the probe says %v, Evaluate %v: %+v", networks, values, got.Values, c)
				}
				for i, v := range values {
					if measured && !(v <= got.Values[i]) {
						t.Fatalf("%v: stage %d bounds metric %d by %g, above its %g: %+v", networks, stage, i, v, got.Values[i], c)
					}
				}
				if measured {
					tightest[stage] = max(tightest[stage], values[0]/got.Values[0])
				}
			}
		}
		// A bound of 0 would pass the test above and prove nothing.
		if feasible == 0 || tightest[stageArray] < 0.9 || tightest[stageMapping] < 0.99 {
			t.Errorf("%v: %d feasible designs, the tightest bounds are %.3f of the latency", networks, feasible, tightest)
		}
	}
}

// Memories may cost less per access than smaller ones. No completion of a design beats
// the bounds of its stages where the levels lie on both sides of such steps.
func TestBoundsHoldAcrossSteps(t *testing.T) {
	t.Parallel()
	const latency, energy = 0, 2
	x, node := Spec().Template(), tech.Node22()
	unit := map[string]float64{
		"pe_memory": 1, "core_memory": 1, "activation_memory": activationEntryBytes, "instruction_memory": instructionEntryBytes, "parameter_memory": parameterEntryBytes,
	}
	networks := evaluatortest.Networks(t, "mobilenet_v2")
	feasible := 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 69))
		task := evaluator.Task{Params: slices.Clone(x.Params), Networks: networks}
		for i := range task.Params {
			p := &task.Params[i]
			if bytes := unit[p.Name]; bytes > 0 {
				falls := evaluatortest.Falls(node, bytes, p.Values[0]/4, p.Values[len(p.Values)-1], 2)
				pair := falls[rng.IntN(len(falls))]
				p.Values = pair[:]
			}
		}
		e, err := x.Backend.New(task)
		if err != nil {
			t.Fatal(err)
		}
		p := e.(evaluator.Prover).NewProbe(nil)
		design, bounds := make([]space.Value, paramCount), make([]float64, 3)
		for range 30 {
			for i, param := range task.Params {
				design[i].Num = param.Values[rng.IntN(len(param.Values))]
			}
			got, err := e.Evaluate(t.Context(), evaluator.Request{Design: design})
			if err != nil {
				t.Fatal(err)
			}
			if got.Outcome != evaluator.Measured {
				continue
			}
			feasible++
			for stage := range stageNetwork + 1 {
				if !p.Fix(stage, design, bounds) {
					t.Fatalf("stage %d rejects the feasible %v", stage, design)
				}
				for i, bound := range bounds {
					if bound > got.Values[i] {
						t.Errorf("seed %d: stage %d bounds metric %d of %v by %g, above its %g", seed, stage, i, design, bound, got.Values[i])
					}
				}
				if bound, edp := bounds[latency]*bounds[energy], got.Values[latency]*got.Values[energy]; bound > edp {
					t.Errorf("seed %d: stage %d bounds the product of latency and energy of %v by %g, above its %g", seed, stage, design, bound, edp)
				}
			}
		}
	}
	if feasible < 30 {
		t.Errorf("%d designs were feasible, want 30 of 600", feasible)
	}
}

// Check encloses partial designs: no cheap metric falls when a parameter rises.
func TestAreaRises(t *testing.T) {
	t.Parallel()
	e := evaluatorOf(t, "mobilenet_v2").(evaluator.Checker)
	rng := rand.New(rand.NewPCG(10, 0))
	area := func(c *chip) float64 {
		dst := make([]float64, len(frame.Metrics()))
		e.Check(c.values(), dst)
		return dst[1]
	}
	for range 500 {
		c := randomChip(rng)
		for i, field := range c.fields() {
			last, home := math.Inf(-1), *field
			for _, v := range lattice[i].Values {
				*field = int64(v)
				if a := area(&c); !(a >= last) {
					t.Fatalf("%s = %g: the area falls from %g to %g: %+v", lattice[i].Name, v, last, a, c)
				} else {
					last = a
				}
			}
			*field = home
		}
	}
}

// Every parameter of the task is in exactly one stage, wherever it stands.
func TestStagesCoverTheParameters(t *testing.T) {
	t.Parallel()
	x := Spec().Template()
	task := evaluator.Task{Params: slices.Clone(x.Params), Networks: evaluatortest.Networks(t, "mobilenet_v2")}
	slices.Reverse(task.Params)
	e, err := x.Backend.New(task)
	if err != nil {
		t.Fatal(err)
	}
	stages := e.(evaluator.Prover).Stages()
	var all []int
	for _, stage := range stages {
		all = append(all, stage...)
	}
	slices.Sort(all)
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(all, want) {
		t.Errorf("Stages() cover %v, want %v", all, want)
	}
	if got := task.Params[stages[stageArray][0]].Name; got != "pes_x" {
		t.Errorf("Stages()[0][0] is %s, want pes_x", got)
	}
}
