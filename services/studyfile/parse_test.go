package studyfile_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/studyfile"
)

func nan() float64 { return math.NaN() }

const full = `# every field
apiVersion: apollo/v1
kind: Study
metadata: {name: full, labels: {owner: asha}}
spec:
  seed: 18446744073709551615
  space:
    template: toy
    fix: {io_bandwidth: 25 GB/s}
    restrict: {cores: [4, 1, 2], dataflow: [os]}
    rules: [{id: on-chip, expr: "cores * memory <= 4 * MiB"}]
  workload: {networks: [{name: net_a}, {name: net_b, weight: 0.5}]}
  objectives: [{metric: latency, goal: minimize, target: 1.5 ms}]
  constraints: [{metric: area, max: 6.8 mm2}, {metric: energy, max: 1.2 mJ, min: 0 J}]
  knownConstraints: hidden
  algorithm: {name: evolution, options: {population: 50, rate: .5, flag: true, list: [1, a, null]}}
  transfer: {sources: [{study: other}, {study: third, run: 0a1b2c3d}, {parquet: logs/*.parquet}, auto], control: 10%, seeds: 5, method: rgpe}
  evaluator: {name: toy, timeout: 90s, attempts: 2, maxFailures: 0}
  budget: {trials: 100, batch: 8, parallelism: 2, lag: 3}
  stop: {plateau: {trials: 50, improvement: 0.1%}}
  order: relaxed
  duplicates: reuse
`

const small = `apiVersion: apollo/v1
kind: Study
metadata: {name: small}
spec:
  space: {template: toy}
  workload: {networks: [{name: net_a}]}
  objectives: [{metric: latency, goal: minimize}]
`

const own = `apiVersion: apollo/v1
kind: Study
metadata: {name: own}
spec:
  space:
    parameters:
      - {name: tile, values: [4, 1, 2]}
      - {name: buffer, unit: B, values: [64 KiB, 1 MiB]}
      - {name: clock, unit: Hz, min: 100 MHz, max: 1 GHz, step: 300 MHz}
      - {name: voltage, min: 0.6, max: 0.9, step: 0.1}
      - {name: banks, min: 1, max: 20, scale: log2}
      - {name: dataflow, values: [ws, os]}
  evaluator: {name: mine, metrics: [{name: latency, unit: ms}, {name: accuracy, unit: "%"}, {name: score}]}
  objectives: [{metric: accuracy, goal: maximize, target: 99.5%}]
  constraints: [{metric: latency, max: 0.02 s}]
`

// parse fails the test on a mistake.
func parse(t *testing.T, src string, opts studyfile.Options) *studyfile.Document {
	t.Helper()
	doc, err := studyfile.Parse("study.yaml", []byte(src), catalog(), opts)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return doc
}

