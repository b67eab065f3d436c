package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer/space"
)

var epoch = time.Date(2021, 2, 2, 15, 4, 5, 0, time.UTC)

func encode(t testing.TB, p events.Payload) []byte {
	t.Helper()
	b, err := events.Encode("id-1", "apollo/test", "study.demo.0badcafe.test", epoch, p)
	if err != nil {
		t.Fatalf("Encode(%T): %v", p, err)
	}
	return b
}

// batch returns a work item and its answer as the edge template has them.
func batch(n int) (events.BatchRequested, events.BatchEvaluated) {
	rng := rand.New(rand.NewPCG(1, 2))
	names := []string{"pes_x", "pes_y", "simd_units", "compute_lanes", "pe_memory", "core_memory", "register_file", "cores", "io_bandwidth", "clock"}
	req := events.BatchRequested{
		Study: "mobilenetv2-6p8", Run: "0badcafe", Batch: 12, Evaluator: "edge", Template: "edge",
		Networks:       []events.Network{{Name: "mobilenet_v2", Weight: 1, SHA256: strings.Repeat("ab", 32)}},
		Metrics:        []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"}},
		TimeoutSeconds: 30, Attempts: 3,
	}
	res := events.BatchEvaluated{
		Study: req.Study, Run: req.Run, Batch: req.Batch, Evaluator: "edge", EvaluatorVersion: "edge-1", Worker: "w-1",
		Metrics: []string{"latency_s", "area_mm2", "energy_j"},
	}
	for _, name := range names {
		req.Parameters = append(req.Parameters, events.Column{Name: name, Unit: "B"})
	}
	for i := range n {
		d := make(events.Design, len(names))
		for k := range d {
			d[k] = space.Value{Num: float64(int(1) << rng.IntN(22))}
		}
		req.Trials = append(req.Trials, 100+i)
		req.Designs = append(req.Designs, d)
		r := events.TrialResult{
			Trial: 100 + i, Outcome: events.OutcomeMeasured, Attempts: 1,
			Values:  events.Numbers{rng.Float64() / 300, 10 * rng.Float64(), rng.Float64() / 100},
			Started: 1612278245000000 + events.Micros(i), Seconds: rng.Float64() / 1e4,
		}
		if i%3 == 0 {
			r.Outcome, r.Values = events.OutcomeInfeasible, events.Numbers{math.NaN(), 5.5, math.NaN()}
			r.Reason = &events.Reason{Code: "core_memory", Layer: "mobilenet_v2/conv_1", Need: 65536, Have: 32768, Unit: "B", Message: "a tile needs 64 KiB, a core has 32 KiB"}
		}
		res.Trials = append(res.Trials, r)
	}
	return req, res
}

func TestBatchesRoundTrip(t *testing.T) {
	t.Parallel()
	req, res := batch(64)
	proposed := events.TrialsProposed{
		Study: req.Study, Run: req.Run, Batch: 12, FirstTrial: 100, Told: 4, ObservedThrough: math.MaxUint64,
		Designs: req.Designs[:2], Origins: []string{"evolution", "seed <&> \"é\""}, Parents: [][]int{{1, 2}, nil}, Reused: res.Trials[:2],
	}
	for _, want := range []events.Payload{req, res, proposed} {
		_, got, err := events.Decode(encode(t, want))
		if err != nil {
			t.Fatalf("Decode(Encode(%T)): %v", want, err)
		}
		if diff := cmp.Diff(want, got, samePayload); diff != "" {
			t.Errorf("%T changed on the way (-want +got):\n%s", want, diff)
		}
	}
}

