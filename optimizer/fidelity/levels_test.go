package fidelity

import (
	"math"
	"slices"
	"strings"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// lattice has a setting of three levels between two parameters.
func lattice(t *testing.T) space.Space {
	t.Helper()
	ten := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	s, err := space.New(space.Param{Name: "x", Values: ten}, space.Param{Name: "fine", Values: []float64{1, 4, 16}}, space.Param{Name: "y", Values: ten})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spy keeps the problems that it is started with.
type spy struct {
	optimizer.GA
	problems *[]optimizer.Problem
}

func (a spy) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	*a.problems = append(*a.problems, p)
	return a.GA.Start(p)
}

// When a level is dropped: how many pairs it takes, what infeasible designs and ties are,
// and that the last pairs count.
func TestOrdered(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	long := func(first, last float64, n int) (v []float64) {
		for i := range n {
			v = append(v, first+(last-first)*float64(i)/float64(n-1))
		}
		return v
	}
	for name, c := range map[string]struct {
		cheap, full []float64
		own         int
		want        bool
	}{
		"the same":               {[]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 4, true},
		"the reverse":            {[]float64{1, 2, 3, 4}, []float64{8, 7, 6, 5}, 4, false},
		"first round":            {[]float64{1, 2, 3}, []float64{8, 7, 6}, 3, true},
		"two pairs":              {[]float64{1, 2}, []float64{5, 6}, 4, false},
		"three pairs":            {[]float64{1, 2, 3}, []float64{5, 6, 7}, 4, true},
		"tau 1/3 of four":        {[]float64{1, 2, 3, 4}, []float64{2, 1, 4, 0.5 + 2}, 4, false},
		"infeasible below":       {[]float64{inf, 1, 2, 3}, []float64{8, 5, 6, 7}, 4, true},
		"infeasible below, good": {[]float64{inf, 1, 2}, []float64{4, 5, 6}, 4, false},
		"all the same in full":   {[]float64{1, 2, 3, 4}, []float64{5, 5, 5, 5}, 4, false},
		"the last 64":            {append(long(1, 0, 64), long(2, 3, 64)...), append(long(1, 2, 64), long(2, 3, 64)...), 128, true},
		"not the first 64":       {append(long(2, 3, 64), long(1, 0, 64)...), append(long(2, 3, 64), long(1, 2, 64)...), 128, false},
	} {
		a := Algorithm{Search: transfer.Algorithm{Base: optimizer.GA{}}, Parameter: 1}
		made, err := a.Start(optimizer.Problem{Space: lattice(t), Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		s := made.(*strategy)
		for i := range c.full {
			at := s.space.At(uint64(i % 100)) // there are so many designs: the last take the place of the first
			tell := func(level int, v float64) {
				o := optimizer.Observation{Point: s.with(at, level), Origin: "ga", Trial: i, Values: []float64{v}}
				if math.IsInf(v, 1) {
					o.Status = optimizer.Infeasible
				}
				s.Tell(o)
			}
			tell(0, c.cheap[i])
			tell(2, c.full[i])
		}
		s.levels[2].own = c.own
		if got := s.ordered(0); got != c.want {
			t.Errorf("%s: ordered is %v", name, got)
		}
	}
}

// Promoted is the best design that was measured below and may be measured above, and the
// check is the middle one; sources seed nothing; designs are legal at their level.
func TestWhatIsPromoted(t *testing.T) {
	t.Parallel()
	legal := func(p space.Point) bool { return p[0] > p[1] }
	a := Algorithm{Search: transfer.Algorithm{Base: optimizer.GA{}}, Parameter: 1}
	made, err := a.Start(optimizer.Problem{Space: lattice(t), Seed: 5, Legal: legal})
	if err != nil {
		t.Fatal(err)
	}
	s := made.(*strategy)
	seen := map[string]int{}
	for i := range 84 {
		got, err := s.Ask(uint64(i), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, k := got[0].Point, got[0].Point[1]
		kind, from, _ := strings.Cut(got[0].Origin, ":")
		seen[kind]++
		if !legal(p) {
			t.Fatalf("trial %d, %v, is not legal", i, p)
		}
		if kind == "promoted" || kind == "check" {
			below := slices.Index([]string{"fine=1", "fine=4"}, from)
			var values []float64
			for _, o := range s.levels[below].told {
				_, there := s.levels[k].values.Get(s.space.Key(o.Point))
				if o.Status == optimizer.Measured && !there && legal(s.with(o.Point, k)) {
					values = append(values, o.Values[0])
				}
			}
			slices.Sort(values)
			v, _ := s.levels[below].values.Get(s.space.Key(s.without(p)))
			if want := values[map[string]int{"promoted": 0, "check": len(values) / 2}[kind]]; v != want {
				t.Errorf("trial %d, %s: its value below is %v, want %v of %v", i, got[0].Origin, v, want, values)
			}
		}
		o := optimizer.Observation{Point: p, Origin: got[0].Origin, Trial: i, Values: []float64{1 + math.Pow(float64(p[0]-6), 2) + math.Pow(float64(p[2]-3), 2) + float64(k)}}
		if p[2] == 0 {
			o.Status = optimizer.Infeasible
		}
		s.Tell(o)
	}
	if seen["promoted"] < 10 || seen["check"] != 2 || seen["seed"] > 0 {
		t.Errorf("origins %v", seen)
	}
}

// The search of a level knows the problem without the setting, as it is at that level.
func TestProblemOfALevel(t *testing.T) {
	t.Parallel()
	sp := lattice(t)
	var problems []optimizer.Problem
	var asked, settled space.Point
	a := Algorithm{Search: transfer.Algorithm{Base: spy{problems: &problems}, Method: "seed"}, Parameter: 1}
	task := optimizer.Task{Name: "fast/1", Space: sp, Ask: func(p space.Point) (optimizer.Observation, error) {
		asked = p.Clone()
		return optimizer.Observation{Point: p, Values: []float64{1}}, nil
	}}
	old := optimizer.Task{Name: "old/1", Space: sp, Mapped: []bool{true, true, true}}
	for k := range 3 {
		old.Observations = append(old.Observations, optimizer.Observation{Point: space.Point{k, k, k}, Values: []float64{1}})
	}
	p := optimizer.Problem{
		Space: sp, Baseline: space.Point{4, 2, 5}, Prior: []optimizer.Task{task, old},
		Legal:    func(p space.Point) bool { return p[1] == 1 },
		Settle:   func(p space.Point) { settled = p.Clone(); p[2] = 7 },
		Features: func(p space.Point) []float64 { return []float64{float64(p[1])} },
	}
	made, err := a.Start(p)
	if err != nil {
		t.Fatal(err)
	}
	got := made.(*strategy).problemOf(1)
	at := space.Point{2, 3}
	if _, err := got.Prior[0].Ask(at); err != nil || !slices.Equal(asked, space.Point{2, 2, 3}) {
		t.Errorf("the model is asked for %v, want the last level", asked)
	}
	if o := got.Prior[1].Observations; len(o) != 1 || !slices.Equal(o[0].Point, space.Point{2, 2}) || len(got.Prior[1].Mapped) != 2 {
		t.Errorf("the source has %v, want its last level alone", o)
	}
	if !slices.Equal(got.Baseline, space.Point{4, 5}) || !got.Legal(at) || made.(*strategy).problemOf(0).Legal(at) || got.Features(at)[0] != 1 {
		t.Errorf("the problem of level 1 is %+v", got)
	}
	if got.Settle(at); !slices.Equal(settled, space.Point{2, 1, 3}) || !slices.Equal(at, space.Point{2, 7}) {
		t.Errorf("settled %v, left %v", settled, at)
	}
	if len(problems) == 0 || problems[0].Space.Len() != 2 {
		t.Errorf("the base was started with %v", problems)
	}
}
