package template

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"apollo/evaluator/model"
)

// allOf enumerates what a machine of the tile search can do with a layer: every spread of its
// wires, every size ceil(n/i) of the loops of every level that has loops, and every order of
// those above the innermost such level. It calls visit for those that fit.
type allOf struct {
	l    *loops
	p    *model.Problem
	m    model.Mapping
	rest [model.Dims]int64
	r    model.Result
	// seen counts the mappings; most ends the enumeration early.
	seen, most int
	known      map[[model.MaxLevels][model.Dims]int64]bool
	visit      func(*Cost)
}

// run returns false where there are more mappings than most.
func (e *allOf) run() bool {
	e.known = map[[model.MaxLevels][model.Dims]int64]bool{}
	for _, list := range e.l.spreads {
		var none way
		e.rest = e.l.spread(e.p, nil, &none, &e.m)
		e.spread(list, 0, 0)
	}
	return e.seen <= e.most
}

// spread chooses the instances of the dimensions of an axis, from the at-th one on.
func (e *allOf) spread(list []Spread, axis, at int) {
	switch {
	case axis == len(list):
		var key [model.MaxLevels][model.Dims]int64
		for i := range key {
			key[i] = e.m.Loops[i].Spatial
		}
		if !e.known[key] {
			e.known[key] = true
			e.size(max(e.l.inner, 1), 0)
		}
		return
	case at == len(list[axis].Dims):
		e.spread(list, axis+1, 0)
		return
	}
	x := &list[axis]
	d := x.Dims[at]
	left, spatial := x.left(&e.m.Loops[x.Level].Spatial, d), &e.m.Loops[x.Level].Spatial[d]
	rest, was := e.rest[d], *spatial
	for _, size := range parts(rest) {
		if n := model.CeilDiv(rest, size); n <= left {
			*spatial, e.rest[d] = was*n, size
			e.spread(list, axis, at+1)
		}
	}
	*spatial, e.rest[d] = was, rest
}

// size chooses the steps of a level's loops.
func (e *allOf) size(level int, d model.Dim) {
	if e.seen > e.most {
		return
	}
	if d == model.Dims {
		if !e.l.roomy(e.p, &e.m) {
			return
		}
		if level--; level > 0 {
			e.size(level, 0)
			return
		}
		e.m.Loops[0].Temporal = e.rest
		e.m.Loops[max(e.l.inner, 1)].Order = e.l.order
		e.permute(0, 0)
		e.m.Loops[0].Temporal = model.Ones().Temporal
		return
	}
	rest, steps := e.rest[d], &e.m.Loops[level].Temporal[d]
	for _, n := range parts(rest) {
		*steps, e.rest[d] = n, model.CeilDiv(rest, n)
		e.size(level, d+1)
	}
	*steps, e.rest[d] = 1, rest
}

// fits reports whether the tiles of the mapping that was evaluated last fit.
func (e *allOf) fits() bool {
	for i := 1; i < e.l.arch.Levels; i++ {
		if e.l.arch.Level[i].Capacity > 0 && e.r.TileBytes(e.p, i) > e.l.room(i) {
			return false
		}
	}
	return true
}

// permute chooses the order of the at-th loop of a level.
func (e *allOf) permute(level, at int) {
	if e.seen > e.most {
		return
	}
	if level == max(e.l.inner, 1) {
		e.seen++
		if e.r.Eval(e.p, &e.l.arch, &e.m); e.fits() {
			c := e.l.cost(e.p, &e.m, &e.r)
			e.visit(&c)
		}
		return
	}
	loops := &e.m.Loops[level]
	if at == 0 {
		// Loops of one step stand where they like.
		loops.Order = model.Ones().Order
		slices.SortStableFunc(loops.Order[:], func(a, b model.Dim) int { return min(1, int(loops.Temporal[b])-1) - min(1, int(loops.Temporal[a])-1) })
	}
	for i := at; i < len(loops.Order); i++ {
		if i > at && loops.Temporal[loops.Order[i]] == 1 {
			break
		}
		loops.Order[at], loops.Order[i] = loops.Order[i], loops.Order[at]
		if at+1 < len(loops.Order) && loops.Temporal[loops.Order[at+1]] > 1 {
			e.permute(level, at+1)
		} else {
			e.permute(level+1, 0)
		}
		loops.Order[at], loops.Order[i] = loops.Order[i], loops.Order[at]
	}
}

// cramped draws a design of a template with few units and so little memory that many a small
// layer does not fit.
func cramped(rng *rand.Rand, name string) []int64 {
	few := func() int64 { return []int64{1, 2, 2, 3, 4, 4, 8}[rng.IntN(7)] }
	two := func() int64 { return 1 + rng.Int64N(2) }
	memory := func(least int64) int64 { return least << rng.IntN(5) }
	io := []int64{1e9, 4e9, 16e9}[rng.IntN(3)]
	switch name {
	case "nvdla":
		return []int64{few(), few(), memory(256), memory(128), io}
	case "shidiannao":
		return []int64{few(), few(), memory(256), memory(64), io}
	}
	return []int64{two(), two(), two(), few(), memory(64), memory(64), memory(256), io}
}

