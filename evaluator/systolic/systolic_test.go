package systolic

import (
	"math/rand/v2"
	"testing"
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
