package transfer

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
)

// withColumn is a stripped log with one more parameter and one more metric.
func withColumn(s archiver.Source, p archiver.Parameter, value func(trial int) space.Value, metric func(trial int) float64) *archiver.SourceLog {
	s = clone(s)
	for i := range s.Trials {
		s.Trials[i].Design = append(s.Trials[i].Design, value(i))
		s.Trials[i].Values = append(s.Trials[i].Values, metric(i))
	}
	log := strip(s, nil)
	log.Columns.Parameters = append(log.Columns.Parameters, p)
	log.Columns.Metrics = append(log.Columns.Metrics, archiver.Metric{Name: "energy_j"})
	return log
}

// A column that only some files have, and that this study does not ask for,
// costs no row: not when it is missing, not when its number is no double.
func TestColumnsNobodyAskedForCostNothing(t *testing.T) {
	t.Parallel()
	source := sourceOf(another(nil), 30)
	source.Trials = append(source.Trials, clone(source).Trials...)
	for i := range source.Trials {
		source.Trials[i].Trial = i
	}
	want, _, _, err := add(t, targetSpec(nil), strip(source, nil))
	if err != nil {
		t.Fatal(err)
	}
	log := withColumn(source, archiver.Parameter{Name: "added"}, func(i int) space.Value {
		if i < 30 {
			return number(math.NaN())
		}
		return number(math.Inf(1))
	}, func(i int) float64 {
		if i < 30 {
			return math.NaN()
		}
		return float64(i)
	})
	got, _, _, err := add(t, targetSpec(nil), log)
	if err != nil || got.Kept != want.Kept || got.Rows != 60 || len(got.Quarantine) > 0 {
		t.Errorf("%v, %d of %d kept, quarantine %v; want %d kept", err, got.Kept, got.Rows, got.Quarantine, want.Kept)
	}
	// Asked for, it does.
	spec := targetSpec(func(s *events.Spec) {
		s.Parameters = append(s.Parameters, events.Parameter{Name: "added", Values: []float64{1, 2}})
	})
	if _, _, _, err := add(t, spec, log); err == nil || !strings.Contains(err.Error(), "60: a parameter is missing") {
		t.Errorf("a parameter without a value in any row: %v", err)
	}
}

// What pandas keeps as an index, and clocks, differ in two rows of one design: only what
// the study asks for can contradict itself.
func TestOnlyWhatIsAskedForContradicts(t *testing.T) {
	t.Parallel()
	source := sourceOf(another(nil), 60)
	source.Trials = append(source.Trials, source.Trials...)
	for i := range source.Trials {
		source.Trials[i].Trial = i
	}
	log := strip(source, map[string]string{"memory": "B", "latency_s": "s", "area_mm2": "mm2"})
	log.Columns.Metrics = append(log.Columns.Metrics, archiver.Metric{Name: "index"})
	trials := log.Trials
	log.Trials = func(yield func(archiver.Trial, error) bool) {
		for tr, err := range trials {
			tr.Values = append(slices.Clone(tr.Values), float64(tr.Trial))
			if !yield(tr, err) {
				return
			}
		}
	}
	got, _, _, err := add(t, targetSpec(nil), log)
	if err != nil || got.Kept != 60 || len(got.Quarantine) > 0 {
		t.Errorf("%v, %d kept, quarantine %v; want 60 and none", err, got.Kept, got.Quarantine)
	}
}