func TestParseEveryField(t *testing.T) {
	t.Parallel()
	got := parse(t, full, studyfile.Options{Dir: "/home/asha"}).Spec
	for i := range got.Networks {
		got.Networks[i].SHA256 = ""
	}
	want := &events.Spec{
		Study: "full", Labels: map[string]string{"owner": "asha"}, Seed: math.MaxUint64, Template: "toy",
		Parameters: []events.Parameter{
			{Name: "cores", Values: []float64{1, 2, 4}},
			{Name: "memory", Unit: "B", Values: []float64{1 << 18, 1 << 19, 1 << 20, 1 << 21}},
			{Name: "io_bandwidth", Unit: "B/s", Values: []float64{25e9}},
			{Name: "dataflow", Labels: []string{"os"}},
		},
		Rules:    []events.Rule{{ID: "on-chip", Expr: "cores * memory <= 4 * MiB"}},
		Networks: []events.Network{{Name: "net_a", Weight: 1}, {Name: "net_b", Weight: 0.5}},
		Metrics: []events.Metric{
			{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"},
		},
		Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize", Target: new(0.0015)}},
		Constraints: []events.Constraint{
			{Metric: "area_mm2", Max: new(6.8)}, {Metric: "energy_j", Max: new(0.0012), Min: new(float64(0))},
		},
		KnownConstraints: "hidden",
		Algorithm:        events.Algorithm{Name: "evolution", Options: []byte(`{"population":50,"rate":0.5,"flag":true,"list":[1,"a",null]}`)},
		Transfer: &events.Transfer{Seeds: 5, Control: 0.1, Sources: []events.Source{
			{Study: "other"}, {Study: "third", Run: "0a1b2c3d"}, {Parquet: "/home/asha/logs/*.parquet"}, {Auto: true},
		}, Method: "rgpe"},
		Evaluator: events.EvaluatorSpec{Name: "toy", Version: "1", TimeoutSeconds: 90, Attempts: 2, Deterministic: true},
		Budget:    events.Budget{Trials: 100, Batch: 8, Parallelism: 2, Lag: 3},
		Stop:      events.Stop{Plateau: &events.Plateau{Trials: 50, Improvement: 0.001}},
		Order:     "relaxed", Duplicates: "reuse",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the spec differs (-want +got):\n%s", diff)
	}
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	got := parse(t, small, studyfile.Options{}).Spec
	if want := (events.EvaluatorSpec{Name: "toy", Version: "1", TimeoutSeconds: 30, Attempts: 3, Deterministic: true, MaxFailures: 20}); got.Evaluator != want {
		t.Errorf("evaluator = %+v, want %+v", got.Evaluator, want)
	}
	if got.Order != "strict" || got.Duplicates != "reuse" || got.KnownConstraints != "checked" || got.Algorithm.Name != "default" || got.Seed != 0 {
		t.Errorf("order, duplicates, knownConstraints, algorithm, seed = %q, %q, %q, %q, %d", got.Order, got.Duplicates, got.KnownConstraints, got.Algorithm.Name, got.Seed)
	}
}

// TestParseFlight: a template is searched one trial after the other unless the
// study says otherwise, and an evaluator of one's own is not.
func TestParseFlight(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src, set string
		want     events.Budget
	}{
		{src: small, want: events.Budget{Trials: 400, Batch: 1, Parallelism: 1}},
		{src: small, set: "spec.budget.trials=1000000", want: events.Budget{Trials: 1_000_000, Batch: 1, Parallelism: 1}},
		{src: small, set: "spec.budget.batch=16", want: events.Budget{Trials: 400, Batch: 16, Parallelism: 1}},
		{src: small, set: "spec.budget.parallelism=3", want: events.Budget{Trials: 400, Batch: 1, Parallelism: 3, Lag: 6}},
		{src: small, set: "spec.budget.lag=2", want: events.Budget{Trials: 400, Batch: 1, Parallelism: 1, Lag: 2}},
		{src: own, want: events.Budget{Trials: 400, Batch: 1, Parallelism: 4, Lag: 8}},
		{src: own, set: "spec.budget.lag=0", want: events.Budget{Trials: 400, Batch: 1, Parallelism: 4}},
		{src: own, set: "spec.budget.lag=null", want: events.Budget{Trials: 400, Batch: 1, Parallelism: 4, Lag: 8}},
		{src: own, set: "spec.budget.parallelism=1", want: events.Budget{Trials: 400, Batch: 1, Parallelism: 1}},
	}
	for _, test := range tests {
		var opts studyfile.Options
		if test.set != "" {
			opts.Sets = []string{test.set}
		}
		if got := parse(t, test.src, opts).Spec.Budget; got != test.want {
			t.Errorf("with %q: budget = %+v, want %+v", test.set, got, test.want)
		}
	}
}

func TestParseOwnEvaluator(t *testing.T) {
	t.Parallel()
	got := parse(t, own, studyfile.Options{}).Spec
	wantParams := []events.Parameter{
		{Name: "tile", Values: []float64{1, 2, 4}},
		{Name: "buffer", Unit: "B", Values: []float64{65536, 1 << 20}},
		{Name: "clock", Unit: "Hz", Values: []float64{1e8, 4e8, 7e8, 1e9}},
		{Name: "voltage", Values: []float64{0.6, 0.7, 0.8, 0.9}},
		{Name: "banks", Values: []float64{1, 2, 4, 8, 16}},
		{Name: "dataflow", Labels: []string{"ws", "os"}},
	}
	if diff := cmp.Diff(wantParams, got.Parameters); diff != "" {
		t.Errorf("parameters differ (-want +got):\n%s", diff)
	}
	wantMetrics := []events.Metric{{Name: "latency_ms", Unit: "ms"}, {Name: "accuracy_percent", Unit: "%"}, {Name: "score"}}
	if diff := cmp.Diff(wantMetrics, got.Metrics); diff != "" {
		t.Errorf("metrics differ (-want +got):\n%s", diff)
	}
	if got.Budget.Batch != 1 || got.Evaluator.Deterministic || *got.Objectives[0].Target != 99.5 || *got.Constraints[0].Max != 20 {
		t.Errorf("batch, deterministic, target, max = %d, %t, %v, %v", got.Budget.Batch, got.Evaluator.Deterministic, *got.Objectives[0].Target, *got.Constraints[0].Max)
	}
}

