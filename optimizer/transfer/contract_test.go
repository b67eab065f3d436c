package transfer_test

import (
	"math/rand/v2"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// quick fits the suite to models that take milliseconds a proposal.
func quick() optimizertest.Options {
	return optimizertest.Options{Programs: 1, Trials: 12, Seeds: 1, Large: 60, NotBetter: map[string]string{"*": "too few trials; see the tests of transfer"}}
}

func TestWithoutSourcesItKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, transfer.Algorithm{Base: optimizer.GA{}}, quick())
}

// informed gives every problem of the suite sources over its own space, so that
// seeds and models take part in all checks.
type informed struct{ transfer.Algorithm }

func (a informed) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	p.Prior = []optimizer.Task{made("slope/1", p.Space, 1), made("valley/2", p.Space, 3)}
	p.Workload = []float64{1, 2}
	return a.Algorithm.Start(p)
}

// made is a source of up to 16 designs: level sums, some of them infeasible and
// some without a measurement.
func made(name string, s space.Space, weight int) optimizer.Task {
	task := optimizer.Task{Name: name, Space: s, Workload: []float64{float64(weight), 2}}
	size := s.Size()
	n := min(16, size)
	rng := rand.New(rand.NewPCG(1, 2)) // for spaces without indices
	for k := range n {
		var p space.Point
		if s.Countable() {
			p = s.At(k * (size / n))
		} else {
			p = s.Draw(nil, rng)
		}
		o := optimizer.Observation{Point: p, Trial: int(k)}
		sum := 1
		for i, level := range p {
			sum += (i%weight + 1) * level
		}
		switch {
		case k%7 == 3:
			o.Status = optimizer.Infeasible
		case k%11 == 5:
			o.Status = optimizer.Failed
		default:
			o.Values = []float64{float64(sum)}
		}
		task.Observations = append(task.Observations, o)
	}
	return task
}

func TestWithSourcesItKeepsTheContract(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"auto", "seed"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			optimizertest.Run(t, informed{transfer.Algorithm{Base: optimizer.GA{}, Method: method}}, quick())
		})
	}
}
