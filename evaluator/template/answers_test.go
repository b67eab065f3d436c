package template

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

// TestSpatialAnswers writes what the mapper of spatial answers to the file APOLLO_ANSWERS: a line for each drawn design and
// goal, with a hash of all costs and mappings of a network's layers. A change that moves no value writes the same
// file as the code before it. APOLLO_DESIGNS is the number of designs; the built-in networks take turns, and
// every eighth design is searched for energy too.
func TestSpatialAnswers(t *testing.T) {
	path := os.Getenv("APOLLO_ANSWERS")
	if path == "" {
		t.Skip("writes what the mapper answers to the file APOLLO_ANSWERS")
	}
	n, err := strconv.Atoi(os.Getenv("APOLLO_DESIGNS"))
	if err != nil {
		t.Fatalf("APOLLO_DESIGNS: %v, want a number of designs", err)
	}
	seed, _ := strconv.ParseUint(os.Getenv("APOLLO_SEED"), 10, 64)
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(out)
	s, rng := spatialSpec(), rand.New(rand.NewPCG(seed, 18))
	names, shapes := workload.Names(), map[string][]model.Problem{}
	for i := range n {
		design := draw(rng, &s)
		name := names[i%len(names)]
		if shapes[name] == nil {
			shapes[name] = distinct(layers(t, name))
		}
		m := declared(&s).machine(design)
		time, product, energy := fnv.New64a(), fnv.New64a(), fnv.New64a()
		for at := range shapes[name] {
			p := &shapes[name][at]
			var found model.Mapping
			c, misfit := m.Flow.Find(p, leastTime(), &found)
			fmt.Fprintln(time, c, misfit, found)
			if i%8 > 1 || misfit != nil {
				continue
			}
			// The value of a mapping that is known, as the goal of a product has it.
			g := goal{cyclesPerPJ: float64(c.Cycles) / c.EnergyPJ}
			g.reached = g.of(&c)
			c, misfit = m.Flow.Find(p, g, &found)
			fmt.Fprintln(product, c, misfit, found)
			if i%8 == 0 {
				c, misfit = m.Flow.Find(p, leastEnergy(), &found)
				fmt.Fprintln(energy, c, misfit, found)
			}
		}
		fmt.Fprintf(w, "%v %s %x %x %x\n", design, name, time.Sum64(), product.Sum64(), energy.Sum64())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// Bounds leave few mappings to evaluate, also where lanes of rows and columns lie between a tile and the next one of its
// unit: 200,000 of this layer were evaluated while windows were taken to slide from each tile to the next.
func TestSpatialEvaluatesFewMappings(t *testing.T) {
	t.Parallel()
	s := spatialSpec()
	design := baselineOf(&s)
	design[spatialAxes] = int64(slices.Index(axisLabels(), "CRS+PQ"))
	design[spatialX], design[spatialY], design[spatialSums], design[spatialOutputs] = 6, 10, 0, 1
	design[spatialLocal], design[spatialShared], design[spatialNoC], design[spatialIO] = 4096, 1<<20, 32, 16e9
	m := declared(&s).machine(design)
	p := layers(t, "mobilenet_v2")[0]
	p.Bound, p.Stride, p.Dilation = [model.Dims]int64{144, 1, 1, 1, 56, 56, 3, 3}, [2]int64{1, 1}, [2]int64{1, 1}
	f := m.Flow.(*free).on(&p)
	x, which, found := exact{flows: f.flows, p: &p, goal: leastTime().on(&p, &m.Arch), limit: math.Inf(1)}, all(every), model.Mapping{}
	for _, list := range f.flows[0].spreads {
		if x.begin(list, &which, &found) {
			x.search()
		}
	}
	const most = 100
	if !x.best.any || x.evaluated > most {
		t.Errorf("%d mappings are evaluated, want %d at most", x.evaluated, most)
	}
}