// TestExecIsNoPartOfTheStudy: what is published starts no program.
func TestExecIsNoPartOfTheStudy(t *testing.T) {
	t.Parallel()
	plain := parse(t, own, studyfile.Options{})
	with := parse(t, own, studyfile.Options{Sets: []string{"spec.evaluator.exec=./mine --fast", "spec.evaluator.startup=2 min", "spec.evaluator.memory=4 GiB", "spec.evaluator.env={GPU: \"{slot}\"}"}})
	if with.Exec != "./mine --fast" || plain.Exec != "" {
		t.Errorf("Exec = %q and %q, want the command and nothing", with.Exec, plain.Exec)
	}
	if with.StartupSeconds != 120 || with.MemoryBytes != 4<<30 || with.Env["GPU"] != "{slot}" {
		t.Errorf("Program = %+v, want two minutes, 4 GiB and the environment", with.Program)
	}
	if string(with.Normalised) != string(plain.Normalised) {
		t.Errorf("exec changes the published study:\n%s\nwant\n%s", with.Normalised, plain.Normalised)
	}
}

// TestNormalisedIsTheSameStudy: what is published is what was read.
func TestNormalisedIsTheSameStudy(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{"full": full, "small": small, "own": own} {
		first := parse(t, src, studyfile.Options{})
		again, err := studyfile.Parse("request", first.Normalised, catalog(), studyfile.Options{})
		if err != nil {
			t.Fatalf("%s: Parse(Normalised): %v\n%s", name, err, first.Normalised)
		}
		if diff := cmp.Diff(first.Spec, again.Spec); diff != "" {
			t.Errorf("%s: the spec differs after a round trip (-first +again):\n%s", name, diff)
		}
		if got, want := events.SpecSHA256(again.Spec), events.SpecSHA256(first.Spec); got != want {
			t.Errorf("%s: SHA-256 = %s, want %s", name, got, want)
		}
		if string(again.Normalised) != string(first.Normalised) {
			t.Errorf("%s: normalising twice gives\n%s\nwant\n%s", name, again.Normalised, first.Normalised)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for name, src := range map[string]string{"small": small, "full": full, "own": own} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := studyfile.Parse("study.yaml", []byte(src), catalog(), studyfile.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestLongCommand takes the command of a container with its mounts.
func TestLongCommand(t *testing.T) {
	t.Parallel()
	study := func(bytes int) string {
		return `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"long"},"spec":{
 "space":{"parameters":[{"name":"x","values":[1,2]}]},"objectives":[{"metric":"score","goal":"maximize"}],
 "evaluator":{"name":"mine","exec":"` + strings.Repeat("x", bytes) + `","metrics":[{"name":"score"}]}}}`
	}
	doc, err := studyfile.Parse("s", []byte(study(events.MaxExecBytes)), studyfile.Catalog{}, studyfile.Options{})
	if err != nil || len(doc.Exec) != events.MaxExecBytes {
		t.Errorf("a command of %d bytes: %v", events.MaxExecBytes, err)
	}
	if _, err := studyfile.Parse("s", []byte(study(events.MaxExecBytes+1)), studyfile.Catalog{}, studyfile.Options{}); err == nil || !strings.Contains(err.Error(), "at most 2048") {
		t.Errorf("a command of one more byte: %v", err)
	}
}

// How long something may take is written in all ways that flags take, also for editors.
func TestDurations(t *testing.T) {
	t.Parallel()
	b, err := studyfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	schema := compile(t, b)
	for text, want := range map[string]float64{"2m": 120, "2 m": 120, "1.5d": 129600, "1 d": 86400, "1h30m": 5400, "1m30s": 90, "90s": 90, "0.5 h": 1800, "2min": 120} {
		src := strings.Replace(full, "timeout: 90s", "timeout: "+text, 1)
		if got := parse(t, src, studyfile.Options{}).Spec.Evaluator.TimeoutSeconds; got != want {
			t.Errorf("timeout: %s is %v s, want %v", text, got, want)
		}
		if err := valid(t, schema, []byte(src)); err != nil {
			t.Errorf("the schema refuses timeout: %s: %v", text, err)
		}
	}
	for _, text := range []string{"2 mm", "1 day", "m", "1h30", "nand", "-2m", "0d", "90", "0"} {
		src := strings.Replace(full, "timeout: 90s", "timeout: "+text, 1)
		if _, err := studyfile.Parse("study.yaml", []byte(src), catalog(), studyfile.Options{}); err == nil {
			t.Errorf("timeout: %s is taken", text)
		}
	}
	// What is measured keeps its units: a latency of 2 m is no time.
	if _, err := studyfile.Parse("study.yaml", []byte(strings.Replace(full, "target: 1.5 ms", "target: 2m", 1)), catalog(), studyfile.Options{}); err == nil {
		t.Error("a target of 2m is taken")
	}
}
