package optimizer_test

import (
	"fmt"
	"strings"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// A study asks for designs, measures them and tells the results.
func Example() {
	designs, err := space.New(
		space.Param{Name: "pes_x", Values: []float64{1, 2, 4, 8, 16}},
		space.Param{Name: "pes_y", Values: []float64{1, 2, 4, 8, 16}},
		space.Param{Name: "dataflow", Labels: []string{"ws", "os", "rs"}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	algorithm, err := optimizer.New("ga", []byte(`{"population": 8}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	strategy, err := algorithm.Start(optimizer.Problem{
		Space: designs,
		Seed:  7,
		Legal: func(p space.Point) bool { return p[0]+p[1] <= 6 }, // at most 64 PEs
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	best, bestDesign := 0.0, ""
	for trial := range 30 {
		proposals, err := strategy.Ask(uint64(trial), 1, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		point := proposals[0].Point
		latency := 64 / (designs.Param(0).Values[point[0]] * designs.Param(1).Values[point[1]])
		latency += 0.5 * float64(point[2])
		if trial == 0 || latency < best {
			best, bestDesign = latency, fmt.Sprint(designs.Values(point))
		}
		strategy.Tell(optimizer.Observation{Point: point, Values: []float64{latency}, Trial: trial})
	}
	fmt.Println(best, bestDesign)
	// Output: 1 [4 16 ws]
}

func ExampleNew() {
	_, err := optimizer.New("evolutoin", nil)
	before, _, _ := strings.Cut(err.Error(), ":") // the known names follow
	fmt.Println(before)
	_, err = optimizer.New("evolution", []byte(`{"tournament": 5}`))
	fmt.Println(err)
	// Output:
	// unknown algorithm "evolutoin" (did you mean "evolution"?)
	// algorithm evolution: unknown option "tournament": known are population, sample, crossover, mutation, maxChecks
}
