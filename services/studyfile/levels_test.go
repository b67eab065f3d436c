package studyfile_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/studyfile"
)

// oneParameter is a study with the parameter x, in JSON; extra goes into the space.
func oneParameter(x, extra string) string {
	return `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"one"},"spec":{"space":{"parameters":[{"name":"x",` + x +
		`},{"name":"y","values":[1,2]}]` + extra + `},"objectives":[{"metric":"m","goal":"minimize"}],"evaluator":{"name":"mine","metrics":[{"name":"m"}]}}}`
}

// Levels are what a person would count by hand, bit for bit, and stay so when
// the study is published.
func TestLevels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x    string
		want []float64
	}{
		{`"min":0,"max":1,"step":0.1`, []float64{0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1}},
		{`"min":-0.3,"max":0.3,"step":0.1`, []float64{-.3, -.2, -.1, 0, .1, .2, .3}},
		{`"min":0,"max":1,"step":0.3`, []float64{0, .3, .6, .9}},
		{`"min":1,"max":5,"step":10`, []float64{1}},
		{`"min":0,"max":1,"step":0.3333333333333334`, []float64{0, 0.3333333333333334, 0.6666666666666668}},
		{`"min":1e3,"max":3e3,"step":1e3`, []float64{1000, 2000, 3000}},
		{`"min":7,"max":7`, []float64{7}},
		{`"min":1.1,"max":1.1`, []float64{1.1}},
		{`"min":0.5,"max":3.5`, []float64{0.5, 1.5, 2.5, 3.5}},
		{`"min":8,"max":8,"scale":"log2"`, []float64{8}},
		{`"min":1099511627770,"max":1099511627773`, []float64{1099511627770, 1099511627771, 1099511627772, 1099511627773}},
		{`"min":9007199254740990,"max":9007199254740992`, []float64{9007199254740990, 9007199254740991, 9007199254740992}},
		{`"min":-9007199254740992,"max":-9007199254740991`, []float64{-9007199254740992, -9007199254740991}},
		{`"min":1e16,"max":3e16,"step":1e16`, []float64{1e16, 2e16, 3e16}},
		{`"min":9007199254740991,"max":4e16,"scale":"log2"`, []float64{9007199254740991, 18014398509481982, 36028797018963964}},
		{`"min":0.1,"max":1,"scale":"log2"`, []float64{.1, .2, .4, .8}},
		{`"min":5e-324,"max":2e-323,"scale":"log2"`, []float64{5e-324, 1e-323, 2e-323}},
		{`"min":8e307,"max":1.7e308,"scale":"log2"`, []float64{8e307, 1.6e308}},
		{`"min":1,"max":1000,"steps":4,"scale":"log"`, []float64{1, 10, 100, 1000}},
		{`"min":1e-300,"max":1e300,"steps":3,"scale":"log"`, []float64{1e-300, 1, 1e300}},
		{`"min":1e-200,"max":1e200,"steps":5,"scale":"log"`, []float64{1e-200, 1e-100, 1, 1e100, 1e200}},
		{`"min":1099511627770,"max":1099511627779,"steps":10`, []float64{1099511627770, 1099511627771, 1099511627772, 1099511627773, 1099511627774, 1099511627775, 1099511627776, 1099511627777, 1099511627778, 1099511627779}},
		{`"min":0,"max":1,"steps":4`, []float64{0, 0.333333333333, 0.666666666667, 1}},
		{`"min":-1.7e308,"max":1.7e308,"steps":3`, []float64{-1.7e308, 0, 1.7e308}},
		{`"unit":"B","values":["1 KiB","1 kB","0.5 KiB"]`, []float64{512, 1000, 1024}},
		{`"unit":"s","values":["0.29 min","1 h","7 ms"]`, []float64{0.007, 17.4, 3600}},
		{`"unit":"h","values":["90 min","1 s"]`, []float64{1. / 3600, 1.5}},
		{`"unit":"%","values":["10%","7%"]`, []float64{7, 10}},
		{`"unit":"B","min":"1 kB","max":"1 KiB","step":"8 B"`, []float64{1000, 1008, 1016, 1024}},
		{`"values":[-0.0,1]`, []float64{0, 1}},
		{`"values":[1152921504606847000]`, []float64{1 << 60}},
	} {
		p := readOne(t, oneParameter(c.x, ""))
		if !slices.Equal(p.Values, c.want) || math.Signbit(p.Values[0]) != (c.want[0] < 0) {
			t.Errorf("%s: levels %v, want %v", c.x, p.Values, c.want)
		}
	}
}

// readOne returns the first parameter of a study, as it is published too.
func readOne(t *testing.T, src string) events.Parameter {
	t.Helper()
	doc, err := studyfile.Parse("one", []byte(src), catalog(), studyfile.Options{})
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	again, err := studyfile.Parse("again", doc.Normalised, catalog(), studyfile.Options{Published: true})
	if err != nil {
		t.Fatalf("%s: published: %v", src, err)
	}
	got, published := doc.Spec.Parameters[0], again.Spec.Parameters[0]
	if !slices.Equal(got.Values, published.Values) || !slices.Equal(got.Labels, published.Labels) {
		t.Errorf("%s: %v, published %v", src, got, published)
	}
	return got
}

