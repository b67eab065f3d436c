package edge

import (
	"slices"

	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// network is a workload made ready: its layers as shapes, what is alive beside
// each, and the thresholds of the rules.
type network struct {
	*frame.Network
	layers []layer // of Network.Layers
	limits limits
	// steps is the compute steps of one lane alone.
	steps int64
}

// layer is one layer in execution order.
type layer struct {
	shape int // index into the task's shapes
	// groups is the number of channel groups that the layer works on one after
	// the other, or as many at a time as there are lanes where lanes spread over
	// groups. window and row are the bytes of one group's window of input rows,
	// and of the rows that one more output row needs; rows is the number of
	// output rows. Layers without multiplications stage no rows.
	groups, window, row, rows int64
	lanesSpread               bool
	// arrives and leaves are the bytes of the network's inputs and outputs that
	// cross the chip's border with the layer; idle those that wait beside it for
	// later layers, idleOutside those of idle that are outside as well.
	arrives, leaves, idle, idleOutside int64
}

// newNetwork prepares a network and adds the shapes that are new to shapes.
func newNetwork(n *frame.Network, shapes *[]shape) (network, error) {
	net := network{Network: n}
	lives := n.Workload.Lives()
	net.layers, *shapes = make([]layer, 0, len(n.Layers)), slices.Grow(*shapes, len(n.Layers))
	first := len(*shapes) // a network's mappings depend on no other network
	for _, l := range n.Layers {
		s, err := newShape(l.Layer, n.Workload.Precision)
		if err != nil {
			return net, err
		}
		life := &lives[l.At]
		y := layer{
			shape: indexOf(*shapes, first, s), arrives: life.Arrives, leaves: life.Leaves,
			idle: life.Waiting, idleOutside: life.WaitingOutside,
		}
		if y.shape < 0 {
			y.shape = len(*shapes)
			*shapes = append(*shapes, s)
		}
		(*shapes)[y.shape].idle = max((*shapes)[y.shape].idle, y.idle)
		if !s.vector {
			y.stage(&s)
			net.steps += s.fixedSteps * s.p.Bound[model.P] * s.p.Bound[model.Q] * s.p.Bound[s.channel]
		}
		net.layers = append(net.layers, y)
	}
	net.limits = newLimits(net.layers, *shapes)
	return net, nil
}

// indexOf returns the index, from first on, of a shape that differs in nothing
// but what waits beside it, or -1.
func indexOf(shapes []shape, first int, s shape) int {
	for i := first; i < len(shapes); i++ {
		s.idle = shapes[i].idle
		if shapes[i] == s {
			return i
		}
	}
	return -1
}

// stage computes the layer's windows of input rows.
func (y *layer) stage(s *shape) {
	b := &s.p.Bound
	line := s.size(model.Inputs, s.width*b[model.C])
	y.groups, y.lanesSpread = b[model.G], s.channel == model.G
	y.window = min((b[model.R]-1)*s.p.Dilation[0]+1, s.height) * line
	y.row = min(s.p.Stride[0], s.height) * line
	y.rows = b[model.N] * b[model.P]
}

// together returns how many channel groups cores of the given lanes work on in
// one step, the least that has to be on chip at a time.
func (y *layer) together(lanes int64) int64 {
	if y.lanesSpread {
		return min(y.groups, lanes)
	}
	return 1
}

// fewestBands is what bands is not below for any number of lanes.
func (y *layer) fewestBands(bytes int64) int64 {
	if bytes < y.window {
		return 1
	}
	return model.CeilDiv((y.window+(y.rows-1)*min(y.row, y.window))*y.groups, bytes)
}

// bands returns in how many bands the input of a layer passes an activation
// memory of the given bytes, and into how many the rows of each channel are
// cut. Of a layer with groups, the memory holds all rows of as many groups as
// fit, at least of those that lanes work on together; where not even these fit,
// a band of their rows. More memory never cuts more.
func (y *layer) bands(bytes, lanes int64) (bands, cuts int64) {
	if y.rows == 0 {
		return 1, 1
	}
	together := y.together(lanes)
	window, row := y.window*together, y.row*together
	if bytes < window {
		return 1, 1
	}
	steps := model.CeilDiv(y.groups, together)
	all := window + (y.rows-1)*row
	if all <= bytes {
		return model.CeilDiv(steps, bytes/all), 1
	}
	fit := 1 + (bytes-window)/row
	cuts = model.CeilDiv(y.rows, fit)
	return steps * cuts, cuts
}
