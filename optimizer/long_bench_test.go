package optimizer_test

import (
	"fmt"
	"syscall"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// BenchmarkLongStudy asks for one design after 1,000 to 20,000 trials of a genetic
// search, in a space of 10 parameters of 100 levels and in one of 64 switches. The
// figure to compare is CPU-ms/ask, with the telling of the answer and the fits that fall
// due (docs/results.md#long-studies).
func BenchmarkLongStudy(b *testing.B) {
	for _, c := range []struct{ params, levels int }{{10, 100}, {64, 2}} {
		sp := lattice(b, c.params, c.levels)
		log := bred(b, sp, 20_000)
		for _, told := range []int{100, 1000, 5000, 20_000} {
			b.Run(fmt.Sprintf("%dx%d/told=%d", c.params, c.levels, told), func(b *testing.B) {
				s, err := optimizer.GP{}.Start(optimizer.Problem{Space: sp, Seed: 1})
				if err != nil {
					b.Fatal(err)
				}
				s.Tell(log[:told]...)
				at := told
				follow := func() {
					got, err := s.Ask(uint64(at), 1, nil)
					if err != nil {
						b.Fatal(err)
					}
					s.Tell(observed(got[0], at, c.levels))
					at++
				}
				follow() // the first ask fits all models at once
				begin := cpuSeconds(b)
				for b.Loop() {
					follow()
				}
				b.ReportMetric(1e3*(cpuSeconds(b)-begin)/float64(b.N), "CPU-ms/ask")
			})
		}
	}
}

func lattice(b *testing.B, count, levels int) space.Space {
	b.Helper()
	params := make([]space.Param, count)
	for i := range params {
		params[i].Name = fmt.Sprint("x", i)
		for level := range levels {
			params[i].Values = append(params[i].Values, float64(level))
		}
	}
	sp, err := space.New(params...)
	if err != nil {
		b.Fatal(err)
	}
	return sp
}

// bred is the log of a genetic search.
func bred(b *testing.B, sp space.Space, n int) []optimizer.Observation {
	b.Helper()
	s, err := optimizer.GA{}.Start(optimizer.Problem{Space: sp, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	log := make([]optimizer.Observation, n)
	for i := range log {
		got, err := s.Ask(uint64(i), 1, nil)
		if err != nil {
			b.Fatal(err)
		}
		log[i] = observed(got[0], i, sp.Param(0).Len())
		s.Tell(log[i])
	}
	return log
}

// observed measures a curved valley.
func observed(p optimizer.Proposal, trial, levels int) optimizer.Observation {
	sum, before := 1.0, 1.0
	for i, level := range p.Point {
		d := 10 * float64(level-(i*37+23)%levels) / float64(levels)
		bend := d + 1 - before*before
		sum += bend*bend + d*d/100
		before = d + 1
	}
	return optimizer.Observation{Point: p.Point, Origin: p.Origin, Trial: trial, Values: []float64{sum}}
}

func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return 1e-9 * float64(u.Utime.Nano()+u.Stime.Nano())
}
