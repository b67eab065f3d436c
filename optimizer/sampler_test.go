package optimizer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"apollo/optimizer/space"
)

func grid(t testing.TB, params, levels int) space.Space {
	t.Helper()
	all := make([]space.Param, params)
	for i := range all {
		all[i].Name = fmt.Sprint("p", i)
		for level := range levels {
			all[i].Values = append(all[i].Values, float64(level))
		}
	}
	s, err := space.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t testing.TB, a Algorithm, p Problem) Strategy {
	t.Helper()
	s, err := a.Start(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// How rare the legal points are decides which search finds them: rejection,
// scan, or (in a space beyond MaxChecks) the walk. All but the walk are uniform.
func TestRandomIsUniform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		asks  uint64
		check func(space.Point) bool
	}{
		{"all", 40_000, nil},
		{"rejection", 6_000, func(p space.Point) bool { return p[0]%4 == 0 && p[1] < 2 }},
		{"scan", 200, func(p space.Point) bool { return p[0] == 3 && p[1] < 2 && p[2] < 2 && p[3] == 7 && p[4] == 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := grid(t, 2, 20)
			if c.name == "scan" {
				s = grid(t, 5, 10) // 100,000 points, 4 of them legal
			}
			legal := c.check
			if legal == nil {
				legal = func(space.Point) bool { return true }
			}
			cell := map[uint64]int{}
			for i, p := range s.All() {
				if legal(p) {
					cell[i] = len(cell)
				}
			}
			r := start(t, Random{}, Problem{Space: s, Legal: c.check, Seed: 11})
			counts := make([]float64, len(cell))
			for at := range c.asks {
				got, err := r.Ask(at, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				counts[cell[s.Index(got[0].Point)]]++
			}
			checkUniform(t, counts, float64(c.asks))
		})
	}
}

// One point in 20,000 is legal, too few for rejection, and the space is
// beyond MaxChecks, so that the scan meets some and the walk finds the rest.
func TestRandomFindsRareNeighbours(t *testing.T) {
	t.Parallel()
	s := grid(t, 6, 10)
	checks := 0
	legal := func(p space.Point) bool {
		checks++
		return p[0] == 4 && p[1] == 4 && p[2] == 4 && p[3] == 4 && p[4] < 5
	}
	r := start(t, Random{MaxChecks: 1 << 18}, Problem{Space: s, Legal: legal, Seed: 1})
	found := map[uint64]bool{}
	for at := 0; len(found) < 50; {
		got, err := r.Ask(uint64(at), 8, nil)
		if err != nil {
			t.Fatalf("after %d of 50 legal points: %v", len(found), err)
		}
		for _, p := range got {
			found[s.Index(p.Point)] = true
			r.Tell(Observation{Point: p.Point, Trial: at})
			at++
		}
	}
	_, err := r.Ask(50, 8, nil)
	if !errors.Is(err, ErrGaveUp) || errors.Is(err, ErrExhausted) {
		t.Errorf("after the last legal point of a large space: %v, want ErrGaveUp", err)
	}
	checks = 0
	if _, err = r.Ask(51, 8, nil); err == nil {
		t.Error("a 51st legal point was found")
	}
	if limit := 8*missLimit + 1<<18 + 1<<18/walkShare; checks > limit {
		t.Errorf("the search took %d checks, want at most the documented %d", checks, limit)
	}
}

func TestHopelessSearchEnds(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{Random{MaxChecks: 20_000}, Evolution{MaxChecks: 20_000}, GA{MaxChecks: 20_000}} {
		checks := 0
		nothing := func(space.Point) bool { checks++; return false }
		huge := start(t, a, Problem{Space: grid(t, 9, 12), Legal: nothing})
		_, err := huge.Ask(0, 64, nil)
		if !errors.Is(err, ErrGaveUp) || !strings.Contains(fmt.Sprint(err), "20000 checks of a space of 5159780352 points") {
			t.Errorf("%T: error %v, want ErrGaveUp with both counts", a, err)
		}
		if checks > missLimit+20_000+20_000/walkShare {
			t.Errorf("%T: %d checks, want no more than one search", a, checks)
		}
		small := start(t, a, Problem{Space: grid(t, 4, 10), Legal: nothing})
		if _, err := small.Ask(0, 64, nil); !errors.Is(err, ErrExhausted) {
			t.Errorf("%T: error %v in a space that can be searched, want ErrExhausted", a, err)
		}
	}
}

func TestAskForNothingIsAnError(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{Random{}, Evolution{}, GA{}} {
		for _, n := range []int{0, -3} {
			if got, err := start(t, a, Problem{Space: grid(t, 2, 3)}).Ask(0, n, nil); err == nil {
				t.Errorf("%T: Ask(%d) = %v without an error", a, n, got)
			}
		}
	}
}

// What an ask takes over from the one before must never show: whatever was pending
// and proposed then, what is pending now is taken, and nothing else.
func TestPendingIsTaken(t *testing.T) {
	t.Parallel()
	sp := grid(t, 2, 5)
	s := newSampler(Problem{Space: sp}, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	var pending []space.Point
	for ask := range 2_000 {
		if n := len(pending); n > 0 {
			pending = pending[rng.IntN(n+1)/2:] // told
		}
		for range rng.IntN(4) { // not its own, some of them twice
			pending = slices.Insert(pending, rng.IntN(len(pending)+1), sp.At(rng.Uint64N(sp.Size())))
		}
		if rng.IntN(10) == 0 {
			rng.Shuffle(len(pending), func(i, k int) { pending[i], pending[k] = pending[k], pending[i] })
		}
		b, err := s.open(uint64(ask), 1, pending, "test")
		if err != nil {
			t.Fatal(err)
		}
		for key, p := range sp.All() {
			want := !slices.ContainsFunc(pending, func(q space.Point) bool { return slices.Equal(p, q) })
			if got := b.fresh(sp.KeyAt(key)); got != want {
				t.Fatalf("ask %d: point %v is fresh: %v, want %v with %v pending", ask, p, got, want, pending)
			}
		}
		b.fill(rng.IntN(4))
		for _, p := range b.out {
			if rng.IntN(4) > 0 {
				pending = append(pending, p.Point)
			}
		}
	}
}
