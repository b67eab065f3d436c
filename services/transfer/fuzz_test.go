package transfer

import (
	"encoding/json"
	"math"
	"testing"

	"apollo/archiver"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/optimizer/space"
)

// FuzzAdd learns from sources whose specification and numbers are anything: it
// must end with an error or with observations that a strategy can take.
func FuzzAdd(f *testing.F) {
	for _, spec := range []*events.Spec{targetSpec(nil), another(nil), another(func(s *events.Spec) {
		s.Parameters[0].Unit, s.Metrics[0] = "KiB", events.Metric{Name: "latency_ns", Unit: "ns"}
	})} {
		b, err := json.Marshal(spec)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, 1024.0, 8.0, 1e-3, 2.0, true)
		f.Add(b, math.NaN(), math.Inf(1), -1e300, 0.0, false)
	}
	f.Fuzz(func(t *testing.T, spec []byte, a, b, x, y float64, told bool) {
		var s events.Spec
		if json.Unmarshal(spec, &s) != nil || len(s.Parameters) > 8 || len(s.Metrics) > 8 {
			return
		}
		source := archiver.Source{Study: "earlier", Run: "0000000a", Spec: &s}
		for i := range 12 {
			tr := archiver.Trial{Trial: i, Outcome: []string{events.OutcomeMeasured, events.OutcomeInfeasible, "?"}[i%7%3]}
			for k, p := range s.Parameters {
				v := space.Value{Num: []float64{a, b, float64(i)}[(i+k)%3]}
				if len(p.Labels) > 0 {
					v = space.Value{Label: p.Labels[i%len(p.Labels)]}
				}
				tr.Design = append(tr.Design, v)
			}
			for k := range s.Metrics {
				tr.Values = append(tr.Values, []float64{x, y, 1e-3 * float64(i+1)}[(i+k)%3])
			}
			source.Trials = append(source.Trials, tr)
		}
		log := source.Log()
		if !told {
			log = strip(source, nil)
		}
		l, err := NewLearner(Target{Spec: targetSpec(nil), Network: Layers(workload.Sized)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Add(log, ""); err != nil {
			return
		}
		k, _ := l.Knowledge()
		for _, task := range k.Tasks {
			for _, w := range task.Workload {
				if math.IsNaN(w) || math.IsInf(w, 0) {
					t.Errorf("a feature is %v", w)
				}
			}
			for _, o := range task.Observations {
				if !task.Space.Contains(o.Point) || math.IsNaN(o.Violation) || math.IsInf(o.Violation, 0) {
					t.Errorf("observation %+v", o)
				}
				for _, v := range o.Values {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Errorf("trial %d has the value %v", o.Trial, v)
					}
				}
			}
		}
	})
}
