package transfer

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

func TestUseFollowsTheMeasurement(t *testing.T) {
	t.Parallel()
	method := func(m string) func(*events.Spec) {
		return func(s *events.Spec) { s.Transfer = &events.Transfer{Method: m} }
	}
	version := func(v string) func(*events.Spec) { return func(s *events.Spec) { s.Evaluator.Version = v } }
	for name, c := range map[string]struct {
		here, there func(*events.Spec)
		want        string
	}{
		"the same":           {nil, nil, UseMerge},
		"no versions":        {version(""), version(""), UseMerge},
		"another version":    {version("2"), version("1"), UseModel},
		"a version too few":  {version(""), version("1"), UseModel},
		"another limit":      {nil, func(s *events.Spec) { s.Constraints = nil }, UseMerge},
		"another network":    {nil, func(s *events.Spec) { s.Networks[0].SHA256 = "b" }, UseModel},
		"another weight":     {nil, func(s *events.Spec) { s.Networks[0].Weight = 2 }, UseModel},
		"another metric":     {nil, func(s *events.Spec) { s.Metrics = s.Metrics[:1]; s.Constraints = nil }, UseModel},
		"seeds only":         {method("seed"), nil, UseSeed},
		"a model only":       {method("rgpe"), nil, UseModel},
		"merge only":         {method("merge"), nil, UseMerge},
		"merge, but another": {method("merge"), func(s *events.Spec) { s.Networks[0].SHA256 = "b" }, ""},
	} {
		source := sourceOf(targetSpec(func(s *events.Spec) {
			s.Study = "earlier"
			if c.there != nil {
				c.there(s)
			}
		}), 40)
		for i := range source.Trials {
			source.Trials[i].Values = source.Trials[i].Values[:len(source.Spec.Metrics)]
		}
		got, k, _, err := add(t, targetSpec(c.here), source.Log())
		if got.Use != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: use %q, %v; want %q", name, got.Use, err, c.want)
		}
		if (len(k.Merged) > 0) != (c.want == UseMerge) || (len(k.Tasks) > 0) != (c.want == UseSeed || c.want == UseModel) {
			t.Errorf("%s: %d merged trials, %d tasks", name, len(k.Merged), len(k.Tasks))
		}
	}
}

// A task holds the source's trials in this study's space and units, judged
// under its constraints.
func TestTaskSpeaksTheTargetsLanguage(t *testing.T) {
	t.Parallel()
	source := sourceOf(another(func(s *events.Spec) {
		s.Parameters = []events.Parameter{
			{Name: "flow", Labels: []string{"os", "ws", "is"}},
			{Name: "memory", Unit: "KiB", Values: []float64{1, 3, 16, 64}},
			{Name: "clock", Unit: "Hz", Values: []float64{1e9}},
		}
		s.Metrics = []events.Metric{{Name: "area_um2", Unit: "um2"}, {Name: "latency_ms", Unit: "ms"}}
		s.Objectives[0].Metric, s.Constraints = "latency_ms", nil
	}), 12)
	for i := range source.Trials {
		tr := &source.Trials[i]
		tr.Values = []float64{float64(i) * 1e6, 2 + float64(i)} // i mm2, 2+i ms
	}
	c, k, pins, err := add(t, targetSpec(nil), source.Log())
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string]string{}
	for _, m := range slices.Concat(c.Parameters, c.Metrics) {
		uses[m.Name] = m.Use
	}
	want := map[string]string{"memory": Converted, "lanes": Filled, "flow": Mapped, "clock": Dropped, "latency_s": Converted, "area_mm2": Converted}
	if d := gocmp.Diff(want, uses); d != "" {
		t.Errorf("matches (-want +got):\n%s", d)
	}
	task := k.Tasks[0]
	if task.Name != "earlier/0000000a" || gocmp.Diff([]bool{true, false, true}, task.Mapped) != "" {
		t.Errorf("task %s, mapped %v", task.Name, task.Mapped)
	}
	// Labels: 4 designs with "is" are foreign. Memory: 3 KiB goes to 2 KiB (as
	// near as 4, the lower), 64 to 16.
	if c.Foreign != 4 || len(task.Observations)+c.Merged != 8 {
		t.Errorf("%d foreign, %d observations, %d on the same point; want 4 and 8 in all", c.Foreign, len(task.Observations), c.Merged)
	}
	for _, o := range task.Observations {
		tr := source.Trials[o.Trial]
		memory := tr.Design[1].Num
		if got, want := task.Space.Values(o.Point)[0].Num, map[float64]float64{1: 1024, 3: 2048, 16: 16384, 64: 16384}[memory]; got != want {
			t.Errorf("memory %v KiB became %v B, want %v", memory, got, want)
		}
		if d := math.Abs(o.Values[0] - (2+float64(o.Trial))*1e-3); d > 1e-12 {
			t.Errorf("trial %d: value %v", o.Trial, o.Values)
		}
		feasible := o.Trial <= 10
		if (o.Status == optimizer.Measured) != feasible || (o.Violation > 0) == feasible {
			t.Errorf("trial %d: status %v, violation %v under a limit of 10 mm2", o.Trial, o.Status, o.Violation)
		}
	}
	if pins[0].Trials != 12 || pins[0].Quarantined != 0 {
		t.Errorf("pin %+v", pins[0])
	}
}

