package transfer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/evaluator/edge"
	"apollo/optimizer"
	"apollo/optimizer/transfer"
)

// pair is the outcome of one seed with and without transfer.
type pair struct{ with, without []float64 }

// report prints, for all seeds of a pair of tasks: the median excess over the
// best known value with transfer and (without), how many trials it takes to reach what no transfer reaches in 100 and to come within 10 % of the best
// (without), and by how many percent the median is worse after 20, 40 and 100.
func report(name string, best float64, pairs []pair) {
	excess := func(pick func(pair) []float64, at int) float64 {
		var values []float64
		for _, p := range pairs {
			if c := pick(p); at < len(c) {
				values = append(values, c[at]/best-1)
			}
		}
		slices.Sort(values)
		if len(values) == 0 {
			return math.NaN()
		}
		return 100 * values[len(values)/2]
	}
	with, without := func(p pair) []float64 { return p.with }, func(p pair) []float64 { return p.without }
	var line strings.Builder
	fmt.Fprintf(&line, "%-64s", name)
	for _, at := range []int{4, 9, 19, 24, 39, 99} {
		fmt.Fprintf(&line, " %3d: %6.1f (%6.1f)", at+1, excess(with, at), excess(without, at))
	}
	var reached, within, alone []int
	for _, p := range pairs {
		reached = append(reached, reach(p.with, p.without[99]))
		within, alone = append(within, reach(p.with, 1.1*best)), append(alone, reach(p.without, 1.1*best))
	}
	fmt.Fprintf(&line, " | reach %d | 10%% %d (%d) | worse", middle(reached), middle(within), middle(alone))
	for _, at := range []int{19, 39, 99} {
		if at < len(pairs[0].with) {
			fmt.Fprintf(&line, " %+.1f", 100*worse(pairs, at))
		}
	}
	fmt.Println(line.String())
}

func middle(values []int) int {
	slices.Sort(values)
	return values[len(values)/2]
}

