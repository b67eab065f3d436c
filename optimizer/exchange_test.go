package optimizer

import (
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// ordered is a space of n slots that must hold different ones of n things, behind a
// switch that is free.
func ordered(t *testing.T, n int) Problem {
	t.Helper()
	params := []space.Param{{Name: "switch", Labels: []string{"off", "on"}}}
	for i := range n {
		p := space.Param{Name: "slot" + string(rune('a'+i))}
		for k := range n {
			p.Labels = append(p.Labels, string(rune('a'+k)))
		}
		params = append(params, p)
	}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	return Problem{Space: s, Seed: 1, Legal: func(p space.Point) bool {
		for i, a := range p[1:] {
			if slices.Contains(p[1:][:i], a) {
				return false
			}
		}
		return true
	}}
}

// Slots of an order cannot change alone, so they exchange their things; where each
// may change alone nothing is exchanged.
func TestOnlyWhatCannotChangeAloneIsExchanged(t *testing.T) {
	t.Parallel()
	p := ordered(t, 6)
	got := partners(&p)
	if len(got) != 7 || len(got[0]) != 0 || !slices.Equal(got[2], []int{1, 3, 4, 5, 6}) {
		t.Errorf("partners %v, want none of the switch and all other slots of a slot", got)
	}
	m := newMutation(&p, 0.7)
	rng := rand.New(rand.NewPCG(1, 1))
	at := space.Point{0, 0, 1, 2, 3, 4, 5}
	moved := map[int]bool{}
	for range 200 {
		before := at.Clone()
		m.apply(at, 2, rng)
		if !p.Legal(at) {
			t.Fatalf("%v is no order any more", at)
		}
		for i := range at {
			moved[i] = moved[i] || at[i] != before[i]
		}
	}
	if len(moved) != 7 || slices.Contains([]bool{moved[0], moved[1], moved[6]}, false) {
		t.Errorf("parameters that moved: %v, want all", moved)
	}
	free := ordered(t, 6)
	free.Legal = func(at space.Point) bool { return at[1] != at[2] }
	if got := partners(&free); got != nil {
		t.Errorf("partners %v where every slot can change alone, want none", got)
	}
}
