package template

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"apollo/evaluator/eyeriss"
	"apollo/evaluator/model"
	"apollo/evaluator/systolic"
)

// allowance is how much worse than the best random mapping the mapper may be.
const allowance = 1.02

// TestMapperAgainstRandom compares the mapper with the best of many random
// mappings of the same machine that cover the layer and fit. Random
// mappings are freer than the mapper's search: any factors at any level, any
// order of the loops outside, any spread that the wires allow.
//
// By default some thousand mappings of a few layers on each baseline; with
// APOLLO_RANDOM_MAPPINGS=100000 that many of every distinct layer of four
// networks on the baseline, and a twentieth on two other designs, with the table
// for docs/validation.md.
func TestMapperAgainstRandom(t *testing.T) {
	t.Parallel()
	wanted, _ := strconv.Atoi(os.Getenv("APOLLO_RANDOM_MAPPINGS"))
	full := wanted > 0
	for _, s := range Specs() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			list, designs, n := distinct(layers(t, "mobilenet_v2", "resnet18_v1")), [][]int64{baselineOf(&s)}, 1500
			if full {
				list = distinct(layers(t, "mobilenet_v2", "resnet50_v1", "unet", "bert_base"))
				designs, n = append(designs, otherDesigns(&s)...), wanted
			} else {
				list = some(list, 6)
			}
			compare(t, &s, designs, list, n, full)
		})
	}
}

// compared is the outcome for one layer on one design.
type compared struct {
	Bound      [model.Dims]int64
	Design     []int64
	Ours, Best float64
	// Saving is the least energy of random mappings that take no more time, over
	// the mapper's.
	Saving      float64
	Tries, Seen int
}

func (c *compared) gap() float64 { return c.Ours/c.Best - 1 }

func compare(t *testing.T, s *Spec, designs [][]int64, list []model.Problem, n int, full bool) {
	var all []compared
	for at, v := range designs {
		m := declared(s).machine(v)
		for i := range list {
			rng := rand.New(rand.NewPCG(uint64(at), uint64(i)))
			p := &list[i]
			var found model.Mapping
			c, misfit := m.Flow.Find(p, leastTime(), &found)
			d, best, saving := drawer(&m, p, rng), math.Inf(1), math.Inf(1)
			row, most := compared{Bound: p.Bound, Design: v}, n
			if at > 0 {
				most = max(n/20, 1)
			}
			for row.Seen < most && row.Tries < 30*most {
				row.Tries++
				if x, ok := d(); ok {
					row.Seen++
					best = min(best, float64(x.Cycles))
					if x.Cycles <= c.Cycles {
						saving = min(saving, x.EnergyPJ)
					}
				}
			}
			if row.Seen == 0 {
				continue
			}
			if misfit != nil {
				t.Errorf("%v on %v: the mapper finds none (%s), random ones fit", p.Bound, v, misfit.What)
				continue
			}
			row.Best, row.Ours = best, float64(c.Cycles)
			row.Saving = saving / c.EnergyPJ
			all = append(all, row)
			if c.EnergyPJ > allowance*saving {
				t.Errorf("%v on %v: the mapper's mapping takes %.6g pJ, a random one of no more time %.6g, %.1f %% less", p.Bound, v, c.EnergyPJ, saving, 100*(1-row.Saving))
			}
			if row.Ours > allowance*best {
				t.Errorf("%v on %v: the mapper has %.6g, the best of %d random mappings %.6g, %.1f %% less", p.Bound, v, row.Ours, row.Seen, best, 100*(1-best/row.Ours))
			}
		}
	}
	slices.SortFunc(all, func(a, b compared) int { return cmp.Compare(b.gap(), a.gap()) })
	tell(t, s.Name, all, full)
}

