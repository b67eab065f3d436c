package edge

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sort"
	"testing"
	"time"

	"apollo/evaluator"
)

func TestExplore(t *testing.T) {
	if os.Getenv("EXPLORE") == "" {
		t.Skip()
	}
	var fields = []string{"pesx", "pesy", "pemem", "cores", "coremem", "lanes", "act", "instr", "param", "io"}
	for _, name := range Networks() {
		b := boundTo(t, name)
		s := edgeSpace(t)
		rng := rand.New(rand.NewPCG(1, 0))
		codes := map[string]int{}
		broken := map[string]int{}
		var lat []float64
		start := time.Now()
		n := 100000
		for range n {
			p := s.At(rng.Uint64N(s.Size()))
			d := s.Values(p)
			r, _ := b.Evaluate(context.Background(), evaluator.Request{Design: d})
			c, _ := b.chip(d)
			for i := range ruleCount {
				if x := b.nets[0].limits.check(i, &c); x.need > x.have {
					broken[x.code]++
				}
			}
			if r.Outcome == evaluator.Measured {
				lat = append(lat, r.Values[0])
			} else {
				codes[r.Reason.Code]++
			}
		}
		sort.Float64s(lat)
		sum := 0.0
		for _, l := range lat {
			sum += l
		}
		mean := sum / float64(len(lat))
		ties := 0
		for i := 1; i < len(lat); i++ {
			if lat[i] == lat[i-1] {
				ties++
			}
		}
		fmt.Printf("%s: infeasible %.3f min %.1fus mean %.1f median %.1f max %.0f mean/min %.2f max/min %.0f ties %d of %d; %.1f us/design\n", name,
			1-float64(len(lat))/float64(n), lat[0]*1e6, mean*1e6, lat[len(lat)/2]*1e6, lat[len(lat)-1]*1e6, mean/lat[0], lat[len(lat)-1]/lat[0], ties, len(lat), float64(time.Since(start).Microseconds())/float64(n))
		fmt.Println("  first:", codes, "alone:", broken)
		for _, area := range budgets() {
			// random restarts + hill climbing
			best := math.Inf(1)
			var bestP []int
			legal, tried := 0, 0
			dst := make([]float64, 3)
			eval := func(p []int) float64 {
				d := s.Values(p)
				b.Check(d, dst)
				if dst[1] > area {
					return math.Inf(1)
				}
				tried++
				r, _ := b.Evaluate(context.Background(), evaluator.Request{Design: d})
				if r.Outcome != evaluator.Measured {
					return math.Inf(1)
				}
				return r.Values[0] * (1 + 1e-9*r.Values[1])
			}
			found := map[string]int{}
			for range 16 {
				var p []int
				v := math.Inf(1)
				for k := 0; k < 20000 && math.IsInf(v, 1); k++ {
					p = s.At(rng.Uint64N(s.Size()))
					v = eval(p)
				}
				if math.IsInf(v, 1) {
					continue
				}
				legal++
				for improved := true; improved; {
					improved = false
					// single and pair moves
					try := func(q []int) {
						if w := eval(q); w < v {
							v, p, improved = w, append([]int{}, q...), true
						}
					}
					for i := range p {
						for l := range params()[i].Len() {
							q := append([]int{}, p...)
							q[i] = l
							try(q)
						}
					}
					if improved {
						continue
					}
					for i := range p {
						for j := i + 1; j < len(p); j++ {
							for l := range params()[i].Len() {
								for m := range params()[j].Len() {
									if improved {
										break
									}
									q := append([]int{}, p...)
									q[i], q[j] = l, m
									try(q)
								}
							}
						}
					}
				}
				found[fmt.Sprintf("%.2f", v*1e6)]++
				if v < best {
					best, bestP = v, p
				}
			}
			d := s.Values(bestP)
			b.Check(d, dst)
			fmt.Printf("  <=%.1f: best %.2fus area %.2f (starts %d, distinct optima %d, evals %d): ", area, best*1e6, dst[1], legal, len(found), tried)
			for i := range fields {
				fmt.Printf("%s=%s ", fields[i], d[i])
			}
			fmt.Println()
		}
	}
}

func budgets() []float64 {
	if os.Getenv("EXPLORE") == "2" {
		return nil
	}
	return []float64{4.8, 5.8, 6.8, math.Inf(1)}
}
