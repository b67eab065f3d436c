package studyfile_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"apollo/services/studyfile"
)

const constrained = `apiVersion: apollo/v1
kind: Study
metadata: {name: legal}
spec:
  space:
    template: toy
    rules: [{id: r, expr: cores >= 2}]
  workload: {networks: [{name: net_a}]}
  objectives: [{metric: latency, goal: minimize}]
  constraints: [{metric: area, max: 4.5 mm2}, {metric: latency, max: 1 ms}]
`

func TestLegalShareIsExact(t *testing.T) {
	t.Parallel()
	got := parse(t, constrained, studyfile.Options{}).LegalShare(1000)
	// The toy's area is cores + MiB/2 in mm2. Cores of 2 and 4 pass the rule
	// and the area with any memory up to 1 MiB (4 + 0.5), 2 also with 2 MiB:
	// (4 + 3) of 16 pairs, times 4 for the two other parameters. Latency is
	// not cheap and does not count.
	want := studyfile.Share{Size: 64, Checked: 64, Legal: 28, Exact: true, Low: 28.0 / 64, High: 28.0 / 64}
	if got != want {
		t.Errorf("LegalShare(1000) = %+v, want %+v", got, want)
	}
}

func TestLegalShareIsEstimated(t *testing.T) {
	t.Parallel()
	src := strings.Replace(own, "- {name: tile, values: [4, 1, 2]}", "- {name: tile, min: 1, max: 60000}", 1)
	src = strings.Replace(src, "  evaluator:", "    rules: [{id: r, expr: tile <= 15000}]\n  evaluator:", 1)
	doc := parse(t, src, studyfile.Options{})
	got := doc.LegalShare(4000)
	if got.Exact || got.Checked != 4000 || got.Size != 60000*2*4*4*5*2 {
		t.Errorf("LegalShare(4000) = %+v, want an estimate from 4000 of 19200000 designs", got)
	}
	// True share 1/4. Five standard deviations of 4000 draws are 0.034.
	if math.Abs(got.Value()-0.25) > 0.034 || got.Low > 0.25+0.034 || got.High < 0.25-0.034 || got.Low >= got.High {
		t.Errorf("LegalShare(4000) = %v in [%v, %v], want about 0.25", got.Value(), got.Low, got.High)
	}
	if again := doc.LegalShare(4000); again != got {
		t.Errorf("LegalShare(4000) again = %+v, want %+v", again, got)
	}
	if one := doc.LegalShare(-1); one.Checked != 1 {
		t.Errorf("LegalShare(-1) checked %d designs, want 1", one.Checked)
	}
}

// TestRareLegalDesigns: a space whose only legal designs are the baseline or a
// corner is not refused, however large it is.
func TestRareLegalDesigns(t *testing.T) {
	t.Parallel()
	large := strings.Replace(own, "- {name: tile, values: [4, 1, 2]}", "- {name: tile, min: 1, max: 60000}", 1)
	for _, rule := range []string{"tile == 1 and banks == 1 and clock == 100e6", "tile == 60000 and banks == 16 and clock == 1e9"} {
		set := "spec.space.rules=[{id: r, expr: " + rule + "}]"
		if _, err := studyfile.Parse("x", []byte(large), catalog(), studyfile.Options{Sets: []string{set}}); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	set := "spec.space.rules=[{id: r, expr: cores == 4 and memory == MiB and io_bandwidth == 25e9 and dataflow == \"ws\"}]"
	if s := parse(t, small, studyfile.Options{Sets: []string{strings.ReplaceAll(set, `"`, "'")}}).LegalShare(64); s.Legal != 1 {
		t.Errorf("LegalShare(64) = %+v, want the baseline alone", s)
	}
}

// Nor is one in which a scan of a million designs, or one parameter after the
// other, finds what random draws do not.
func TestRareDesignsAreFound(t *testing.T) {
	t.Parallel()
	var apart []string
	for i := range 10 {
		apart = append(apart, fmt.Sprintf(`{"id":"r%d","expr":"p%d == %d"}`, i, i, 70+i))
	}
	for name, c := range map[string]struct{ parameters, rules string }{
		"a scan":       {repeated(6, `"min":0,"max":9`), `{"id":"r","expr":"p0 + p1 + p2 + p3 + p4 + p5 == 53"}`},
		"rule by rule": {repeated(10, `"min":0,"max":99`), strings.Join(apart, ",")},
	} {
		src := `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"rare"},"spec":{"space":{"parameters":[` + c.parameters +
			`],"rules":[` + c.rules + `]},"objectives":[{"metric":"m","goal":"minimize"}],"evaluator":{"name":"mine","metrics":[{"name":"m"}]}}}`
		if _, err := studyfile.Parse(name, []byte(src), catalog(), studyfile.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Spaces of 2^63 designs and more are studies like any other.
func TestWideSpaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parameters, rule string
		legal            float64 // about; 0 where there is no legal design
	}{
		"64 switches": {repeated(64, `"values":["off","on"]`), `p0 == 'on'`, 0.5},
		"10 of 100":   {repeated(10, `"min":1,"max":100`), `p0 <= 25`, 0.25},
		"256 of 100":  {repeated(256, `"min":1,"max":100`), `p0 <= 50`, 0.5},
		"nothing":     {repeated(64, `"values":[0,1]`), `p0 + p1 > 2`, 0},
		// 3^-60 of the designs: the share of samples would not meet one.
		"conditions": {`{"name":"on","values":["no","yes"]},` + strings.ReplaceAll(repeated(60, `"values":[1,2,3],"when":"on == 'yes'"`), `"p`, `"q`), `q0 != 2 or q1 != 2`, 0.44},
	} {
		src := `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"wide"},"spec":{"space":{"parameters":[` + c.parameters +
			`],"rules":[{"id":"r","expr":"` + c.rule + `"}]},"objectives":[{"metric":"m","goal":"minimize"}],"evaluator":{"name":"mine","metrics":[{"name":"m"}]}}}`
		doc, err := studyfile.Parse(name, []byte(src), catalog(), studyfile.Options{})
		if c.legal == 0 {
			if err == nil || !strings.Contains(err.Error(), "of 18446744073709551616") {
				t.Errorf("%s: %v, want a mistake that names the size", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := doc.LegalShare(10_000); got.Exact || math.Abs(got.Value()-c.legal) > 0.06 {
			t.Errorf("%s: the share is %v (exact %t), want about %v", name, got.Value(), got.Exact, c.legal)
		}
	}
}

// repeated lists n parameters p0, p1, … with the same levels.
func repeated(n int, levels string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"name":"p%d",%s}`, i, levels)
	}
	return strings.Join(all, ",")
}
