package transfer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		if len(k.Merged) > 0 && len(k.Best) != 1 {
			t.Errorf("%s: %d trials are reused, want the best alone", name, len(k.Best))
		}
	}
}

// Where a parameter meant something in a source and means nothing here, the source
// measured another design.
func TestOtherConditionsMergeOnlyTheSameDesigns(t *testing.T) {
	t.Parallel()
	only := func(when string) func(*events.Spec) {
		return func(s *events.Spec) { s.Parameters[1].When = when }
	}
	for name, c := range map[string]struct {
		there string
		want  int // of 60 designs
	}{
		"no condition":        {"", 5*6 + 5}, // with ws only the first of six levels
		"the same":            {`flow == "os"`, 5*6 + 5},
		"the other way round": {`flow == "ws"`, 5 + 5},
		"a part of it":        {`flow == "os" and memory > 1024`, 1 + 4*6 + 5},
	} {
		there := targetSpec(func(s *events.Spec) { only(c.there)(s); s.Study = "earlier" })
		source := sourceOf(there, 60)
		judge, err := events.NewJudge(there)
		if err != nil {
			t.Fatal(err)
		}
		for i := range source.Trials { // as every log has it: what means nothing is at its first level
			tr := &source.Trials[i]
			judge.Inactive(tr.Design, func(k int) { tr.Design[k] = number(there.Parameters[k].Values[0]) })
			tr.DesignHash = archiver.DesignHash(there.Parameters, tr.Design)
			tr.Values = measure(tr.Design[0].Num, tr.Design[1].Num)
		}
		_, k, _, err := add(t, targetSpec(only(`flow == "os"`)), source.Log())
		if err != nil || len(k.Merged) != c.want {
			t.Errorf("%s: %d trials are merged (%v), want %d", name, len(k.Merged), err, c.want)
		}
		for _, m := range k.Merged {
			if got, want := m.Values[0], measure(m.Design[0].Num, m.Design[1].Num)[0]; got != want {
				t.Errorf("%s: %v is told as %v, it measures %v", name, m.Design, got, want)
			}
		}
	}
}

