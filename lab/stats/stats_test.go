package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var inf = math.Inf(1)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4}, 0.25, 1.75}, // R: quantile(1:4, .25)
		{[]float64{1, 2, 3, 4}, 1, 4},
		{[]float64{1, inf, 2}, 0.5, 2},
		{[]float64{1, inf}, 0.5, inf},
		{[]float64{inf, inf, 2}, 0.5, inf},
	} {
		if got := Quantile(c.values, c.q); got != c.want {
			t.Errorf("Quantile(%v, %v) = %v, want %v", c.values, c.q, got, c.want)
		}
	}
	if got := Median(nil); !math.IsNaN(got) {
		t.Errorf("Median() = %v, want NaN", got)
	}
}

func TestCurve(t *testing.T) {
	t.Parallel()
	c := Curve{inf, 2, 2, 0.5}
	for trials, want := range map[int]float64{1: inf, 2: 2, 3: 2, 4: 0.5, 9: 0.5} {
		if got := c.At(trials); got != want {
			t.Errorf("At(%d) = %v, want %v", trials, got, want)
		}
	}
	for _, w := range []struct {
		level  float64
		trials int
		ok     bool
	}{{2, 2, true}, {1.9, 4, true}, {0.5, 4, true}, {0.4, 5, false}, {inf, 1, true}} {
		if n, ok := c.Reach(w.level); n != w.trials || ok != w.ok {
			t.Errorf("Reach(%v) = %d, %v, want %d, %v", w.level, n, ok, w.trials, w.ok)
		}
	}
	if got := (Curve{}).At(1); got != inf {
		t.Errorf("At() of an empty curve = %v, want +Inf", got)
	}
}

func stepsOf(c Curve) steps {
	p := prepare(&Table{Algorithms: []string{"a"}, Tasks: []string{"t"}, Curves: [][][]Curve{{{c}}}, Trials: len(c)})
	return p.median(0, 0, []int{0})
}

func TestLogEfficiency(t *testing.T) {
	t.Parallel()
	slow := Curve{inf, 8, 8, 8, 4, 4, 4, 2, 2, 2} // levels 8, 4, 2 first at trials 2, 5, 8, for 3 trials each
	for _, c := range []struct {
		name     string
		other    Curve
		want     float64
		censored bool
	}{
		{"itself", slow, 0, false},
		{"at once", Curve{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, math.Log(5), false},
		{"the levels at 1, 1 and 4", Curve{4, 4, 4, 2, 2, 2, 2, 2, 2, 2}, math.Log(2), false},
		{"the last level never: a bound below the middle", Curve{8, 8, 8, 8, 8, 4, 4, 4, 4, 4}, math.Log(5. / 6), false},
		{"only the first level", Curve{8, 8, 8, 8, 8, 8, 8, 8, 8, 8}, math.Log(8. / 11), true},
		{"nothing", Curve{inf, inf, inf, inf, inf, inf, inf, inf, inf, inf}, math.Log(5. / 11), true},
	} {
		got, censored := logEfficiency(stepsOf(slow), stepsOf(c.other), 10)
		if math.Abs(got-c.want) > 1e-15 || censored != c.censored {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, censored, c.want, c.censored)
		}
	}
	for _, nothing := range []Curve{{inf, inf}, {3, 3}} {
		if got, _ := logEfficiency(stepsOf(nothing), stepsOf(Curve{1, 1}), 2); !math.IsNaN(got) {
			t.Errorf("against %v: %v, want NaN", nothing, got)
		}
	}
}

func TestRankOf(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 3, inf, inf}
	var got []float64
	for a := range values {
		got = append(got, rankOf(values, a))
	}
	if diff := cmp.Diff([]float64{2.5, 1, 2.5, 4.5, 4.5}, got); diff != "" {
		t.Error(diff)
	}
}

// table has two algorithms on two tasks, three seeds; the second halves the
// regret of the first at every trial.
func table() *Table {
	t := &Table{Algorithms: []string{"slow", "fast"}, Tasks: []string{"x", "y"}, Trials: 8, Marks: []int{2, 8}, Tolerances: []float64{0.2}}
	var slow, fast [][]Curve
	for k := range 2 {
		var a, b []Curve
		for s := range 3 {
			c, d := make(Curve, 8), make(Curve, 8)
			for i := range c {
				c[i] = float64(1+k+s) / float64(i+1)
				d[i] = c[i] / 2
			}
			a, b = append(a, c), append(b, d)
		}
		slow, fast = append(slow, a), append(fast, b)
	}
	t.Curves = [][][]Curve{slow, fast}
	return t
}