// worse is the median over seeds of how much worse the value with transfer is, relative.
func worse(pairs []pair, at int) float64 {
	var values []float64
	for _, p := range pairs {
		v := p.with[at]/p.without[at] - 1
		if math.IsNaN(v) { // neither has a value
			v = 0
		}
		values = append(values, v)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// reach is the first trial, from 1, whose best is at most v; beyond the curve
// for never.
func reach(curve []float64, v float64) int {
	for i, c := range curve {
		if c <= v {
			return i + 1
		}
	}
	return len(curve) + 1
}

func number(name string, otherwise int) int {
	if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return v
	}
	return otherwise
}

// TestExperiments measures transfer on the landscapes that APOLLO_TRANSFER_NETWORKS
// names, by default those that choices were made on, and keeps runs without
// transfer in the directory that APOLLO_TRANSFER names. APOLLO_TRANSFER_AREA is
// the area budget in mm², APOLLO_TRANSFER_SOURCE the trials of a run without. APOLLO_TRANSFER_SEEDS
// and APOLLO_TRANSFER_FIRST choose the seeds: those from 1000 on are for the
// test split.
func TestExperiments(t *testing.T) {
	if os.Getenv("APOLLO_TRANSFER") == "" {
		t.Skip("APOLLO_TRANSFER names no directory for runs")
	}
	x := experiment{
		T: t, networks: []string{"mobilenet_v2", "ssd_mobilenet_v2", "deeplabv3_mobilenet_v2"}, base: optimizer.GP{},
		area: 6.8, method: os.Getenv("APOLLO_TRANSFER_METHOD"), first: uint64(number("APOLLO_TRANSFER_FIRST", 0)), seeds: uint64(number("APOLLO_TRANSFER_SEEDS", 2)),
	}
	if names := os.Getenv("APOLLO_TRANSFER_NETWORKS"); names != "" {
		x.networks = strings.Split(names, ",")
	}
	x.targets = x.networks
	if area, err := strconv.ParseFloat(os.Getenv("APOLLO_TRANSFER_AREA"), 64); err == nil {
		x.area = area
	}
	if names := os.Getenv("APOLLO_TRANSFER_TARGETS"); names != "" {
		x.targets = strings.Split(names, ",")
	}
	t.Run("alone", x.alone)
	t.Run("networks", func(t *testing.T) { x.between(t, false) })
	t.Run("adversaries", x.adversaries)
	t.Run("budgets", x.budgets)
	t.Run("kernels", x.kernels)
	t.Run("zeroshot", func(t *testing.T) { x.between(t, true) })
}

type experiment struct {
	*testing.T
	networks, targets []string
	base              optimizer.Algorithm
	area              float64 // mm²
	method            string
	first, seeds      uint64
}

// alone makes the runs without transfer.
func (x *experiment) alone(t *testing.T) {
	for _, n := range x.networks {
		for seed := x.first; seed < x.first+x.seeds; seed++ {
			edgeLandscape(t, n, x.area).cached(t, x.base, seed)
		}
	}
}

func (x *experiment) run(t *testing.T, name string, target landscape, trials int, prior func(seed uint64) []optimizer.Task) {
	best := target.best
	var pairs []pair
	var origins [2]map[string]int
	origins[0], origins[1] = map[string]int{}, map[string]int{}
	for seed := x.first; seed < x.first+x.seeds; seed++ {
		plain := target.cached(t, x.base, seed)
		with := target.run(t, transfer.Algorithm{Base: x.base, Method: x.method}, prior(seed), nil, seed, trials)
		p := pair{with: with.curve(), without: plain.curve()}
		if target.best == 0 {
			best = known(t, target, slices.Min(slices.Concat(p.with, p.without)))
		}
		pairs = append(pairs, p)
		for i, o := range with.Origin {
			kind, _, _ := strings.Cut(o, ":")
			origins[0][kind]++
			if with.Status[i] != optimizer.Measured {
				origins[1][kind]++
			}
		}
	}
	report(name, best, pairs)
	fmt.Println("  origins", origins[0], "infeasible", origins[1])
}

// known keeps the best value that any run found of a target.
func known(t *testing.T, l landscape, value float64) float64 {
	t.Helper()
	file := filepath.Join(os.Getenv("APOLLO_TRANSFER"), "best-v"+edge.Spec().Version+"-"+l.name)
	if data, err := os.ReadFile(file); err == nil {
		if v, err := strconv.ParseFloat(string(data), 64); err == nil {
			value = min(value, v)
		}
	}
	if err := os.WriteFile(file, []byte(strconv.FormatFloat(value, 'g', -1, 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	return value
}

// backbone is what networks have in common whose optima are near each other: a
// source of the same one says nothing of transfer to a network never seen.
func backbone(network string) string {
	switch {
	case strings.HasSuffix(network, "mobilenet_v2"):
		return "mobilenet_v2"
	case strings.HasPrefix(network, "ppocr"):
		return "ppocr"
	}
	return network
}

// between leaves one network out, and those of its backbone; short asks for the first ten proposals only.
func (x *experiment) between(t *testing.T, short bool) {
	var lands []landscape
	for _, n := range x.networks {
		lands = append(lands, edgeLandscape(t, n, x.area))
	}
	for i, target := range lands {
		if !slices.Contains(x.targets, x.networks[i]) {
			continue
		}
		sources := func(seed uint64) (prior []optimizer.Task) {
			for j, l := range lands {
				if i != j && backbone(x.networks[i]) != backbone(x.networks[j]) {
					prior = append(prior, l.task(l.cached(t, x.base, seed)))
				}
			}
			return prior
		}
		if short {
			x.zeroShot(t, target, sources)
			continue
		}
		x.run(t, "others -> "+target.name, target, 100, sources)
	}
}

// zeroShot compares the best of ten proposals that know nothing of the target's
// measurements, with ten random ones.
func (x *experiment) zeroShot(t *testing.T, target landscape, prior func(uint64) []optimizer.Task) {
	var excess []float64
	better := 0
	for seed := x.first; seed < x.first+x.seeds; seed++ {
		p := target.problem
		p.Seed, p.Prior = seed, prior(seed)
		best := [2]float64{math.Inf(1), math.Inf(1)}
		for k, a := range []optimizer.Algorithm{transfer.Algorithm{Base: x.base, Method: x.method}, optimizer.Random{}} {
			s, err := a.Start(p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Ask(0, 10, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range got {
				if o := target.measure(g.Point); o.Status == optimizer.Measured {
					best[k] = min(best[k], o.Values[0])
				}
			}
		}
		if best[0] < best[1] {
			better++
		}
		excess = append(excess, best[0]/known(t, target, best[0])-1)
	}
	slices.Sort(excess)
	fmt.Printf("%-40s zero-shot: better than 10 random in %d of %d, median excess %.1f %%\n", target.name, better, x.seeds, 100*excess[len(excess)/2])
}

// adversaries are sources with negated and shuffled values.
func (x *experiment) adversaries(t *testing.T) {
	for _, n := range x.targets {
		target := edgeLandscape(t, n, x.area)
		others := slices.DeleteFunc(slices.Clone(x.networks), func(o string) bool { return o == n || backbone(o) == backbone(n) })
		if len(others) == 0 {
			continue
		}
		source := edgeLandscape(t, others[0], x.area)
		for _, kind := range []string{"negated", "shuffled"} {
			x.run(t, kind+" "+source.name+" -> "+target.name, target, 100, func(seed uint64) []optimizer.Task {
				return []optimizer.Task{spoil(source.task(source.cached(t, x.base, seed)), kind, seed)}
			})
		}
	}
}

// spoil negates the logarithms of a source's values, or shuffles its values
// over its measured designs.
func spoil(task optimizer.Task, kind string, seed uint64) optimizer.Task {
	var values [][]float64
	for _, o := range task.Observations {
		if len(o.Values) > 0 {
			values = append(values, o.Values)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 77))
	rng.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	next := 0
	for i := range task.Observations {
		o := &task.Observations[i]
		if len(o.Values) == 0 {
			continue
		}
		if kind == "negated" {
			o.Values = []float64{1e-6 / o.Values[0]}
		} else {
			o.Values = values[next]
			next++
		}
	}
	return task
}

// budgets merges the trials of one budget into a search under another, as a
// study does: the five best that fit are known, all are told.
func (x *experiment) budgets(t *testing.T) {
	areas := []float64{6.8, 5.8, 4.8}
	for _, n := range x.targets {
		for _, from := range areas {
			for _, to := range areas {
				if from != to {
					x.merge(t, edgeLandscape(t, n, from), edgeLandscape(t, n, to))
				}
			}
		}
	}
}

func (x *experiment) merge(t *testing.T, source, target landscape) {
	var pairs []pair
	var best float64
	for seed := x.first; seed < x.first+x.seeds; seed++ {
		plain := target.cached(t, x.base, seed)
		var told []optimizer.Observation
		start := math.Inf(1)
		for _, o := range source.task(source.cached(t, x.base, seed+7)).Observations {
			point := o.Point
			o = target.measure(point)
			o.Point, o.Trial = point, -1
			told = append(told, o)
			if o.Status == optimizer.Measured {
				start = min(start, o.Values[0])
			}
		}
		with := target.run(t, x.base, nil, told, seed, 20)
		curve := slices.Repeat([]float64{start}, 5) // reused trials
		for _, v := range with.curve() {
			curve = append(curve, min(start, v))
		}
		p := pair{with: curve, without: plain.curve()}
		best = known(t, target, slices.Min(slices.Concat(p.with, p.without)))
		pairs = append(pairs, p)
	}
	report("merge "+source.name+" -> "+target.name, best, pairs)
}

func (x *experiment) kernels(t *testing.T) {
	gpus := []string{"A100", "A4000", "MI250X"}
	for _, from := range gpus {
		source := kernelLandscape(t, from)
		for _, to := range gpus {
			if from == to {
				continue
			}
			target := kernelLandscape(t, to)
			x.run(t, source.name+" -> "+target.name, target, 100, func(seed uint64) []optimizer.Task {
				task := source.task(source.cached(t, x.base, seed+7))
				task.Space = target.problem.Space
				return []optimizer.Task{task}
			})
		}
	}
}