func tell(t *testing.T, name string, all []compared, full bool) {
	if len(all) == 0 {
		t.Fatalf("%s: no layer was compared", name)
	}
	worse, seen, gaps := 0, 0, make([]float64, 0, len(all))
	for i := range all {
		gaps = append(gaps, all[i].gap())
		seen += all[i].Seen
		if all[i].gap() > 0 {
			worse++
		}
	}
	slices.Sort(gaps)
	t.Logf("| `%s` | %d | %d | %+.1f %% | %+.2f %% | %d |", name, len(all), seen, 100*gaps[len(gaps)/2], 100*gaps[len(gaps)-1], worse)
	if full {
		if b, err := json.Marshal(all[:min(len(all), 5)]); err == nil {
			t.Logf("worst: %s", b)
		}
	}
}

// drawer returns a function that draws a random mapping and returns its cost,
// false when it does not fit.
func drawer(m *Machine, p *model.Problem, rng *rand.Rand) func() (Cost, bool) {
	switch f := m.Flow.(type) {
	case *loops:
		return func() (Cost, bool) { return f.draw(p, rng) }
	case *free:
		return func() (Cost, bool) { return f.flows[rng.IntN(len(f.flows))].draw(p, rng) }
	case *rowStationary:
		return func() (Cost, bool) { return f.draw(p, rng) }
	case *squareArray:
		return func() (Cost, bool) { return f.draw(p, rng) }
	case *marching:
		return func() (Cost, bool) { return f.draw(p, rng), true }
	}
	panic(fmt.Sprintf("no random mappings of %T", m.Flow))
}

// part draws a number of parts of n, of the sizes between 1 and n that are
// ceil(n/i), evenly on a logarithmic scale.
func part(rng *rand.Rand, n int64) int64 {
	size := int64(math.Exp(rng.Float64() * math.Log(float64(n)+1)))
	size = min(max(size, 1), n)
	return model.CeilDiv(n, model.CeilDiv(n, size))
}

// draw splits every dimension at random over the wires, and the rest over the
// levels that have loops.
func (l *loops) draw(p *model.Problem, rng *rand.Rand) (Cost, bool) {
	var m model.Mapping
	list := slices.Clone(l.spreads[rng.IntN(len(l.spreads))])
	for i := range list {
		if rng.IntN(3) == 0 {
			list[i].Limit = 1 + rng.Int64N(list[i].Limit)
		}
	}
	rest := l.spread(p, list, &way{}, &m)
	last := max(l.inner, 1)
	for d := range model.Dims {
		left := rest[d]
		for i := last; i > 0; i-- {
			n := part(rng, left)
			if rng.IntN(3) == 0 {
				n = 1
			} else if rng.IntN(3) == 0 {
				n = left
			}
			m.Loops[i].Temporal[d] = n
			left = model.CeilDiv(left, n)
		}
		m.Loops[0].Temporal[d] = left
	}
	for i := range last {
		rng.Shuffle(int(model.Dims), func(a, b int) {
			o := &m.Loops[i].Order
			o[a], o[b] = o[b], o[a]
		})
	}
	m.Loops[last].Order = l.order
	if !l.roomy(p, &m) || m.Validate(p, &l.arch) != nil {
		return Cost{}, false
	}
	r := model.Eval(p, &l.arch, &m)
	return l.cost(p, &m, &r), true
}

