package template

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// in returns a built-in network in some formats.
func in(t testing.TB, name, weights, activations string) []evaluator.Network {
	t.Helper()
	w, err := workload.Sized(name, workload.Sizes{Weights: weights, Activations: activations})
	if err != nil {
		t.Fatal(err)
	}
	return []evaluator.Network{{Workload: w, Weight: 1}}
}

// chains are formats of weights and activations, each narrower or cheaper than the
// one before.
func chains() [][][2]string {
	return [][][2]string{
		{{"fp32", "fp32"}, {"fp16", "fp32"}, {"int8", "fp32"}, {"int4", "fp32"}},
		{{"int32", "int8"}, {"int16", "int8"}, {"int8", "int8"}, {"int4", "int8"}, {"int4", "int4"}},
		{{"fp32", "fp32"}, {"fp16", "fp16"}, {"bf16", "bf16"}, {"fp8", "fp8"}, {"int8", "int8"}, {"int4", "int4"}},
	}
}

// A narrower format makes no network slower or costlier, and no chip larger, but in
// one of thirty cases by 0.1 %: the tile search tries other cuts, and on edge a
// shorter time may come with a longer program, which then may not fit.
// APOLLO_MORE_DESIGNS=25 probes that many designs.
func TestNarrowerIsNotCostlier(t *testing.T) {
	t.Parallel()
	asked, _ := strconv.Atoi(os.Getenv("APOLLO_MORE_DESIGNS"))
	for _, x := range All() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			least, formats := 2, chains()
			switch x.Name {
			case "edge":
				least = 25 // most run nothing
			case "spatial":
				least = 1 // its mapper takes longest
				if asked == 0 {
					formats = formats[1:2]
				}
			}
			steps := 0
			for _, chain := range formats {
				steps += len(chain) - 1
			}
			designs := max(asked, least)
			tm := x.Template()
			for goal, metric := range map[evaluator.MapperGoal]int{evaluator.MapLatency: 0, evaluator.MapEnergy: 2} {
				own := *x
				own.MapperGoal = goal
				var all slower
				if goal == evaluator.MapLatency {
					all.rounding = roundingOf(x.Name)
				}
				for i, v := range designsOf(t, &tm, 31, designs) {
					names := []string{"mobilenet_v2", "resnet18_v1"}
					if asked == 0 {
						names = names[(i+metric/2)%2:][:1] // in turn
					}
					for _, name := range names {
						for _, chain := range formats {
							narrow(t, &own, name, v, chain, metric, &all)
						}
					}
				}
				t.Logf("%s for %s: %v", x.Name, goal, &all)
				if all.share() > 0.03 || all.worst > 0.001 || all.cases < min(steps*least, 30) {
					t.Errorf("%s for %s: narrower is worse: %v", x.Name, goal, &all)
				}
			}
		})
	}
}

func narrow(t *testing.T, x *frame.Spec, name string, v []space.Value, chain [][2]string, metric int, all *slower) {
	t.Helper()
	var last report.Metrics
	for i, f := range chain {
		measure, _, err := x.Model(in(t, name, f[0], f[1]), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		m, why, err := measure(report.Point{Values: v})
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && *m[1].Value > *last[1].Value {
			t.Errorf("%s on %s %v: %v takes %g mm², %v %g", name, x.Name, v, f, *m[1].Value, chain[i-1], *last[1].Value)
		}
		if last != nil && last[0].Value != nil {
			if why != nil {
				t.Logf("%s on %s %v: %v does not run, %v does: %s", name, x.Name, v, f, chain[i-1], why.Message)
				all.add(1, 1.001, v)
				return
			}
			all.add(*last[metric].Value, *m[metric].Value, v)
		}
		last = m
	}
}

// dense is a network of one product with weights, without biases.
func dense(t *testing.T, p workload.Precision) []evaluator.Network {
	t.Helper()
	w := &workload.Workload{
		Name: "dense", Precision: p, Inputs: []workload.Input{{Name: "x", Shape: []int64{1, 256}}},
		Layers: []workload.Layer{{ID: "y", Op: workload.GEMM, M: 1, K: 512, C: 256, NoBias: true, In: []string{"x"}}},
	}
	if err := w.Normalise(); err != nil {
		t.Fatal(err)
	}
	return []evaluator.Network{{Workload: w, Weight: 1}}
}

// What crosses the border is in proportion to the widths: weights once, inputs
// perhaps again.
func TestWidthsMoveBytes(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		for _, p := range []workload.Precision{{Weights: 4}, {Weights: 4, Activations: 4}, {Weights: 2}, {}, {Weights: 16, Activations: 16}, {Weights: 4, Activations: 16}, {Weights: 32, Activations: 32}} {
			d, err := x.Inspect(dense(t, p), report.Point{Values: x.Template().Baseline}, nil)
			if err != nil {
				t.Fatal(err)
			}
			weights, activations := p.WithDefaults().Weights, p.WithDefaults().Activations
			if x.Name == "eyeriss" { // words of 16 bits, or of the widest operand
				weights = max(weights, activations, 16)
				activations = weights
			}
			least := int64(4)
			if x.Name == "edge" {
				least = weights // streamed as it is stored
			}
			once := (256*512*max(weights, least) + (256+512)*activations) / 8
			if x.Name == "edge" {
				once += 16 * d.Networks[0].ProgramEntries
			}
			again := 16 * 256 * activations / 8 // inputs, for blocks of outputs
			if got := d.Networks[0].OffChipBytes; got < once || got > once+again {
				t.Errorf("%s with %+v: %d bytes off chip, want %d and at most %d more", x.Name, p, got, once, again)
			}
		}
	}
}

