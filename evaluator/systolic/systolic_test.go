package systolic

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
)

// march executes a weight-stationary array step by step on small products and
// counts until the last result leaves: the closed form must say the same.
func march(a Array, g GEMM) (cycles int64) {
	down, across := (g.K+a.Rows-1)/a.Rows, (g.N+a.Cols-1)/a.Cols
	for range down * across {
		cycles += a.Rows // the weights move in, row by row
		// Input row m enters array row r at step m+r, meets column c at m+r+c.
		last := int64(0)
		for m := range g.M {
			for r := range a.Rows {
				for c := range a.Cols {
					last = max(last, m+r+c+1)
				}
			}
		}
		cycles += last
	}
	return cycles
}

func TestPassAgreesWithMarching(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	for range 200 {
		a := Array{Rows: 1 + rng.Int64N(6), Cols: 1 + rng.Int64N(6)}
		g := GEMM{M: 1 + rng.Int64N(12), N: 1 + rng.Int64N(12), K: 1 + rng.Int64N(12)}
		if got, want := a.Pass(&g).Cycles, march(a, g); got != want {
			t.Fatalf("%+v on %+v: %d cycles, marching takes %d", g, a, got, want)
		}
	}
}

// No dataflow beats the peak rate, and each operand is read at least once.
func TestPassBounds(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 0))
	for range 500 {
		a := Array{Rows: 1 + rng.Int64N(64), Cols: 1 + rng.Int64N(64), Dataflow: Dataflow(rng.IntN(3))}
		g := GEMM{M: 1 + rng.Int64N(3000), N: 1 + rng.Int64N(500), K: 1 + rng.Int64N(500)}
		p := a.Pass(&g)
		if p.Cycles*a.Rows*a.Cols < g.M*g.N*g.K {
			t.Fatalf("%+v on %+v: %d cycles beat the peak rate", g, a, p.Cycles)
		}
		if p.InputReads < g.M*g.K || p.WeightReads < g.K*g.N || p.OutputWrites < g.M*g.N {
			t.Fatalf("%+v on %+v: %+v moves less than each operand once", g, a, p)
		}
		twice := g
		twice.M *= 2
		if a.Pass(&twice).Cycles < p.Cycles {
			t.Fatalf("%+v on %+v: twice the rows are faster", g, a)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := Array{Rows: 1, Cols: 1}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, a := range []Array{{}, {Rows: 1}, {Rows: 1, Cols: 1, Dataflow: 3}} {
		if a.Validate() == nil {
			t.Errorf("%+v is valid", a)
		}
	}
}

// A buffer that holds both operands never stalls; a smaller one, or a slower
// memory, never makes a layer faster.
func TestStreamedBounds(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 0))
	for range 60 {
		a := Array{Rows: 1 + rng.Int64N(8), Cols: 1 + rng.Int64N(8), Dataflow: Dataflow(rng.IntN(3))}
		l := Layer{Height: 3 + rng.Int64N(8), Width: 3 + rng.Int64N(8), R: 1 + rng.Int64N(3), S: 1 + rng.Int64N(3), C: 1 + rng.Int64N(12), K: 1 + rng.Int64N(20), Stride: 1 + rng.Int64N(2)}
		g := l.GEMM()
		whole := streamed(t, a, l, Prefetch{Words: 1 << 20, WordsPerCycle: 1 << 20})
		if want := a.Pass(&g).Cycles; whole != want {
			t.Fatalf("%+v on %+v: %d cycles with everything in the buffer, want %d", l, a, whole, want)
		}
		slow, fast := streamed(t, a, l, Prefetch{Words: 200, WordsPerCycle: 1}), streamed(t, a, l, Prefetch{Words: 200, WordsPerCycle: 4})
		if slow < fast || fast < whole {
			t.Fatalf("%+v on %+v: %d cycles at 1 word per cycle, %d at 4, %d without a limit", l, a, slow, fast, whole)
		}
	}
}