// roomy is a quick test for what cannot fit even with complete sums.
func (l *loops) roomy(p *model.Problem, m *model.Mapping) bool {
	f := search{state: state{l: l, p: p}}
	extent := [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	for i := l.arch.Levels - 1; i >= 1; i-- {
		for d := range model.Dims {
			extent[d] = min(extent[d]*m.Loops[i].Temporal[d]*m.Loops[i].Spatial[d], p.Bound[d])
		}
		others, sums := f.hold(i, &extent)
		if have := l.arch.Level[i].Capacity; have > 0 && 2*(others+sums*p.Bytes[model.Outputs]) > have {
			return false
		}
	}
	return true
}

func (f *rowStationary) draw(p *model.Problem, rng *rand.Rand) (Cost, bool) {
	b, c := &p.Bound, &f.chip
	m := eyeriss.Mapping{
		E: part(rng, b[model.P]), P: part(rng, min(b[model.K], c.SumWords)), Q: part(rng, min(b[model.C], c.InputWords)),
		R: 1 + rng.Int64N(min(b[model.C], c.Rows*c.Cols)), T: 1 + rng.Int64N(min(b[model.K], c.Rows*c.Cols)), N: b[model.N],
	}
	m.R, m.T = part(rng, m.R), part(rng, m.T)
	m.M = m.P * m.T * (1 + rng.Int64N(model.CeilDiv(b[model.K], m.P*m.T)))
	x, err := c.Cost(p, m)
	if err != nil {
		return Cost{}, false
	}
	return f.cost(p, &x), true
}

func (f *squareArray) draw(p *model.Problem, rng *rand.Rand) (Cost, bool) {
	parts := p.Bound
	for _, d := range []model.Dim{model.N, model.K, model.C, model.P, model.Q, model.R, model.S} {
		parts[d] = part(rng, p.Bound[d])
		if (d == model.R || d == model.S) && rng.IntN(2) == 0 {
			parts[d] = 1
		}
	}
	m := f.nest(p, parts)
	t := tilingOf(p, &m)
	load, sums := f.needs(p, &t)
	if 2*load > f.arch.Level[squarePad].Capacity || 2*sums > f.arch.Level[squareAcc].Capacity {
		return Cost{}, false
	}
	return f.cost(p, &t), true
}

// draw takes any part of the array, any even tiles and any order of them.
func (f *marching) draw(p *model.Problem, rng *rand.Rand) Cost {
	o, groups := systolic.OperandsOf(p)
	rows, cols, _ := f.array.Dataflow.Roles()
	total := [3]int64{o.M, o.N, o.K}
	t := systolic.Tiling{Rows: min(f.array.Rows, total[rows]), Cols: min(f.array.Cols, total[cols]), Order: [3]int{0, 1, 2}}
	if rng.IntN(2) == 0 {
		t.Rows, t.Cols = part(rng, t.Rows), part(rng, t.Cols)
	}
	total[rows], total[cols] = model.CeilDiv(total[rows], t.Rows), model.CeilDiv(total[cols], t.Cols)
	for d, n := range total {
		t.Tiles[d] = part(rng, n)
		if rng.IntN(2) == 0 {
			t.Tiles[d] = 1
		}
		t.Steps[d] = model.CeilDiv(n, t.Tiles[d])
	}
	rng.Shuffle(3, func(a, b int) { t.Order[a], t.Order[b] = t.Order[b], t.Order[a] })
	m := f.nest(groups, &t)
	d, err := f.Detail(p, &m)
	if err != nil {
		panic(err)
	}
	return d.Cost
}

func distinct(list []model.Problem) []model.Problem {
	var out []model.Problem
	for _, p := range list {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// some takes n of a list, evenly.
func some(list []model.Problem, n int) []model.Problem {
	var out []model.Problem
	for i := range n {
		out = append(out, list[i*len(list)/n])
	}
	return out
}

func baselineOf(s *Spec) []int64 {
	var v []int64
	for _, p := range s.Params {
		if p.Categorical() {
			at, _ := p.Level(p.Baseline)
			v = append(v, int64(at))
			continue
		}
		v = append(v, int64(p.Baseline.Num))
	}
	return v
}

// otherDesigns are two designs away from the baseline: every parameter a level
// up, and memories and bandwidth a level down.
func otherDesigns(s *Spec) [][]int64 {
	up, down := baselineOf(s), baselineOf(s)
	for i, p := range s.Params {
		if p.Categorical() {
			continue
		}
		at := slices.Index(p.Values, p.Baseline.Num)
		up[i] = int64(p.Values[min(at+1, len(p.Values)-1)])
		if p.Unit != "" {
			down[i] = int64(p.Values[max(at-1, 0)])
		}
	}
	return [][]int64{up, down}
}
