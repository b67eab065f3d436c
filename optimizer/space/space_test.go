package space_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"apollo/optimizer/space"
)

func mixed(t testing.TB) space.Space {
	t.Helper()
	s, err := space.New(
		space.Param{Name: "pes", Values: []float64{1, 2, 4, 6}},
		space.Param{Name: "memory", Unit: "B", Values: []float64{4096, 8192, 16384}},
		space.Param{Name: "fixed", Values: []float64{-0.5}},
		space.Param{Name: "dataflow", Labels: []string{"ws", "os"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewRejects(t *testing.T) {
	t.Parallel()
	ok := space.Param{Name: "a", Values: []float64{1, 2}}
	for _, c := range []struct {
		name   string
		params []space.Param
		want   string
	}{
		{"no name", []space.Param{ok, {Values: []float64{1}}}, `parameter 1 (""): the name is empty`},
		{"same name", []space.Param{ok, ok}, `parameter 1 ("a"): the name is used twice`},
		{"no level", []space.Param{{Name: "b"}}, `parameter 0 ("b"): has no level`},
		{"both", []space.Param{{Name: "b", Values: []float64{1}, Labels: []string{"x"}}}, "both values and labels"},
		{"equal levels", []space.Param{{Name: "b", Values: []float64{1, 1}}}, "levels must ascend: 1 after 1"},
		{"descending", []space.Param{{Name: "b", Values: []float64{2, 1}}}, "levels must ascend: 1 after 2"},
		{"not a number", []space.Param{{Name: "b", Values: []float64{1, math.NaN()}}}, "level 1 is not a finite number"},
		{"infinite", []space.Param{{Name: "b", Values: []float64{math.Inf(-1)}}}, "level 0 is not a finite number"},
		{"empty label", []space.Param{{Name: "b", Labels: []string{"x", ""}}}, `label "" is empty or repeated`},
		{"same label", []space.Param{{Name: "b", Labels: []string{"x", "y", "x"}}}, `label "x" is empty or repeated`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := space.New(c.params...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New() = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestNewSharesNothing(t *testing.T) {
	t.Parallel()
	params := []space.Param{{Name: "a", Values: []float64{1, 2}}, {Name: "b", Labels: []string{"x", "y"}}}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	params[0].Values[1], params[1].Labels[0], params[1].Name = 7, "z", "c"
	if got := s.Param(0).Values[1]; got != 2 {
		t.Errorf("value = %v after the caller wrote its slice, want 2", got)
	}
	if got := s.Param(1); got.Labels[0] != "x" || got.Name != "b" {
		t.Errorf("parameter = %+v after the caller wrote its slice, want b with x", got)
	}
}

func TestZeroSpaceHasOnePoint(t *testing.T) {
	t.Parallel()
	var s space.Space
	if s.Size() != 1 || len(s.At(0)) != 0 || s.Index(space.Point{}) != 0 {
		t.Errorf("zero space: size %d, At(0) %v, want one empty point", s.Size(), s.At(0))
	}
	count := 0
	for range s.All() {
		count++
	}
	for range s.Neighbors(space.Point{}) {
		t.Error("the only point of the zero space has a neighbour")
	}
	if count != 1 {
		t.Errorf("All() yields %d points, want 1", count)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	if s.Size() != 24 || s.Len() != 4 || len(s.Params()) != 4 {
		t.Errorf("size %d, %d parameters, want 24 and 4", s.Size(), s.Len())
	}
	if got := s.Find("dataflow"); got != 3 {
		t.Errorf("Find(dataflow) = %d, want 3", got)
	}
	if got := s.Find("nothing"); got != -1 {
		t.Errorf("Find(nothing) = %d, want -1", got)
	}
	p := s.At(s.Size() - 1)
	if want := (space.Point{3, 2, 0, 1}); !slices.Equal(p, want) {
		t.Errorf("last point = %v, want %v", p, want)
	}
	var text []string
	for _, v := range s.Values(p) {
		text = append(text, v.String())
	}
	if got, want := strings.Join(text, " "), "6 16384 -0.5 os"; got != want {
		t.Errorf("values = %q, want %q", got, want)
	}
}

func TestAllIsTheLatticeInOrder(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	var previous space.Point
	next := uint64(0)
	for i, p := range s.All() {
		if i != next || s.Index(p) != i || slices.Compare(previous, p) >= 0 {
			t.Fatalf("All() yields %d %v after %v, want index %d and a larger point", i, p, previous, next)
		}
		back, err := s.Point(s.Values(p))
		if err != nil || !slices.Equal(back, p) {
			t.Fatalf("Point(Values(%v)) = %v, %v", p, back, err)
		}
		previous, next = p, next+1
	}
	if next != s.Size() {
		t.Errorf("All() yields %d points, want %d", next, s.Size())
	}
	for range s.All() {
		break // a caller may stop early
	}
}

func TestNeighborsAreThePointsOneParameterAway(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	for _, p := range s.All() {
		var want []uint64
		for j, q := range s.All() {
			if differing(p, q) == 1 {
				want = append(want, j)
			}
		}
		home := p.Clone()
		var got []uint64
		for j, q := range s.Neighbors(p) {
			if s.Key(q) != j {
				t.Fatalf("neighbour %v comes with key %v, want %v", q, j, s.Key(q))
			}
			got = append(got, s.Index(q))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("Neighbors(%v) = %v, want %v", p, got, want)
		}
		if !slices.Equal(p, home) {
			t.Fatalf("Neighbors wrote its argument: %v was %v", p, home)
		}
	}
	for range s.Neighbors(s.At(0)) {
		break
	}
}

func differing(p, q space.Point) (n int) {
	for i := range p {
		if p[i] != q[i] {
			n++
		}
	}
	return n
}

func TestForeignPointsAndIndexes(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	for _, p := range []space.Point{nil, {0, 0, 0}, {0, 0, 0, 0, 0}, {-1, 0, 0, 0}, {0, 0, 1, 0}, {0, 3, 0, 0}, {0, 0, 0, math.MaxInt}} {
		if s.Contains(p) {
			t.Errorf("Contains(%v) = true", p)
		}
		mustPanic(t, "does not belong", func() { s.Index(p) })
		mustPanic(t, "does not belong", func() { s.Neighbors(p) })
	}
	mustPanic(t, "index 24 in a space of 24 points", func() { s.At(24) })
	mustPanic(t, "24 points", func() { s.At(math.MaxUint64) })
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
			t.Errorf("panic = %v, want one with %q", r, want)
		}
	}()
	f()
}

func TestPointRejectsForeignValues(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	good := s.Values(s.At(0))
	for _, c := range []struct {
		name  string
		param int
		value space.Value
		want  string
	}{
		{"between levels", 0, space.Value{Num: 3}, `parameter "pes" has no level 3`},
		{"not a number", 1, space.Value{Num: math.NaN()}, `parameter "memory" has no level NaN`},
		{"label for a number", 0, space.Value{Label: "ws"}, `parameter "pes" has no level ws`},
		{"number for a label", 3, space.Value{Num: 1}, `parameter "dataflow" has no level 1`},
		{"unknown label", 3, space.Value{Label: "rs"}, `parameter "dataflow" has no level rs`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			values := slices.Clone(good)
			values[c.param] = c.value
			if _, err := s.Point(values); err == nil || err.Error() != c.want {
				t.Errorf("Point() error = %v, want %q", err, c.want)
			}
		})
	}
	if _, err := s.Point(good[:2]); err == nil || !strings.Contains(err.Error(), "2 values") {
		t.Errorf("Point(two values) error = %v, want the two counts", err)
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	s := mixed(t)
	point, values := s.At(0), make([]space.Value, 0, s.Len())
	var sum uint64
	allocs := testing.AllocsPerRun(100, func() {
		for i := range s.Size() {
			point = s.AtInto(point, i)
			index, _ := s.IndexOf(point)
			sum += index
			values = s.AppendValues(values[:0], point)
		}
	})
	if allocs != 0 || sum == 0 {
		t.Errorf("%v allocations per pass over the space, want 0", allocs)
	}
}
