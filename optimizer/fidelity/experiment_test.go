package fidelity_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/fidelity"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// cell is what a simulation says of a design, and how many accesses it has.
type cell struct{ value, area, cost float64 }

type table struct {
	whole, full space.Space
	cells       [][]cell // by level and index of full
	best        float64
	gone        []map[int]bool // levels that a search does not have
}

// TestExperiments measures how much is simulated, in longest traces, until a design within
// 1, 2 and 5 % of the best one of examples/fidelity.yaml is found, with the shorter traces
// and without. APOLLO_FIDELITY is the number of seeds, from APOLLO_FIDELITY_FIRST on (0),
// APOLLO_FIDELITY_KINDS says what the shorter traces are.
func TestExperiments(t *testing.T) {
	seeds, err := strconv.Atoi(os.Getenv("APOLLO_FIDELITY"))
	if err != nil {
		t.Skip("APOLLO_FIDELITY says no number of seeds")
	}
	x := newTable(t)
	for l := range 2 {
		var a, b []float64
		for i := range x.cells[l] {
			if i%7 == 0 && x.cells[2][i].area <= 1 {
				a, b = append(a, x.cells[l][i].value), append(b, x.cells[2][i].value)
			}
		}
		fmt.Printf("tau of trace %v: %.2f\n", traces[l], fidelity.Tau(a, b))
	}
	for kind := range strings.FieldsSeq(cmp.Or(os.Getenv("APOLLO_FIDELITY_KINDS"), "traces shuffled negated")) {
		compare(t, x, kind, seeds)
	}
}

// newTable asks a twin of examples/cache.py for all designs of examples/fidelity.yaml.
func newTable(t *testing.T) *table {
	params := []space.Param{
		{Name: "sets", Values: []float64{16, 32, 64, 128, 256, 512, 1024}},
		{Name: "ways", Values: []float64{1, 2, 4, 8, 16}},
		{Name: "line", Unit: "B", Values: []float64{16, 32, 64, 128}},
		{Name: "tile", Values: []float64{4, 6, 8, 10, 12, 15, 16, 20, 24, 30, 40, 60}},
	}
	x := &table{best: math.Inf(1)}
	var err error
	if x.full, err = space.New(params...); err != nil {
		t.Fatal(err)
	}
	if x.whole, err = space.New(append(params, space.Param{Name: "trace", Values: traces})...); err != nil {
		t.Fatal(err)
	}
	tiles := map[int][]int{}
	for _, v := range params[3].Values {
		tiles[int(v)] = accesses(int(traces[2]), int(v))
	}
	for _, count := range traces {
		var level []cell
		for _, p := range x.full.All() {
			d := x.full.Values(p)
			level = append(level, simulate(int(d[0].Num), int(d[1].Num), int(d[2].Num), int(d[3].Num), tiles[int(d[3].Num)], int(count)))
		}
		x.cells = append(x.cells, level)
	}
	for _, c := range x.cells[2] {
		if c.area <= 1 {
			x.best = min(x.best, c.value)
		}
	}
	return x
}

var traces = []float64{2000, 20000, 200000}

// accesses are the addresses of a tiled matrix product, until there are so many.
func accesses(count, tile int) (out []int) {
	const n, a, b, c = 240, 0, 240 * 240 * 8, 2 * 240 * 240 * 8
	for i0 := 0; i0 < n; i0 += tile {
		for j0 := 0; j0 < n; j0 += tile {
			for k0 := 0; k0 < n; k0 += tile {
				for i := i0; i < min(i0+tile, n); i++ {
					for j := j0; j < min(j0+tile, n); j++ {
						out = append(out, c+(i*n+j)*8)
						for k := k0; k < min(k0+tile, n); k++ {
							out = append(out, a+(i*n+k)*8, b+(k*n+j)*8)
						}
						if len(out) >= count+2*tile {
							return out
						}
					}
				}
			}
		}
	}
	return out
}

// simulate is what examples/cache.py measures.
func simulate(sets, ways, line, tile int, trace []int, count int) cell {
	cache := make([][]int, sets) // of each set its lines, the last used one last
	done, misses := 0, 0
	step := 1 + 2*tile
	for at := 0; at < len(trace) && done < count; at += step {
		for _, address := range trace[at:min(at+step, len(trace))] {
			tag := address / line
			set := &cache[tag%sets]
			done++
			if i := slices.Index(*set, tag); i >= 0 {
				*set = append(slices.Delete(*set, i, i+1), tag)
				continue
			}
			misses++
			if len(*set) >= ways {
				*set = slices.Delete(*set, 0, 1)
			}
			*set = append(*set, tag)
		}
	}
	size := float64(sets * ways * line)
	hit := 1 + 0.1*math.Sqrt(float64(ways)) + size/(1<<18)
	value := hit*(1+0.8/float64(tile)) + (20+float64(line)/8)*float64(misses)/float64(done)
	return cell{value: value, area: size/(1<<20)*4*(1+0.02*float64(ways)) + float64(sets*ways)*4e-5, cost: float64(count)}
}

