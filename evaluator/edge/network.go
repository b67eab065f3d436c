package edge

import (
	"fmt"

	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

// network is a workload made ready: its layers as shapes, what is alive beside
// each, and the thresholds of the rules.
type network struct {
	name   string
	weight float64
	layers []layer
	limits limits
	// input and output are the bytes that enter and leave the chip.
	input, output int64
}

// layer is one layer in execution order. Views are left out: they are free.
type layer struct {
	id    string
	op    workload.Op
	macs  int64
	shape int // index into the task's shapes
	// window and row are the bytes of one window of input rows, and of the
	// rows that one more output row needs; rows is the number of output rows.
	// Layers without multiplications stage no rows.
	window, row, rows int64
	// idle is the bytes that are alive beside the layer's own input and output.
	idle int64
}

// newNetwork prepares a workload and adds the shapes that are new to shapes.
func newNetwork(w *workload.Workload, shapes *[]shape) (network, error) {
	net := network{name: w.Name}
	live := w.LiveBytes()
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Op == workload.View {
			continue
		}
		s, err := newShape(l, w.Precision)
		if err != nil {
			return net, err
		}
		y := layer{id: l.ID, op: l.Op, macs: l.MACs(), shape: indexOf(shapes, &s)}
		y.idle = max(live[i]-s.in-s.out, 0)
		if !s.vector {
			y.stage(&s)
		}
		net.layers = append(net.layers, y)
	}
	if len(net.layers) == 0 {
		return net, fmt.Errorf("the network has no layer that does anything")
	}
	net.input = (*shapes)[net.layers[0].shape].in
	net.output = (*shapes)[net.layers[len(net.layers)-1].shape].out
	net.limits = newLimits(net.layers, *shapes)
	return net, nil
}

// indexOf returns the index of a shape, which it appends when it is new.
func indexOf(shapes *[]shape, s *shape) int {
	for i := range *shapes {
		if (*shapes)[i] == *s {
			return i
		}
	}
	*shapes = append(*shapes, *s)
	return len(*shapes) - 1
}

// stage computes the layer's bands of input rows.
func (y *layer) stage(s *shape) {
	b := &s.p.Bound
	line := s.width * s.depth * s.p.Bytes[model.Inputs]
	y.window = min((b[model.R]-1)*s.p.Dilation[0]+1, s.height) * line
	y.row = min(s.p.Stride[0], s.height) * line
	y.rows = b[model.N] * b[model.P]
}

// bands returns the number of bands of rows in which the input of a layer
// passes an activation memory of the given bytes.
func (y *layer) bands(bytes int64) int64 {
	if y.rows == 0 || bytes < y.window {
		return 1
	}
	fit := 1 + (bytes-y.window)/y.row
	return model.CeilDiv(y.rows, fit)
}
