package lower

import (
	"testing"

	"apollo/evaluator/workload"
)

// The loops of every layer of every built-in network multiply as often as the
// workload says.
func TestProblemKeepsTheWork(t *testing.T) {
	t.Parallel()
	for _, name := range workload.Names() {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Layers {
			l := &w.Layers[i]
			p, err := Problem(l, w.Precision)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if l.Op.HasMACs() && p.MACs() != l.MACs() {
				t.Errorf("%s/%s: the loops have %d MACs, the layer %d", name, l.ID, p.MACs(), l.MACs())
			}
		}
	}
}

func TestProblemRefusesWhatCouldOverflow(t *testing.T) {
	t.Parallel()
	for _, l := range []workload.Layer{
		{ID: "zero", Op: workload.GEMM, M: 0, K: 1, C: 1},
		{ID: "wide", Op: workload.GEMM, M: 1 << 25, K: 1, C: 1},
		{ID: "work", Op: workload.GEMM, M: 1 << 20, K: 1 << 20, C: 1 << 20},
	} {
		if p, err := Problem(&l, workload.Precision{}); err == nil {
			t.Errorf("%s: got %+v", l.ID, p.Bound)
		}
	}
}
