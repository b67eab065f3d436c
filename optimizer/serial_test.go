package optimizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// autoregression is n errors with correlation rho, of which a share are
// stragglers, a hundred times too large.
func autoregression(seed uint64, n int, rho, stragglers float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := make([]float64, n)
	last := rng.NormFloat64()
	for i := range out {
		last = rho*last + math.Sqrt(1-rho*rho)*rng.NormFloat64()
		out[i] = last
		if rng.Float64() < stragglers {
			out[i] += 100
		}
	}
	return out
}

func TestSignedSerial(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rho, stragglers float64
		least, most     int // of 200 series of 100 errors
	}{{0, 0, 0, 15}, {0, 0.05, 0, 15}, {0.5, 0, 150, 200}, {0.5, 0.05, 130, 200}} {
		found := 0
		for seed := range uint64(200) {
			if signedSerial(autoregression(seed, 100, c.rho, c.stragglers), slices.Repeat([]bool{true}, 100)).Follows() {
				found++
			}
		}
		if found < c.least || found > c.most {
			t.Errorf("rho %v, stragglers %v: found in %d of 200, want %d to %d", c.rho, c.stragglers, found, c.least, c.most)
		}
	}
	long := autoregression(1, 20_000, 0.5, 0)
	if s := signedSerial(long, slices.Repeat([]bool{true}, len(long))); math.Abs(s.Rho-0.5) > 0.03 || s.Low > 0.5 || s.High < 0.5 {
		t.Errorf("rho is %+v, want 0.5", s)
	}
	if s := signedSerial(long[:40], slices.Repeat([]bool{true}, 40)); s != (Serial{Pairs: 39}) {
		t.Errorf("39 pairs say %+v, want nothing", s)
	}
}

// Runs of repeats, with values of designs that say nothing of the errors.
func TestRepeatedSerial(t *testing.T) {
	t.Parallel()
	series := func(seed uint64, designs, repeats int, rho, stragglers float64) (runs [][]float64) {
		errors := autoregression(seed, designs*repeats, rho, stragglers)
		for i := range designs {
			run := errors[i*repeats : (i+1)*repeats]
			for k := range run {
				run[k] += float64(1000 * (i % 7))
			}
			runs = append(runs, run)
		}
		return runs
	}
	for _, c := range []struct {
		designs, repeats int
		rho, stragglers  float64
		least, most      int // of 200 series
	}{{60, 3, 0, 0, 0, 15}, {60, 3, 0, 0.05, 0, 15}, {60, 3, 0.8, 0, 110, 200}, {60, 3, 0.8, 0.05, 80, 200}, {36, 5, 0.8, 0, 150, 200}} {
		found := 0
		for seed := range uint64(200) {
			if repeatedSerial(series(seed, c.designs, c.repeats, c.rho, c.stragglers)).Follows() {
				found++
			}
		}
		t.Logf("%+v: found in %d of 200", c, found)
		if found < c.least || found > c.most {
			t.Errorf("%d designs, %d times, rho %v, stragglers %v: found in %d of 200, want %d to %d", c.designs, c.repeats, c.rho, c.stragglers, found, c.least, c.most)
		}
	}
	for _, rho := range []float64{-0.3, 0, 0.5, 0.8} {
		var mean float64
		const seeds = 20
		for seed := range uint64(seeds) {
			mean += repeatedSerial(series(seed, 2000, 3, rho, 0)).Rho / seeds
		}
		if math.Abs(mean-rho) > 0.04 {
			t.Errorf("rho is %v, want %v", mean, rho)
		}
		held := 0
		for seed := range uint64(200) {
			if s := repeatedSerial(series(seed, 100, 3, rho, 0)); s.Low <= rho && rho <= s.High {
				held++
			}
		}
		if held < 182 || held > 198 { // 95 % of 200, and three deviations of that
			t.Errorf("the interval has rho %v in %d of 200", rho, held)
		}
	}
	if s := repeatedSerial(series(1, 19, 3, 0.5, 0)); s != (Serial{Pairs: 38}) {
		t.Errorf("19 runs say %+v, want nothing", s)
	}
}

// Runs are three measurements of one design or more without another between them; a
// failure between them is no measurement.
func TestRunsOfMeasurements(t *testing.T) {
	t.Parallel()
	s, err := space.New(space.Param{Name: "x", Values: []float64{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAnswers(Problem{Space: s, Objectives: 1})
	if err != nil {
		t.Fatal(err)
	}
	for trial, at := range []int{0, 0, 0, 1, 1, 0, 2, -1, 2, 2, 2, 2} {
		o := Observation{Point: space.Point{max(at, 0)}, Status: Measured, Values: []float64{float64(trial)}, Trial: trial}
		if at < 0 {
			o = Observation{Point: space.Point{2}, Status: Failed, Trial: trial}
		}
		a.Tell(o)
	}
	runs, in := a.runs()
	if want := [][]float64{{0, 1, 2}, {6, 8, 9, 10, 11}}; in != 8 || !slices.EqualFunc(runs, want, slices.Equal) {
		t.Errorf("%v with %d values, want %v", runs, in, want)
	}
}
