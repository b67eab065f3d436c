package template

import (
	"fmt"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
)

func sparseNetwork(t *testing.T, name, sparsity string) []evaluator.Network {
	t.Helper()
	return []evaluator.Network{{Workload: sizedNetwork(t, name, workload.Sizes{Sparsity: sparsity}), Weight: 1}}
}

// Blocks that keep everything and need no place, and a density of 1, cost what
// dense weights do, to the byte.
func TestFullBlocksAreDense(t *testing.T) {
	t.Parallel()
	for _, s := range Specs() {
		x := s.template()
		for _, sparsity := range []string{"1:1", "1"} {
			if sparsity == "1:1" && !s.Sparse.Blocks || sparsity == "1" && !s.Sparse.Masked {
				continue
			}
			var got [2]report.Design
			for i, text := range []string{"", sparsity} {
				var err error
				if got[i], err = x.Inspect(sparseNetwork(t, "resnet18_v1", text), report.Point{Values: x.Template().Baseline}, nil); err != nil {
					t.Fatal(err)
				}
			}
			for i := range got[0].Layers {
				dense, full := &got[0].Layers[i], &got[1].Layers[i]
				if dense.Cycles != full.Cycles || fmt.Sprint(dense.Bytes) != fmt.Sprint(full.Bytes) {
					t.Errorf("%s, %s at %s: %d cycles and %v bytes, dense %d and %v", s.Name, dense.ID, sparsity, full.Cycles, full.Bytes, dense.Cycles, dense.Bytes)
				}
			}
			if a, b := got[0].Area.Total(), got[1].Area.Total(); a != b {
				t.Errorf("%s at %s: %g mm2, dense %g", s.Name, sparsity, b, a)
			}
		}
	}
}

// The fewer weights count, the less a network takes; nothing is above the peak
// rate, which counts the products that are skipped.
func TestFewerWeightsTakeLess(t *testing.T) {
	t.Parallel()
	for _, s := range Specs() {
		x := s.template()
		var chains [][]string
		if s.Sparse.Blocks {
			chains = append(chains, []string{"4:4", "3:4", "2:4", "1:4"}, []string{"8:8", "4:8", "1:8"})
		}
		if s.Sparse.Masked {
			chains = append(chains, []string{"", "0.8", "0.5", "0.2", "0.01"})
		}
		for _, chain := range chains {
			for _, name := range []string{"resnet18_v1", "mobilenet_v2", "gpt2_decode"} {
				var last report.Design
				for i, sparsity := range chain {
					nets := sparseNetwork(t, name, sparsity)
					d, err := x.Inspect(nets, report.Point{Values: x.Template().Baseline}, nil)
					if err != nil {
						t.Fatal(err)
					}
					underRoofline(t, x, &d)
					if i == 0 {
						last = d
						continue
					}
					for _, metric := range []string{"latency_s", "energy_j"} {
						if now, before := *d.Metrics.Of(metric), *last.Metrics.Of(metric); now >= before {
							t.Errorf("%s on %s: %s %g at %q, %g at %q", name, s.Name, metric, now, sparsity, before, chain[i-1])
						}
					}
					last = d
				}
			}
		}
	}
}

// A template that has no use for zeros says so, and which has.
func TestSparsityIsRefused(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		for sparsity, has := range map[string]bool{"2:4": x.Sparse.Blocks, "0.5": x.Sparse.Masked} {
			_, err := x.Template().Backend.New(evaluator.Task{Params: x.Template().Params, Networks: sparseNetwork(t, "alexnet", sparsity)})
			if (err == nil) != has || err != nil && !strings.Contains(err.Error(), "leave sparsity out") {
				t.Errorf("%s at %s: error %v, want one: %t", x.Name, sparsity, err, !has)
			}
		}
	}
}
