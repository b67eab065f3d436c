package edge

import (
	"fmt"
	"sync"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/tech"
	"apollo/optimizer/space"
)

// taskModel is the template for one task. Everything in it but the cache is fixed.
type taskModel struct {
	params []space.Param // in the template's order, with the task's levels
	sizer  *sizer
	nets   []network
	shapes []shape
	cache  cache
	peak   bool      // the peak power is wanted
	free   sync.Pool // of *scratch
}

var _ frame.Bounded = (*taskModel)(nil)

// Bind implements frame.Constants.
func (k *constants) Bind(t frame.Task) (frame.Model, error) {
	b := &taskModel{params: t.Params, peak: t.Peak}
	for i := range t.Networks {
		net, err := newNetwork(&t.Networks[i], &b.shapes)
		if err != nil {
			return nil, fmt.Errorf("network %s: %w", t.Networks[i].Name, err)
		}
		b.nets = append(b.nets, net)
	}
	b.sizer = newSizer(*k, t.Params, datapathOf(b.shapes))
	return b, nil
}

// datapathOf returns what the units have to be able to do for some layers.
func datapathOf(shapes []shape) *tech.Datapath {
	var d tech.Datapath
	for i := range shapes {
		if !shapes[i].vector {
			d.Take(&shapes[i].work)
		}
	}
	if d == (tech.Datapath{}) {
		work := tech.Default()
		d.Take(&work)
	}
	return &d
}

// Measure implements frame.Model.
func (b *taskModel) Measure(d frame.Design, all []frame.Totals) (frame.Machine, *evaluator.Reason) {
	c := b.chip(&d)
	if all == nil {
		return b.machine(&c), nil
	}
	s := b.get()
	defer b.put(s)
	why := b.measure(&c, s)
	copy(all, s.totals)
	return b.machine(&c), why
}

// Broken implements frame.Model: every rule that the chip breaks, for every
// network.
func (b *taskModel) Broken(d frame.Design, quick bool) []*evaluator.Reason {
	c := b.chip(&d)
	var out []*evaluator.Reason
	for i := range ruleCount {
		for n := range b.nets {
			net := &b.nets[n]
			if r := net.limits.check(i, &c, &b.sizer.constants); r.need > r.have {
				out = append(out, b.explainRule(net, &r, &c))
			}
		}
	}
	if quick {
		return out
	}
	s := b.get()
	defer b.put(s)
	b.sizer.prepare(&s.whole, &c)
	for n := range b.nets {
		if why := b.fit(s, &b.nets[n]); why != nil {
			out = append(out, why)
		}
	}
	return out
}

// layerName names a layer in reasons.
func (b *taskModel) layerName(net *network, layer int) string {
	id := net.Layers[layer].ID
	if len(b.nets) == 1 {
		return id
	}
	return net.Name + "/" + id
}
