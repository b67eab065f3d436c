package external

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

func latency() []evaluator.Metric { return []evaluator.Metric{{Name: "latency_s", Unit: "s"}} }

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line    string
		outcome evaluator.Outcome
		value   float64
		reason  evaluator.Reason
		extra   []evaluator.Extra
	}{
		"the shortest": {line: `{"id":"1","metrics":{"latency_s":0.5}}`, outcome: evaluator.Measured, value: 0.5},
		"a number as id": {
			line: `{"metrics":{"latency_s":1e-3},"id":1}`, outcome: evaluator.Measured, value: 1e-3,
		},
		"an outcome in full": {
			line: `{"id":"1","outcome":"measured","metrics":{"latency_s":2},"reason":"ignored"}`, outcome: evaluator.Measured, value: 2,
		},
		"unknown fields": {
			line: `{"id":"1","host":"a","metrics":{"latency_s":2}}`, outcome: evaluator.Measured, value: 2,
		},
		"nothing to say of what else there is": {
			line:    `{"id":"1","outcome":null,"metrics":{"latency_s":2},"error":null,"extra":null,"progress":null,"artifact":null}`,
			outcome: evaluator.Measured, value: 2,
		},
		"other metrics become extra, in the order of names": {
			line: `{"id":"1","metrics":{"z_s":3,"latency_s":2,"a_s":null},"extra":{"b_s":1}}`, outcome: evaluator.Measured, value: 2,
			extra: []evaluator.Extra{{Name: "b_s", Value: 1}, {Name: "z_s", Value: 3}},
		},
		"infeasible with a text": {
			line: `{"id":"1","outcome":"infeasible","reason":"too big"}`, outcome: evaluator.Infeasible, value: math.NaN(),
			reason: evaluator.Reason{Code: "infeasible", Message: "too big"},
		},
		"infeasible in full, with a metric": {
			line:    `{"id":"1","outcome":"infeasible","metrics":{"latency_s":4},"reason":{"code":"core_memory","layer":"n/l","need":2,"have":1,"unit":"B","message":"m"}}`,
			outcome: evaluator.Infeasible, value: 4,
			reason: evaluator.Reason{Code: "core_memory", Layer: "n/l", Need: 2, Have: 1, Unit: "B", Message: "m"},
		},
		"failed": {
			line: `{"id":"1","outcome":"failed","reason":{"code":"No licence"}}`, outcome: evaluator.Failed, value: math.NaN(),
			reason: evaluator.Reason{Code: "no_licence", Message: "the program gives no message"},
		},
		"an error": {
			line: `{"id":"1","error":"boom"}`, outcome: evaluator.Failed, value: math.NaN(),
			reason: evaluator.Reason{Code: "failed", Message: "boom"},
		},
		"the question with an outcome": {
			line:    `{"id":"1","study":"s","design":{"x":1},"metrics":{"latency_s":"s"},"outcome":"infeasible","reason":{"code":"heat"}}`,
			outcome: evaluator.Infeasible, value: math.NaN(),
			reason: evaluator.Reason{Code: "heat", Message: "the program gives no message"},
		},
		"the question with an outcome and no metrics": {
			line:    `{"id":"1","study":"s","design":{"x":1},"metrics":{},"outcome":"failed","reason":"no licence"}`,
			outcome: evaluator.Failed, value: math.NaN(), reason: evaluator.Reason{Code: "failed", Message: "no licence"},
		},
		"the question with an outcome and null for metrics": {
			line:    `{"id":"1","study":"s","design":{"x":1},"metrics":null,"outcome":"infeasible","reason":"too hot"}`,
			outcome: evaluator.Infeasible, value: math.NaN(), reason: evaluator.Reason{Code: "infeasible", Message: "too hot"},
		},
		"the question with an error": {
			line:    `{"id":"1","study":"s","design":{"x":1},"metrics":{"latency_s":"s"},"error":"no licence"}`,
			outcome: evaluator.Failed, value: math.NaN(), reason: evaluator.Reason{Code: "failed", Message: "no licence"},
		},
		"the question with an outcome and one metric of two": {
			line:    `{"id":"1","study":"s","design":{"x":1},"metrics":{"latency_s":"s","area_mm2":2},"outcome":"infeasible"}`,
			outcome: evaluator.Infeasible, value: math.NaN(), extra: []evaluator.Extra{{Name: "area_mm2", Value: 2}},
			reason: evaluator.Reason{Code: "infeasible", Message: "the program gives no reason"},
		},
		"the question with numbers": {
			line: `{"id":"1","study":"s","design":{"x":1},"metrics":{"latency_s":2}}`, outcome: evaluator.Measured, value: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := parseAnswer([]byte(c.line))
			if err != nil || a.id != "1" {
				t.Fatalf("parseAnswer(): id %q, error %v", a.id, err)
			}
			r, f := a.result(latency())
			if f != nil {
				t.Fatalf("result(): %v", f)
			}
			same := r.Values[0] == c.value || math.IsNaN(r.Values[0]) && math.IsNaN(c.value)
			if r.Outcome != c.outcome || !same || !slices.Equal(r.Extra, c.extra) {
				t.Errorf("result() = %+v, want %s, %v, extra %v", r, c.outcome, c.value, c.extra)
			}
			if r.Reason != nil && *r.Reason != c.reason || r.Reason == nil && c.reason != (evaluator.Reason{}) {
				t.Errorf("reason = %+v, want %+v", r.Reason, c.reason)
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		``:                                    CodeBadAnswer,
		`null`:                                CodeBadAnswer,
		`[1]`:                                 CodeBadAnswer,
		`{"id":"1"`:                           CodeBadAnswer,
		`{"id":"1"}{}`:                        CodeBadAnswer,
		`{"id":{},"metrics":{"latency_s":1}}`: CodeBadAnswer,
		`{"id":"","metrics":{"latency_s":1}}`: CodeBadAnswer,
		`{"id":"1"} trailing`:                 CodeBadAnswer,
		`{"id":"1"}`:                          CodeBadAnswer,
		`{"id":"1","metrics":[1]}`:            CodeBadAnswer,
		`{"id":"1","metrics":3}`:              CodeBadAnswer,
		`{"id":"1","outcome":1}`:              CodeBadAnswer,
		`{"id":"1","outcome":"failed","reason":3}`:                                                    CodeBadAnswer,
		`{"id":"1","outcome":"failed","reason":{"need":"3"}}`:                                         CodeBadAnswer,
		`{"id":"1","error":{}}`:                                                                       CodeBadAnswer,
		`{"id":"1","outcome":"Measured","metrics":{"latency_s":1}}`:                                   CodeBadOutcome,
		`{"id":"1","outcome":"measured"}`:                                                             CodeMissingMetric,
		`{"id":"1","metrics":{}}`:                                                                     CodeMissingMetric,
		`{"id":"1","metrics":{"latency_s":null}}`:                                                     CodeMissingMetric,
		`{"id":"1","metrics":{"LATENCY_S":1}}`:                                                        CodeMissingMetric,
		`{"id":"1","metrics":{"latency_s":"1"}}`:                                                      CodeWrongType,
		`{"id":"1","study":"s","design":{"x":1},"metrics":{"latency_s":"s"}}`:                         CodeBadAnswer, // a question
		`{"id":"1","study":"s","design":{"x":1},"metrics":{}}`:                                        CodeMissingMetric,
		`{"id":"1","study":"s","design":{"x":1},"metrics":null}`:                                      CodeBadAnswer,
		`{"id":"1","study":"s","design":{"x":1},"metrics":{"latency_s":"s"},"outcome":"measured"}`:    CodeWrongType,
		`{"id":"1","study":"s","design":{"x":1},"metrics":{"latency_s":"ms"},"outcome":"infeasible"}`: CodeWrongType,
		`{"id":"1","outcome":"infeasible","metrics":{"latency_s":"s"}}`:                               CodeWrongType,
		`{"id":"1","metrics":{"latency_s":true}}`:                                                     CodeWrongType,
		`{"id":"1","metrics":{"latency_s":[1]}}`:                                                      CodeWrongType,
		`{"id":"1","metrics":{"latency_s":1,"x":"no"}}`:                                               CodeWrongType,
		`{"id":"1","metrics":{"latency_s":1},"extra":{"x":{}}}`:                                       CodeWrongType,
		`{"id":"1","metrics":{"latency_s":NaN}}`:                                                      CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":nan}}`:                                                      CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":-Infinity}}`:                                                CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":inf}}`:                                                      CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":-1e400}}`:                                                   CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":1e-400}}`:                                                   CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":-0.01E-999}}`:                                               CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":"Infinity"}}`:                                               CodeNotFinite,
		`{"id":"1","metrics":{"latency_s":1,"x":NaN}}`:                                                CodeNotFinite,
		`{"id":"1","outcome":"infeasible","metrics":{"latency_s":NaN}}`:                               CodeNotFinite,
		`{"id":"1","outcome":"failed","reason":{"need":NaN,"message":"bad"}}`:                         CodeBadAnswer,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			a, err := parseAnswer([]byte(line))
			f, _ := err.(*Failure) //nolint:errorlint // the type is the contract
			if err == nil {
				_, f = a.result(latency())
			}
			if f == nil || f.Code != want || f.Message == "" {
				t.Errorf("got %v, want %s with a message", f, want)
			}
		})
	}
}

