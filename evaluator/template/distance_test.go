package template

import (
	"slices"
	"testing"

	"apollo/evaluator/model"
)

// How far what is found is from a time that no mapping of the machine beats: all
// units at work all the time, every operand over the interface once.
func TestDistanceFromBound(t *testing.T) {
	t.Parallel()
	list := distinct(layers(t, "mobilenet_v2", "resnet50_v1", "unet", "bert_base"))
	for _, s := range Specs() {
		m := declared(&s).machine(baselineOf(&s))
		var dense, grouped []float64
		for i := range list {
			p := &list[i]
			var found model.Mapping
			c, misfit := m.Flow.Find(p, leastTime(), &found)
			if misfit != nil {
				t.Fatalf("%s: %v: %s", s.Name, p.Bound, misfit.What)
			}
			var bytes int64
			for _, o := range []model.Operand{model.Weights, model.Outputs} {
				bytes += p.Elements(o, &p.Bound) * p.Bytes[o]
			}
			bytes += touched(p) * p.Bytes[model.Inputs]
			x := float64(c.Cycles) / float64(max(model.CeilDiv(p.MACs(), m.Units), m.ioCycles(bytes)))
			if x < 1 {
				t.Errorf("%s: %v takes %d cycles, %.3f of its bound", s.Name, p.Bound, c.Cycles, x)
			}
			if p.Bound[model.G] > 1 {
				grouped = append(grouped, x)
			} else {
				dense = append(dense, x)
			}
		}
		slices.Sort(dense)
		slices.Sort(grouped)
		t.Logf("%s: dense layers %.2f times the bound in the median, %.2f at worst; grouped ones %.2f and %.2f", s.Name,
			dense[len(dense)/2], dense[len(dense)-1], grouped[len(grouped)/2], grouped[len(grouped)-1])
	}
}