func TestFigures(t *testing.T) {
	t.Parallel()
	x := table()
	f := prepare(x).figures(x.all())
	// The fast one has the slow one's level of trial i at ⌈i/2⌉: from trial 2 on
	// ratios of 2, 3/2, 2, 5/3, 2, 7/4, 2. Cells at the end: 1/8, 2/8, 3/8 and 2/8, 3/8, 4/8.
	want := &Figures{
		Regret: [][]float64{{1.25, 0.3125}, {0.625, 0.15625}},
		Rank:   [][]float64{{2, 2}, {1, 1}},
		Within: [][]float64{{1. / 6}, {5. / 6}},
		Change: [][]float64{{0, 0}, {(1.5/2 + 1.75/2.5 - 2) / 2, (1.125/1.25 + 1.1875/1.375 - 2) / 2}},
	}
	want.Pairs = [][]Pair{{{0, 0.5}, {f.Pairs[0][1].LogEfficiency, 0}}, {{math.Log(2), 1}, {0, 0.5}}}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
	if diff := cmp.Diff(want, f, near); diff != "" {
		t.Error(diff)
	}
	// The slow one reaches half of the levels of the fast one, so that its
	// figure rests on bounds.
	if got := f.Pairs[0][1].LogEfficiency; got > -0.5 {
		t.Errorf("log-efficiency of the slow one = %v, want well below 0", got)
	}
	if censored := x.Censored(); !censored[0][1] || censored[1][0] {
		t.Errorf("censored = %v, want only the slow one", censored)
	}
}

// A change compares medians: those of the same three regrets in another order
// are equal, however the seeds changed one by one.
func TestChangeIsOfMedians(t *testing.T) {
	t.Parallel()
	x := &Table{
		Algorithms: []string{"reference", "other"}, Tasks: []string{"x"}, Trials: 1, Marks: []int{1},
		Curves: [][][]Curve{{{{0}, {1}, {3}}}, {{{1}, {3}, {0}}}},
	}
	if got := prepare(x).figures(x.all()).Change[1][0]; got != 0 {
		t.Errorf("the change is %v, want 0", got)
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]float64{{0.5, 0, 0.5}, {0, 1, -0.5}, {inf, inf, 0}, {inf, 1, inf}, {1, inf, -1}} {
		if got := relative(c[0], c[1]); got != c[2] {
			t.Errorf("relative(%v, %v) = %v, want %v", c[0], c[1], got, c[2])
		}
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	share, trials := table().Profile(1, 0.25)
	// The fast cells are at 0.25 after 2, 4, 6 and 4, 6, 8 trials.
	want := []float64{0, 1. / 6, 1. / 6, 0.5, 0.5, 5. / 6, 5. / 6, 1}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
	if diff := cmp.Diff(want, share, near); diff != "" || trials != 5 {
		t.Errorf("median %v, want 5; %s", trials, diff)
	}
}

func TestSummarizeIsRepeatable(t *testing.T) {
	t.Parallel()
	x := table()
	a, err := x.Summarize(200, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x.Summarize(200, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if i := a.Pairs[1][0].LogEfficiency; !i.Excludes(0) || i.Low > i.Value || i.High < i.Value {
		t.Errorf("interval %+v, want one around the value without 0", i)
	}
}

// The interval of a mean rank covers 0.95 of the repetitions of an experiment
// whose answer is known, up to the error of 200 repetitions and the narrowness
// of percentile intervals of 20 values.
func TestCoverage(t *testing.T) {
	t.Parallel()
	const repetitions, seeds = 200, 20
	covered := 0
	for r := range uint64(repetitions) {
		rng := rand.New(rand.NewPCG(7, r))
		x := &Table{Algorithms: []string{"a", "b"}, Tasks: []string{"t"}, Trials: 1, Marks: []int{1}, Curves: [][][]Curve{{nil}, {nil}}}
		for range seeds {
			for a := range 2 {
				x.Curves[a][0] = append(x.Curves[a][0], Curve{rng.Float64()})
			}
		}
		s, err := x.Summarize(200, r)
		if err != nil {
			t.Fatal(err)
		}
		if i := s.Rank[0][0]; i.Low <= 1.5 && 1.5 <= i.High {
			covered++
		}
	}
	if share := float64(covered) / repetitions; share < 0.88 || share > 0.99 {
		t.Errorf("%.3f of the intervals hold the truth, want about %v", share, Confidence)
	}
}

func TestFewSeedsClaimNothing(t *testing.T) {
	t.Parallel()
	x := table()
	for a := range x.Curves {
		for k := range x.Curves[a] {
			x.Curves[a][k] = x.Curves[a][k][:2]
		}
	}
	s, err := x.Summarize(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if i := s.Pairs[1][0].LogEfficiency; !math.IsNaN(i.Low) || i.Excludes(0) {
		t.Errorf("interval %+v from two seeds, want none", i)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Table){
		"no algorithm":   func(x *Table) { x.Algorithms = nil },
		"missing curves": func(x *Table) { x.Curves = x.Curves[:1] },
		"missing task":   func(x *Table) { x.Curves[1] = x.Curves[1][:1] },
		"unpaired seeds": func(x *Table) { x.Curves[1][0] = x.Curves[1][0][:2] },
		"mark beyond":    func(x *Table) { x.Marks = []int{9} },
	} {
		x := table()
		change(x)
		if _, err := x.Summarize(0, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// An interval holds the median of what was drawn, and there is none of two seeds.
func TestMedianInterval(t *testing.T) {
	t.Parallel()
	i := MedianInterval([]float64{1, 2, 3, 4, 5, 6, 7})
	if i.Value != 4 || !(i.Low >= 1 && i.Low < 4 && i.High > 4 && i.High <= 7) {
		t.Errorf("%+v, want 4 with an interval around it inside 1 to 7", i)
	}
	if i := MedianInterval([]float64{1, 2}); i.Value != 1.5 || !math.IsNaN(i.Low) {
		t.Errorf("%+v, want 1.5 without an interval", i)
	}
}