// A name and the same columns do not make two programs one: only what the program of
// this study measured, in the same version, is a measurement of this study.
func TestOnlyTheSameProgramMerges(t *testing.T) {
	one, other := events.Identity{Version: "1", Program: "5e"}, events.Identity{Version: "1", Program: "6f"}
	newer, before := events.Identity{Version: "2", Program: "5e"}, events.Identity{Version: "1"}
	bare, none := events.Identity{Program: "5e"}, events.Identity{}
	for name, c := range map[string]struct {
		asked, even, odd *events.Identity // who measures here, and who measured there
		began, want      string
		run              events.Identity // who measures the run there
	}{
		"the same":                    {&one, &one, &one, "", UseMerge, none},
		"another program":             {&one, &other, &other, "", UseModel, none},
		"another version":             {&one, &newer, &newer, "", UseModel, none},
		"two programs":                {&one, &one, &other, "", UseModel, none},
		"a log before programs":       {&one, &before, &before, "", UseModel, none},
		"reused rows say nothing":     {&one, &one, nil, "", UseMerge, none},
		"the first answer decides":    {new(events.Identity), &one, &one, "", UseModel, none},
		"nobody says anything":        {new(events.Identity), nil, nil, "", UseModel, none},
		"only the run says it":        {&one, &before, &before, "", UseMerge, one},
		"the run without a version":   {&bare, nil, nil, "", UseMerge, bare},
		"the run says another":        {&one, &before, &before, "", UseModel, other},
		"a row of another version":    {&one, &one, &events.Identity{Version: "2"}, "", UseModel, one},
		"rows say more than the run":  {&one, &other, &other, "", UseModel, one},
		"nobody asks":                 {nil, &one, &one, "", UseMerge, none},
		"a run that began with it":    {&one, &other, &other, UseMerge, UseMerge, none},
		"a run that began without it": {&one, &one, &one, UseModel, UseModel, none},
	} {
		own := func(s *events.Spec) { s.Evaluator.Version = "" }
		source := sourceOf(targetSpec(func(s *events.Spec) { own(s); s.Study = "earlier" }), 40)
		for i := range source.Trials {
			if who := []*events.Identity{c.even, c.odd}[i%2]; who != nil {
				source.Trials[i].Identity = *who
			}
		}
		for _, method := range []string{"", methodMerge} {
			spec := targetSpec(own)
			spec.Transfer = &events.Transfer{Method: method}
			l, err := NewLearner(Target{Spec: spec, Identity: c.asked})
			if err != nil {
				t.Fatal(err)
			}
			log := source.Log()
			log.Use, log.Identity = c.began, c.run
			if early := l.Check(log); method == methodMerge && c.asked != nil && c.run != none && (early != nil) != (c.run != *c.asked) {
				t.Errorf("%s: before it runs: %v", name, early)
			}
			got, err := l.Add(log, "")
			want := c.want
			if method == methodMerge && want != UseMerge {
				want = "" // refused
			}
			if got.Use != want || (err == nil) != (want != "") {
				t.Errorf("%s, method %q: use %q (%v), want %q", name, method, got.Use, err, want)
			}
			if name == "a log before programs" && err != nil && !strings.Contains(err.Error(), "written before programs were recorded") {
				t.Errorf("%s: %v", name, err)
			}
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
	want := map[string]string{"memory": Converted, "lanes": filled, "flow": Mapped, "clock": dropped, "latency_s": Converted, "area_mm2": Converted}
	if d := cmp.Diff(want, uses); d != "" {
		t.Errorf("matches (-want +got):\n%s", d)
	}
	task := k.Tasks[0]
	if task.Name != "earlier/0000000a" || cmp.Diff([]bool{true, false, true}, task.Mapped) != "" {
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
		"an area for a latency that says seconds": {func() *archiver.SourceLog {
			return sourceOf(another(func(s *events.Spec) { s.Metrics[0].Unit = "mm2" }), 30).Log()
		}, []string{"latency_s", "an area", "a time"}},
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
	if d := cmp.Diff(want, got); d != "" {
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
		if d := cmp.Diff(byTrial[o.Trial], o); d != "" {
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
	if _, _, _, err := add(t, targetSpec(nil), source.Log()); err == nil || !strings.Contains(err.Error(), "20: the objective is missing") {
		t.Errorf("Add() = %v, want a refusal that says why", err)
	}
	broken := source.Log()
	broken.Trials = func(yield func(archiver.Trial, error) bool) { yield(archiver.Trial{}, archiver.ErrCorrupt) }
	if _, _, _, err := add(t, targetSpec(nil), broken); err == nil {
		t.Error("a log that breaks while it is read gives no error")
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

// What means nothing in a design of a source is no difference: the target holds
// it at another first level, and lacks the label.
func TestInactiveParametersMatch(t *testing.T) {
	t.Parallel()
	spec := func(stripe events.Parameter, mode ...string) *events.Spec {
		return targetSpec(func(s *events.Spec) {
			stripe.When = `flow == "os"`
			s.Parameters = append(s.Parameters, stripe, events.Parameter{Name: "mode", Labels: mode, When: `flow == "os"`})
		})
	}
	sp, err := spec(events.Parameter{Name: "stripe", Values: []float64{16, 32}}, "fast").Space()
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLearner(Target{Spec: spec(events.Parameter{Name: "stripe", Values: []float64{16, 32}}, "fast")})
	if err != nil {
		t.Fatal(err)
	}
	m := &mapping{}
	for i := range sp.Len() {
		m.params = append(m.params, column{index: i, factor: 1})
	}
	design := func(flow string, stripe float64, mode string) []space.Value {
		return []space.Value{number(1024), number(8), {Label: flow}, number(stripe), {Label: mode}}
	}
	if p, moved, ok := m.point(sp, l.judge, design("ws", 8, "slow")); !ok || moved != 0 || p[3] != 0 || p[4] != 0 {
		t.Errorf("an inactive design became %v, moved by %v, ok %t; want the first levels, unmoved", p, moved, ok)
	}
	if p, moved, ok := m.point(sp, l.judge, design("os", 8, "fast")); !ok || moved == 0 {
		t.Errorf("an active design became %v, moved by %v, ok %t; want it moved", p, moved, ok)
	}
	if _, _, ok := m.point(sp, l.judge, design("os", 32, "slow")); ok {
		t.Error("an active label that the target lacks is taken")
	}
}
