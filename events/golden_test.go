package events_test

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/events"
	"apollo/optimizer/space"
)

var rewrite = flag.Bool("rewrite", false, "write the golden events anew; only before a release of their version")

func sampleSpec() events.Spec {
	return events.Spec{
		Study: "demo", Labels: map[string]string{"owner": "asha"}, Notify: []events.Notify{{On: "completed", Subject: "vision.nightly"}, {On: "failed", Webhook: "https://hooks.example/apollo"}}, Seed: math.MaxUint64, Template: "edge",
		Parameters: []events.Parameter{
			{Name: "pe_memory", Unit: "B", Values: []float64{4096, 8192.5}},
			{Name: "dataflow", Labels: []string{"weight", "output"}, When: "pe_memory > 4096"},
		},
		Rules: []events.Rule{{ID: "on-chip", Expr: "pe_memory <= 64 * KiB && pe_memory > 0"}},
		Networks: []events.Network{
			{Name: "mobilenet_v2", Weight: 1, SHA256: strings.Repeat("0a", 32)},
			{Name: "llama_8b_decode", Weight: 1, SHA256: strings.Repeat("0c", 32), NetworkSizes: events.NetworkSizes{Batch: 2, Sequence: 1, Past: 4096, Generate: 256, Attention: "fused", Weights: "int4", Activations: "fp16", Accumulators: "fp32", Sparsity: "2:4"}},
			{Name: "mine", Weight: 2, SHA256: strings.Repeat("0b", 32), Accuracy: 0.718, Workload: json.RawMessage(`{"schema":"apollo.workload/v1","name":"mine"}`)},
			{
				Name: "mobilenet_v1", Weight: 1, SHA256: strings.Repeat("0d", 32), Family: "mobilenet_v1", Members: strings.Repeat("0e", 32), Own: strings.Repeat("0f", 32),
				Chosen:     []events.ChosenBy{{Name: "width", Own: 100}},
				Accuracies: events.Accuracies{Scale: "proxy", Source: "mine", Only: "measured", Known: json.RawMessage(`{"schema":"apollo.accuracy/v1"}`)},
			},
		},
		Search:           "one",
		Metrics:          []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "density", Cheap: true, Expr: "area / 1 mm2"}},
		Objectives:       []events.Objective{{Metric: "latency_s", Goal: "minimize", Target: new(0.001), Reference: new(0.02)}},
		Constraints:      []events.Constraint{{Metric: "area_mm2", Max: new(6.8), Min: new(0.5)}},
		KnownConstraints: "checked",
		Algorithm:        events.Algorithm{Name: "evolution", Options: json.RawMessage(`{"population":100}`)},
		Transfer:         &events.Transfer{Sources: []events.Source{{Study: "earlier", Run: "0badcafe", Parquet: "logs/*.parquet", Auto: true, Template: "systolic", Version: "4", Exec: "python3 fast.py", Metrics: []events.Column{{Name: "latency_s", Unit: "s"}}, Rename: map[string]string{"rate": "io_bandwidth"}, Fix: map[string]any{"rows": 8.0}}}, Seeds: 16, Control: 0.1, Method: "rgpe"},
		Fork:             &events.Fork{Study: "first", Run: "0badcafe", Trials: 60},
		Evaluator:        events.EvaluatorSpec{Name: "edge", Version: "1", TimeoutSeconds: 30, Attempts: 3, Deterministic: true, MaxFailures: 20, Manual: true, Noise: &events.Noise{Repeats: 3, Reference: 20}},
		Budget:           events.Budget{Trials: 400, WallSeconds: 7200, EvaluatorSeconds: 144000, Batch: 16, Parallelism: 4, Lag: 8},
		EarlyStop:        &events.EarlyStop{Rule: "median", Metric: "latency_s", After: 5, Warmup: 2},
		Fidelity:         &events.Fidelity{Parameter: "pe_memory"},
		Stop:             events.Stop{Plateau: &events.Plateau{Trials: 100, Improvement: 0.001}},
		Start:            []events.Design{{{Num: 4096}, {Label: "weight"}}},
		Order:            "strict", Duplicates: "reuse",
	}
}

