package edge_test

import (
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/evaluatortest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	tm := edge.Spec().Template()
	one := evaluator.Task{Params: tm.Params, Networks: evaluatortest.Networks(t, "mobilenet_v2")}
	both := evaluator.Task{Params: tm.Params, Networks: evaluatortest.Networks(t, "mobilenet_v2", "mobilenet_edgetpu")}
	both.Networks[1].Weight = 3
	evaluatortest.Run(t, tm.Backend, one, both)
}