// The hand-written encoder of the batch types writes what encoding/json
// would, except that a list that is nil is empty and not null.
func TestEncodeAgreesWithStd(t *testing.T) {
	t.Parallel()
	req, res := batch(3)
	req.Designs[1][3] = space.Value{Label: "weight \"stationary\" <\u2028>"}
	res.Trials[1].Extra = map[string]float64{"b_s": math.Copysign(0, -1), "a_s": 1e-7, "c": 1e21, "d": 0.5e-9, "e": -1e-300}
	for _, p := range []events.Payload{
		req, res,
		events.BatchRequested{},
		events.BatchEvaluated{},
		events.TrialsProposed{},
		events.TrialsProposed{Designs: req.Designs, Origins: []string{"a", "b", "c"}, Parents: [][]int{{1}, {}, {2, 3}}, Reused: res.Trials, Added: true, Voids: []int{4, 5, 6}, Command: "c"},
	} {
		var env struct{ Data json.RawMessage }
		if err := json.Unmarshal(encode(t, p), &env); err != nil {
			t.Fatalf("%T: %v", p, err)
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(p); err != nil {
			t.Fatal(err)
		}
		if got := string(env.Data); got != strings.ReplaceAll(strings.TrimSpace(want.String()), ":null", ":[]") {
			t.Errorf("%T is encoded as\n%s\nwant\n%s", p, got, want.String())
		}
	}
}

func TestEncodeRefusesWhatJSONCannotHold(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]events.Payload{
		"infinite value": events.BatchEvaluated{Trials: []events.TrialResult{{Values: events.Numbers{math.Inf(1)}}}},
		"NaN design":     events.BatchRequested{Designs: []events.Design{{{Num: math.NaN()}}}},
		"NaN seconds":    events.BatchEvaluated{Trials: []events.TrialResult{{Seconds: math.NaN()}}},
		"NaN metric":     events.StudyImproved{Best: events.BestTrial{Metrics: map[string]float64{"x": math.NaN()}}},
	} {
		if b, err := events.Encode("i", "s", "", epoch, p); err == nil {
			t.Errorf("%s: Encode gave %s, want an error", name, b)
		}
	}
}