// samples has an event of every type with every field set.
func samples() []events.Payload {
	const study, run = "demo", "0badcafe"
	design := events.Design{{Num: 8192.5}, {Label: "weight"}}
	result := events.TrialResult{
		Trial: 17, Outcome: events.OutcomeInfeasible, Values: events.Numbers{math.NaN(), 5.25},
		Reason: &events.Reason{
			Code: "core_memory", Layer: "mobilenet_v2/conv_1", Need: 65536, Have: 32768, Unit: "B",
			Message: "a tile needs 64 KiB, a core has 32 KiB",
		},
		Attempts: 2, Started: 1612278245000000, Seconds: 0.000125, Extra: map[string]float64{"latency_s.mobilenet_v2": 1e-7},
		LastError:    &events.LastError{Code: "timeout", Message: "no answer within 30s"},
		Intermediate: &events.Curve{Steps: []int64{1, 5}, Values: events.Numbers{0.0025, 0.0021}},
	}
	best := events.BestTrial{
		Trial: 3, Design: map[string]any{"pe_memory": 8192.5, "dataflow": "weight"}, Metrics: map[string]float64{"latency_s": 0.002, "area_mm2": 6.5},
		Estimate: &events.Estimate{Value: 0.002, Low: 0.0019, High: 0.0021, Measurements: 4},
	}
	noise := &events.NoiseReport{
		Deviation: 0.1, Relative: true, Repeated: 12, Serial: &events.Interval{Value: 0.5, Low: 0.2, High: 0.7, Of: 60},
		Drift: &events.Interval{Value: 0.3, Low: 0.1, High: 0.4, Of: 8}, Warnings: []string{"measurements follow each other"},
	}
	waiting := &events.Waiting{Code: events.WaitsNoEvaluator, Message: "nobody works for evaluator edge", Hint: "start a worker: apollo serve evaluator"}
	item := events.PresentItem{Study: study, Run: run, Batch: 2, Since: 1612278245000000, Error: "the stream is full", Progress: "40% layer 12 of 30"}
	identity := &events.Identity{Version: "2", Program: strings.Repeat("5e", 32)}
	program := &events.Program{Args: []string{"python3", "sim.py"}, Path: "/usr/bin/python3", Files: []events.ProgramFile{{Arg: 1, SHA256: strings.Repeat("5f", 32)}}, SHA256: strings.Repeat("5d", 32)}
	volume, reference := 0.0625, map[string]float64{"latency_s": 0.02}
	thresholds := events.Thresholds{Trials: 7, Curve: events.Curve{Steps: []int64{1, 5}, Values: events.Numbers{0.003, 0.0025}}}
	summary := events.Summary{Counts: events.Counts{Trials: 400, Voided: 3, Stopped: 4, LowFidelity: 6, Measured: 280, Infeasible: 119, Failed: 1, Feasible: 250}, Best: &best, Front: []events.BestTrial{best}, FrontSize: 1, Hypervolume: &volume, Reference: reference, Noise: noise, Hash: strings.Repeat("f0", 32), LastResult: 1234}
	return []events.Payload{
		events.StudyRequested{Study: json.RawMessage(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"demo"},"spec":{}}`), Fresh: true, EvaluatorVersion: "2", Program: program},
		events.StudyControl{Study: study, Run: run, ID: "c-1", Verb: "extend", Trials: 900, Reason: "the disk is full", Force: true, Retry: []int{5, 9}, Designs: []events.AddedDesign{{Design: map[string]any{"pe_memory": 8192.5, "dataflow": "weight"}, Outcome: "infeasible", Metrics: map[string]float64{"area_mm2": 6.5}, Reason: result.Reason, Origin: "lab"}}},
		events.StudyAccepted{Study: study, Run: run, Spec: sampleSpec(), SpecSHA256: strings.Repeat("1b", 32), Command: "x1", Owner: "asha", Identity: identity, Program: program, Binds: true},
		events.StudyStarted{Study: study, Run: run, Build: "v0.9.0 (0badcafe0bad)", Sources: []events.SourcePin{{Study: "earlier", Run: run, Trials: 400, SHA256: strings.Repeat("2c", 32), Use: "merge", Kept: 399, Quarantined: 1, DamagedFiles: 2, LeftOut: []events.LeftOut{{Reason: "design", Rows: 1}, {Reason: "damaged", Files: 2}}, Why: "the same networks"}}},
		events.TrialsProposed{
			Study: study, Run: run, Batch: 2, FirstTrial: 16, Told: 1, ObservedThrough: 99, Designs: []events.Design{design, design},
			Origins: []string{"evolution", "seed"}, Parents: [][]int{{3, 7}, {}}, Reused: []events.TrialResult{result}, EarlyStop: &thresholds, Added: true, Voids: []int{5, 6}, Command: "c-1",
		},
		events.StudyBound{Study: study, Run: run, Identity: *identity, Batch: 2, Worker: "host-1/7"},
		events.BatchRefused{Study: study, Run: run, Batch: 2, Sequence: 44, Asked: *identity, Answered: events.Identity{Version: "3", Program: strings.Repeat("6f", 32)}, Worker: "host-2/7"},
		events.StudyImproved{Study: study, Run: run, Best: best, Through: 9, FrontSize: 1, Hypervolume: &volume, Reference: reference},
		events.StudyPaused{Study: study, Run: run, Command: "c-2", Reason: "asked by a user", Batch: new(3), Item: 41, Already: true},
		events.StudyWaiting{Study: study, Run: run, Waiting: waiting},
		events.StudyResumed{Study: study, Run: run, Command: "c-3"},
		events.StudyExtended{Study: study, Run: run, Command: "c-1", Trials: 900},
		events.StudyStopping{Study: study, Run: run, Command: "c-4", Reason: "asked by a user"},
		events.StudyStopped{Study: study, Run: run, Reason: "asked by a user", Summary: summary},
		events.StudyCompleted{Study: study, Run: run, Reason: "budget", Summary: summary},
		events.StudyCancelled{Study: study, Run: run, Command: "c-5", Summary: summary},
		events.StudyFailed{Study: study, Run: run, Reason: "source earlier/0badcafe changed"},
		events.StudyRemoved{Study: study, Run: run},
		events.StudyRejected{Study: study, Command: "x1", Errors: []events.Mistake{{Pointer: "/spec/seed", Code: "unknown_field", Message: "there is no field \"sede\"", Hint: "did you mean \"seed\"?", Line: 5, Column: 7}}},
		events.BatchRequested{
			Study: study, Run: run, Batch: 2, Evaluator: "edge", Identity: identity, Template: "edge", Networks: sampleSpec().Networks, Search: "one", MapperGoal: "energy", Metrics: sampleSpec().Metrics,
			TimeoutSeconds: 30, Attempts: 3, Seed: 7, Limits: sampleSpec().Constraints, Deterministic: true, EarlyStop: &events.Stopping{Metric: "latency_s", Maximize: true, Thresholds: &thresholds}, Parameters: []events.Column{{Name: "pe_memory", Unit: "B"}, {Name: "dataflow", Unit: "-"}}, Trials: []int{16, 17}, Designs: []events.Design{design, design},
		},
		events.BatchEvaluated{Study: study, Run: run, Batch: 2, Evaluator: "edge", EvaluatorVersion: "edge-1", Program: strings.Repeat("5e", 32), Worker: "host-1", Metrics: []string{"latency_s", "area_mm2"}, Trials: []events.TrialResult{result}},
		events.ArchivePart{Study: study, Run: run, Path: "log/study=demo/run=0badcafe/part-000001.parquet", Rows: 400, SHA256: strings.Repeat("3d", 32), FirstSeq: 1, LastSeq: 25},
		events.ArchiveFinal{Study: study, Run: run, Trials: 400, Glob: "log/study=demo/run=0badcafe/*.parquet"},
		events.ArchiveWaiting{Study: study, Run: run, Trials: 12, Waiting: &events.Waiting{Code: events.WaitsArchiveStuck, Message: "no space left on device", Hint: "free some disk"}},
		events.DeadLetter{Service: "proposer", Reason: "malformed event", Subject: "cmd.study.submit.demo", Sequence: 7, Deliveries: 1, Body: []byte("{\x00"), Size: 2},
		events.Progress{Study: study, Run: run, State: "running", Counts: events.Counts{Trials: 100, Measured: 70, Infeasible: 29, Failed: 1, Feasible: 60, Voided: 2, Stopped: 3, LowFidelity: 7}, Budget: 400, InFlight: 16, Best: &best, FrontSize: 1, Hypervolume: &volume, Waiting: waiting, Idle: waiting},
		events.Presence{
			Evaluator: "edge", Worker: "host-1/7", Process: "q7x", Version: "1", Program: strings.Repeat("4e", 32), ProgramText: "python3 simulator.py",
			Study: study, Run: run, Slots: 4, Items: []events.PresentItem{item}, Returned: []events.PresentItem{item}, MoreReturned: 5, HandedBack: 3, Answered: 12, FailedAttempts: 2, UpSeconds: 8.5, Stuck: "no answer was stored for 12s",
		},
		events.Archiving{
			Worker: "host-1/8", Process: "k2m", Dir: "/data", Waiting: waiting, Rows: 12,
			Behind: []events.ArchiveWaiting{{Study: study, Run: run, Trials: 12, Waiting: waiting}},
			Disk:   &events.DiskRoom{FreeBytes: 1 << 40, TotalBytes: 1 << 41, FullInSeconds: new(864000.5)},
		},
	}
}

// sameJSON compares payloads by meaning: NaN is NaN, and raw JSON is compared
// as written.
var samePayload = cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateEmpty()}

// The bytes of every released version decode to the same values for ever, and
// this build still writes them. After a release a golden file never changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	v, err := events.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, want := range samples() {
		seen[want.EventType()] = true
		t.Run(want.EventType(), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "golden", "v1", want.EventType()+".json")
			encoded := encode(t, want)
			if *rewrite {
				if err := os.WriteFile(path, append(encoded, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			env, got, err := events.Decode(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, samePayload); diff != "" {
				t.Errorf("the golden bytes read differently (-want +got):\n%s", diff)
			}
			if env.Type != want.EventType() || env.ID != "id-1" || !env.Time.Equal(epoch) || env.DataSchema != events.SchemaURI(env.Type) {
				t.Errorf("envelope = %+v", env)
			}
			if string(encoded)+"\n" != string(golden) {
				t.Errorf("encoded as\n%s\nthe golden bytes are\n%s", encoded, golden)
			}
			if err := v.Event(golden); err != nil {
				t.Errorf("the golden bytes do not fit their schema: %v", err)
			}
			if empty := unset(reflect.ValueOf(want), want.EventType()); len(empty) > 0 {
				t.Errorf("the sample leaves fields out, so the golden bytes do not hold them: %v", empty)
			}
		})
	}
	for _, info := range events.Types() {
		if !seen[info.Type] {
			t.Errorf("%s has no golden event", info.Type)
		}
	}
}

// unset lists the fields of v that are zero everywhere they occur.
func unset(v reflect.Value, at string) []string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return []string{at}
		}
		return unset(v.Elem(), at)
	case reflect.Slice:
		if v.Len() == 0 {
			return []string{at}
		}
		// A parameter has values or labels: the elements fill each other's gaps.
		var common []string
		for i := range v.Len() {
			gaps := unset(v.Index(i), at+"[]")
			if i == 0 {
				common = gaps
				continue
			}
			common = intersect(common, gaps)
		}
		return common
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[space.Value]() {
			return nil
		}
		var out []string
		for i := range v.NumField() {
			out = append(out, unset(v.Field(i), at+"."+v.Type().Field(i).Name)...)
		}
		return out
	default:
		if v.IsZero() {
			return []string{at}
		}
		return nil
	}
}

func intersect(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			if x == y {
				out = append(out, x)
			}
		}
	}
	return out
}

// A later build adds fields anywhere; this one reads past them.
func TestGoldenWithUnknownFields(t *testing.T) {
	t.Parallel()
	for _, want := range samples() {
		var tree any
		if err := json.Unmarshal(encode(t, want), &tree); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(addFields(tree, ""))
		if err != nil {
			t.Fatal(err)
		}
		_, got, err := events.Decode(b)
		if err != nil {
			t.Errorf("%T: %v", want, err)
			continue
		}
		ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type() == reflect.TypeFor[json.RawMessage]() }, cmp.Ignore())
		approx := cmpopts.EquateApprox(1e-9, 0) // json.Unmarshal into any rounds the largest seeds.
		if diff := cmp.Diff(want, got, samePayload, ignore, approx, cmpopts.IgnoreFields(events.Spec{}, "Seed")); diff != "" {
			t.Errorf("%T read differently with fields from the future (-want +got):\n%s", want, diff)
		}
	}
}

// addFields adds a field to every object except those that are maps of names.
func addFields(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = addFields(e, k)
		}
		switch key {
		case "labels", "design", "metrics", "extra", "study", "options", "reference", "rename", "fix":
		default:
			v["from_the_future"] = map[string]any{"x": []any{1, nil, "y"}}
		}
		if key == "spec" {
			v["seed"] = json.Number("1")
		}
	case []any:
		for i := range v {
			v[i] = addFields(v[i], "")
		}
	}
	return v
}
