package interop

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
)

// spec is a study with every kind of parameter.
func spec(study string, more ...events.Parameter) *events.Spec {
	return &events.Spec{
		Study: study, Seed: 1,
		Parameters: append([]events.Parameter{
			{Name: "pes_x", Values: []float64{0, 1, 2, 4}},
			{Name: "clock", Unit: "Hz", Values: []float64{0.5, 1.25}},
			{Name: "flow", Labels: []string{"ws", "os"}},
		}, more...),
		Networks:  []events.Network{{Name: "mobilenet_v2", Weight: 1, SHA256: "abc"}},
		Metrics:   []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2"}},
		Evaluator: events.EvaluatorSpec{Name: "model"},
	}
}

// rows makes n rows of all outcomes, with zeros and NULLs in every column that
// can have them.
func rows(s *events.Spec, run string, n int) []archiver.Row {
	start := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	var list []archiver.Row
	for i := range n {
		r := archiver.Row{
			Study: s.Study, Run: run, Trial: int64(i), Batch: int64(i / 8), Outcome: events.OutcomeMeasured, Feasible: true,
			Values: []float64{1 / float64(i+3), float64(i%3) * 1.1}, Attempts: 1, Origin: "random", Evaluator: "model",
			EvaluatorVersion: "1", WorkloadHash: archiver.WorkloadHash(s.Networks), StreamSeq: uint64(i/8 + 1),
			Start: start.Add(time.Duration(i) * time.Second), End: start.Add(time.Duration(i)*time.Second + time.Microsecond), Seconds: 1e-6,
		}
		for j, p := range s.Parameters {
			v := space.Value{}
			if len(p.Labels) > 0 {
				v.Label = p.Labels[i%len(p.Labels)]
			} else {
				v.Num = p.Values[(i/(j+1))%len(p.Values)]
			}
			r.Design = append(r.Design, v)
		}
		r.DesignHash = archiver.DesignHash(s.Parameters, r.Design)
		switch i % 4 {
		case 1:
			r.Feasible, r.Outcome, r.Values = false, events.OutcomeInfeasible, []float64{math.NaN(), 0}
			r.Reason = &events.Reason{Code: "memory", Layer: "conv «1»", Need: 2, Have: 0, Unit: "B", Message: "it does not fit"}
		case 2:
			r.Feasible, r.Outcome, r.Values = false, events.OutcomeFailed, []float64{math.NaN(), math.NaN()}
			r.Reason, r.Attempts, r.Start, r.End, r.Seconds = &events.Reason{Code: "timeout"}, 0, time.Time{}, time.Time{}, 0
		case 3:
			r.Values[0], r.Parents, r.ObservedThrough = 0, []int64{0, int64(i - 1)}, 5
			r.Attempts, r.LastError, r.Worker = 2, events.LastError{Code: "timeout", Message: "no answer within 30s"}, "host-1/7"
			r.Extra, r.TraceID = `{"power_w":0}`, "0af7651916cd43dd8448eb211c80319c"
		}
		list = append(list, r)
	}
	return list
}

// writeLog writes two studies with different parameters, each in two files,
// and returns the data directory. The second run's name is all digits, which
// tools that guess types from folder names take for a number.
func writeLog(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeLogTo(t, dir)
	return dir
}

