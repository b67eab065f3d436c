package template

import (
	"math"
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
	"apollo/evaluator/systolic"
	"apollo/internal/correlation"
)

// The template orders random designs as SCALE-Sim's stalls do
// (systolic.Array.Stalled walks them; lab/validate holds it to the tool's rows),
// when the tool gets what a compiler would give it and pays what it leaves out:
// the best of a few cuts of filters and rows, a first fill of its buffers for
// every tile, and one interface in place of its three. Products of matrices only:
// the tool fetches an input again for every window that it lies in.
func TestSystolicRanksLikeScaleSim(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("seconds of walks")
	}
	products := []systolic.Layer{
		{Height: 14, Width: 14, R: 1, S: 1, C: 96, K: 96, Stride: 1},
		{Height: 14, Width: 14, R: 1, S: 1, C: 48, K: 128, Stride: 1},
		{Height: 7, Width: 7, R: 1, S: 1, C: 160, K: 64, Stride: 1},
	}
	spec := systolicSpec()
	for flow := range systolic.InputStationary + 1 {
		t.Run(flow.String(), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(9, uint64(flow)))
			var ours, theirs, plain []float64
			for range 12 {
				v := draw(rng, &spec)
				v[2], v[4] = int64(flow), v[3] // the tool's operands have equal memories
				m := declared(&spec).machine(v)
				a := systolic.Array{Rows: v[0], Cols: v[1], Dataflow: flow}
				buffer := systolic.Prefetch{Words: v[3], WordsPerCycle: v[6] / 1e9}
				var sum [3]float64
				for i := range products {
					l := &products[i]
					p := model.Problem{
						Bound:  [model.Dims]int64{1, 1, l.K, l.C, l.Height, l.Width, 1, 1},
						Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}, Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
					}
					var found model.Mapping
					c, _ := m.Flow.Find(&p, leastTime(), &found)
					asIs, err := a.Streamed(l, buffer)
					if err != nil {
						t.Fatal(err)
					}
					sum[0], sum[1], sum[2] = sum[0]+float64(c.Cycles), sum[1]+tiledStalls(t, &a, l, buffer), sum[2]+float64(asIs)
				}
				ours, theirs, plain = append(ours, sum[0]), append(theirs, sum[1]), append(plain, sum[2])
			}
			rank := correlation.Spearman(ours, theirs)
			t.Logf("%s: Spearman %.3f, with the tool's time untiled and warm %.3f", flow, rank, correlation.Spearman(ours, plain))
			if rank < 0.9 {
				t.Errorf("%s: Spearman %.3f, want at least 0.9", flow, rank)
			}
		})
	}
}

// tiledStalls returns the tool's least time over some cuts of filters and rows.
func tiledStalls(t *testing.T, a *systolic.Array, l *systolic.Layer, b systolic.Prefetch) float64 {
	t.Helper()
	least := math.Inf(1)
	for filters := int64(1); filters <= 16; filters *= 2 {
		for _, rows := range []int64{1, 2, 4, l.Height} {
			x := *l
			x.K, x.Height = model.CeilDiv(l.K, filters), model.CeilDiv(l.Height, rows)
			tiles := model.CeilDiv(l.K, x.K) * model.CeilDiv(l.Height, x.Height)
			stalled, err := a.Stalled(&x, b)
			if err != nil {
				t.Fatal(err)
			}
			g, all := x.GEMM(), l.GEMM()
			cold := min(max(g.K*g.N, g.M*g.K), b.Words/2)
			moved := all.M*all.N + tiles*(g.K*g.N+g.M*g.K)
			least = min(least, float64(max(tiles*(stalled+model.CeilDiv(cold, b.WordsPerCycle)), moved/b.WordsPerCycle)))
		}
	}
	return least
}