// Two products of 4 bits share a multiplier where the template says so.
func TestHalvesShareAMultiplier(t *testing.T) {
	t.Parallel()
	for _, s := range Specs() {
		x := s.template()
		peak := func(weights, activations string) int64 {
			fast := x.Template().Baseline
			fast[len(fast)-1].Num = 1 << 40 // of the interface, which nothing waits for
			d, err := x.Inspect(in(t, "vgg16", weights, activations), report.Point{Values: fast}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range d.Layers {
				if l.Utilisation > 1 {
					t.Errorf("%s: %s runs at %g of the peak rate with weights %s and activations %s", s.Name, l.ID, l.Utilisation, weights, activations)
				}
			}
			widest := slices.MaxFunc(d.Layers, func(a, b report.Layer) int { return cmp.Compare(a.MACs, b.MACs) })
			return widest.ComputeCycles + widest.MemoryCycles // Eyeriss waits for its buses
		}
		whole, mixed, half := peak("int8", "int8"), peak("int4", "int8"), peak("int4", "int4")
		want := whole
		if s.Splits {
			want = (whole + 1) / 2
		}
		// Smaller tiles need fewer switches of gemmini's weights.
		if whole == 0 || mixed != whole || half > want || float64(half) < 0.97*float64(want) {
			t.Errorf("%s: %d cycles at 8 bits, %d with weights of 4, %d at 4, want %d", s.Name, whole, mixed, half, want)
		}
	}
}

// With weights of four bits the cost by parts is the one that the search compared.
func TestPackedPartsSumToTheTotal(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		nets := in(t, "resnet18_v1", "int4", "int8")
		d, err := x.Inspect(nets, report.Point{Values: x.Template().Baseline}, nil)
		if err != nil {
			t.Fatal(err)
		}
		measure, _, err := x.Model(nets, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		m, why, err := measure(report.Point{Values: x.Template().Baseline})
		if err != nil || why != nil {
			t.Fatal(err, why)
		}
		if got, want := d.Networks[0].Latency.Total, *m[0].Value; got != want {
			t.Errorf("%s: %g s by parts, %g measured", x.Name, got, want)
		}
		var bytes int64
		for i := range d.Layers {
			bytes += d.Layers[i].Bytes.Of(report.OffChip)
		}
		if bytes != d.Networks[0].OffChipBytes || bytes < 11_000_000/2 {
			t.Errorf("%s: %d bytes off chip in all layers, %d in the network, want the same and at least half a byte a weight", x.Name, bytes, d.Networks[0].OffChipBytes)
		}
	}
}

// Every element takes a word of Eyeriss, of layers without products too: two bytes
// for one of 8 bits, as many as for one of 16.
func TestWordsOfLayersWithoutProducts(t *testing.T) {
	t.Parallel()
	x, _ := Named("eyeriss")
	tm := x.Template()
	moved := func(weights, activations string) map[string]int64 {
		r, err := x.Inspect(in(t, "resnet18_v2", weights, activations), report.Point{Values: tm.Baseline}, nil)
		if err != nil {
			t.Fatal(err)
		}
		bytes := map[string]int64{}
		for i := range r.Layers {
			if l := &r.Layers[i]; l.MACs == 0 {
				bytes[l.ID] = l.Bytes.Of(report.OffChip)
			}
		}
		return bytes
	}
	narrow, words := moved("int8", "int8"), moved("int16", "int16")
	if !maps.Equal(narrow, words) || len(words) < 10 {
		t.Errorf("layers without products move %v with 8 bits, want %v as with 16", narrow, words)
	}
}

// A sum is as wide as the output that becomes of it, where the network's accumulators
// are narrower.
func TestWidthOfSums(t *testing.T) {
	t.Parallel()
	bits := workload.Precision{Weights: 4, Activations: 4, Accumulators: 16}
	for _, s := range Specs() {
		for outputs, want := range map[int64]int64{0: 2, 8: 2, 32: 4} {
			l := workload.Layer{Op: workload.GEMM, M: 2, K: 3, C: 4, OutputBits: outputs}
			v, p, err := s.view(&l, bits)
			if err != nil || p.PartialBytes != want*v.perByte {
				t.Errorf("%s: sums of outputs of %d bits take %d of %d in a byte (%v), want %d B", s.Name, outputs, p.PartialBytes, v.perByte, err, want)
			}
		}
	}
}

// No buffer holds more sums than it has room for where outputs are wider than the
// accumulators.
func TestWideOutputsOfNarrowSums(t *testing.T) {
	t.Parallel()
	w, err := workload.Parse("wide.yaml", []byte(`{schema: apollo.workload/v1, name: wide, precision: {weights: 4, activations: 4, accumulators: 16},
inputs: [{name: x, shape: [2, 32, 32, 48]}], layers: [{id: y, op: dwconv, K: 48, P: 32, Q: 32, R: 3, S: 3, output_bits: 32, in: [x]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range All() {
		s, err := space.New(x.Template().Params...)
		if err != nil {
			t.Fatal(err)
		}
		designs, rng := [][]space.Value{x.Template().Baseline}, rand.New(rand.NewPCG(87, 0))
		if x.Name == "nvdla" { // its accumulator was filled twice over
			designs = append(designs, []space.Value{{Num: 128}, {Num: 32}, {Num: 32768}, {Num: 8192}, {Num: 16e9}})
		}
		for range 20 {
			designs = append(designs, s.Values(s.At(rng.Uint64N(s.Size()))))
		}
		for _, v := range designs {
			if _, err := x.Inspect([]evaluator.Network{{Workload: w, Weight: 1}}, report.Point{Values: v}, nil); err != nil {
				t.Errorf("%s, %v: %v", x.Name, v, err)
			}
		}
	}
}
