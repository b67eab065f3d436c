package studyfile_test

import (
	"errors"
	"strings"
	"testing"

	"apollo/services/studyfile"
)

func TestPriorMistakes(t *testing.T) {
	t.Parallel()
	for prior, want := range map[string]string{
		`"template":"toys"`:              `there is no template "toys"`,
		`"rename":{"x":"y"}`:             "the prior names nothing",
		`"template":"toy","exec":"fast"`: "a source is one thing",
		`"template":"toy"`:               "needs the parameters cores, memory, io_bandwidth, dataflow, which this study lacks",
		`"template":"toy","fix":{"cores":2,"memory":"1 MiB","dataflow":"ws"}`:                                                           "needs the parameter io_bandwidth, which this study lacks",
		`"template":"toy","rename":{"memory":"tiles"}`:                                                                                  `this study has no parameter or metric "tiles"`,
		`"template":"toy","rename":{"memories":"tile"}`:                                                                                 `the prior has no parameter or metric "memories"`,
		`"template":"toy","rename":{"cores":"tile","memory":"tile"}`:                                                                    `"cores" and "memory" of the source cannot both be "tile"`,
		`"template":"toy","rename":{"cores":"tile"},"fix":{"memory":"1 MiB","dataflow":"xs","io_bandwidth":"5 GB/s"}`:                   `no level "xs"`,
		`"template":"toy","rename":{"cores":"tile"},"fix":{"memory":3,"dataflow":"ws","io_bandwidth":"5 GB/s"}`:                         "3 has no unit",
		`"template":"toy","rename":{"cores":"tile"},"fix":{"memory":"1 MiB","dataflow":"ws","io_bandwidth":"5 GB/s"}`:                   `does not predict the objective "score"`,
		`"template":"toy","rename":{"cores":"tile","latency":"score"},"fix":{"memory":"1 MiB","dataflow":"ws","io_bandwidth":"5 GB/s"}`: `the metric "score" of the prior toy`,
	} {
		study := `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"slow"},"spec":{
 "space":{"parameters":[{"name":"tile","values":[1,2,4]}]},"workload":{"networks":[{"name":"net_a"}]},
 "objectives":[{"metric":"score","goal":"minimize"}],"prior":{` + prior + `},
 "evaluator":{"name":"mine","metrics":[{"name":"score"}]}}}`
		_, err := studyfile.Parse("study", []byte(study), catalog(), studyfile.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %q", prior, err, want)
		}
	}
	asked := `{"exec":"fast","metrics":[{"name":"score"}]`
	_, err := studyfile.Parse("study", []byte(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"slow"},"spec":{
 "space":{"parameters":[{"name":"tile","values":[1,2,4]}]},"objectives":[{"metric":"score","goal":"minimize"}],
 "prior":`+asked+`},"transfer":{"sources":[`+asked+`,"rename":{"x":"tile"}},{"exec":"faster","metrics":[{"name":"score"}]}]},
 "evaluator":{"name":"mine","metrics":[{"name":"score"}]}}}`), catalog(), studyfile.Options{})
	if err == nil || !strings.Contains(err.Error(), `the program "fast" is asked by two sources`) || strings.Contains(err.Error(), "faster") {
		t.Errorf("one program as two sources: %v", err)
	}
	_, err = studyfile.Parse("study", []byte(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"slow"},"spec":{
 "space":{"parameters":[{"name":"tile","values":[1,2,4]}]},"objectives":[{"metric":"score","goal":"minimize"}],
 "prior":{"exec":"fast"},"evaluator":{"name":"mine","metrics":[{"name":"score"}]}}}`), catalog(), studyfile.Options{Published: true})
	if err == nil || !strings.Contains(err.Error(), "a published study starts no programs") {
		t.Errorf("a program in a published study: %v", err)
	}
}

func TestPriorOfAProgram(t *testing.T) {
	t.Parallel()
	says := studyfile.Described{Metrics: []studyfile.DescribedMetric{{Name: "latency_ms", Unit: "ms"}}}
	for _, c := range []struct {
		prior string
		says  studyfile.Described
		err   error
		want  string // "" for no mistake
	}{
		{`"exec":"fast"`, says, nil, ""},
		{`"exec":"fast","metrics":[{"name":"latency","unit":"ms"}]`, says, nil, ""},
		{`"exec":"fast","metrics":[{"name":"latency","unit":"s"}]`, says, nil, "the prior's program answers latency in ms, not in s"},
		{`"exec":"fast","metrics":[{"name":"latency","unit":"J"}]`, says, nil, "the prior's program answers latency in ms, not in J"},
		{`"exec":"fast","metrics":[{"name":"latencies","unit":"ms"}]`, says, nil, `the prior's program does not answer "latencies"`},
		{`"exec":"fast","metrics":[{"name":"latency","unit":"s"}]`, studyfile.Described{}, studyfile.ErrSilent, ""},
		{`"exec":"fast","metrics":[{"name":"speed","unit":"s"}]`, studyfile.Described{}, studyfile.ErrSilent, `does not predict the objective "latency"`},
		{`"exec":"fast"`, studyfile.Described{}, studyfile.ErrSilent, "nobody says what the prior's program answers"},
		{`"exec":"fast","metrics":[{"name":"latency","unit":"s"}]`, studyfile.Described{}, errors.New("there is no file fast.py"), "cannot be asked: there is no file fast.py"},
	} {
		study := `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"slow"},"spec":{
 "space":{"parameters":[{"name":"tile","values":[1,2,4]}]},"objectives":[{"metric":"latency","goal":"minimize"}],"prior":{` + c.prior + `},
 "evaluator":{"name":"mine","metrics":[{"name":"latency","unit":"s"}]}}}`
		ask := func(string) (studyfile.Described, error) { return c.says, c.err }
		_, err := studyfile.Parse("study", []byte(study), catalog(), studyfile.Options{Describe: ask})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of a program that says %v, %v: %v\nwant %q", c.prior, c.says, c.err, err, c.want)
		}
	}
}