// writeLogTo is writeLog for a directory or a bucket.
func writeLogTo(t *testing.T, place string) {
	t.Helper()
	s, err := archiver.Open(place, archiver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, run := range []struct {
		spec *events.Spec
		id   string
	}{{spec("one"), "0a1b2c3d"}, {spec("two", events.Parameter{Name: "lanes", Values: []float64{8, 16}}), "00012345"}} {
		if err := s.Begin(archiver.Run{Spec: run.spec, ID: run.id, Accepted: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
		list := rows(run.spec, run.id, 40)
		for j := range 2 {
			if _, err := s.Append(list[20*j : 20*j+20]...); err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(archiver.Position{Sequence: uint64(2*i + j + 1)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CloseRun(run.spec.Study, run.id, archiver.StateCompleted); err != nil {
			t.Fatal(err)
		}
	}
}

// null is how a missing value is written in tables.
const null = "NULL"

// number writes a DOUBLE by its bits: exact, and the same in every language.
func number(f float64) string {
	if math.IsNaN(f) {
		return null
	}
	return fmt.Sprintf("%016x", math.Float64bits(f))
}

func text(s string) string {
	if s == "" {
		return null
	}
	return s
}

func micros(t time.Time) string {
	if t.IsZero() {
		return null
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// table reads a study with Scan and writes each value as a string, by column.
func table(t *testing.T, place, study string) map[string][]string {
	t.Helper()
	files, err := archiver.Files(place)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	for r, err := range archiver.Scan(files, archiver.Query{Study: study}) {
		if err != nil {
			t.Fatal(err)
		}
		put := func(name, value string) { columns[name] = append(columns[name], value) }
		integer := func(n int64) string { return strconv.FormatInt(n, 10) }
		put("study", r.Study)
		put("run", r.Run)
		put("trial", integer(r.Trial))
		put("batch", integer(r.Batch))
		for i, p := range r.Columns.Parameters {
			switch v := r.Design[i]; p.Kind {
			case archiver.KindInt:
				put("p_"+p.Name, integer(int64(v.Num)))
			case archiver.KindString:
				put("p_"+p.Name, text(v.Label))
			default:
				put("p_"+p.Name, number(v.Num))
			}
		}
		for i, m := range r.Columns.Metrics {
			put(m.Name, number(r.Values[i]))
		}
		put("outcome", r.Outcome)
		put("feasible", strconv.FormatBool(r.Feasible))
		reason, bounds := r.Reason, r.Reason != nil && r.Reason.Unit != ""
		if reason == nil {
			reason = &events.Reason{}
		}
		put("reason_code", text(reason.Code))
		put("reason_layer", text(reason.Layer))
		if bounds {
			put("reason_need", number(reason.Need))
			put("reason_have", number(reason.Have))
		} else {
			put("reason_need", null)
			put("reason_have", null)
		}
		put("reason_unit", text(reason.Unit))
		put("reason_message", text(reason.Message))
		put("attempts", integer(r.Attempts))
		put("last_error_code", text(r.LastError.Code))
		put("last_error_message", text(r.LastError.Message))
		put("origin", text(r.Origin))
		parents := ""
		for i, p := range r.Parents {
			if i > 0 {
				parents += ","
			}
			parents += integer(p)
		}
		put("parents", text(parents))
		if r.ObservedThrough == 0 {
			put("observed_through", null)
		} else {
			put("observed_through", strconv.FormatUint(r.ObservedThrough, 10))
		}
		put("evaluator", text(r.Evaluator))
		put("evaluator_version", text(r.EvaluatorVersion))
		put("evaluator_program", text(r.EvaluatorProgram))
		put("worker", text(r.Worker))
		put("design_hash", text(r.DesignHash))
		put("workload_hash", text(r.WorkloadHash))
		put("start_time", micros(r.Start))
		put("end_time", micros(r.End))
		put("evaluation_s", number(r.Seconds))
		put("stream_seq", strconv.FormatUint(r.StreamSeq, 10))
		put("trace_id", text(r.TraceID))
		put("extra", text(r.Extra))
		put("intermediate", text(r.Intermediate))
	}
	return columns
}

// compareTables fails for every column that differs.
func compareTables(t *testing.T, what string, want, got map[string][]string) {
	t.Helper()
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s: column %s is not in the log", what, name)
		}
	}
	for name, w := range want {
		g := got[name]
		if len(g) != len(w) {
			t.Errorf("%s: column %s has %d values, want %d", what, name, len(g), len(w))
			continue
		}
		for i := range w {
			if g[i] != w[i] {
				t.Errorf("%s: column %s, row %d: %s, want %s", what, name, i, g[i], w[i])
				break
			}
		}
	}
}
