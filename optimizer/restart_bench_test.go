package optimizer_test

import (
	"fmt"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

// BenchmarkRestart starts every strategy from a log of 2,000 trials and asks for
// one design: what a proposer does after a crash. The bound is 10 s.
func BenchmarkRestart(b *testing.B) {
	p := accelerator(b)
	log := observations(b, p, 2000)
	for _, name := range optimizer.Names() {
		b.Run(name, func(b *testing.B) {
			a, err := optimizer.New(name, nil)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				restart(b, a, p, log)
			}
		})
	}
}

func restart(b *testing.B, a optimizer.Algorithm, p optimizertest.Problem, log []optimizer.Observation) optimizer.Strategy {
	b.Helper()
	s, err := a.Start(p.Start(1))
	if err != nil {
		b.Fatal(err)
	}
	s.Tell(log...)
	if _, err := s.Ask(uint64(len(log)), 1, nil); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkSuggestion is one ask after a trial, models and all, at three
// lengths of a study. The bounds for the default are 10, 200 and 400 ms.
func BenchmarkSuggestion(b *testing.B) {
	p := accelerator(b)
	log := observations(b, p, 5400)
	for _, name := range []string{"default", "gp-bandit", "mbo", "p3bo", "tpe"} {
		a, err := optimizer.New(name, nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, told := range []int{100, 1000, 5000} {
			b.Run(fmt.Sprint(name, "/told=", told), func(b *testing.B) {
				s := restart(b, a, p, log[:told])
				// A tenth more trials is what lies between two fits at most.
				round := 0
				for b.Loop() {
					if round == told/16 {
						s, round = restart(b, a, p, log[:told]), 0
					}
					s.Tell(log[told+round])
					round++
					if _, err := s.Ask(uint64(told+round), 1, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
