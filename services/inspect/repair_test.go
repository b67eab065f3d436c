package inspect

import (
	"context"
	"errors"
	"math"
	"testing"
)

// The smallest repair is that of all pairs in any order, within a bound on evaluations
// that is said where it was reached; and nobody evaluates for one who is gone.
func TestSmallestRepairIsBounded(t *testing.T) {
	t.Parallel()
	spec := parsed(t)
	base := BaselineOf(t.Context(), spec)
	s, err := Of(spec)
	if err != nil {
		t.Fatal(err)
	}
	params, p := s.Template.Template().Params, s.Point(base.Design)
	steps := Steps(params, p, false, -1)
	areas := func(limit float64) (one, two float64) {
		*s.Spec.Constraints[0].Max = limit
		one, two = math.Inf(1), math.Inf(1)
		for _, first := range steps {
			area, err := s.possible(first.After(p))
			if err != nil {
				t.Fatal(err)
			}
			one = min(one, area)
			for _, second := range Steps(params, first.After(p), false, first.Index) {
				if area, err = s.possible(second.After(first.After(p))); err != nil {
					t.Fatal(err)
				}
				two = min(two, area)
			}
		}
		return one, two
	}
	least, _ := areas(math.Inf(1))
	_, want := areas(0.99 * least) // which no single change keeps
	if math.IsInf(want, 1) {
		t.Fatal("no pair of changes repairs the design: the test says nothing")
	}
	found, whole, err := s.SmallestRepair(t.Context(), p, math.MaxInt)
	if err != nil || !whole || len(found) != 2 {
		t.Fatalf("SmallestRepair() = %+v, %t, %v, want two changes of all", found, whole, err)
	}
	if got, err := s.possible(found[1].After(found[0].After(p))); got != want || err != nil {
		t.Errorf("the repair has %g mm2, %v, want %g", got, err, want)
	}
	if found, whole, err = s.SmallestRepair(t.Context(), p, len(steps)); found != nil || whole || err != nil {
		t.Errorf("of %d evaluations: %+v, %t, %v, want none and that not all were looked at", len(steps), found, whole, err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if found, _, err = s.SmallestRepair(gone, p, math.MaxInt); found != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("for one who is gone: %+v, %v", found, err)
	}
	*s.Spec.Constraints[0].Max = 1.01 * least
	if found, whole, err = s.SmallestRepair(t.Context(), p, len(steps)); len(found) != 1 || !whole || err != nil {
		t.Errorf("of a limit that one change keeps: %+v, %t, %v, want it", found, whole, err)
	}
}