// minimised are what mappers minimise, how the search is asked and how its answer is judged; a
// picojoule is worth the layer's time over its energy for the product.
func minimised(fast *Cost) (names [3]string, asked, judged [3]goal) {
	product := goal{cyclesPerPJ: float64(fast.Cycles) / fast.EnergyPJ}
	return [...]string{"time", "energy", "product"}, [...]goal{leastTime(), leastEnergy(), product}, [...]goal{{}, {cyclesPerPJ: 1e12}, product}
}

// above are how far mappings are above others.
type above struct {
	gaps []float64
	over int
}

const target = 0.01

func (a *above) add(gap float64) {
	if a.gaps = append(a.gaps, gap); gap > target {
		a.over++
	}
}

func (a *above) mean() float64 {
	sum := 0.0
	for _, gap := range a.gaps {
		sum += gap
	}
	return sum / float64(len(a.gaps))
}

func (a *above) row(template, name string) string {
	return fmt.Sprintf("| `%s` | %s | %d of %d | %.2f %% | %.1f %% |", template, name, a.over, len(a.gaps), 100*a.mean(), 100*slices.Max(a.gaps))
}

// The mappers of the tile search beside everything that their machines can do, on small layers of all
// kinds and machines so small that many of these do not fit. By default on a few layers;
// APOLLO_ENUMERATE_SMALL=200 compares so many (`make enumerate`). docs/validation.md says how far they are
// above: energy is within 1 % where windows are not dilated, the mean of all goals within 5 %.
func TestTileSearchAgainstAllMappings(t *testing.T) {
	t.Parallel()
	wanted, _ := strconv.Atoi(os.Getenv("APOLLO_ENUMERATE_SMALL"))
	most := 200_000
	if wanted == 0 {
		wanted, most = 5, 2000
	}
	like := layers(t, "mobilenet_v2")[0]
	for _, s := range Specs() {
		if _, ok := declared(&s).machine(baselineOf(&s)).Flow.(*loops); !ok {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(enumerationSeed(t), 11))
			const rounding, mean = 1e-9, 0.05
			var names [3]string
			var all [3]above
			mappings := 0
			for try := 0; len(all[0].gaps) < wanted && try < 200*wanted; try++ {
				kind := layerKinds[try%len(layerKinds)]
				v, p := cramped(rng, s.Name), tinyLayer(rng, like, kind)
				l := declared(&s).machine(v).Flow.(*loops)
				var found model.Mapping
				fast, misfit := l.Find(&p, leastTime(), &found)
				if misfit != nil {
					continue
				}
				var asked, judged [3]goal
				names, asked, judged = minimised(&fast)
				best := [...]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
				e := allOf{l: l, p: &p, most: most, visit: func(c *Cost) {
					for i := range judged {
						best[i] = min(best[i], judged[i].of(c))
					}
				}}
				if !e.run() || e.seen < 200 {
					continue
				}
				mappings += e.seen
				for i := range asked {
					c, _ := l.Find(&p, asked[i], &found)
					gap := judged[i].of(&c)/best[i] - 1
					all[i].add(gap)
					if gap < -rounding {
						t.Errorf("%s %v on %v: the mapper's mapping is none of the %d\n%s", kind, p.Bound, v, e.seen, found.String(&l.arch))
					}
					if i == 1 && gap > target && kind != "dilated" {
						t.Errorf("%s %v stride %v on %v: %.2f %% above the least energy of %d mappings", kind, p.Bound, p.Stride, v, 100*gap, e.seen)
					}
				}
			}
			if len(all[0].gaps) < wanted {
				t.Fatalf("only %d of %d layers have few enough mappings", len(all[0].gaps), wanted)
			}
			t.Logf("%d mappings", mappings)
			for i := range all {
				if t.Log(all[i].row(s.Name, names[i])); all[i].mean() > mean {
					t.Errorf("%s is %.1f %% above the least in the mean", names[i], 100*all[i].mean())
				}
			}
		})
	}
}

// tinyLayer draws a layer of a kind with few steps.
func tinyLayer(rng *rand.Rand, p model.Problem, kind string) model.Problem {
	p = smallLayer(rng, p, kind)
	for _, d := range [...]model.Dim{model.K, model.C, model.P, model.Q} {
		if most := []int64{2, 4, 6, 9}[rng.IntN(4)]; p.Bound[d] > most {
			p.Bound[d] = 1 + (p.Bound[d]-1)%most
		}
	}
	if kind == "fully connected" {
		p.Bound[model.K], p.Bound[model.C] = 1+rng.Int64N(60), 1+rng.Int64N(60)
	}
	if kind != "of one position" && kind != "fully connected" && rng.IntN(2) == 0 {
		p.Bound[model.R+model.Dim(rng.IntN(2))] = 1
	}
	return p
}
