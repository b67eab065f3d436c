package studyfile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
	"apollo/services/studyfile"
)

// backend is a small evaluator with two cheap metrics.
type backend struct{}

func (backend) Describe() evaluator.Description {
	return evaluator.Description{
		Name: "toy", Version: "1", Deterministic: true, MaxBatch: 64,
		Metrics: []evaluator.Metric{
			{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"},
		},
	}
}

func (backend) New(t evaluator.Task) (evaluator.Evaluator, error) {
	if len(t.Networks) == 0 {
		return nil, errors.New("no network")
	}
	return toy{}, nil
}

type toy struct{}

func (toy) Evaluate(context.Context, evaluator.Request) (evaluator.Result, error) {
	return evaluator.Result{}, errors.New("not in this test")
}

// Check says that a core takes 1 mm2 and a MiB of memory 0.5 mm2.
func (toy) Check(d []space.Value, dst []float64) {
	for i := range dst {
		dst[i] = nan()
	}
	dst[1] = d[0].Num + d[1].Num/(1<<21)
}

func template() evaluator.Template {
	return evaluator.Template{
		Name: "toy", Backend: backend{},
		Params: []space.Param{
			{Name: "cores", Values: []float64{1, 2, 4, 8}},
			{Name: "memory", Unit: "B", Values: []float64{1 << 18, 1 << 19, 1 << 20, 1 << 21}},
			{Name: "io_bandwidth", Unit: "B/s", Values: []float64{5e9, 25e9}},
			{Name: "dataflow", Labels: []string{"ws", "os"}},
		},
		Baseline: []space.Value{{Num: 4}, {Num: 1 << 20}, {Num: 25e9}, {Label: "ws"}},
	}
}

func catalog() studyfile.Catalog {
	return studyfile.Catalog{
		Templates: []evaluator.Template{template()},
		Network: func(name string, sizes workload.Sizes) (*workload.Workload, error) {
			if !slices.Contains([]string{"net_a", "net_b"}, name) {
				return nil, fmt.Errorf("no network %q", name)
			}
			if sizes.Batch < 0 || sizes.Batch > 64 {
				return nil, fmt.Errorf("network %s: batch is %d, want 1 to 64", name, sizes.Batch)
			}
			return &workload.Workload{Name: name}, nil
		},
		NetworkNames: []string{"net_a", "net_b"},
		Algorithm: func(name string, options []byte) error {
			if !slices.Contains([]string{"default", "evolution"}, name) {
				return fmt.Errorf("unknown algorithm %q", name)
			}
			if string(options) == `{"population":-1}` {
				return errors.New("option population: -1 is not positive")
			}
			return nil
		},
		AlgorithmNames: []string{"default", "evolution"}, MultiObjectiveNames: []string{"default"},
	}
}
