package graph_test

import (
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/workload/graph"
)

func TestProduct(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b   []int64
		ta, tb bool
		want   graph.Dims
		ok     bool
	}{
		{a: []int64{2, 3}, b: []int64{3, 4}, want: graph.Dims{N: 1, M: 2, C: 3, K: 4}, ok: true},
		{a: []int64{3, 2}, b: []int64{4, 3}, ta: true, tb: true, want: graph.Dims{N: 1, M: 2, C: 3, K: 4}, ok: true},
		{a: []int64{8, 1, 2, 3}, b: []int64{5, 3, 4}, want: graph.Dims{N: 40, M: 2, C: 3, K: 4}, ok: true},
		{a: []int64{3}, b: []int64{3}, want: graph.Dims{N: 1, M: 1, C: 3, K: 1}, ok: true},
		{a: []int64{2, 3}, b: []int64{4, 4}},
		{a: []int64{2, 2, 3}, b: []int64{3, 3, 4}},
		{a: nil, b: []int64{3, 4}},
	} {
		got, ok := graph.Product(c.a, c.b, c.ta, c.tb)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("Product(%v, %v, %t, %t) = %+v, %t, want %+v, %t", c.a, c.b, c.ta, c.tb, got, ok, c.want, c.ok)
		}
	}
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b, want []int64
		ok         bool
	}{
		{[]int64{2, 3}, []int64{3}, []int64{2, 3}, true},
		{[]int64{3}, []int64{2, 1}, []int64{2, 3}, true},
		{nil, []int64{4}, []int64{4}, true},
		{[]int64{2, 3}, []int64{2}, nil, false},
	} {
		got, ok := graph.Broadcast(c.a, c.b)
		if ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("Broadcast(%v, %v) = %v, %t, want %v, %t", c.a, c.b, got, ok, c.want, c.ok)
		}
	}
}

func TestCheckShape(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shape []int64
		want  string
	}{
		{[]int64{}, ""},
		{[]int64{1, 224, 224, 3}, ""},
		{[]int64{0, 5}, ""},
		{[]int64{1 << 20, 1 << 20}, ""},
		{[]int64{1 << 20, 1 << 20, 2}, "2^40"},
		{[]int64{-1}, "dimension -1"},
		{[]int64{1 << 31}, "dimension 2147483648"},
		{make([]int64, graph.MaxRank+1), "rank"},
	} {
		err := graph.CheckShape(c.shape)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("CheckShape(%v) = %v, want %q", c.shape, err, c.want)
		}
	}
}

func TestTensors(t *testing.T) {
	t.Parallel()
	g := graph.Graph{Tensors: []graph.Tensor{{Shape: []int64{2, 3}, Const: true}, {Shape: []int64{4}}}}
	if !g.AllConst([]int{0, -1}) || g.AllConst([]int{0, 1}) {
		t.Error("AllConst: tensor 0 and an absent one are constant, tensor 1 is not")
	}
	if g.Elements(0) != 6 || !slices.Equal(g.Shape(1), []int64{4}) {
		t.Errorf("tensor 0 has %d elements, tensor 1 the shape %v", g.Elements(0), g.Shape(1))
	}
	if long := strings.Repeat("x", 1000); len(graph.Clip(long)) != graph.MaxName || graph.Clip("short") != "short" {
		t.Error("Clip keeps MaxName bytes of a long name and all of a short one")
	}
}
