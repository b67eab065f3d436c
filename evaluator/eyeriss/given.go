package eyeriss

import (
	"fmt"

	"apollo/evaluator/model"
)

// Cost returns the cost of a mapping. The error names the first memory or the
// part of the grid that it does not fit, with need and have, or the number that
// is out of range.
func (c *Chip) Cost(p *model.Problem, m Mapping) (Cost, error) {
	l := newLayer(p)
	if min(m.E, m.P, m.Q, m.R, m.T, m.N, m.M) < 1 {
		return Cost{}, fmt.Errorf("mapping %+v: every number is at least 1", m)
	}
	if l.images%m.N != 0 {
		return Cost{}, fmt.Errorf("%d images in a pass do not divide the batch of %d", m.N, l.images)
	}
	if m.M%(m.P*m.T) != 0 {
		return Cost{}, fmt.Errorf("%d output channels in the buffer are no multiple of the %d of a pass", m.M, m.P*m.T)
	}
	for _, limit := range []struct {
		what       string
		need, have int64
	}{
		{"the input scratchpad: words of a window", m.Q * l.s, c.InputWords},
		{"the filter scratchpad: words", m.P * m.Q * l.s, c.FilterWords},
		{"the scratchpad for sums: words", m.P, c.SumWords},
		{"the grid: rows of elements for a column of the window", l.r, c.Rows},
	} {
		if limit.need > limit.have {
			return Cost{}, misfit(limit.what, limit.need, limit.have)
		}
	}
	if have := c.sets(&l, m.E); m.R*m.T > have {
		return Cost{}, misfit(fmt.Sprintf("the grid: sets of %d x %d elements", l.r, m.E), m.R*m.T, have)
	}
	words := m.inputs(&l) + m.N*m.E*l.cols*m.M
	if m.M > m.P*m.T && words*WordBytes > c.BufferBytes || c.sums(&l, &m) < m.P*m.T {
		return Cost{}, misfit("the global buffer: bytes of inputs and sums", words*WordBytes, c.BufferBytes)
	}
	return c.cost(&l, m), nil
}

func misfit(what string, need, have int64) error {
	return fmt.Errorf("%s: the mapping needs %d, there are %d", what, need, have)
}
