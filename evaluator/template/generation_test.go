package template

import (
	"context"
	"math"
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
)

// values evaluates the baseline for networks, by the names of metrics.
func values(t *testing.T, x *Spec, networks ...*workload.Workload) map[string]float64 {
	t.Helper()
	tpl := x.template().Template()
	task := evaluator.Task{Params: tpl.Params}
	for _, w := range networks {
		task.Networks = append(task.Networks, evaluator.Network{Workload: w, Weight: 1})
	}
	ev, err := tpl.Backend.New(task)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ev.Evaluate(context.Background(), evaluator.Request{Design: tpl.Baseline})
	if err != nil || r.Outcome != evaluator.Measured {
		t.Fatalf("%s: %v, %+v", x.Name, err, r)
	}
	d := tpl.Backend.Describe()
	metrics := d.Of(task.Networks)
	if len(metrics) != len(r.Values) {
		t.Fatalf("%d values for %d metrics", len(r.Values), len(metrics))
	}
	out := map[string]float64{}
	for i, m := range metrics {
		out[m.Name] = r.Values[i]
	}
	return out
}

func sizedNetwork(t *testing.T, name string, s workload.Sizes) *workload.Workload {
	t.Helper()
	w, err := workload.Sized(name, s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The prompt makes the first of nine tokens, eight passes the others, over 16
// to 23 tokens in the cache: the one in the middle, 20, stands for all.
func TestGenerationMetrics(t *testing.T) {
	t.Parallel()
	const near = 1e-12 // sums in another order
	for _, x := range Specs() {
		got := values(t, &x, sizedNetwork(t, "gpt2", workload.Sizes{Batch: 2, Sequence: 16, Generate: 9}))
		first := values(t, &x, sizedNetwork(t, "gpt2_prefill", workload.Sizes{Batch: 2, Sequence: 16}))
		step := values(t, &x, sizedNetwork(t, "gpt2_decode", workload.Sizes{Batch: 2, Past: 20}))
		if len(first) != 3 || len(got) != 6 {
			t.Errorf("%s: %d and %d metrics, want 3 where nothing is generated and 6 where it is", x.Name, len(first), len(got))
		}
		for name, want := range map[string]float64{
			"time_to_first_token_s":   first["latency_s"],
			"decode_rate_token_per_s": 2 / step["latency_s"],
			"energy_per_token_j":      (first["energy_j"] + 8*step["energy_j"]) / 18,
			"latency_s":               first["latency_s"] + 8*step["latency_s"],
			"energy_j":                first["energy_j"] + 8*step["energy_j"],
			"area_mm2":                first["area_mm2"],
		} {
			if math.Abs(got[name]/want-1) > near {
				t.Errorf("%s: %s is %g, want %g", x.Name, name, got[name], want)
			}
		}
	}
}

// One pass in the middle stands for all passes: their time differs by the
// steps of the mappings, less than a hundredth of it.
func TestStepInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, x := range Specs() {
		var latency, energy float64
		for past := int64(16); past < 24; past++ {
			step := values(t, &x, sizedNetwork(t, "gpt2_decode", workload.Sizes{Past: past}))
			latency += step["latency_s"]
			energy += step["energy_j"]
		}
		middle := values(t, &x, sizedNetwork(t, "gpt2_decode", workload.Sizes{Past: 20}))
		if a, b := latency/8/middle["latency_s"], energy/8/middle["energy_j"]; math.Abs(a-1) > 0.01 || math.Abs(b-1) > 0.01 {
			t.Errorf("%s: the mean of all passes is %.4f of the time and %.4f of the energy of the one in the middle", x.Name, a, b)
		}
	}
}

// Beside a network that generates nothing, the metrics of generation are those
// of the other, and the rest is the mean of both.
func TestGenerationBesideOthers(t *testing.T) {
	t.Parallel()
	x := nvdlaSpec()
	a, b := sizedNetwork(t, "gpt2", workload.Sizes{Sequence: 16, Generate: 9}), sizedNetwork(t, "mobilenet_v2", workload.Sizes{})
	alone, other, both := values(t, &x, a), values(t, &x, b), values(t, &x, b, a)
	for _, name := range []string{"time_to_first_token_s", "decode_rate_token_per_s", "energy_per_token_j"} {
		if math.Abs(both[name]/alone[name]-1) > 1e-9 {
			t.Errorf("%s is %g beside another network, %g alone", name, both[name], alone[name])
		}
	}
	if want := math.Sqrt(alone["latency_s"] * other["latency_s"]); math.Abs(both["latency_s"]/want-1) > 1e-9 {
		t.Errorf("latency_s is %g, want the mean %g", both["latency_s"], want)
	}
}

// A network that generates tokens and the networks that are its phases may stand
// side by side: each has its own numbers, and phases are told from networks.
func TestPhasesBesideNetworksOfTheirNames(t *testing.T) {
	t.Parallel()
	x := nvdlaSpec()
	whole := sizedNetwork(t, "gpt2", workload.Sizes{Sequence: 16, Generate: 9})
	step := sizedNetwork(t, "gpt2_decode", workload.Sizes{Past: 20})
	both, alone := values(t, &x, whole, step), values(t, &x, step)
	one := values(t, &x, whole)
	if got, want := both["latency_s"], math.Sqrt(one["latency_s"]*alone["latency_s"]); math.Abs(got-want) > 1e-12*want {
		t.Errorf("latency %g, want the mean %g", got, want)
	}
	tm := x.template().Template()
	r, err := x.template().Inspect([]evaluator.Network{{Workload: whole, Weight: 1}, {Workload: step, Weight: 1}}, report.Point{Values: tm.Baseline}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range r.Networks {
		got = append(got, r.Networks[i].Name)
	}
	if want := []string{"gpt2_prefill", "gpt2_decode_phase", "gpt2_decode"}; !slices.Equal(got, want) {
		t.Errorf("networks %v, want %v", got, want)
	}
}