// NaN inside of a text is a text.
func TestQuoteNonFinite(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{"a":NaN}`:               `{"a":"NaN"}`,
		`{"a":"NaN"}`:             ``,
		`{"NaN":-Infinity,"b":1}`: `{"NaN":"-Infinity","b":1}`,
		`{"a\"NaN":[NaN,inf]}`:    `{"a\"NaN":["NaN","inf"]}`,
		`{"a":1}`:                 ``,
		`"\`:                      ``,
	} {
		if got := string(quoteNonFinite([]byte(line))); got != want {
			t.Errorf("quoteNonFinite(%s) = %s, want %s", line, got, want)
		}
	}
}

// Whatever a program writes: no panic, and either a typed failure or a result
// that keeps the promises of evaluator.Result, with text that is fit to print.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"id":"1","outcome":"infeasible","metrics":{"latency_s":4},"reason":{"code":"Core Memory","need":2,"have":1,"unit":"B","message":"m"},"extra":{"x":1}}`))
	f.Add([]byte(`{"id":1,"metrics":{"latency_s":NaN,"b":-Infinity,"c":1e999,"d":"inf"}}`))
	f.Add([]byte(`{"id":"1","error":"x\u0000\ud800\n"}`))
	f.Add([]byte(`{"id":"1","name":"n","parameters":[{"name":"a","values":[1,2]}],"metrics":[{"name":"latency_s","unit":"s"}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := parseAnswer(line)
		if err != nil {
			checkFailure(t, err.(*Failure)) //nolint:errorlint // the type is the contract
			return
		}
		if a.id == "" {
			t.Error("an answer without an id was accepted")
		}
		if info, ok, err := readInfo(a); ok && err == nil && len(info.Metrics) == 0 {
			t.Error("a description without metrics was accepted")
		}
		r, failure := a.result(latency())
		if failure != nil {
			checkFailure(t, failure)
			return
		}
		finite := len(r.Values) == 1 && !math.IsInf(r.Values[0], 0) && (r.Outcome != evaluator.Measured || !math.IsNaN(r.Values[0]))
		if !finite || (r.Outcome == evaluator.Measured) != (r.Reason == nil) {
			t.Errorf("result %+v, reason %+v", r, r.Reason)
		}
		if r.Reason != nil && (r.Reason.Code == "" || len(r.Reason.Message) > maxMessage || !utf8.ValidString(r.Reason.Message)) {
			t.Errorf("reason %+v", r.Reason)
		}
		for _, x := range r.Extra {
			if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
				t.Errorf("extra %+v", x)
			}
		}
	})
}

func checkFailure(t *testing.T, f *Failure) {
	t.Helper()
	r := f.result(1)
	if f.Code == "" || r.Reason.Message == "" || len(r.Reason.Message) > maxMessage || !utf8.ValidString(r.Reason.Message) ||
		strings.ContainsAny(r.Reason.Message, "\n\x00") {
		t.Errorf("failure %+v", r.Reason)
	}
}

func TestDescriptions(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`"metrics":[{"name":"a","unit":"s"}],"max_batch":-1`:                                              "max_batch is -1",
		`"metrics":[{"name":"a","unit":"sec"}]`:                                                           `metrics[0] ("a"): the unit "sec" is none that a study knows: did you mean s?`,
		`"metrics":[{"name":"a","unit":"cycles"}]`:                                                        `"1" is that of a plain number`,
		`"metrics":[{"name":"a","unit":"s"},{"name":"a_s","unit":"s"}]`:                                   `metrics[1] ("a_s"): the name is used twice`,
		`"metrics":[{"name":"a","unit":"s"}],"parameters":[{"name":"p","unit":"KiB","values":[1,2,4,8]}]`: `write "unit": "B" and the levels in it, 1024, 2048, 4096, …`,
		`"metrics":[]`:             "has no metrics",
		`"name":"n"`:               "has no metrics",
		`"metrics":[{"name":"a"}]`: `metrics[0] ("a"): the unit is missing`,
		`"metrics":[{"name":"a","unit":"s"},{"name":"a","unit":"s"}]`:                                 `metrics[1] ("a"): the name is used twice`,
		`"metrics":[{"name":"cost","unit":"s"},{"name":"cost","unit":"1"}]`:                           `metrics[1] ("cost"): the name is used twice`,
		`"metrics":[{"name":"cost","unit":"1"},{"name":"cost","unit":"s"}]`:                           `metrics[1] ("cost"): the name is used twice`,
		`"metrics":[{"name":"a","unit":"s"},{"name":"a","unit":"ms"}]`:                                `metrics[1] ("a"): the name is used twice`,
		`"metrics":[{"name":"a_s","unit":"ms"},{"name":"a","unit":"s"}]`:                              `metrics[1] ("a"): the name is used twice`,
		`"metrics":[{"name":"a","unit":"s"},{"name":"a_s","unit":"ms"}]`:                              `metrics[1] ("a_s"): the name is used twice`,
		`"metrics":[{"name":"","unit":"s"}]`:                                                          `metrics[0] (""): the name is empty`,
		`"metrics":["a"]`:                                                                             `metrics: a string is there, want a list of {"name": "cost", "unit": "s"}`,
		`"metrics":[{"name":"a","unit":3}]`:                                                           "wrong type",
		`"metrics":[{"name":"a","unit":"s"}],"deterministic":"no"`:                                    "wrong type",
		`"metrics":[{"name":"a","unit":"s"}],"parameters":[{"name":"p","values":[2,1]}]`:              `parameters[0] ("p"): `,
		`"metrics":[{"name":"a","unit":"s"}],"parameters":[{"name":"p","values":[1],"labels":["x"]}]`: "both values and labels",
		`"metrics":[{"name":"a","unit":"s"}],"parameters":[{"name":"p"},{"name":"p"}]`:                `parameters[1] ("p"): the name is used twice`,
	} {
		a, err := parseAnswer([]byte(`{"id":"1",` + fields + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := readInfo(a); !ok || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: ok %v, error %v, want one with %q", fields, ok, err, want)
		}
	}
	for _, line := range []string{`{"id":"1","metrics":{"a":1}}`, `{"id":"1","error":"unknown op"}`, `{"id":"1","outcome":"failed","reason":"no design"}`} {
		a, err := parseAnswer([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if info, ok, err := readInfo(a); ok || err != nil {
			t.Errorf("%s was taken for a description: %+v, %v", line, info, err)
		}
	}
}

func TestQuestionLine(t *testing.T) {
	t.Parallel()
	q := newQuestion(
		[]space.Param{{Name: "zeta", Unit: "B"}, {Name: "alpha"}, {Name: "flow", Labels: []string{`a "b"`}}},
		latency(),
		[]evaluator.Network{{Workload: &workload.Workload{Name: "net"}, Weight: 2}})
	design := []space.Value{{Num: 452760000}, {Num: 0.1}, {Label: `a "b"`}}
	got := string(q.line(asking{id: "7"}, evaluator.Request{Study: "s", Trial: 3, Design: design}))
	head := `"study":"s","trial":3,"design":{"zeta":452760000,"alpha":0.1,"flow":"a \"b\""},` +
		`"units":{"zeta":"B"},"metrics":{"latency_s":"s"},"networks":[{"name":"net","weight":2,"sha256":"f1ab599b2f0a4cd73f1fe0f611a999bedfb411516c4322b90bffaa54a1addac1"`
	want := `{"id":"7",` + head + "}]}\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	most := 2.5
	got = string(q.line(asking{id: "8", op: "check", scratch: "/tmp/x"}, evaluator.Request{
		Study: "s", Run: "0badcafe", Trial: 3, Attempt: 2, Attempts: 3, Seed: 1<<64 - 1, Design: design, Limits: []evaluator.Limit{{Metric: "latency_s", Max: &most}},
	}))
	want = `{"id":"8","op":"check",` + head + `}],"run":"0badcafe","attempt":2,"attempts":3,"seed":18446744073709551615,` +
		`"limits":[{"metric":"latency_s","max":2.5}],"scratch":"/tmp/x"}` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// The layers of a network go to each process once, by their hash.
func TestLayersGoOnce(t *testing.T) {
	t.Parallel()
	w := &workload.Workload{Schema: "apollo.workload/v1", Name: "net", Layers: []workload.Layer{}}
	q := newQuestion(nil, latency(), []evaluator.Network{{Workload: w, Weight: 1}})
	first, second := map[string]bool{}, map[string]bool{}
	for i, c := range []struct {
		knows map[string]bool
		want  bool
	}{{first, true}, {first, false}, {second, true}, {second, false}} {
		line := string(q.line(asking{id: "1", knows: c.knows}, evaluator.Request{Study: "s"}))
		if got := strings.Contains(line, `"workload":{"schema":"apollo.workload/v1"`); got != c.want || !strings.Contains(line, `"sha256":"`) {
			t.Errorf("question %d has the layers: %v, want %v, and the hash\n%s", i, got, c.want, line)
		}
	}
}

// Where a design chooses its network, the program is asked about that one, and about
// the parameters that it has.
func TestAQuestionAboutTheChosenNetwork(t *testing.T) {
	t.Parallel()
	networks := []evaluator.Network{{Workload: &workload.Workload{Schema: "apollo.workload/v1", Name: "a"}, Weight: 1}, {Workload: &workload.Workload{Schema: "apollo.workload/v1", Name: "b", Precision: workload.Precision{Weights: 4}}, Weight: 1}}
	task := evaluator.Task{Params: []space.Param{{Name: "network"}, {Name: "lanes"}}, Networks: networks, Choice: evaluator.OneOf("network", networks), Metrics: latency()}
	b := &Backend{info: Info{Params: []space.Param{{Name: "lanes"}}}} // it names no network
	bound, err := b.New(task)
	if err != nil {
		t.Fatal(err)
	}
	e := bound.(*taskEvaluator)
	r := evaluator.Request{Study: "s", Design: []space.Value{{Label: "b"}, {Num: 8}}}
	q, err := e.chooses(&r)
	if err != nil {
		t.Fatal(err)
	}
	line := string(q.line(asking{id: "1", knows: map[string]bool{}}, r))
	if !strings.Contains(line, `"design":{"lanes":8}`) || strings.Count(line, `"weight":1,`) != 1 || !strings.Contains(line, `"networks":[{"name":"b"`) {
		t.Errorf("the question is %s", line)
	}
	r = evaluator.Request{Study: "s", Design: []space.Value{{Label: "c"}, {Num: 8}}}
	if _, err := e.chooses(&r); err == nil || !strings.Contains(err.Error(), `network is "c", want one of [a b]`) {
		t.Errorf("a network that is not there: %v", err)
	}
	task.Params = task.Params[1:]
	if _, err := b.New(task); err == nil || !strings.Contains(err.Error(), "the parameter network is missing") {
		t.Errorf("without the network: %v", err)
	}
}