func streamed(t *testing.T, a Array, l Layer, b Prefetch) int64 {
	t.Helper()
	n, err := a.Streamed(&l, b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStreamedRefuses(t *testing.T) {
	t.Parallel()
	good := Layer{Height: 4, Width: 4, R: 1, S: 1, C: 4, K: 4, Stride: 1}
	huge := good
	huge.K = 1 << 40
	for name, err := range map[string]error{
		"array":  second((&Array{}).Streamed(&good, Prefetch{Words: 200, WordsPerCycle: 1})),
		"buffer": second((&Array{Rows: 1, Cols: 1}).Streamed(&good, Prefetch{Words: 1, WordsPerCycle: 1})),
		"layer":  second((&Array{Rows: 1, Cols: 1}).Streamed(&huge, Prefetch{Words: 200, WordsPerCycle: 1})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second(_ int64, err error) error { return err }

// One tile on the whole array is the pass of the closed forms, and in memories
// that hold it every operand crosses the border once. Smaller tiles take no less
// of anything.
func TestTiledAgainstPass(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 0))
	for range 300 {
		p := model.Problem{
			Bound:  [model.Dims]int64{1, 1 + rng.Int64N(2), 1 + rng.Int64N(50), 1 + rng.Int64N(50), 1 + rng.Int64N(9), 1 + rng.Int64N(9), 1 + rng.Int64N(3), 1 + rng.Int64N(3)},
			Stride: [2]int64{1 + rng.Int64N(2), 1}, Dilation: [2]int64{1, 1}, Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
		}
		a := Array{Rows: 1 + rng.Int64N(20), Cols: 1 + rng.Int64N(20), Dataflow: Dataflow(rng.IntN(3))}
		o, _ := OperandsOf(&p)
		want := a.Pass(&o.GEMM)
		rows, cols, _ := a.Dataflow.Roles()
		one := Tiling{Rows: a.Rows, Cols: a.Cols, Tiles: [3]int64{1, 1, 1}, Order: [3]int{M, N, K}}
		total := [3]int64{o.M, o.N, o.K}
		total[rows], total[cols] = model.CeilDiv(total[rows], a.Rows), model.CeilDiv(total[cols], a.Cols)
		one.Steps = total
		big := Buffers{Input: 1 << 40, Weight: 1 << 40, Output: 1 << 40}
		got := a.Dataflow.Tiled(&o, &one, &big)
		if got.Cycles != want.Cycles || got.Folds != want.Folds || got.InputReads != want.InputReads || got.WeightReads != want.WeightReads || got.OutputWrites != want.OutputWrites {
			t.Fatalf("%+v on %+v: one tile takes %+v, the pass %+v", o, a, got, want)
		}
		if got != a.Dataflow.Untiled(&o, &one) || got.OffChip() != o.Input+o.Weight+o.Output {
			t.Fatalf("%+v on %+v: one tile takes %+v, without end %+v", o, a, got, a.Dataflow.Untiled(&o, &one))
		}
		more := one
		for d, n := range total {
			more.Steps[d] = 1 + rng.Int64N(n)
			more.Tiles[d] = model.CeilDiv(n, more.Steps[d])
		}
		rng.Shuffle(3, func(i, j int) { more.Order[i], more.Order[j] = more.Order[j], more.Order[i] })
		small := Buffers{Input: 1 + rng.Int64N(2000), Weight: 1 + rng.Int64N(2000), Output: 1 + rng.Int64N(2000)}
		x, y := a.Dataflow.Tiled(&o, &more, &small), a.Dataflow.Tiled(&o, &more, &big)
		if x.Cycles < got.Cycles || y.Input < got.Input || y.Weight < got.Weight || y.Output < got.Output || x.Input < y.Input || x.Weight < y.Weight || x.Output < y.Output {
			t.Fatalf("%+v on %+v, %+v: %+v in small memories, %+v in large ones, one tile %+v", o, a, more, x, y, got)
		}
	}
}
