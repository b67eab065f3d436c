package optimizer_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
	"apollo/optimizer/space"
)

func accelerator(tb testing.TB) optimizertest.Problem {
	tb.Helper()
	for _, p := range optimizertest.Problems() {
		if p.Name == "accelerator" {
			return p
		}
	}
	tb.Fatal("the problem is gone")
	return optimizertest.Problem{}
}

// observations returns n trials of uniform designs.
func observations(tb testing.TB, p optimizertest.Problem, n int) []optimizer.Observation {
	tb.Helper()
	s, err := optimizer.Random{}.Start(p.Start(99))
	if err != nil {
		tb.Fatal(err)
	}
	proposals, err := s.Ask(0, n, nil)
	if err != nil {
		tb.Fatal(err)
	}
	all := make([]optimizer.Observation, n)
	for i, proposal := range proposals {
		all[i] = p.Measure(proposal.Point)
		all[i].Point, all[i].Trial = proposal.Point, i
	}
	return all
}

// BenchmarkAsk asks for 64 designs where 2.6 % of 452,760,000 are legal. The
// figure to compare is ns/design; bare is the legality checks alone.
func BenchmarkAsk(b *testing.B) {
	p := accelerator(b)
	all := observations(b, p, 100_000)
	b.Run("bare", func(b *testing.B) {
		var point space.Point
		i, legal := uint64(0), 0
		for b.Loop() {
			point = p.Space.AtInto(point, i*0x9e3779b97f4a7c15%p.Space.Size())
			if p.Legal(point) {
				legal++
			}
			i++
		}
		b.ReportMetric(float64(legal)/float64(b.N), "legal/check")
	})
	for _, c := range []struct {
		name string
		a    optimizer.Algorithm
		told int
	}{
		{"random", optimizer.Random{}, 0},
		{"random", optimizer.Random{}, 100_000},
		{"evolution", optimizer.Evolution{}, 10_000},
		{"ga", optimizer.GA{}, 10_000},
	} {
		b.Run(fmt.Sprint(c.name, "/told=", c.told), func(b *testing.B) {
			s, err := c.a.Start(p.Start(1))
			if err != nil {
				b.Fatal(err)
			}
			s.Tell(all[:c.told]...)
			at := uint64(c.told)
			b.ReportAllocs()
			for b.Loop() {
				got, err := s.Ask(at, 64, nil)
				if err != nil || len(got) != 64 {
					b.Fatal(len(got), err)
				}
				at += 64
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/design")
		})
	}
}

// BenchmarkTell rebuilds a strategy from 100,000 trials and reports the memory
// that it holds for each.
func BenchmarkTell(b *testing.B) {
	p := accelerator(b)
	all := observations(b, p, 100_000)
	for _, c := range []struct {
		name string
		a    optimizer.Algorithm
	}{{"random", optimizer.Random{}}, {"evolution", optimizer.Evolution{}}, {"ga", optimizer.GA{}}} {
		b.Run(c.name, func(b *testing.B) {
			held := math.Inf(1)
			for b.Loop() {
				b.StopTimer()
				before := heap()
				b.StartTimer()
				s, err := c.a.Start(p.Start(1))
				if err != nil {
					b.Fatal(err)
				}
				s.Tell(all...)
				b.StopTimer()
				held = min(held, float64(heap()-before))
				runtime.KeepAlive(s)
				b.StartTimer()
			}
			b.ReportMetric(held/float64(len(all)), "B/trial")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/trial")
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