func (x *table) measure(p space.Point, level int) (optimizer.Observation, float64) {
	c := x.cells[level][x.full.Index(p[:4])]
	o := optimizer.Observation{Values: []float64{c.value}}
	if c.area > 1 {
		o.Status, o.Violation, o.Cause = optimizer.Infeasible, c.area-1, "constraint"
	}
	return o, c.cost / traces[2]
}

// spoil makes short traces say nothing of long ones, or the reverse.
func (x *table) spoil(kind string, seed uint64) *table {
	out := *x
	out.cells = [][]cell{slices.Clone(x.cells[0]), slices.Clone(x.cells[1]), x.cells[2]}
	for l := range 2 {
		rng := rand.New(rand.NewPCG(seed, uint64(l)))
		for i := range out.cells[l] {
			switch c := &out.cells[l][i]; kind {
			case "shuffled":
				c.value = x.cells[l][rng.IntN(len(x.cells[l]))].value
			case "negated":
				c.value = 1 / c.value
			}
		}
	}
	return &out
}

// run returns how many longest traces are simulated until a design within 1, 2 and 5 % of the best is measured.
func (x *table) run(t *testing.T, s optimizer.Strategy, whole bool) (reached [3]float64, tried [3]int) {
	const most = 150 // longest traces
	seconds, best := 0.0, math.Inf(1)
	for i := range reached {
		reached[i] = math.Inf(1)
	}
	for i := 0; seconds < most; i++ {
		got, err := s.Ask(uint64(i), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		level := 2
		if whole {
			level = got[0].Point[4]
		}
		o, took := x.measure(got[0].Point, level)
		o.Point, o.Origin, o.Trial = got[0].Point, got[0].Origin, i
		seconds += took
		tried[level]++
		if level == 2 && o.Status == optimizer.Measured {
			best = min(best, o.Values[0])
		}
		for k, share := range []float64{1.01, 1.02, 1.05} {
			if best <= share*x.best && math.IsInf(reached[k], 1) {
				reached[k] = seconds
			}
		}
		s.Tell(o)
		if !math.IsInf(reached[0], 1) {
			break
		}
	}
	return reached, tried
}

// part leaves three in four of the levels of each parameter, so that every seed has
// another best design.
func (x *table) part(seed uint64) *table {
	rng := rand.New(rand.NewPCG(seed, 99))
	x.gone = make([]map[int]bool, 4)
	for i := range x.gone {
		n := x.full.Param(i).Len()
		x.gone[i] = map[int]bool{}
		for _, level := range rng.Perm(n)[:n/4] {
			x.gone[i][level] = true
		}
	}
	x.best = math.Inf(1)
	for i, p := range x.full.All() {
		if c := x.cells[2][i]; x.in(p) && c.area <= 1 {
			x.best = min(x.best, c.value)
		}
	}
	return x
}

func (x *table) in(p space.Point) bool {
	for i := range 4 {
		if x.gone[i][p[i]] {
			return false
		}
	}
	return true
}

func compare(t *testing.T, x *table, kind string, seeds int) {
	var ratios [3][]float64
	var with, without [3][]float64
	var all [3]int
	first, err := strconv.ParseUint(cmp.Or(os.Getenv("APOLLO_FIDELITY_FIRST"), "0"), 10, 64)
	if err != nil {
		t.Fatalf("APOLLO_FIDELITY_FIRST: %v", err)
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		y := x.spoil(kind, seed).part(seed)
		p := optimizer.Problem{Space: x.full, Seed: seed, Legal: func(p space.Point) bool { return y.in(p) }}
		s, err := optimizer.GP{}.Start(p)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := y.run(t, s, false)
		p.Space = x.whole
		s, err = fidelity.Algorithm{Search: transfer.Algorithm{Base: optimizer.GP{}}, Parameter: 4}.Start(p)
		if err != nil {
			t.Fatal(err)
		}
		b, tried := y.run(t, s, true)
		for k := range all {
			all[k] += tried[k]
			ratios[k] = append(ratios[k], b[k]/a[k])
			with[k], without[k] = append(with[k], b[k]), append(without[k], a[k])
		}
	}
	for k, share := range []string{"1 %", "2 %", "5 %"} {
		for _, list := range [][]float64{ratios[k], with[k], without[k]} {
			slices.Sort(list)
		}
		q := func(v []float64, f float64) float64 { return v[int(f*float64(len(v)-1))] }
		fmt.Printf("%-9s within %s: %.1f with, %.1f without; ratio %.2f [%.2f %.2f]\n", kind, share, q(with[k], .5), q(without[k], .5), q(ratios[k], .5), q(ratios[k], .25), q(ratios[k], .75))
	}
	fmt.Println("tried", all)
}
