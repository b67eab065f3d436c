package space_test

import (
	"fmt"
	"testing"

	"apollo/optimizer/space"
)

// edge has the level counts of the ten-parameter template: 452,760,000 points.
func edge(b *testing.B) space.Space {
	b.Helper()
	var params []space.Param
	for i, n := range []int{10, 10, 7, 10, 7, 11, 7, 4, 5, 6} {
		p := space.Param{Name: fmt.Sprint("p", i)}
		for level := range n {
			p.Values = append(p.Values, float64(level))
		}
		params = append(params, p)
	}
	s, err := space.New(params...)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkAtInto(b *testing.B) {
	s, p, i := edge(b), space.Point(nil), uint64(0)
	for b.Loop() {
		p = s.AtInto(p, i)
		i = (i + 7_777_777) % s.Size()
	}
}

func BenchmarkIndexOf(b *testing.B) {
	s := edge(b)
	p := s.At(s.Size() / 3)
	for b.Loop() {
		if _, ok := s.IndexOf(p); !ok {
			b.Fatal("point lost")
		}
	}
}

func BenchmarkAppendValues(b *testing.B) {
	s := edge(b)
	p, values := s.At(s.Size()/3), []space.Value(nil)
	for b.Loop() {
		values = s.AppendValues(values[:0], p)
	}
}
