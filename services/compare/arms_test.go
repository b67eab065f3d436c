package compare

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"apollo/services/cli"
)

// seeded is a study of an arm whose best is v from its n-th trial on.
func seeded(name string, seed uint64, algorithm, goal string, n int, v float64) *Study {
	var rows [][]float64
	for range n - 1 {
		rows = append(rows, nil)
	}
	c := comparedOf(name, []string{goal}, append(rows, []float64{v, 0})...)
	c.Spec.Seed, c.Spec.Algorithm.Name, c.Spec.Labels = seed, algorithm, map[string]string{"note": name}
	return c
}

func TestArmsAreSeedsOfOneStudy(t *testing.T) {
	t.Parallel()
	for goal, sign := range map[string]float64{"minimize": 1, "maximize": -1} {
		var all []*Study
		for i, v := range []float64{5, 3, 4, 9, 7, 8, 6, 2, 10} {
			all = append(all, seeded(fmt.Sprint("a-", i+1), uint64(i), "random", goal, i+1, sign*v))
		}
		all = append(all, seeded("b-1", 1, "evolution", goal, 2, sign*1), seeded("b-2", 2, "evolution", goal, 3, sign*5.5),
			seeded("again", 2, "evolution", goal, 4, sign*5.5), seeded("none", 3, "other", goal, 5, sign*1))
		none := all[len(all)-1]
		*none = Study{Study: none.Study, Run: none.Run, Spec: none.Spec}
		for i := range 5 {
			none.Add(Trial{Number: i})
		}
		r, err := Of(all)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Arms) != 4 || r.Arms[0].Name != "a" || r.Arms[1].Name != "b" || r.Arms[2].Name != "again" || len(r.Arms[1].Studies) != 2 || r.Studies[11].Arm != 2 {
			t.Fatalf("arms %+v", r.Arms)
		}
		// Of nine values the second smallest and the second largest hold the median with
		// 1 - 2 (1 + 9) / 512.
		a := r.Arms[0]
		if low, high := min(sign*3, sign*9), max(sign*3, sign*9); a.Best.Median != sign*6 || *a.Best.Low != low || *a.Best.High != high || a.Best.Confidence != 1-20.0/512 {
			t.Errorf("%s: the best of a is %+v, %v to %v", goal, a.Best, *a.Best.Low, *a.Best.High)
		}
		if b := r.Arms[1].Best; b.Median != sign*3.25 || b.Confidence != 0.5 || *b.Low != min(sign*1, sign*5.5) {
			t.Errorf("%s: the best of b is %+v", goal, b)
		}
		if none := r.Arms[3]; none.Best != nil || none.ToLevel != nil || none.Won != 0.5*4 || none.Pairs != 12 { // four of a have none either after five trials
			t.Errorf("%s: an arm without a feasible trial is %+v", goal, none)
		}
		total := 0.0
		for _, a := range r.Arms {
			total += a.Won
		}
		if pairs := 9*2 + 9 + 9 + 2 + 2 + 1; total != float64(pairs) {
			t.Errorf("%s: %v pairs are won, there are %d", goal, total, pairs)
		}
		var text bytes.Buffer
		r.Text(&text, cli.Paint{})
		if !strings.Contains(text.String(), "ARM") || !strings.Contains(text.String(), " 50.0 %") {
			t.Errorf("the text is\n%s", text.String())
		}
	}
}

// The interval holds the median of all as often as it says, or more, whatever the values
// are distributed like.
func TestIntervalsHoldTheMedian(t *testing.T) {
	t.Parallel()
	const rounds = 4000
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{2, 3, 5, 6, 9, 20} {
		held, confidence := 0, 0.0
		for range rounds {
			values := make([]float64, n)
			for i := range values {
				values[i] = rng.ExpFloat64()
			}
			s := spreadOf(values)
			if confidence = s.Confidence; *s.Low <= math.Ln2 && math.Ln2 <= *s.High {
				held++
			}
			if !slices.IsSorted([]float64{*s.Low, s.Median, *s.High}) {
				t.Fatalf("%+v", s)
			}
		}
		const four = 4 // standard deviations
		if got, off := float64(held)/rounds, four*math.Sqrt(confidence*(1-confidence)/rounds); math.Abs(got-confidence) > off {
			t.Errorf("of %d values the interval holds the median %.3f of the time, says %.3f", n, got, confidence)
		}
		if (n >= 6) != (confidence >= Confidence) {
			t.Errorf("%d values have a confidence of %v", n, confidence)
		}
	}
}

// The studies of a campaign are called after the values of its matrix: what tells two arms
// apart may be a number.
func TestArmsKeepTheNumbersThatTellThemApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seeds []int
		want  []string
	}{
		{[]int{0, 1, 2}, []string{"edge-32", "edge-64", "edge-128"}},
		{[]int{10, 11, 12}, []string{"edge-32", "edge-64", "edge-128"}},
		{[]int{7}, []string{"edge-32-7", "edge-64-7", "edge-128-7"}},
	} {
		var all []*Study
		for _, trials := range []int{32, 64, 128} {
			for _, seed := range c.seeds {
				all = append(all, seeded(fmt.Sprintf("edge-%d-%d", trials, seed), uint64(seed), fmt.Sprint("algorithm", trials), "minimize", 1, 1))
			}
		}
		r, err := Of(all)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, a := range r.Arms {
			names = append(names, a.Name)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("seeds %v: the arms are %q, want %q", c.seeds, names, c.want)
		}
	}
}

func TestTheCurveOfAnArm(t *testing.T) {
	t.Parallel()
	of := func(seed uint64, goal string, values ...float64) *Study {
		var rows [][]float64
		for _, v := range values {
			if rows = append(rows, nil); !math.IsNaN(v) {
				rows[len(rows)-1] = []float64{v, 0}
			}
		}
		c := comparedOf(fmt.Sprint("a-", seed), []string{goal}, rows...)
		c.Spec.Seed, c.Spec.Algorithm.Name = seed, "random"
		return c
	}
	none := math.NaN()
	for _, c := range []struct {
		goal    string
		studies [][]float64
		want    []Point
	}{
		{"minimize", [][]float64{{9, 9, 3, 3, 1}, {none, 8, 8, 2}, {none, none, 7, 7}}, []Point{{2, 9}, {3, 7}, {4, 3}}}, // as far as all have gone
		{"minimize", [][]float64{{6, 4}, {8, 8}}, []Point{{1, 7}, {2, 6}}},
		{"minimize", [][]float64{{6, 6}, {none, none}}, []Point{}}, // half of two is none
		{"maximize", [][]float64{{1, 5}, {2, 2}, {none, 9}}, []Point{{1, 1}, {2, 5}}},
	} {
		var all []*Study
		for i, values := range c.studies {
			all = append(all, of(uint64(i), c.goal, values...))
		}
		r, err := Of(all)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Arms[0].Curve; len(r.Arms) != 1 || !slices.Equal(got, c.want) || got == nil {
			t.Errorf("%s %v: the median's curve is %v, want %v", c.goal, c.studies, got, c.want)
		}
	}
}
