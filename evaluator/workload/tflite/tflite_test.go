package tflite_test

import (
	"testing"

	"apollo/evaluator/workload/graph"
	"apollo/evaluator/workload/internal/modeltest"
	"apollo/evaluator/workload/tflite"
)

// checkGraph holds what every graph promises: operations in execution order,
// each tensor named by a valid index and written before it is read.
func checkGraph(t *testing.T, g *graph.Graph) {
	t.Helper()
	known := map[int]bool{}
	for _, in := range g.Inputs {
		known[in] = true
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, at := range n.In {
			if at >= len(g.Tensors) {
				t.Fatalf("%s reads tensor %d of %d", n.Type, at, len(g.Tensors))
			}
			if at >= 0 && !known[at] && !g.Tensors[at].Const {
				t.Errorf("%s %q reads %q before it is written", n.Type, n.Name, g.Tensors[at].Name)
			}
		}
		for _, at := range n.Out {
			known[at] = true
		}
	}
	for i := range g.Tensors {
		if err := graph.CheckShape(g.Tensors[i].Shape); err != nil {
			t.Errorf("tensor %d: %v", i, err)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	data := modeltest.SampleTFLite()
	if !tflite.Is(data) || tflite.Is([]byte("TFL3")) || tflite.Is(nil) {
		t.Error("Is() tells a model by the identifier at offset 4")
	}
	g, err := tflite.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	checkGraph(t, g)
	if g.Format != "tflite" || g.ChannelsFirst || len(g.Inputs) < 2 || len(g.Outputs) == 0 {
		t.Errorf("format %q, channels first %t, %d inputs, %d outputs", g.Format, g.ChannelsFirst, len(g.Inputs), len(g.Outputs))
	}
	convs := 0
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.Op == graph.Conv {
			convs++
			if n.Dims.K < 1 || n.Dims.P < 1 || n.WeightBits < 1 {
				t.Errorf("convolution %q has the dimensions %+v and weights of %d bits", n.Name, n.Dims, n.WeightBits)
			}
		}
	}
	if convs < 3 {
		t.Errorf("%d convolutions, the sample has a plain, a depthwise and a grouped one", convs)
	}
}

// A file that ends early is refused; none that is cut anywhere panics.
func TestReadCutFiles(t *testing.T) {
	t.Parallel()
	data := modeltest.SampleTFLite()
	if _, err := tflite.Read(data[:16]); err == nil {
		t.Error("16 bytes are a model")
	}
	if _, err := tflite.Read([]byte("no model at all")); err == nil {
		t.Error("text is a model")
	}
	for n := range data {
		if g, err := tflite.Read(data[:n:n]); err == nil && g == nil {
			t.Fatalf("%d bytes give neither a graph nor an error", n)
		}
	}
}
