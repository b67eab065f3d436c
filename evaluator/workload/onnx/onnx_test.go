package onnx_test

import (
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/workload/graph"
	"apollo/evaluator/workload/internal/modeltest"
	"apollo/evaluator/workload/onnx"
)

func TestRead(t *testing.T) {
	t.Parallel()
	data := modeltest.SampleONNX()
	if !onnx.Is(data) || onnx.Is(nil) || onnx.Is([]byte("{}")) {
		t.Error("Is() tells a model by its first field")
	}
	g, err := onnx.Read(data, onnx.Options{Dims: map[string]int64{}})
	if err != nil {
		t.Fatal(err)
	}
	if g.Format != "onnx" || !g.ChannelsFirst || len(g.Inputs) == 0 || len(g.Outputs) == 0 || len(g.Nodes) == 0 {
		t.Errorf("format %q, channels first %t, %d inputs, %d outputs, %d nodes", g.Format, g.ChannelsFirst, len(g.Inputs), len(g.Outputs), len(g.Nodes))
	}
	for i := range g.Nodes {
		for _, at := range slices.Concat(g.Nodes[i].In, g.Nodes[i].Out) {
			if at >= len(g.Tensors) {
				t.Fatalf("%s names tensor %d of %d", g.Nodes[i].Type, at, len(g.Tensors))
			}
		}
	}
	for i := range g.Tensors {
		if err := graph.CheckShape(g.Tensors[i].Shape); err != nil {
			t.Errorf("tensor %d: %v", i, err)
		}
	}
	// No file that ends early panics.
	for n := range data {
		if g, err := onnx.Read(data[:n:n], onnx.Options{}); err == nil && g == nil {
			t.Fatalf("%d bytes give neither a graph nor an error", n)
		}
	}
}

// Shapes are inferred, with and without a size for an open dimension.
func TestShapes(t *testing.T) {
	t.Parallel()
	model := modeltest.ONNX{
		Inputs:  []modeltest.ONNXInput{{Name: "x", Shape: []int64{1, 3, -1, 8}, Dims: []string{"", "", "height", ""}}},
		Weights: []modeltest.ONNXTensor{{Name: "w", Shape: []int64{4, 3, 3, 3}}},
		Nodes: []modeltest.ONNXNode{
			{Op: "Conv", In: []string{"x", "w"}, Out: []string{"y"}, Attrs: map[string]any{"strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}, "kernel_shape": []int64{3, 3}}},
			{Op: "GlobalAveragePool", In: []string{"y"}, Out: []string{"z"}},
		},
		Outputs: []string{"z"},
	}
	data := model.Bytes()
	if _, err := onnx.Read(data, onnx.Options{}); err == nil || !strings.Contains(err.Error(), "height") {
		t.Errorf("an open dimension: %v, want an error that names it", err)
	}
	odd := model
	odd.Inputs = []modeltest.ONNXInput{{Name: "x", Shape: []int64{1, 3, -1, 8}, Dims: []string{"", "", "two\nlines", ""}}}
	if _, err := onnx.Read(odd.Bytes(), onnx.Options{}); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), `--dim "two\nlines"=N`) {
		t.Errorf("a name of two lines: %v, want it in quotes", err)
	}
	g, err := onnx.Read(data, onnx.Options{Dims: map[string]int64{"height": 16}})
	if err != nil {
		t.Fatal(err)
	}
	conv := &g.Nodes[0]
	if conv.Op != graph.Conv || conv.Dims.P != 8 || conv.Dims.Q != 4 || conv.Dims.K != 4 || conv.Dims.C != 3 || conv.Dims.Stride != [2]int64{2, 2} {
		t.Errorf("the convolution is %+v", conv)
	}
	if got := g.Shape(g.Outputs[0]); !slices.Equal(got, []int64{1, 4, 1, 1}) {
		t.Errorf("the output has the shape %v, want [1 4 1 1]", got)
	}
}
