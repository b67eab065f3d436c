package surrogate

import (
	"math"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// Far into both tails and on both sides of the asymptote.
func TestLogarithmsOfTails(t *testing.T) {
	t.Parallel()
	for _, c := range logTails {
		near(t, "LogNormalCDF", LogNormalCDF(c.z), c.cdf, 1e-9)
		near(t, "LogImprovement", LogImprovement(c.z, 0, 1), c.improvement, 1e-9)
	}
	// Scaling f by s scales the improvement by s.
	near(t, "scaled", LogImprovement(3, 4, 2), math.Log(2)+LogImprovement(-0.5, 0, 1), 1e-12)
}

func TestHalfRank(t *testing.T) {
	t.Parallel()
	got := HalfRank([]float64{5, 1, 1e9, 3, 7, 5})
	// Distinct 1 3 5 7 1e9: median 5; the better half is 1 3 5 5, whose root
	// mean square distance from 5 is √5; 7 and 1e9 go to the quantiles 2/3, 5/6.
	want := []float64{5, 1, 5 + math.Sqrt(5)*0.967421566101701, 3, 5 + math.Sqrt(5)*0.430727299295457, 5}
	for i := range want {
		near(t, "HalfRank", got[i], want[i], 1e-12)
	}
	for _, same := range [][]float64{nil, {2}, {2, 2, 2}} {
		if got := HalfRank(same); !slices.Equal(got, same) {
			t.Errorf("HalfRank(%v) = %v", same, got)
		}
	}
}

func TestWarps(t *testing.T) {
	t.Parallel()
	got := LogWarp([]float64{2, 0, 1})
	for i, want := range []float64{0.5, -0.5, 0.5 - math.Log(1.25)/math.Log(1.5)} {
		near(t, "LogWarp", got[i], want, 1e-15)
	}
	// Bad is 1 − (0.5·2 + 1) = −1; p = 2.5/4; the mean of 1 and 3 is 2.
	shift := 2*2.5/4 - 1*1.5/4
	got = FillInfeasible([]bool{true, false, true}, []float64{1, 3})
	for i, want := range []float64{1 - shift, -1 - shift, 3 - shift} {
		near(t, "FillInfeasible", got[i], want, 1e-15)
	}
	out, mean, deviation := Standardize([]float64{1, 3})
	if mean != 2 || deviation != 1 || out[0] != -1 {
		t.Errorf("Standardize = %v, %v, %v", out, mean, deviation)
	}
	for _, labels := range [][]float64{{1e300, -1e300, 0}, {math.MaxFloat64, -math.MaxFloat64}, {5e-324, 1e300}, {7, 7}, {1, 1 + 0x1p-52}} {
		out, _, _ := Standardize(HalfRank(Compress(labels)))
		for i, y := range out {
			if !finite(y) || math.Abs(y) > 10 {
				t.Errorf("%v become %v", labels, out)
			}
			if labels[i] < labels[0] && y > out[0] {
				t.Errorf("%v become %v: the order changes", labels, out)
			}
		}
	}
}

// A border through the middle of a line is found, and what was never seen has
// about the share of what was.
func TestFeasibility(t *testing.T) {
	t.Parallel()
	var x []float64
	var feasible []bool
	for i := range 20 {
		x = append(x, float64(i)/19)
		feasible = append(feasible, i < 10)
	}
	h := Hyper{LogScale: []float64{math.Log(0.3)}, LogNoise: math.Log(1e-2)}
	f, err := NewFeasibility([]bool{false}, h, x, Verdicts(feasible, nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, 4)
	f.AddLog([]float64{0.1, 0.5, 0.9, 50}, got)
	if got[0] < math.Log(0.95) || math.Abs(got[1]-math.Log(0.5)) > 0.3 || got[2] > math.Log(0.05) {
		t.Errorf("ln P = %v along the line", got)
	}
	near(t, "ln P far away", got[3], math.Log(0.5), 1e-6)
	labels, base := FeasibilityLabels(Verdicts([]bool{true, true, false}, nil))
	if base != 0.2 || labels[0] != 0.8 || labels[2] != -1.2 {
		t.Errorf("labels = %v about %v", labels, base)
	}
}

func TestEncoder(t *testing.T) {
	t.Parallel()
	s, err := space.New(
		space.Param{Name: "a", Values: []float64{1, 10, 100}},
		space.Param{Name: "b", Labels: []string{"x", "y", "z"}},
		space.Param{Name: "c", Values: []float64{5}})
	if err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(s, func(p space.Point) []float64 { return []float64{float64(4*p[0] - p[1]), 3, math.Inf(1)} })
	if got, want := e.Append(nil, space.Point{1, 2, 0}), []float64{0.5, 2, 0, 0.4, 0}; !slices.Equal(got, want) {
		t.Errorf("coordinates = %v, want %v", got, want)
	}
	if got, want := e.Categorical(), []bool{false, true, false, false, false}; !slices.Equal(got, want) || e.Len() != 5 {
		t.Errorf("categorical = %v, want %v", got, want)
	}
}

// logTails holds reference values computed with 60 decimal digits: Φ by its
// Taylor series about 0 for z > −3 and by Laplace's continued fraction below.
var logTails = []struct{ z, cdf, improvement float64 }{
	{2, -0.023012909328963488, 0.69738354578822831},
	{0, -0.69314718055994531, -0.91893853320467274},
	{-1, -1.8410216450092635, -2.4851210257126413},
	{-5, -15.064998393988726, -16.744301162660990},
	{-24, -292.09872100320779, -295.28022323480488},
	{-26, -342.17850892992783, -345.43954672231803},
	{-40, -804.60844201375379, -808.29856835661996},
	{-300, -45006.622732118663, -45012.326536814554},
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	feasible := []bool{true, false, false, false, false, false}
	violation := []float64{0, 0, 0.5, 1, 2, 1e300}
	want := []float64{1, -1, -0.2 - 0.5/2, -0.2 - 1.0/2, -0.2 - 1, -4.2}
	for i, got := range Verdicts(feasible, violation) {
		if math.Abs(got-want[i]) > 1e-15 {
			t.Errorf("verdict %d is %v, want %v", i, got, want[i])
		}
	}
}

// An offset changes nothing, order is kept, and the best ones are spread.
func TestLogBehind(t *testing.T) {
	t.Parallel()
	labels := []float64{-3, 5, -7, 0, 1e6, -3}
	got := LogBehind(labels)
	for i, want := range []float64{4, 12, 0, 7, 1e6 + 7, 4} { // the median is 4 behind
		near(t, "label", got[i], math.Log(want+2*4), 1e-15)
	}
	shifted := slices.Clone(labels)
	for i := range shifted {
		shifted[i] += 512
	}
	if !slices.Equal(LogBehind(shifted), got) {
		t.Errorf("shifted by 512: %v, want %v", LogBehind(shifted), got)
	}
	for _, c := range [][]float64{nil, {-2}, {-2, -2}, {-2, -2, -2, 1}} {
		for i, y := range LogBehind(c) {
			if !finite(y) || i > 0 && (c[i] > c[i-1]) != (y > LogBehind(c)[i-1]) {
				t.Errorf("%v becomes %v", c, LogBehind(c))
			}
		}
	}
}