// A message that cannot be handled may be as large as a stream takes; the
// letter about it must still fit.
func TestDeadLetterFits(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte{0xff}, events.MaxEventBytes)
	for _, p := range []events.Payload{
		events.DeadLetter{Service: "queue", Body: body, Reason: strings.Repeat("x", 1<<20)},
		&events.DeadLetter{Service: "queue", Body: body},
	} {
		b := encode(t, p)
		_, got, err := events.DecodeAs[events.DeadLetter](b)
		if err != nil || len(b) > 1<<20 || got.Size != len(body) || !bytes.Equal(got.Body, body[:events.MaxDeadLetterBytes]) {
			t.Errorf("a letter of %d bytes with %d of %d bytes: %v", len(b), len(got.Body), got.Size, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	envelope := func(typ, data string) string {
		return fmt.Sprintf(`{"specversion":"1.0","type":%q,"id":"1","source":"s","data":%s}`, typ, data)
	}
	const requested, evaluated = "apollo.batch.requested.v1", "apollo.batch.evaluated.v1"
	tests := []struct {
		name, in string
		is       error
		want     string
	}{
		{"empty", ``, events.ErrMalformed, "at /"},
		{"garbage", `hello`, events.ErrMalformed, "at /"},
		{"two documents", envelope("apollo.study.paused.v1", `{}`) + `{}`, events.ErrMalformed, "more after the end"},
		{"cut short", `{"specversion":"1.0","type":"apoll`, events.ErrMalformed, "at /type"},
		{"no envelope", `{}`, events.ErrMalformed, "at /specversion"},
		{"other spec version", `{"specversion":"2.0"}`, events.ErrMalformed, `want "1.0", not "2.0"`},
		{"no type", `{"specversion":"1.0"}`, events.ErrMalformed, "at /type"},
		{"no id", `{"specversion":"1.0","type":"t"}`, events.ErrMalformed, "at /id"},
		{"no source", `{"specversion":"1.0","type":"t","id":"1"}`, events.ErrMalformed, "at /source"},
		{"no data", `{"specversion":"1.0","type":"t","id":"1","source":"s"}`, events.ErrMalformed, "at /data"},
		{"data is no object", envelope(evaluated, `[]`), events.ErrMalformed, "at /data"},
		{"bad time", `{"time":"yesterday"}`, events.ErrMalformed, "at /time"},
		{"XML", `{"specversion":"1.0","type":"t","id":"1","source":"s","datacontenttype":"text/xml","data":{}}`, events.ErrMalformed, "at /datacontenttype"},
		{"foreign type", envelope("com.example.v1", `{}`), events.ErrMalformed, `there is no event type "com.example.v1"`},
		{"newer version", envelope("apollo.batch.evaluated.v2", `{}`), events.ErrNewer, "this build knows apollo.batch.evaluated.v1"},
		{"wrong type by hand", envelope(evaluated, `{"trials":[{"trial":1},{"trial":"x"}]}`), events.ErrMalformed, "at /data/trials/1/trial"},
		{"wrong type by encoding/json", envelope("apollo.study.accepted.v1", `{"spec":{"budget":{"trials":"x"}}}`), events.ErrMalformed, "at /data/spec/budget/trials"},
		{"fraction for a whole number", envelope(evaluated, `{"batch":1.5}`), events.ErrMalformed, "want a whole number, not 1.5"},
		{"NaN", envelope(evaluated, `{"trials":[{"values":[NaN]}]}`), events.ErrMalformed, "at /data/trials/0/values/0"},
		{"Infinity", envelope(requested, `{"designs":[[Infinity]]}`), events.ErrMalformed, "at /data/designs/0/0"},
		{"hex", envelope(requested, `{"designs":[[0x10]]}`), events.ErrMalformed, "at /data/designs/0 (byte"},
		{"leading plus", envelope(requested, `{"designs":[[+1]]}`), events.ErrMalformed, "at /data/designs/0/0"},
		{"underscore", envelope(requested, `{"designs":[[1_000]]}`), events.ErrMalformed, "at /data/designs/0"},
		{"out of range", envelope(requested, `{"designs":[[1e999]]}`), events.ErrMalformed, "1e999 is out of range"},
		{"empty label", envelope(requested, `{"designs":[[""]]}`), events.ErrMalformed, "the label of a level is empty"},
		{"nested row", envelope(requested, `{"designs":[[[1]]]}`), events.ErrMalformed, "at /data/designs/0/0"},
		{"trials and designs", envelope(requested, `{"trials":[1],"designs":[]}`), events.ErrMalformed, "at /data (byte 85): 1 trials for 0 designs"},
		{"columns and row", envelope(requested, `{"parameters":[{"name":"a"}],"trials":[1],"designs":[[1,2]]}`), events.ErrMalformed, "design 0 has 2 values for 1 parameters"},
		{"origins and designs", envelope("apollo.trials.proposed.v1", `{"origins":[],"designs":[[1]]}`), events.ErrMalformed, "0 origins for 1 designs"},
		{"depth in an unknown field", `{"x":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`, events.ErrMalformed, "nested deeper than 64"},
		{"depth in known data", envelope("apollo.study.requested.v1", `{"study":`+strings.Repeat(`{"a":`, 100)+`1`+strings.Repeat(`}`, 101)), events.ErrMalformed, "nested deeper than 64"},
		{"too large", strings.Repeat(" ", events.MaxEventBytes+1), events.ErrMalformed, "at most 8388608"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, p, err := events.Decode([]byte(test.in))
			if !errors.Is(err, test.is) || p != nil {
				t.Fatalf("Decode = %v, %v, want %v", p, err, test.is)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %q, want it to say %q", err, test.want)
			}
		})
	}
}

func TestDecodeIgnoresUnknownFields(t *testing.T) {
	t.Parallel()
	in := `{"specversion":"1.0","type":"apollo.batch.evaluated.v1","id":"1","source":"s","traceparent":"00-1","x":[{"y":null}],
	 "data":{"study":"demo","future":{"a":[1,{"b":"\u00e9\\"}]},"metrics":["m"],"trials":[{"trial":3,"outcome":"measured","values":[1],"note":["x"],"reason":null}]}}`
	env, got, err := events.DecodeAs[events.BatchEvaluated]([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := events.BatchEvaluated{Study: "demo", Metrics: []string{"m"}, Trials: []events.TrialResult{{Trial: 3, Outcome: "measured", Values: events.Numbers{1}}}}
	if diff := cmp.Diff(want, got); diff != "" || env.ID != "1" {
		t.Errorf("id %q (-want +got):\n%s", env.ID, diff)
	}
}

func TestDecodeAsRefusesAnotherType(t *testing.T) {
	t.Parallel()
	_, _, err := events.DecodeAs[events.StudyStarted](encode(t, events.StudyPaused{Study: "demo"}))
	if !errors.Is(err, events.ErrMalformed) || !strings.Contains(err.Error(), "want apollo.study.started.v1, not apollo.study.paused.v1") {
		t.Errorf("error = %v", err)
	}
}

func TestDecodeStudyRequest(t *testing.T) {
	t.Parallel()
	doc := `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"demo"}}`
	enveloped := `{"specversion":"1.0","type":"apollo.study.requested.v1","id":"x1","source":"me","data":{"study":` + doc + `,"fresh":true}}`
	for name, test := range map[string]struct {
		in, study, id string
		fresh         bool
	}{
		"bare document":     {doc, doc, "", false},
		"envelope":          {enveloped, doc, "x1", true},
		"not a study":       {`{"kind":"Sutdy"}`, `{"kind":"Sutdy"}`, "", false},
		"an empty document": {`{}`, `{}`, "", false},
	} {
		req, id, err := events.DecodeStudyRequest([]byte(test.in))
		if err != nil || string(req.Study) != test.study || id != test.id || req.Fresh != test.fresh {
			t.Errorf("%s: DecodeStudyRequest = %s, fresh %t, id %q, %v", name, req.Study, req.Fresh, id, err)
		}
	}
	for name, in := range map[string]string{
		"text":               `apiVersion: apollo/v1`,
		"array":              `[]`,
		"another event":      string(encode(t, events.StudyPaused{})),
		"half an envelope":   `{"type":"apollo.study.requested.v1","data":{"study":{}}}`,
		"study is no object": strings.Replace(enveloped, doc, `"demo"`, 1),
		"no study":           strings.Replace(enveloped, `"study":`+doc+`,`, ``, 1),
		"too large":          `{"kind":"` + strings.Repeat("x", events.MaxSpecBytes) + `"}`,
		"too deep":           strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
	} {
		if _, _, err := events.DecodeStudyRequest([]byte(in)); !errors.Is(err, events.ErrMalformed) {
			t.Errorf("%s: error = %v, want ErrMalformed", name, err)
		}
	}
}

// Who only counts designs sees the same event without them, and the same mistakes but those
// within a design.
func TestDecodeOutline(t *testing.T) {
	t.Parallel()
	for _, p := range samples() {
		data := encode(t, p)
		wantEnv, want, err := events.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := want.(events.TrialsProposed); ok && e.Designs != nil {
			e.Designs = make([]events.Design, len(e.Designs))
			want = e
		}
		env, got, err := events.DecodeOutline(data)
		if err != nil {
			t.Fatalf("%s: %v", p.EventType(), err)
		}
		if diff := cmp.Diff(want, got, samePayload); diff != "" || env.ID != wantEnv.ID {
			t.Errorf("%s (-want +got):\n%s", p.EventType(), diff)
		}
	}
	proposed := string(encode(t, events.TrialsProposed{Study: "s", Run: "r", Designs: []events.Design{{{Num: 1}}}, Origins: []string{"random"}}))
	for name, bad := range map[string]string{
		"no JSON":          strings.Replace(proposed, `[[1]]`, `[[1}]`, 1),
		"too few origins":  strings.Replace(proposed, `[[1]]`, `[[1],[1]]`, 1),
		"too many designs": strings.Replace(proposed, `[[1]]`, `[[1]`+strings.Repeat(`,0`, events.MaxBatch)+`]`, 1),
	} {
		if _, _, err := events.DecodeOutline([]byte(bad)); !errors.Is(err, events.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkBatchCodec(b *testing.B) {
	req, res := batch(64)
	for _, p := range []events.Payload{req, res} {
		b.Run(p.EventType(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				data, err := events.Encode("id", "source", "subject", epoch, p)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := events.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/design")
		})
	}
}
