package transfer_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/workload"
	"apollo/optimizer"
	"apollo/optimizer/space"
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
	template := edge.Spec().Template()
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
	trials := number("APOLLO_TRANSFER_SOURCE", 200)
	t.Helper()
	dir := os.Getenv("APOLLO_TRANSFER")
	file := filepath.Join(dir, fmt.Sprintf("v%s-gp-%s-%d-%d.json", edge.Spec().Version, l.name, seed, trials))
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
