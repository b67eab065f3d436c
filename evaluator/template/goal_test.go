package template

import (
	"fmt"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
)

// What the mapper minimises is least with its goal: over a network, up to what
// the search leaves out (1 %), and the detailed answer says the same numbers.
func TestMapperGoals(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	nets := evaluatortest.Networks(t, "mobilenet_v2", "bert_base")
	for _, x := range All()[1:] {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			tm := x.Template()
			designs, nets := designsOf(t, &tm, 8, 3), nets
			if x.Name == "spatial" {
				designs, nets = designs[:1], nets[:1] // its mapper takes longest, and is compared with every mapping elsewhere
			}
			for i := range nets {
				for _, v := range designs {
					goals(t, x.Name, nets[i:i+1], v)
				}
			}
		})
	}
}

func goals(t *testing.T, name string, nets []evaluator.Network, v []space.Value) {
	t.Helper()
	const slack = 1.01
	value := func(g evaluator.MapperGoal, time, energy float64) float64 {
		return map[evaluator.MapperGoal]float64{evaluator.MapLatency: time, evaluator.MapEnergy: energy, evaluator.MapEnergyDelay: time * energy}[g]
	}
	var time, energy []float64
	for _, g := range evaluator.MapperGoals() {
		x, _ := Named(name)
		x.MapperGoal = g
		r, err := x.Inspect(nets, report.Point{Values: v}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Reason != nil {
			return
		}
		tm := x.Template()
		e, err := tm.Backend.New(evaluator.Task{Params: tm.Params, Networks: nets, MapperGoal: g})
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.Evaluate(t.Context(), evaluator.Request{Design: v})
		if err != nil || m.Outcome != evaluator.Measured {
			t.Fatalf("%v: %+v, %v", v, m, err)
		}
		if got, want := fmt.Sprint(*r.Metrics[0].Value, *r.Metrics[2].Value), fmt.Sprint(m.Values[0], m.Values[2]); got != want {
			t.Errorf("%v for %s: the detailed answer says %s, the evaluator %s", v, g, got, want)
		}
		time, energy = append(time, m.Values[0]), append(energy, m.Values[2])
	}
	for i, g := range evaluator.MapperGoals() {
		own := value(g, time[i], energy[i])
		for j, other := range evaluator.MapperGoals() {
			if v2 := value(g, time[j], energy[j]); own > slack*v2 {
				t.Errorf("%s on %v: %s of the mapping for it is %g, of that for %s %g", nets[0].Workload.Name, v, g, own, other, v2)
			}
		}
	}
}

// A goal that there is not is refused by name.
func TestMapperGoalRefused(t *testing.T) {
	t.Parallel()
	x, _ := Named("nvdla")
	tm := x.Template()
	_, err := tm.Backend.New(evaluator.Task{Params: tm.Params, Networks: evaluatortest.Networks(t, "mobilenet_v2"), MapperGoal: "speed"})
	if want := `template nvdla: the mapper's goal is "speed", want one of ["latency" "energy" "energy_delay"]`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// A layer on nvdla that takes a little more time for much less energy.
func TestGoalTradesTimeForEnergy(t *testing.T) {
	t.Parallel()
	s := nvdlaSpec()
	m := declared(&s).machine(baselineOf(&s))
	least, standing := 1.0, m.standingPJ()
	for _, p := range layers(t, "resnet50_v1") {
		var found model.Mapping
		fast, _ := m.Flow.Find(&p, leastTime(), &found)
		saving, _ := m.Flow.Find(&p, goal{cyclesPerPJ: 1 / standing}, &found)
		if saving.EnergyPJ+standing*float64(saving.Cycles) > 1.0001*(fast.EnergyPJ+standing*float64(fast.Cycles)) {
			t.Errorf("%v: the mapping for energy takes %g pJ, that for time %g", p.Bound, saving.EnergyPJ, fast.EnergyPJ)
		}
		least = min(least, saving.EnergyPJ/fast.EnergyPJ)
	}
	if least > 0.9 {
		t.Errorf("no layer saves more than %.0f %% of its energy", 100*(1-least))
	}
	t.Logf("the most that a layer saves is %.0f %% of its energy", 100*(1-least))
}
