package template

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
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
