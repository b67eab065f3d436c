package transfer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"apollo/optimizer/surrogate"
)

// lessons are sources of a smooth function on the unit square whose optimum
// moves with the workload.
func lessons(workloads ...float64) *Sources {
	s := &Sources{Categorical: make([]bool, 2), Workload: []float64{0.5}}
	for i, w := range workloads {
		rng := rand.New(rand.NewPCG(5, uint64(i)))
		t := Table{Source: i, Workload: []float64{w}}
		for range 40 {
			x, y := rng.Float64(), rng.Float64()
			t.X = append(t.X, x, y)
			t.Y = append(t.Y, hill(x, y, w))
		}
		s.Tables = append(s.Tables, t)
	}
	s.fit(surrogate.DefaultPrior())
	return s
}

func hill(x, y, w float64) float64 { return (x-w)*(x-w) + (y-0.5)*(y-0.5)/2 - 0.2 }

// Every method has to rank designs of a target between its sources.
func TestMethodsRankATargetTheyNeverSaw(t *testing.T) {
	t.Parallel()
	s := lessons(0.3, 0.7, 0.6, 0.4)
	for _, m := range methods() {
		experts, err := m.Train(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := m.Train(s)
		if err != nil {
			t.Fatal(err)
		}
		for k, e := range experts {
			rng := rand.New(rand.NewPCG(9, 9))
			weighting := rankWeighting{}
			var predicted []float64
			for range 60 {
				x := []float64{rng.Float64(), rng.Float64()}
				weighting.y = append(weighting.y, hill(x[0], x[1], 0.5))
				predicted = append(predicted, e.Model.Predict(x))
				if got := again[k].Model.Predict(x); got != predicted[len(predicted)-1] {
					t.Fatalf("%s trained again predicts %v, was %v", m.Name(), got, predicted[len(predicted)-1])
				}
			}
			sample := make([]int, len(weighting.y))
			for i := range sample {
				sample[i] = i
			}
			if loss := weighting.loss(predicted, sample); loss > 0.33 {
				t.Errorf("%s, model %d: %v of the pairs are in the wrong order, want at most a third", m.Name(), k, loss)
			}
		}
		if len(experts) == 0 {
			t.Errorf("%s has no model of four sources", m.Name())
		}
	}
}

// The ridge with its gain is the published closed form on the scaled basis:
// W = (E[x̃x̃ᵀ] + nλI)⁻¹(1−p)XYᵀ.
func TestRTMIsTheClosedForm(t *testing.T) {
	t.Parallel()
	s := lessons(0.3, 0.8)
	r := RTM{Corruption: 0.4, Penalty: 0.01}
	experts, err := r.Train(s)
	if err != nil {
		t.Fatal(err)
	}
	c := experts[0].Model.(*corrupted)
	var x, y []float64
	for i := range s.Tables {
		table := &s.Tables[i]
		for k, label := range table.Y {
			x = c.basis(x, table.X[2*k:2*k+2])
			y = append(y, label)
		}
	}
	n, b := len(y), len(c.center)
	for k := range x {
		x[k] = (x[k] - c.center[k%b]) * c.scale[k%b]
	}
	// The ridge has an intercept: labels about their mean.
	_, mean, _ := surrogate.Standardize(y)
	for i := range y {
		y[i] -= mean
	}
	design := mat.NewDense(n, b, slices.Clone(x))
	var gram, right, w mat.Dense
	gram.Mul(design.T(), design)
	for i := range b {
		for j := range b {
			share := (1 - r.Corruption) * (1 - r.Corruption)
			if i == j {
				share = 1 - r.Corruption
			}
			gram.Set(i, j, share*gram.At(i, j))
		}
		gram.Set(i, i, gram.At(i, i)+float64(n)*r.Penalty)
	}
	right.Mul(design.T(), mat.NewDense(n, 1, y))
	right.Scale(1-r.Corruption, &right)
	if err := w.Solve(&gram, &right); err != nil {
		t.Fatal(err)
	}
	for k := range n {
		row := x[k*b : (k+1)*b]
		want := mean * c.gain // the gain scales the intercept too, and the target shifts it
		for i, v := range row {
			want += v * w.At(i, 0)
		}
		point := s.Tables[k/40].X[2*(k%40) : 2*(k%40)+2]
		// 1e-9: two solutions of a well-conditioned system of five unknowns.
		if got := c.Predict(point); math.Abs(got-want) > 1e-9 {
			t.Errorf("design %d: %v, want %v", k, got, want)
		}
	}
}

// Far from all data the conservative model expects worse than a process does.
func TestZeroShotIsCautious(t *testing.T) {
	t.Parallel()
	s := lessons(0.4, 0.6)
	trusting, err := ZeroShot{Caution: 1e-9}.Train(s)
	if err != nil {
		t.Fatal(err)
	}
	cautious, err := ZeroShot{}.Train(s)
	if err != nil {
		t.Fatal(err)
	}
	gap := func(x ...float64) float64 { return cautious[0].Model.Predict(x) - trusting[0].Model.Predict(x) }
	if near, far := gap(0.5, 0.5), gap(4, 4); !(near >= 0 && far > 10*near) {
		t.Errorf("caution adds %v among the data and %v far from it", near, far)
	}
}

func TestUnknownMethodNamesTheKnown(t *testing.T) {
	t.Parallel()
	if _, err := choose("magic"); err == nil || err.Error() != `method is "magic", but must be one of auto, seed, rgpe, gp, rtm, zero-shot` {
		t.Errorf("choose() = %v", err)
	}
	for _, name := range methodNames() {
		if _, err := choose(name); err != nil {
			t.Errorf("choose(%q) = %v", name, err)
		}
	}
}
