package template

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

// TestSpatialAnswers holds costs and mappings that the mapper of spatial answers for drawn designs, bit for bit, against
// testdata/spatial_answers.txt. A change for speed moves none; a new version of the template does, and -rewrite writes
// its own. APOLLO_ANSWERS names a file of a wider draw: it is written where it is not there yet, and held against otherwise,
// so that a change is compared with the code before it. APOLLO_DESIGNS and APOLLO_SEED are how many designs, and which.
func TestSpatialAnswers(t *testing.T) {
	t.Parallel()
	path, wide := os.LookupEnv("APOLLO_ANSWERS")
	if !wide {
		path = filepath.Join("testdata", "spatial_answers.txt")
		if fuses(1+1.0/(1<<30), 1+1.0/(1<<30)) {
			t.Skip("this build rounds a product and a sum once, the file is of one that rounds twice")
		}
	}
	n, seed := 16, uint64(0)
	if wide {
		n, seed = int(fromEnv(t, "APOLLO_DESIGNS", 1000)), fromEnv(t, "APOLLO_SEED", 0)
	}
	s := spatialSpec()
	got := spatialAnswers(t, &s, n, seed)
	want, err := os.ReadFile(path)
	if wide && errors.Is(err, fs.ErrNotExist) || !wide && *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	if len(was) != len(is) {
		t.Fatalf("%s has %d lines, want %d: write it again with the code before the change", path, len(was), len(is))
	}
	moved := 0
	for i := range is {
		if is[i] == was[i] {
			continue
		}
		if moved++; moved <= 5 {
			t.Errorf("line %d: version %s answers\n%s\nwant\n%s", i+1, s.Version, is[i], was[i])
		}
	}
	if moved > 0 {
		t.Errorf("%d of %d answers moved: that needs a new version of the template", moved, len(is)-1)
	}
}

// spatialAnswers returns a line for each of n drawn designs, with hashes of all costs and mappings of a network's layers:
// for time, of a quarter of them for a product of metrics and of an eighth for energy. The built-in networks take turns.
func spatialAnswers(t *testing.T, s *Spec, n int, seed uint64) string {
	t.Helper()
	var w strings.Builder
	rng := rand.New(rand.NewPCG(seed, 18))
	names, shapes := workload.Names(), map[string][]model.Problem{}
	for i := range n {
		design := draw(rng, s)
		name := names[i%len(names)]
		if shapes[name] == nil {
			shapes[name] = distinct(layers(t, name))
		}
		m := declared(s).machine(design)
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
		fmt.Fprintf(&w, "%v %s %x %x %x\n", design, name, time.Sum64(), product.Sum64(), energy.Sum64())
	}
	return w.String()
}

// fuses says whether the build rounds a product and a sum once, as the language allows and some processors do.
//
//go:noinline
func fuses(x, y float64) bool { return x*y-float64(x*y) != 0 }

// fromEnv returns the whole number that an environment variable holds, or the one for when it is not set.
func fromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s is %q, want a whole number from 0 to 4294967295", name, text)
	}
	return n
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