// Text in quotes is a label, whatever it looks like; the same holds for fix,
// restrict and rules.
func TestTextIsALabel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x, extra string
		want     []string
	}{
		{`"values":["1","2","10"]`, ``, []string{"1", "2", "10"}},
		{`"values":["01","1"]`, ``, []string{"01", "1"}},
		{`"values":["1 KiB","10%","0x10","1e3"]`, ``, []string{"1 KiB", "10%", "0x10", "1e3"}},
		{`"values":["yes","no","on","off","true","null","~","nan","-0"]`, ``, []string{"yes", "no", "on", "off", "true", "null", "~", "nan", "-0"}},
		{`"values":["1","01","2"]`, `,"restrict":{"x":["2","01"]}`, []string{"01", "2"}},
		{`"values":["1","01"]`, `,"fix":{"x":"01"}`, []string{"01"}},
		{`"values":["1","01"]`, `,"rules":[{"id":"r","expr":"x == '01'"}]`, []string{"1", "01"}},
	} {
		if got := readOne(t, oneParameter(c.x, c.extra)).Labels; !slices.Equal(got, c.want) {
			t.Errorf("%s %s: labels %q, want %q", c.x, c.extra, got, c.want)
		}
	}
	yaml := parse(t, strings.Replace(own, "values: [ws, os]", `values: [yes, no, on, off, "1", '01', "true", "null"]`, 1), studyfile.Options{})
	if got, want := yaml.Spec.Parameters[5].Labels, []string{"yes", "no", "on", "off", "1", "01", "true", "null"}; !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
}

// What would be another number than was written is refused.
func TestLevelsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ x, extra, want string }{
		{`"min":9007199254740990,"max":9007199254740994`, ``, "2^53"},
		{`"min":9007199254740993,"max":9007199254740994`, ``, "2^53"},
		{`"min":-9007199254740994,"max":-9007199254740990`, ``, "2^53"},
		{`"values":[9007199254740993]`, ``, "2^53"},
		{`"unit":"B","values":["9007199254740993 B"]`, ``, "2^53"},
		{`"min":1,"max":2,"step":1e-17`, ``, "more than"},
		{`"min":1,"max":1.00000000000000001,"step":0.000000000000000001`, ``, "the same 64-bit float"},
		{`"min":1,"max":1.0000000000000004,"steps":4`, ``, "no 4 different"},
		{`"min":1,"max":1.0000000000000004,"steps":4,"scale":"log"`, ``, "no 4 different"},
		{`"min":0,"max":10,"step":-1`, ``, "more than 0"},
		{`"min":0,"max":10,"step":0`, ``, "more than 0"},
		{`"min":0.6,"max":1.1`, ``, "its last level would be 0.6, not 1.1. Write step, "},
		{`"min":1,"max":10.5`, ``, "its last level would be 10, not 10.5. Write max: 10, "},
		{`"min":5,"max":1,"scale":"log2"`, ``, "min is larger than max"},
		{`"min":1,"max":1e309`, ``, "too near to 0"},
		{`"values":[1e-400,1]`, ``, "too near to 0"},
		{`"unit":"ps","values":["1e300 s"]`, ``, "too near to 0"},
		{`"values":[0.0,-0.0]`, ``, "twice"},
		{`"values":["1",1]`, ``, "want a label"},
		{`"values":[1,"1"]`, ``, "is no number"},
		{`"values":["a",null]`, ``, "want one value"},
		{`"min":"1","max":4`, ``, `"1" is text`},
		{`"values":[1,2]`, `,"fix":{"x":"1"}`, `"1" is text`},
		{`"values":[1,2]`, `,"restrict":{"x":["1"]}`, `"1" is text`},
		{`"values":["1","2"]`, `,"restrict":{"x":[1]}`, "takes a label"},
		{`"values":["1","01"]`, `,"fix":{"x":"1.0"}`, "has no level"},
		{`"values":["1","01"]`, `,"rules":[{"id":"r","expr":"x == 1"}]`, "a label"},
		{`"values":[1,2]`, `,"rules":[{"id":"r","expr":"x == '1'"}]`, "a number"},
	} {
		_, err := studyfile.Parse("one", []byte(oneParameter(c.x, c.extra)), catalog(), studyfile.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want a mistake with %q", c.x, c.extra, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"010": "leading zero", "0x10": "no decimal number", "0o10": "no decimal number", "1_000": "no decimal number", ".inf": "no decimal number", ".nan": "no decimal number", "~": "want", "10 parsec": "no unit", "1 KiB": "amount of data",
	} {
		src := strings.Replace(own, "values: [4, 1, 2]", "values: [4, "+text+"]", 1)
		if _, err := studyfile.Parse("own", []byte(src), catalog(), studyfile.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("values: [4, %s]: %v, want a mistake with %q", text, err, want)
		}
	}
}
