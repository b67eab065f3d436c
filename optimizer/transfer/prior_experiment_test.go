package transfer_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// priorPair is a space with what the evaluator measures and what a prior says of it;
// both are drawn anew for every seed where they are synthetic.
type priorPair struct {
	name  string
	space space.Space
	draw  func(seed uint64) (evaluator, prior func(space.Point) float64)
}

// zigzagPairs are those of testdata/zigzag.csv: what ZigZag 3.9.1 says of 216 designs, and
// what the templates of Apollo do.
func zigzagPairs(t *testing.T) (pairs []priorPair) {
	t.Helper()
	f, err := os.Open("testdata/zigzag.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const axes = 5
	head, rows := rows[0], rows[1:]
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var params []space.Param
	for i := range axes {
		var values []float64
		for _, r := range rows {
			values = append(values, number(r[i]))
		}
		slices.Sort(values)
		params = append(params, space.Param{Name: head[i], Values: slices.Compact(values)})
	}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	column := func(name string) func(space.Point) float64 {
		c := slices.Index(head, name)
		known := map[space.Key]float64{}
		for _, r := range rows {
			p := make(space.Point, axes)
			for i := range p {
				p[i], _ = params[i].Level(space.Value{Num: number(r[i])})
			}
			known[s.Key(p)] = number(r[c])
		}
		return func(p space.Point) float64 { return known[s.Key(p)] }
	}
	for _, metric := range []string{"energy_j", "latency_s"} {
		truth := column(metric)
		for _, prior := range []string{"nvdla", "simba"} {
			said := column(prior + "_" + metric)
			pairs = append(pairs, priorPair{prior + " → ZigZag, " + metric, s, func(uint64) (evaluator, prior func(space.Point) float64) { return truth, said }})
		}
		pairs = append(pairs, priorPair{"reciprocal → ZigZag, " + metric, s, func(uint64) (evaluator, prior func(space.Point) float64) {
			return truth, func(p space.Point) float64 { return 1 / truth(p) }
		}}, priorPair{"random → ZigZag, " + metric, s, func(seed uint64) (evaluator, prior func(space.Point) float64) {
			return truth, func(p space.Point) float64 { return rand.New(rand.NewPCG(seed, s.Index(p))).Float64() + 0.5 }
		}})
	}
	return pairs
}

// drawLandscape draws a function of five ordered parameters: a sum of effects of one, and of
// products of two, of random height, place and width.
func drawLandscape(rng *rand.Rand, levels int) func(space.Point) float64 {
	type wave struct {
		axes          [2]int
		height, phase [2]float64
		rate          [2]float64
	}
	var waves []wave
	for range 12 {
		w := wave{axes: [2]int{rng.IntN(5), rng.IntN(5)}}
		for i := range 2 {
			w.height[i], w.phase[i], w.rate[i] = rng.NormFloat64(), 2*math.Pi*rng.Float64(), 0.3+rng.Float64()
		}
		waves = append(waves, w)
	}
	return func(p space.Point) float64 {
		sum := 0.0
		for _, w := range waves {
			product := w.height[0]
			for i := range 2 {
				product *= math.Cos(w.phase[i] + w.rate[i]*math.Pi*float64(p[w.axes[i]])/float64(levels-1))
			}
			sum += product
		}
		return sum
	}
}

// syntheticPairs correlate by so much over all designs; the values are exponentials.
func syntheticPairs(t *testing.T) (pairs []priorPair) {
	t.Helper()
	const levels = 5
	values := make([]float64, levels)
	for i := range values {
		values[i] = float64(int(1) << i)
	}
	var params []space.Param
	for i := range 5 {
		params = append(params, space.Param{Name: fmt.Sprintf("p%d", i), Values: values})
	}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	for _, rho := range []float64{0.95, 0.8, 0.5, 0, -0.8} {
		pairs = append(pairs, priorPair{fmt.Sprintf("synthetic, correlation %g", rho), s, func(seed uint64) (evaluator, prior func(space.Point) float64) {
			rng := rand.New(rand.NewPCG(seed, 77))
			f, g := standard(s, drawLandscape(rng, levels), nil), drawLandscape(rng, levels)
			h := standard(s, g, f)
			return func(p space.Point) float64 { return math.Exp(f(p)) }, func(p space.Point) float64 { return math.Exp(rho*f(p) + math.Sqrt(1-rho*rho)*h(p)) }
		}})
	}
	return pairs
}

// standard scales a function to mean 0 and deviation 1, without what another one explains.
func standard(s space.Space, f, without func(space.Point) float64) func(space.Point) float64 {
	var all, other []float64
	for i := range s.Size() {
		p := s.At(i)
		all = append(all, f(p))
		if without != nil {
			other = append(other, without(p))
		}
	}
	n := float64(len(all))
	var mean, cross, square float64
	for i := range all {
		mean += all[i] / n
		if without != nil {
			cross += all[i] * other[i] / n
		}
	}
	for i := range all {
		all[i] -= mean
		if without != nil {
			all[i] -= cross * other[i]
		}
		square += all[i] * all[i] / n
	}
	unit := math.Sqrt(square)
	return func(p space.Point) float64 { return all[s.Index(p)] / unit }
}

// priorRun is the best value after every trial of a search that begins with a design drawn
// at random, and asks one at a time.
func priorRun(t *testing.T, pair *priorPair, seed uint64, with bool, trials int) (curve []float64, origins []string) {
	t.Helper()
	truth, said := pair.draw(seed)
	base, err := optimizer.New("default", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := optimizer.Problem{Space: pair.space, Seed: seed, Objectives: 1}
	if with {
		task := optimizer.Task{Name: "prior/sample", Space: pair.space}
		task.Ask = func(at space.Point) (optimizer.Observation, error) {
			return optimizer.Observation{Point: at, Values: []float64{said(at)}}, nil
		}
		for trial, i := range sampled(pair.space, seed) {
			o, _ := task.Ask(pair.space.At(uint64(i)))
			o.Trial = trial
			task.Observations = append(task.Observations, o)
		}
		p.Prior = []optimizer.Task{task}
		base = transfer.Algorithm{Base: base}
	}
	search, err := base.Start(p)
	if err != nil {
		t.Fatal(err)
	}
	best := math.Inf(1)
	for trial := range trials {
		next := []optimizer.Proposal{{Point: pair.space.At(rand.New(rand.NewPCG(seed, 5)).Uint64N(pair.space.Size())), Origin: optimizer.StartOrigin}}
		if trial > 0 {
			if next, err = search.Ask(uint64(trial), 1, nil); err != nil {
				t.Fatal(err)
			}
		}
		v := truth(next[0].Point)
		best = min(best, v)
		curve, origins = append(curve, best), append(origins, next[0].Origin)
		search.Tell(optimizer.Observation{Point: next[0].Point, Values: []float64{v}, Trial: trial, Origin: next[0].Origin})
	}
	return curve, origins
}

// sampled are the designs that a study asks a prior for: all of a small space, or some.
func sampled(s space.Space, seed uint64) []int {
	all := rand.New(rand.NewPCG(seed, 3)).Perm(int(s.Size()))
	if len(all) > 1024 {
		return all[:512]
	}
	slices.Sort(all)
	return all
}

// TestPriorExperiments measures searches with a prior and without: 30 trials, so many seeds
// as APOLLO_PRIOR says, from APOLLO_PRIOR_FIRST on.
func TestPriorExperiments(t *testing.T) {
	seeds := number("APOLLO_PRIOR", 0)
	if seeds == 0 {
		t.Skip("APOLLO_PRIOR says of how many seeds")
	}
	const trials = 30
	fmt.Println("| prior → evaluator | trials to the mark, with and without | ratio | after 10 trials | after 20 |\n|---|---|---|---|---|")
	for _, pair := range slices.Concat(zigzagPairs(t), syntheticPairs(t)) {
		if only := os.Getenv("APOLLO_PRIOR_ONLY"); only != "" && !strings.Contains(pair.name, only) {
			continue
		}
		var with, without, ratio, at10, at20 []float64
		for seed := uint64(number("APOLLO_PRIOR_FIRST", 1)); len(ratio) < seeds; seed++ {
			alone, _ := priorRun(t, &pair, seed, false, trials)
			helped, origins := priorRun(t, &pair, seed, true, trials)
			mark := alone[trials-1] * (1 + 1e-9)
			a, b := float64(reach(helped, mark)), float64(reach(alone, mark))
			with, without, ratio = append(with, a), append(without, b), append(ratio, a/b)
			at10, at20 = append(at10, helped[9]/alone[9]), append(at20, helped[19]/alone[19])
			if os.Getenv("APOLLO_PRIOR_VERBOSE") != "" {
				fmt.Println(seed, a, b, origins)
			}
		}
		fmt.Printf("| %s | %g, %g | %s | %s | %s |\n", pair.name, median(with), median(without), interval(ratio), interval(at10), interval(at20))
	}
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// interval is the median with the 95 % interval of its bootstrap.
func interval(values []float64) string {
	rng := rand.New(rand.NewPCG(1, 1))
	var medians []float64
	sample := make([]float64, len(values))
	for range 4000 {
		for i := range sample {
			sample[i] = values[rng.IntN(len(values))]
		}
		medians = append(medians, median(sample))
	}
	slices.Sort(medians)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(values), medians[len(medians)/40], medians[len(medians)*39/40])
}
