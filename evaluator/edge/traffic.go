package edge

import "apollo/evaluator/model"

// traffic is what the memories inside the chip read and write for a layer, in
// bytes over all instances, as model.Eval counts it for the mapping's loops.
type traffic struct {
	parameterRead, parameterWrite int64
	peRead, peWrite               int64
	coreRead, coreWrite           int64
	// register is what the lanes' accumulators read, and as much write.
	register int64
}

// traffic counts for the best mapping.
func (q *search) traffic() traffic {
	s, b, c := q.s, &q.s.p.Bound, &q.best.choice
	t := traffic{parameterRead: s.filters * c.pTiles, parameterWrite: s.filters}
	// Cores that work on other pixels with the same channels hold the same
	// weights, and read them once per pixel.
	copies := c.copies(model.Q)
	if n := c.copies(model.P); c.core == model.P {
		copies *= min(n*c.nc, b[model.P])
	} else {
		copies *= n
	}
	t.coreWrite = s.filters * c.pTiles * copies
	t.coreRead = s.filters * copies * b[model.N] * q.of.rows * c.q
	partial := q.partialTraffic(c)
	t.peRead = q.inputReads(&q.of, c) + partial
	t.peWrite = s.size(model.Outputs, s.outputs) + partial
	// An accumulator is read and written for every step of a sum but the first.
	sums := s.cSteps * b[model.R] * b[model.S]
	t.register = s.outputs*(sums-1)*s.p.PartialBytes + s.size(model.Outputs, s.outputs) + partial
	return t
}

// partialTraffic returns the bytes of partial sums that go to the PE memories,
// and as many come back.
func (q *search) partialTraffic(c *choice) int64 {
	if !c.splitsSums(q.s, c.pTile) {
		return 0
	}
	return q.s.outputs * (c.cTiles - 1) * q.s.p.PartialBytes
}

// inputReads returns the bytes of inputs that cores read from the PE memories.
// One read serves all lanes of a core, and all cores, that use the element.
func (q *search) inputReads(u *unrolling, c *choice) int64 {
	s, b := q.s, &q.s.p.Bound
	reads := b[model.G] * b[model.N] * b[model.C] * b[model.P] * b[model.Q] * b[model.R] * b[model.S]
	if s.channel == model.K {
		reads *= u.kLane * min(c.copies(model.K), b[model.K])
	} else {
		reads *= b[model.K]
	}
	return s.size(model.Inputs, reads)
}

// portCycles returns the time that the busiest direction of the PE memory's
// port needs, as model.Eval counts it.
func (q *search) portCycles(e *estimate, c *choice) int64 {
	busiest := max(e.reads, q.s.size(model.Outputs, q.s.outputs)) + q.partialTraffic(c)
	return model.CeilDiv(model.CeilDiv(busiest, e.pes), q.m.portBytes)
}

// copies returns on how many PEs a dimension is spread.
func (c *choice) copies(d model.Dim) int64 {
	n := int64(1)
	if c.meshX == d {
		n *= c.nx
	}
	if c.meshY == d {
		n *= c.ny
	}
	return n
}

// firstWeights returns the time until every lane has the weights of its first
// step: lanes start on them while the rest of the tile arrives.
func (q *search) firstWeights(c *choice) int64 {
	s := q.s
	lanes := c.lanes * c.copies(s.channel)
	if c.core == s.channel {
		lanes *= c.nc
	}
	return model.CeilDiv(min(lanes, s.p.Bound[s.channel])*s.window, q.m.busBytes)
}