// Refusals of other people's logs say what is there, and what to write.
func TestRefusalsOfForeignLogsSayWhatIsThere(t *testing.T) {
	t.Parallel()
	units := map[string]string{"memory": "B", "latency_s": "s", "area_mm2": "mm2"}
	for name, c := range map[string]struct {
		change func(*archiver.Trial)
		cols   func(*archiver.Columns)
		want   string
	}{
		"another outcome": {change: func(tr *archiver.Trial) { tr.Outcome = "COMPLETE" }, want: `the outcome "COMPLETE" (words are measured`},
		"another label":   {change: func(tr *archiver.Trial) { tr.Design[2].Label = "WS" }, want: `a label that this study does not have, as in flow: "WS"`},
		"another count":   {change: func(tr *archiver.Trial) { tr.Design[1].Num *= 1024 }, want: `parameter "lanes": the files tell no unit, and`},
		"bare names":      {cols: func(c *archiver.Columns) { c.Parameters = c.Parameters[:0] }, want: "a parameter is a column that begins with p_"},
		"another metric":  {cols: func(c *archiver.Columns) { c.Metrics[0].Name = "runtime_s" }, want: "it does not measure latency_s: it has runtime_s, area_mm2; `rename:`"},
	} {
		source := clone(sourceOf(another(nil), 60))
		for i := range source.Trials {
			if c.change != nil {
				c.change(&source.Trials[i])
			}
		}
		log := strip(source, units)
		if c.cols != nil {
			c.cols(log.Columns)
		}
		if _, _, _, err := add(t, targetSpec(nil), log); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// Levels may be negative, and zero: a unit that nobody tells is right for all of them.
func TestNegativeLevelsAreNotOutside(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"", "s"} {
		for _, levels := range [][]float64{{-3, -2, -1}, {-2, -1, 0}, {0, 1, 2}} {
			log := withColumn(sourceOf(another(nil), 30), archiver.Parameter{Name: "e"}, func(i int) space.Value {
				return number(levels[i%3])
			}, func(int) float64 { return 1 })
			c, _, _, err := add(t, targetSpec(func(s *events.Spec) {
				s.Parameters = append(s.Parameters, events.Parameter{Name: "e", Unit: unit, Values: levels})
			}), log)
			if err != nil || c.Kept != 30 {
				t.Errorf("%v, unit %q: %v, %d of 30 rows kept", levels, unit, err, c.Kept)
			}
		}
	}
}

// A wide sweep without units has the designs of a narrow study in it: those are used, and
// none beyond its levels is taken for one of them.
func TestWideSweepHoldsNarrowStudy(t *testing.T) {
	t.Parallel()
	var sweep []float64
	for x := 2.0; x <= 512; x *= 2 {
		sweep = append(sweep, x)
	}
	lanes := func(values []float64) func(*events.Spec) {
		return func(s *events.Spec) { s.Parameters[1].Values = values }
	}
	source := sourceOf(another(lanes(sweep)), 90)
	log := strip(source, map[string]string{"memory": "B", "latency_s": "s", "area_mm2": "mm2"})
	c, k, pins, err := add(t, targetSpec(lanes([]float64{4, 8, 16})), log)
	if err != nil || c.Rows != 90 || c.Kept != 30 || c.Outside != 60 || c.Merged != 0 {
		t.Fatalf("%v, %d of %d rows kept, %d outside, %d merged; want 30 of 90 and 60", err, c.Kept, c.Rows, c.Outside, c.Merged)
	}
	if d := cmp.Diff([]events.LeftOut{{Reason: "outside", Rows: 60}}, pins[0].LeftOut); d != "" {
		t.Errorf("left out (-want +got):\n%s", d)
	}
	for _, o := range k.Tasks[0].Observations {
		if got := source.Trials[o.Trial].Design[1].Num; got != []float64{4, 8, 16}[o.Point[1]] {
			t.Errorf("trial %d of %v lanes is at level %d", o.Trial, got, o.Point[1])
		}
	}
}

func TestUnreadColumnsAreNamed(t *testing.T) {
	t.Parallel()
	for column, want := range map[string]string{"p_lanes": `parameter column "p_lanes" is of type DATE`, "latency_s": `metric column "latency_s" is of type DATE`, "latency_us": "latency_us", "p_other": ""} {
		log := strip(sourceOf(another(nil), 30), nil)
		if column == "latency_us" {
			log.Columns.Metrics[0].Name = "other_s"
		}
		log.Columns.Unread = []archiver.Unread{{Column: column, Why: "of type DATE as INT32 in a.parquet"}}
		_, _, _, err := add(t, targetSpec(nil), log)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", column, err, want)
		}
	}
}

// A BOOLEAN and the name of a folder are what the study has: a number or a label.
func TestNumbersOrLabels(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]events.Parameter{"number": {Name: "on", Values: []float64{0, 1}}, "label": {Name: "on", Labels: []string{"false", "true"}}} {
		log := withColumn(sourceOf(another(nil), 30), archiver.Parameter{Name: "on", Kind: archiver.KindBool}, func(i int) space.Value {
			return [...]space.Value{{Num: 0, Label: "false"}, {Num: 1, Label: "true"}}[i%2]
		}, func(int) float64 { return 1 })
		c, k, _, err := add(t, targetSpec(func(s *events.Spec) { s.Parameters = append(s.Parameters, p) }), log)
		if err != nil || c.Kept != 30 {
			t.Fatal(name, err, c.Kept)
		}
		for _, o := range k.Tasks[0].Observations {
			if o.Point[3] != o.Trial%2 {
				t.Errorf("as a %s: trial %d is at level %d", name, o.Trial, o.Point[3])
			}
		}
	}
}

func TestPinsSayWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	source := sourceOf(another(nil), 30)
	source.Trials[3].Outcome, source.Trials[4].Values[0] = "measurd", math.Inf(1)
	source.Trials[5].Outcome = events.OutcomeFailed
	log := strip(source, nil)
	log.Damaged = []*archiver.FileError{{Path: "a", Err: archiver.ErrCorrupt}}
	log.LeftOut = []*archiver.FileError{{Path: "b", Err: archiver.ErrUnfit}, {Path: "c", Err: archiver.ErrNewer}}
	log.Empty, log.Unkeyed = 2, 7
	c, _, pins, err := add(t, targetSpec(nil), log)
	if err != nil {
		t.Fatal(err)
	}
	want := []events.LeftOut{
		{Reason: BadKey, Rows: 7},
		{Reason: BadOutcome, Rows: 1},
		{Reason: BadValue, Rows: 1},
		{Reason: "failed", Rows: 1},
		{Reason: "damaged", Files: 1},
		{Reason: "unread", Files: 2},
		{Reason: "empty", Files: 2},
	}
	if d := cmp.Diff(want, pins[0].LeftOut); d != "" || pins[0].DamagedFiles != 1 || len(c.LeftOut) != 2 {
		t.Errorf("left out %v (-want +got):\n%s", c.LeftOut, d)
	}
}
