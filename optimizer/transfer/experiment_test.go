package transfer_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/workload"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// landscape is a task of the experiments: what is searched, and the answer to a
// design.
type landscape struct {
	name    string
	problem optimizer.Problem
	measure func(space.Point) optimizer.Observation
	best    float64 // proven; 0 for unknown
}

// edgeLandscape is the latency of a network on the edge template within an
// area budget in mm².
func edgeLandscape(t testing.TB, network string, budget float64) landscape {
	t.Helper()
	template := edge.Template()
	w, err := workload.Builtin(network)
	if err != nil {
		t.Fatal(err)
	}
	s, err := space.New(template.Params...)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := template.Backend.New(evaluator.Task{Params: template.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	check := ev.(evaluator.Checker)
	derived, err := evaluator.LogFeatures(template.Features, template.Params)
	if err != nil {
		t.Fatal(err)
	}
	metrics := make([]float64, 3)
	var values []space.Value
	area := func(p space.Point) float64 {
		values = s.AppendValues(values[:0], p)
		check.Check(values, metrics)
		return metrics[1]
	}
	l := landscape{name: fmt.Sprintf("%s-%.1f", network, budget)}
	l.problem = optimizer.Problem{
		Space:    s,
		Legal:    func(p space.Point) bool { return area(p) <= budget },
		Workload: statistics(w),
		Features: func(p space.Point) []float64 {
			a := area(p)
			return append(derived(make([]float64, 0, 10), values), math.Log(a))
		},
	}
	l.measure = func(p space.Point) optimizer.Observation {
		r, err := ev.Evaluate(context.Background(), evaluator.Request{Design: s.Values(p)})
		if err != nil {
			t.Fatal(err)
		}
		if r.Outcome != evaluator.Measured {
			return optimizer.Observation{Status: optimizer.Infeasible}
		}
		o := optimizer.Observation{Values: []float64{r.Values[0]}}
		if r.Values[1] > budget {
			o.Status, o.Violation = optimizer.Infeasible, r.Values[1]/budget-1
		}
		return o
	}
	return l
}

// statistics of a network's layers, as the sources carry them.
func statistics(w *workload.Workload) []float64 {
	var macs, weights, depthwise, outputs, channels, layers, largest float64
	for _, l := range w.Layers {
		m := float64(l.MACs())
		macs += m
		weights += float64(l.Params())
		out := float64(max(l.N, 1) * max(l.K, 1) * max(l.P, 1) * max(l.Q, 1))
		outputs += out
		largest = max(largest, out)
		if l.Op == workload.DepthwiseConv {
			depthwise += m
		}
		if m > 0 {
			layers++
			channels += m * math.Log(float64(max(l.K, 1)))
		}
	}
	return []float64{math.Log(macs), math.Log(weights + 1), depthwise / macs, math.Log(outputs), channels / macs, math.Log(layers), math.Log(largest), math.Log(macs / outputs)}
}

// trace is a finished run.
type trace struct {
	Index  []uint64
	Status []optimizer.Status
	Value  []float64 // NaN never: 0 where not measured
	Had    []bool
	Origin []string `json:"-"`
	Over   []float64
}

func (l landscape) run(t testing.TB, a optimizer.Algorithm, prior []optimizer.Task, told []optimizer.Observation, seed uint64, trials int) trace {
	t.Helper()
	p := l.problem
	p.Seed, p.Prior = seed, prior
	s, err := a.Start(p)
	if err != nil {
		t.Fatal(err)
	}
	s.Tell(told...)
	var tr trace
	for i := range trials {
		got, err := s.Ask(uint64(i), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := l.measure(got[0].Point)
		o.Point, o.Origin, o.Trial = got[0].Point, got[0].Origin, i
		s.Tell(o)
		tr.add(p.Space, o)
	}
	return tr
}

func (tr *trace) add(s space.Space, o optimizer.Observation) {
	tr.Index = append(tr.Index, s.Index(o.Point))
	tr.Status = append(tr.Status, o.Status)
	v, had := 0.0, len(o.Values) > 0
	if had {
		v = o.Values[0]
	}
	tr.Value, tr.Had = append(tr.Value, v), append(tr.Had, had)
	tr.Origin = append(tr.Origin, o.Origin)
	tr.Over = append(tr.Over, o.Violation)
}

func (tr *trace) observations(s space.Space) []optimizer.Observation {
	var out []optimizer.Observation
	for i, index := range tr.Index {
		o := optimizer.Observation{Point: s.At(index), Status: tr.Status[i], Trial: i, Violation: tr.Over[i]}
		if tr.Had[i] {
			o.Values = []float64{tr.Value[i]}
		}
		out = append(out, o)
	}
	return out
}

// curve is the best feasible value after each trial; +Inf before the first.
func (tr *trace) curve() []float64 {
	best := math.Inf(1)
	var out []float64
	for i, v := range tr.Value {
		if tr.Status[i] == optimizer.Measured {
			best = min(best, v)
		}
		out = append(out, best)
	}
	return out
}

// cached runs the base search once and keeps the trace.
func (l landscape) cached(t testing.TB, a optimizer.Algorithm, seed uint64) trace {
	const trials = 200
	t.Helper()
	dir := os.Getenv("APOLLO_TRANSFER")
	file := filepath.Join(dir, fmt.Sprintf("v%s-gp-%s-%d-%d.json", edge.Version, l.name, seed, trials))
	var tr trace
	if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &tr) == nil {
		return tr
	}
	tr = l.run(t, a, nil, nil, seed, trials)
	data, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return tr
}

func (l landscape) task(tr trace) optimizer.Task {
	return optimizer.Task{Name: l.name, Space: l.problem.Space, Observations: tr.observations(l.problem.Space), Workload: l.problem.Workload}
}

// kernelLandscape is the run time of a GPU kernel, from a table of measured
// configurations; what the table lacks is illegal.
func kernelLandscape(t testing.TB, gpu string) landscape {
	t.Helper()
	columns, rows := kernelTable(t, gpu)
	width := len(columns) - 2 // time_ms and valid come last
	levels := make([][]float64, width)
	for _, row := range rows {
		for i := range width {
			if !slices.Contains(levels[i], row[i]) {
				levels[i] = append(levels[i], row[i])
			}
		}
	}
	var params []space.Param
	for i := range width {
		slices.Sort(levels[i])
		params = append(params, space.Param{Name: columns[i], Values: levels[i]})
	}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	table := map[uint64][]float64{}
	for _, row := range rows {
		p := make(space.Point, width)
		for i := range width {
			p[i], _ = slices.BinarySearch(levels[i], row[i])
		}
		table[s.Index(p)] = row
	}
	l := landscape{name: "convolution-" + gpu}
	l.problem = optimizer.Problem{Space: s, Legal: func(p space.Point) bool { return table[s.Index(p)] != nil }}
	l.measure = func(p space.Point) optimizer.Observation {
		row := table[s.Index(p)]
		if row[width+1] == 0 {
			return optimizer.Observation{Status: optimizer.Infeasible}
		}
		return optimizer.Observation{Values: []float64{row[width]}}
	}
	l.best = math.Inf(1)
	for _, row := range rows {
		if row[width+1] != 0 {
			l.best = min(l.best, row[width])
		}
	}
	return l
}

func kernelTable(t testing.TB, gpu string) (columns []string, rows [][]float64) {
	t.Helper()
	refs := os.Getenv("APOLLO_REFS")
	if refs == "" {
		refs = "../../../shared/refs"
	}
	file, err := os.Open(filepath.Join(refs, "kernels", "convolution_"+gpu+".csv.gz"))
	if err != nil {
		t.Skipf("no table of kernels: %v", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		var row []float64
		for _, text := range record {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				v = 0 // an invalid configuration has no time
			}
			row = append(row, v)
		}
		rows = append(rows, row)
	}
	return records[0], rows
}

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
// transfer in the directory that APOLLO_TRANSFER names. APOLLO_TRANSFER_SEEDS
// and APOLLO_TRANSFER_FIRST choose the seeds: those from 1000 on are for the
// test split.
func TestExperiments(t *testing.T) {
	if os.Getenv("APOLLO_TRANSFER") == "" {
		t.Skip("APOLLO_TRANSFER names no directory for runs")
	}
	x := experiment{
		T: t, networks: []string{"mobilenet_v2", "ssd_mobilenet_v2", "deeplabv3_mobilenet_v2"}, base: optimizer.GP{},
		method: os.Getenv("APOLLO_TRANSFER_METHOD"), first: uint64(number("APOLLO_TRANSFER_FIRST", 0)), seeds: uint64(number("APOLLO_TRANSFER_SEEDS", 2)),
	}
	if names := os.Getenv("APOLLO_TRANSFER_NETWORKS"); names != "" {
		x.networks = strings.Split(names, ",")
	}
	x.targets = x.networks
	if names := os.Getenv("APOLLO_TRANSFER_TARGETS"); names != "" {
		x.targets = strings.Split(names, ",")
	}
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
	method            string
	first, seeds      uint64
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
	file := filepath.Join(os.Getenv("APOLLO_TRANSFER"), "best-v"+edge.Version+"-"+l.name)
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

// between leaves one network out; short asks for the first ten proposals only.
func (x *experiment) between(t *testing.T, short bool) {
	var lands []landscape
	for _, n := range x.networks {
		lands = append(lands, edgeLandscape(t, n, 6.8))
	}
	for i, target := range lands {
		if !slices.Contains(x.targets, x.networks[i]) {
			continue
		}
		sources := func(seed uint64) (prior []optimizer.Task) {
			for j, l := range lands {
				if i != j {
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
	for i, n := range x.targets {
		target := edgeLandscape(t, n, 6.8)
		source := edgeLandscape(t, x.networks[(i+1)%len(x.networks)], 6.8)
		if source.name == target.name {
			continue
		}
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
