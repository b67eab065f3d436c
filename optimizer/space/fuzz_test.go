package space_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// FuzzIndexAndPointAreInverse builds a space from the fuzzer's level counts:
// an even byte is a numeric parameter, an odd one a categorical parameter.
func FuzzIndexAndPointAreInverse(f *testing.F) {
	f.Add([]byte{3, 4, 1, 250}, uint64(17))
	f.Add([]byte{}, uint64(0))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 254}, uint64(1)<<62)
	f.Fuzz(func(t *testing.T, shape []byte, index uint64) {
		params := make([]space.Param, len(shape))
		for i, b := range shape {
			params[i].Name = fmt.Sprint("p", i)
			for level := range int(b)/2 + 1 {
				if b%2 == 0 {
					params[i].Values = append(params[i].Values, float64(level)*1.5-7)
				} else {
					params[i].Labels = append(params[i].Labels, fmt.Sprint("l", level))
				}
			}
		}
		s, err := space.New(params...)
		if err != nil {
			t.Fatal(err)
		}
		drawn := s.Draw(nil, rand.New(rand.NewPCG(index, 0)))
		if key := s.Key(drawn); !slices.Equal(s.PointInto(nil, key), drawn) {
			t.Fatalf("PointInto(Key(%v)) = %v", drawn, s.PointInto(nil, key))
		}
		if !s.Countable() {
			return
		}
		index %= s.Size()
		p := s.At(index)
		if got, ok := s.IndexOf(p); !ok || got != index {
			t.Fatalf("IndexOf(At(%d)) = %d, %v", index, got, ok)
		}
		if again := s.AtInto(slices.Repeat(space.Point{9}, 3), index); !slices.Equal(again, p) {
			t.Fatalf("AtInto = %v, At = %v", again, p)
		}
		back, err := s.Point(s.Values(p))
		if err != nil || !slices.Equal(back, p) {
			t.Fatalf("Point(Values(%v)) = %v, %v", p, back, err)
		}
	})
}
