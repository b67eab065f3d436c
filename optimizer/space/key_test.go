package space_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// shaped returns a space of parameters with so many levels.
func shaped(t *testing.T, levels ...int) space.Space {
	t.Helper()
	var params []space.Param
	for i, n := range levels {
		p := space.Param{Name: fmt.Sprint("p", i)}
		for level := range n {
			p.Values = append(p.Values, float64(level))
		}
		params = append(params, p)
	}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The largest space with indices, and the smallest without.
func TestCountable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		levels    []int
		countable bool
		count     string
		size      uint64
	}{
		{nil, true, "1", 1},
		{slices.Repeat([]int{2}, 62), true, "4611686018427387904", 1 << 62},
		{slices.Repeat([]int{2}, 63), false, "9223372036854775808", math.MaxUint64},
		{slices.Repeat([]int{2}, 64), false, "18446744073709551616", math.MaxUint64},
		{append(slices.Repeat([]int{2}, 64), 1), false, "18446744073709551616", math.MaxUint64},
		{slices.Repeat([]int{100}, 10), false, "100000000000000000000", math.MaxUint64},
	} {
		s := shaped(t, c.levels...)
		if s.Countable() != c.countable || s.Count().String() != c.count || s.Size() != c.size {
			t.Errorf("%v: Countable() %t, Count() %v, Size() %d; want %t, %s, %d", c.levels, s.Countable(), s.Count(), s.Size(), c.countable, c.count, c.size)
		}
	}
	if s := shaped(t, slices.Repeat([]int{1000}, 256)...); len(s.Count().String()) != 769 {
		t.Errorf("1000^256 has %d digits, want 769", len(s.Count().String()))
	}
}

// Keys are exact: equal for equal points alone, in the order of the levels, and
// a point comes back from its key, also where levels need two or three bytes.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]space.Space{
		"countable": shaped(t, 3, 300, 2, 256, 257),
		"wide":      shaped(t, 3, 300, 2, 256, 257, 65536, 65536, 65537, 1, 10),
	} {
		rng := rand.New(rand.NewPCG(1, 1))
		points := []space.Point{make(space.Point, s.Len())}
		for range 300 {
			points = append(points, s.Draw(nil, rng))
		}
		for i := range s.Len() {
			high := points[0].Clone()
			high[i] = s.Param(i).Len() - 1
			points = append(points, high)
		}
		slices.SortFunc(points, slices.Compare)
		points = slices.CompactFunc(points, slices.Equal)
		var set space.Set
		for i, p := range points {
			key := s.Key(p)
			if got := s.PointInto(space.Point{7, 7}, key); !slices.Equal(got, p) {
				t.Errorf("%s: the point of the key of %v is %v", name, p, got)
			}
			if i > 0 && s.Key(points[i-1]).Compare(key) >= 0 {
				t.Errorf("%s: the key of %v is not before that of %v", name, points[i-1], p)
			}
			if !set.Add(key) || set.Add(s.Key(p.Clone())) || !set.Has(key) || set.Len() != i+1 {
				t.Errorf("%s: the set does not hold %v once", name, p)
			}
		}
		for _, foreign := range []space.Point{nil, points[0][1:], append(points[0].Clone(), 0), append(points[0][:1:1], slices.Repeat(space.Point{-1}, s.Len()-1)...)} {
			if _, ok := s.KeyOf(foreign); ok || s.Contains(foreign) {
				t.Errorf("%s: %v belongs to the space", name, foreign)
			}
		}
	}
}

func TestNeighborsWithoutIndex(t *testing.T) {
	t.Parallel()
	s := shaped(t, append(slices.Repeat([]int{2}, 70), 400)...)
	home := s.Draw(nil, rand.New(rand.NewPCG(3, 3)))
	seen := 0
	for key, p := range s.Neighbors(home) {
		if differing(home, p) != 1 || s.Key(p) != key {
			t.Fatalf("neighbour %v of %v with key %v", p, home, key)
		}
		seen++
	}
	if seen != 70+399 {
		t.Errorf("%d neighbours, want %d", seen, 70+399)
	}
}

func TestDrawIsUniform(t *testing.T) {
	t.Parallel()
	s := shaped(t, append(slices.Repeat([]int{2}, 70), 5)...)
	rng := rand.New(rand.NewPCG(5, 5))
	counts := make([]int, 5)
	const n = 10_000
	var p space.Point
	for range n {
		p = s.Draw(p, rng)
		counts[p[70]]++
	}
	for level, got := range counts {
		// Five standard deviations of a binomial count.
		if math.Abs(float64(got)-n/5) > 5*math.Sqrt(n*0.2*0.8) {
			t.Errorf("level %d came %d times of %d, want about %d", level, got, n, n/5)
		}
	}
}

// What needs an index says so, instead of giving two points the same one.
func TestNoIndexInAWideSpace(t *testing.T) {
	t.Parallel()
	s := shaped(t, slices.Repeat([]int{2}, 64)...)
	for name, call := range map[string]func(){
		"At":    func() { s.At(0) },
		"Index": func() { s.Index(make(space.Point, 64)) },
		"KeyAt": func() { s.KeyAt(0) },
		"All": func() {
			for range s.All() {
				break
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			call()
		})
	}
}
