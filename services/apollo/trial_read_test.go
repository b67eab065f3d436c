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

// What other programs write is read, or refused for what it is.
func TestRowsOfOtherPrograms(t *testing.T) {
	t.Parallel()
	spec := &events.Spec{
		Parameters: []events.Parameter{{Name: "rows", Values: []float64{4, 8}}, {Name: "flow", Labels: []string{"ws", "os"}}},
		Metrics:    []events.Metric{{Name: "runtime_s", Unit: "s"}},
	}
	const csv, jsonl = "rows,flow,runtime\n8,ws,2 ms\n", `{"design":{"rows":8,"flow":"ws"},"metrics":{"runtime_s":0.002}}` + "\n"
	for name, text := range map[string]string{
		"CSV":                     csv,
		"CSV of a spreadsheet":    "\ufeff" + strings.ReplaceAll(csv, "\n", "\r\n"),
		"CSV with quotes":         "\"rows\",\"flow\",\"runtime\"\n\"8\",\"ws\",\"2 ms\"",
		"JSON lines":              jsonl,
		"JSON lines with a mark":  "\ufeff" + jsonl,
		"JSON with an empty line": "\n" + jsonl,
	} {
		rows, err := parseRows(spec, []byte(text))
		if err != nil || len(rows) != 1 || rows[0].Design["rows"] != 8.0 || rows[0].Design["flow"] != "ws" || rows[0].Metrics["runtime_s"] != 0.002 {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
	}
	for want, text := range map[string]string{
		"the file is empty":              "\ufeff",
		"UTF-16: save it as UTF-8":       "\xff\xfer\x00o\x00w\x00s\x00",
		"not UTF-8":                      "rows,flow\n8,w\xe4\n",
		"not separated by commas":        "rows;flow;runtime\n8;ws;0,002\n",
		"not separated by commas: want ": "rows\tflow\n8\tws\n",
		"more than 64 MiB: split it":     "rows,flow\n" + strings.Repeat("8,ws\n", maxRowBytes/5+1),
	} {
		if rows, err := parseRows(spec, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %d rows, %v; want %q", text, len(rows), err, want)
		}
	}
}
