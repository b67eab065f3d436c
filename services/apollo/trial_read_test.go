package main

import (
	"strings"
	"testing"

	"apollo/events"
)

// A head names parameters by their names or as the log does, also where a name of one
// kind is that of another parameter of the other, or of a column of the log.
func TestHeadsOfParameters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ parameters, head, want, fails string }{
		{"x p_x", "p_x,p_p_x", "x p_x", ""},
		{"p_x x", "p_x,p_p_x", "x p_x", ""},
		{"x p_x", "x,p_x", "x p_x", ""},
		{"p_x x", "p_x,x", "p_x x", ""},
		{"x p_x", "p_x", "x", ""},
		{"x p_x", "x,p_x,p_p_x", "", "two columns for the parameter x"},
		{"x p_x p_p_x", "p_x,p_p_x,p_p_p_x", "x p_x p_p_x", ""},
		{"trial origin", "trial,outcome,p_trial,p_origin,origin,feasible", "- - trial origin - -", ""},
		{"trial origin", "trial,origin", "trial origin", ""},
		{"trial rows", "trial,outcome,p_rows", "- - rows", ""},
		{"rows cols", "p_rows,cols", "rows cols", ""},
		{"rows cols", "rows,p_rows", "", "two columns for the parameter rows"},
		{"rows cols", "rows,rows", "", "two columns for the parameter rows"},
		{"runtime_s", "p_runtime_s,runtime_s", "runtime_s -", ""},
	} {
		spec := &events.Spec{Metrics: []events.Metric{{Name: "runtime_s", Unit: "s"}}}
		for name := range strings.FieldsSeq(test.parameters) {
			spec.Parameters = append(spec.Parameters, events.Parameter{Name: name, Values: []float64{1, 2, 3}})
		}
		heads := strings.Split(test.head, ",")
		cells := strings.TrimSuffix(strings.Repeat("2,", len(heads)), ",")
		rows, err := csvRows(spec, strings.NewReader(test.head+"\n"+cells+"\n"))
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%s: %v, want %s", test.head, err, test.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s of %s: %v", test.head, test.parameters, err)
			continue
		}
		var got []string
		named := 0
		for _, p := range parameterColumns(spec, heads) {
			if p == nil {
				got = append(got, "-")
				continue
			}
			got = append(got, p.Name)
			named++
		}
		if words := strings.Join(got, " "); words != test.want || len(rows[0].Design) != named {
			t.Errorf("%s of %s: %s and the design %v, want %s", test.head, test.parameters, words, rows[0].Design, test.want)
		}
	}
}