func TestFreeChecksJudgeToo(t *testing.T) {
	t.Parallel()
	l, err := NewLearner(Target{Spec: targetSpec(nil), Legal: func(p space.Point) bool { return p[1] != 0 }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Add(sourceOf(another(nil), 60).Log(), ""); err != nil {
		t.Fatal(err)
	}
	k, _ := l.Knowledge()
	for _, o := range k.Tasks[0].Observations {
		if o.Point[1] == 0 && (o.Status != optimizer.Infeasible || o.Values == nil) {
			t.Errorf("a design that the free checks refuse is %v with values %v", o.Status, o.Values)
		}
	}
}

func TestWrongUnitsAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		log  func() *archiver.SourceLog
		want []string
	}{
		"a time for a memory": {func() *archiver.SourceLog {
			return sourceOf(another(func(s *events.Spec) { s.Parameters[0].Unit = "s" }), 30).Log()
		}, []string{`"memory"`, "time", "amount of data"}},
		"a number for a label": {func() *archiver.SourceLog {
			return sourceOf(another(func(s *events.Spec) {
				s.Parameters[2] = events.Parameter{Name: "flow", Values: []float64{1, 2}}
			}), 30).Log()
		}, []string{`"flow"`, "a number there", "a label here"}},
		"an area for a latency": {func() *archiver.SourceLog {
			return sourceOf(another(func(s *events.Spec) {
				s.Metrics[0] = events.Metric{Name: "latency_mm2", Unit: "mm2"}
				s.Objectives[0].Metric = "latency_mm2"
			}), 30).Log()
		}, []string{"latency_mm2", "an area", "a time"}},
		"no latency": {func() *archiver.SourceLog {
			return sourceOf(another(func(s *events.Spec) {
				s.Metrics[0] = events.Metric{Name: "energy_j", Unit: "J"}
				s.Objectives[0].Metric = "energy_j"
			}), 30).Log()
		}, []string{"does not measure latency_s"}},
		"another template": {func() *archiver.SourceLog {
			return sourceOf(another(func(s *events.Spec) {
				s.Parameters = []events.Parameter{{Name: "rows", Values: []float64{1, 2}}}
			}), 2).Log()
		}, []string{"none of this study's parameters"}},
		"KiB that say nothing": {func() *archiver.SourceLog {
			return strip(sourceOf(another(func(s *events.Spec) { s.Parameters[0].Values = []float64{1, 2, 4, 8, 16} }), 60), nil)
		}, []string{`"memory"`, "no unit", "1 KiB to 16 KiB", "apollo.units"}},
	} {
		got, _, pins, err := add(t, targetSpec(nil), c.log())
		if err == nil || len(pins) > 0 || got.Refused == "" {
			t.Errorf("%s: not refused: %+v", name, got)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
	}
}

// A log of another tool: units only in names, or in apollo.units, or none.
func TestLogsWithoutSpecification(t *testing.T) {
	t.Parallel()
	plain := sourceOf(another(nil), 60)
	for name, log := range map[string]*archiver.SourceLog{
		"nothing said": strip(plain, nil),
		"units":        strip(plain, map[string]string{"memory": "B", "latency_s": "s", "area_mm2": "mm2"}),
	} {
		c, k, _, err := add(t, targetSpec(nil), log)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.Use != UseModel || len(k.Tasks[0].Observations) != 60 || len(c.Quarantine) > 0 {
			t.Errorf("%s: %s, %d of 60 used, quarantine %v", name, c.Use, len(k.Tasks[0].Observations), c.Quarantine)
		}
	}
	// The unit stands in the name: nanoseconds.
	ns := clone(plain)
	ns.Spec = another(func(s *events.Spec) { s.Metrics[0].Name, s.Metrics[0].Unit = "latency_ns", "ns" })
	for i := range ns.Trials {
		ns.Trials[i].Values[0] *= 1e9
	}
	_, k, _, err := add(t, targetSpec(nil), strip(ns, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range k.Tasks[0].Observations {
		if want := plain.Trials[o.Trial].Values[0]; math.Abs(o.Values[0]-want) > 1e-9*want {
			t.Fatalf("trial %d: %v, want %v", o.Trial, o.Values[0], want)
		}
	}
}

// corrupt breaks about 30 % of the rows, in every way that rows break, and
// returns how many of them for which reason.
func corrupt(s archiver.Source) (archiver.Source, map[string]int) {
	s = clone(s)
	want := map[string]int{}
	for i := range s.Trials {
		t := &s.Trials[i]
		switch i % 30 {
		case 1:
			t.Values[0] = math.NaN()
			want[BadValue]++
		case 4:
			t.Values[0] = math.Inf(-1)
			want[BadValue]++
		case 7:
			t.Values[1] = math.Inf(1)
			want[BadValue]++
		case 10:
			t.Values[0] *= 1e-12 // would be the best of all
			want[BadValue]++
		case 13:
			t.Values[0] = 0
			want[BadValue]++
		case 16:
			t.Design[0] = number(3000) // not a level, and not what was hashed
			want[BadHash]++
		case 19:
			t.Design[1], t.DesignHash = number(3), ""
			want[BadDesign]++
		case 22:
			t.WorkloadHash = "0123456789abcdef"
			want[BadWorkload]++
		case 25:
			t.Outcome = "me@sured"
			want[BadOutcome]++
		}
	}
	return s, want
}

func TestCorruptedRowsAreQuarantined(t *testing.T) {
	t.Parallel()
	sound := sourceOf(another(nil), 60)
	bad, want := corrupt(sound)
	c, k, pins, err := add(t, targetSpec(nil), bad.Log())
	if err != nil {
		t.Fatal(err)
	}
	got, total := map[string]int{}, 0
	for _, q := range c.Quarantine {
		got[q.Reason], total = q.Rows, total+q.Rows
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("quarantine (-want +got):\n%s", d)
	}
	if pins[0].Quarantined != total || pins[0].Trials != 60 || total != 18 {
		t.Errorf("the pin counts %d of %d rows, want 18 of 60", pins[0].Quarantined, pins[0].Trials)
	}
	// What is left is as it was without the damage.
	_, whole, _, err := add(t, targetSpec(nil), sound.Log())
	if err != nil {
		t.Fatal(err)
	}
	byTrial := map[int]optimizer.Observation{}
	for _, o := range whole.Tasks[0].Observations {
		byTrial[o.Trial] = o
	}
	if len(k.Tasks[0].Observations) != 42 {
		t.Errorf("%d observations, want 42", len(k.Tasks[0].Observations))
	}
	for _, o := range k.Tasks[0].Observations {
		if d := gocmp.Diff(byTrial[o.Trial], o); d != "" {
			t.Errorf("trial %d (-want +got):\n%s", o.Trial, d)
		}
	}
}

func TestContradictionsFallTogether(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		deterministic bool
		factor        float64
		want          int
	}{
		{"the same answer", true, 1, 0},
		{"a lie that looks best", true, 0.01, 2},
		{"noise", false, 1.2, 0},
		{"more than noise", false, 2, 2},
	} {
		source := sourceOf(another(func(s *events.Spec) { s.Evaluator.Deterministic = c.deterministic }), 60)
		again := clone(source).Trials[7]
		again.Trial = 60
		again.Values[0] *= c.factor
		source.Trials = append(source.Trials, again)
		got, k, _, err := add(t, targetSpec(nil), source.Log())
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, q := range got.Quarantine {
			if q.Reason == Contradiction {
				rows = q.Rows
			}
		}
		there := slices.ContainsFunc(k.Tasks[0].Observations, func(o optimizer.Observation) bool { return o.Trial == 7 })
		if rows != c.want || there != (c.want == 0) {
			t.Errorf("%s: %d rows quarantined, trial 7 used: %v; want %d rows", c.name, rows, there, c.want)
		}
	}
	// Two rows of one trial that differ: neither is believed.
	source := sourceOf(another(nil), 60)
	twice := clone(source).Trials[9]
	twice.Values[0] *= 3
	source.Trials = slices.Insert(source.Trials, 10, twice)
	got, k, _, err := add(t, targetSpec(nil), source.Log())
	if err != nil || len(got.Quarantine) != 1 || got.Quarantine[0] != (Quarantine{Contradiction, 2}) || len(k.Tasks[0].Observations) != 59 {
		t.Errorf("%v, quarantine %v, %d observations; want 2 rows of one trial set aside", err, got.Quarantine, len(k.Tasks[0].Observations))
	}
}

// A negated objective is wrong, but it is data: nothing here can know.
func TestANegatedObjectiveIsData(t *testing.T) {
	t.Parallel()
	source := sourceOf(another(nil), 60)
	for i := range source.Trials {
		source.Trials[i].Values[0] *= -1
	}
	c, k, _, err := add(t, targetSpec(nil), source.Log())
	if err != nil || len(c.Quarantine) > 0 || len(k.Tasks[0].Observations) != 60 {
		t.Errorf("%v, quarantine %v, %d observations; want all 60", err, c.Quarantine, len(k.Tasks[0].Observations))
	}
}

func TestASourceOfRubbishIsRefused(t *testing.T) {
	t.Parallel()
	source := sourceOf(another(nil), 20)
	for i := range source.Trials {
		source.Trials[i].Values[0] = math.NaN()
	}
	if _, _, _, err := add(t, targetSpec(nil), source.Log()); err == nil || !strings.Contains(err.Error(), "20 are quarantined for their value") {
		t.Errorf("Add() = %v, want a refusal that says why", err)
	}
	broken := source.Log()
	broken.Trials = func(yield func(archiver.Trial, error) bool) { yield(archiver.Trial{}, archiver.ErrCorrupt) }
	if _, _, _, err := add(t, targetSpec(nil), broken); err == nil {
		t.Error("a log that breaks while it is read gives no error")
	}
}

// wide is a change to a space of 40,000 designs.
func wide(s *events.Spec) {
	s.Parameters[1].Values = nil
	for i := range 4000 {
		s.Parameters[1].Values = append(s.Parameters[1].Values, float64(i+1))
	}
}

// manyTrials is a log of n trials that takes no memory: the first 40,000 have
// designs of their own, the others repeat them.
func manyTrials(n int) *archiver.SourceLog {
	log := archiver.Source{Study: "earlier", Run: "0000000a", Spec: another(wide)}.Log()
	log.Trials = trials(n)
	return log
}

func trials(n int) iter.Seq2[archiver.Trial, error] {
	flows := [2]string{"ws", "os"}
	return func(yield func(archiver.Trial, error) bool) {
		for i := range n {
			memory, lanes := 1024*math.Exp2(float64(i%5)), float64(1+i/10*7919%4000)
			t := archiver.Trial{
				Trial: i, Design: []space.Value{number(memory), number(lanes), {Label: flows[i/5%2]}},
				Outcome: events.OutcomeMeasured, Values: measure(memory, lanes),
			}
			if int(lanes)%11 == 0 {
				t.Outcome, t.Values = events.OutcomeInfeasible, []float64{math.NaN(), math.NaN()}
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

func TestALargeSourceIsSelectedFrom(t *testing.T) {
	t.Parallel()
	limit := 800.0
	spec := targetSpec(func(s *events.Spec) { wide(s); s.Constraints[0].Max = &limit })
	c, k, pins, err := add(t, spec, manyTrials(20_000))
	if err != nil {
		t.Fatal(err)
	}
	observations := k.Tasks[0].Observations
	if n := len(observations); n > maxKept || pins[0].Kept != n || c.Kept != n || pins[0].Trials != 20_000 {
		t.Errorf("%d observations of 20,000, pin %+v; want up to %d", n, pins[0], maxKept)
	}
	// The best feasible designs are there, and some of every kind.
	kinds, got := map[string]int{}, map[int]bool{}
	for _, o := range observations {
		got[o.Trial] = true
		switch {
		case o.Status == optimizer.Measured:
			kinds["feasible"]++
		case o.Values != nil:
			kinds["over the limit"]++
		default:
			kinds["not measured"]++
		}
	}
	var feasible []archiver.Trial
	for tr := range trials(20_000) {
		if tr.Outcome == events.OutcomeMeasured && tr.Values[1] <= limit {
			feasible = append(feasible, tr)
		}
	}
	slices.SortStableFunc(feasible, func(a, b archiver.Trial) int { return cmp.Compare(a.Values[0], b.Values[0]) })
	for i, tr := range feasible[:keptBest] {
		if !got[tr.Trial] {
			t.Fatalf("trial %d, the best but %d, is not kept", tr.Trial, i)
		}
	}
	// A stratum of the objective may hold no feasible design.
	if kinds["feasible"] < keptBest+keptOthers/2 || kinds["over the limit"] != keptInfeasible/2 || kinds["not measured"] != keptInfeasible/2 {
		t.Errorf("kinds %v", kinds)
	}
	// The others come from all strata alike, late trials as well as early ones.
	late := 0
	for _, o := range observations {
		if o.Trial >= 10_000 {
			late++
		}
	}
	if late < maxKept/3 || late > 2*maxKept/3 {
		t.Errorf("%d of %d are from the second half", late, maxKept)
	}
	_, again, _, err := add(t, spec, manyTrials(20_000))
	if d := gocmp.Diff(k.Tasks, again.Tasks, cmpopts.IgnoreUnexported(space.Space{})); err != nil || d != "" {
		t.Errorf("another selection the second time: %v\n%s", err, d)
	}
}

func ExampleLearner() {
	l, err := NewLearner(Target{Spec: targetSpec(nil)})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := l.Add(sourceOf(another(nil), 60).Log(), "")
	k, pins := l.Knowledge()
	fmt.Println(c.Use, err, len(k.Tasks), pins[0].Trials)
	// Output: model <nil> 1 60
}
