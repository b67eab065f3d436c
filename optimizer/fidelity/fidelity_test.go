package fidelity_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/fidelity"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// grid has two parameters and a setting between them.
func grid(t *testing.T, levels int) space.Space {
	t.Helper()
	var values []float64
	for i := range levels {
		values = append(values, float64(i))
	}
	s, err := space.New(space.Param{Name: "x", Values: values}, space.Param{Name: "fine", Values: []float64{1, 4, 16}}, space.Param{Name: "y", Values: values})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bowl has its least value at (6, 3); shorter settings have another offset, and say the
// reverse where they mislead.
func bowl(p space.Point, misleads bool) float64 {
	x, y := float64(p[0]-6), float64(p[2]-3)
	v := 1 + x*x + y*y
	if misleads && p[1] < 2 {
		return 1 / v
	}
	return v + float64(2-p[1])
}

func algorithm() fidelity.Algorithm {
	return fidelity.Algorithm{Search: transfer.Algorithm{Base: optimizer.GA{}}, Parameter: 1}
}

func start(t *testing.T, s space.Space) optimizer.Strategy {
	t.Helper()
	search, err := algorithm().Start(optimizer.Problem{Space: s, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	return search
}

func observe(p optimizer.Proposal, trial int, misleads bool) optimizer.Observation {
	o := optimizer.Observation{Point: p.Point, Origin: p.Origin, Trial: trial, Values: []float64{bowl(p.Point, misleads)}}
	switch {
	case p.Point[0] == 0:
		o.Status, o.Cause = optimizer.Infeasible, "constraint"
	case trial%11 == 5:
		o.Status, o.Values = optimizer.Failed, nil
	}
	return o
}

// A search that is made again from what was told proposes what the first one did, while
// designs wait for their answers, whatever the calls were.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := grid(t, 10)
	search := start(t, s)
	var told []optimizer.Observation
	var pending []optimizer.Proposal
	for asked := 0; asked < 60; {
		var waiting []space.Point
		for _, p := range pending {
			waiting = append(waiting, p.Point)
		}
		got, err := search.Ask(uint64(asked), 3, waiting)
		if err != nil {
			t.Fatal(err)
		}
		if asked%9 == 0 {
			again := start(t, s)
			again.Tell(told...)
			if same, err := again.Ask(uint64(asked), 3, waiting); err != nil || !reflect.DeepEqual(got, same) {
				t.Fatalf("after %d trials: %v, made again %v (%v)", asked, got, same, err)
			}
		}
		pending, asked = append(pending, got...), asked+len(got)
		for len(pending) > 6 {
			o := observe(pending[0], len(told), false)
			search.Tell(o)
			told, pending = append(told, o), pending[1:]
		}
	}
}

// A level that orders designs as the last one is used again and again, one that does not
// for one round.
func TestALevelIsDropped(t *testing.T) {
	t.Parallel()
	for _, misleads := range []bool{false, true} {
		search := start(t, grid(t, 10))
		var levels [3]int
		origins := map[string]int{}
		best := math.Inf(1)
		for i := range 84 {
			got, err := search.Ask(uint64(i), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			o := observe(got[0], i, misleads)
			levels[o.Point[1]]++
			kind, _, _ := strings.Cut(o.Origin, ":")
			origins[kind]++
			if o.Point[1] == 2 && o.Status == optimizer.Measured {
				best = min(best, o.Values[0])
			}
			search.Tell(o)
		}
		if misleads != (levels[0] == 16 && levels[1] == 8) || levels[2] < 12 || origins["promoted"] == 0 || origins["check"] == 0 {
			t.Errorf("misleads %v: trials by level %v, origins %v", misleads, levels, origins)
		}
		if best > 3 {
			t.Errorf("misleads %v: the best is %v", misleads, best)
		}
	}
}

// What the end of the trials leaves no time to promote is not measured: the last designs are
// of the last level, and however few are left there are some.
func TestTheEndIsOfTheLastLevel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ trials, flight int }{{3, 1}, {30, 32}, {44, 1}} {
		a := algorithm()
		a.Trials = func() int { return c.trials }
		search, err := a.Start(optimizer.Problem{Space: grid(t, 10), Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		var pending []optimizer.Proposal
		var asked []int
		for trial := range c.trials {
			for len(pending) < c.flight && len(asked) < c.trials {
				var waiting []space.Point
				for _, p := range pending {
					waiting = append(waiting, p.Point)
				}
				got, err := search.Ask(uint64(len(asked)), 1, waiting)
				if err != nil {
					t.Fatal(err)
				}
				pending, asked = append(pending, got...), append(asked, got[0].Point[1])
			}
			search.Tell(observe(pending[0], trial, false))
			pending = pending[1:]
		}
		if end := asked[max(0, len(asked)-4):]; slices.Min(end) < 2 {
			t.Errorf("%d trials, %d in flight: the last ones are of the levels %v", c.trials, c.flight, end)
		}
	}
}

// The round that the end of the trials cuts has fewer designs of its lowest levels alone: all
// that the levels above are due is left for them.
func TestTheEndCutsTheLowestLevels(t *testing.T) {
	t.Parallel()
	for trials, want := range map[int][3]int{4: {0, 0, 4}, 9: {0, 5, 4}, 12: {0, 8, 4}, 20: {8, 8, 4}, 28: {16, 8, 4}, 31: {16, 8, 7}, 44: {16, 16, 12}, 60: {24, 24, 12}, 84: {48, 24, 12}} {
		a := algorithm()
		a.Trials = func() int { return trials }
		search, err := a.Start(optimizer.Problem{Space: grid(t, 20), Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		var levels [3]int
		for i := range trials {
			got, err := search.Ask(uint64(i), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			levels[got[0].Point[1]]++
			search.Tell(optimizer.Observation{Point: got[0].Point, Origin: got[0].Origin, Trial: i, Values: []float64{bowl(got[0].Point, false)}})
		}
		if levels != want {
			t.Errorf("%d trials by level: %v, want %v", trials, levels, want)
		}
	}
}

// The search ends when all designs are measured at the last level.
func TestExhausted(t *testing.T) {
	t.Parallel()
	search := start(t, grid(t, 3))
	full := 0
	for i := range 28 {
		got, err := search.Ask(uint64(i), 4, nil)
		if errors.Is(err, optimizer.ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got {
			if p.Point[1] == 2 {
				full++
			}
			search.Tell(observe(p, i, false))
		}
	}
	if full != 9 {
		t.Errorf("%d of 9 designs were measured at the last level", full)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	a := algorithm()
	if _, err := a.Start(optimizer.Problem{Space: grid(t, 3), Objectives: 2}); err == nil {
		t.Error("two objectives are taken")
	}
	a.Parameter = 3
	if _, err := a.Start(optimizer.Problem{Space: grid(t, 3)}); err == nil {
		t.Error("a parameter that is not there is taken")
	}
}

// Designs that the search did not propose are no part of its rounds: levels are promoted
// from and checked as without them, and none goes without its designs.
func TestForeignDesigns(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"start", "user:ann", "import:lab", "reuse:old/7", ""} {
		search := start(t, grid(t, 20))
		for i := range 60 {
			p := space.Point{10 + i%10, 2, i / 10}
			search.Tell(optimizer.Observation{Point: p, Origin: origin, Trial: i, Values: []float64{bowl(p, false)}})
		}
		levels, origins := [3]int{}, map[string]int{}
		for i := range 84 {
			got, err := search.Ask(uint64(i), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			o := observe(got[0], i, false)
			levels[o.Point[1]]++
			kind, _, _ := strings.Cut(o.Origin, ":")
			origins[kind]++
			search.Tell(o)
		}
		if levels != [3]int{48, 24, 12} || origins["check"] != 2 || origins["promoted"] < 15 {
			t.Errorf("%q: trials by level %v, origins %v", origin, levels, origins)
		}
	}
}

// However many designs are in flight, some are promoted and one is a check.
func TestManyInFlight(t *testing.T) {
	t.Parallel()
	for _, flight := range []int{1, 32} {
		search := start(t, grid(t, 10))
		var pending []optimizer.Proposal
		levels, origins := [3]int{}, map[string]int{}
		for trial := range 84 {
			for len(pending) < flight {
				var waiting []space.Point
				for _, p := range pending {
					waiting = append(waiting, p.Point)
				}
				got, err := search.Ask(uint64(trial), 1, waiting)
				if err != nil {
					t.Fatal(err)
				}
				pending = append(pending, got...)
			}
			o := observe(pending[0], trial, false)
			pending = pending[1:]
			levels[o.Point[1]]++
			kind, _, _ := strings.Cut(o.Origin, ":")
			origins[kind]++
			search.Tell(o)
		}
		if levels[2] < 4 || origins["check"] != 2 || origins["promoted"] < 10 {
			t.Errorf("%d in flight: trials by level %v, origins %v", flight, levels, origins)
		}
	}
}

// All designs of some levels may be measured anew, so that they are in flight again.
func TestLevelsMeasuredAnew(t *testing.T) {
	t.Parallel()
	const trials = 84
	for anew := 1; anew < 8; anew++ { // a bit for each level
		for _, left := range []int{3, 300, 0} { // 0: no end is known
			var told []optimizer.Observation
			var waiting []space.Point
			search := start(t, grid(t, 10))
			for i := range trials {
				got, err := search.Ask(uint64(i), 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				o := observe(got[0], i, true)
				search.Tell(o)
				if anew>>o.Point[1]&1 == 1 {
					waiting = append(waiting, o.Point)
				} else {
					told = append(told, o)
				}
			}
			a := algorithm()
			if left > 0 {
				a.Trials = func() int { return trials + left }
			}
			search, err := a.Start(optimizer.Problem{Space: grid(t, 10), Seed: 3})
			if err != nil {
				t.Fatal(err)
			}
			search.Tell(told...)
			if got, err := search.Ask(trials, 3, waiting); err != nil || len(got) != 3 {
				t.Errorf("levels %03b measured anew, %d trials left: %v, %v", anew, left, got, err)
			}
		}
	}
}
