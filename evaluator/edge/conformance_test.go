package edge_test

import (
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/workload"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	tm := edge.Spec().Template()
	one := evaluator.Task{Params: tm.Params, Networks: networks(t, "mobilenet_v2")}
	both := evaluator.Task{Params: tm.Params, Networks: networks(t, "mobilenet_v2", "mobilenet_edgetpu")}
	both.Networks[1].Weight = 3
	evaluatortest.Run(t, tm.Backend, one, both)
}

func networks(t testing.TB, names ...string) []evaluator.Network {
	t.Helper()
	var nets []evaluator.Network
	for _, name := range names {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		nets = append(nets, evaluator.Network{Workload: w, Weight: 1})
	}
	return nets
}
