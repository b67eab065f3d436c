package dashboard

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
)

// kept is a trial as a fold keeps it.
type kept struct {
	trial, batch   int
	kind           string
	levels         []uint16 // one per parameter
	values         []float64
	origin         string
	cause, message string // of one that is not feasible
	seconds        float32
	began          int64 // in µs since 1970, by the evaluator's clock; 0 where nobody said
	worker         string
	parents        []int64
	lowFidelity    bool // of a fidelity that does not count
}

// noLevel stands for a value that the study's space does not have.
const noLevel = math.MaxUint16

// keep makes a trial of the table of a row. Texts that many trials share are kept once.
func (f *Fold) keep(r *archiver.Row) kept {
	t := kept{
		trial: int(r.Trial), batch: int(r.Batch), kind: kindOf(r), values: r.Values, levels: make([]uint16, len(f.params)),
		origin: f.once(r.Origin), seconds: float32(r.Seconds), worker: f.once(r.Worker), parents: r.Parents, lowFidelity: !f.View.Spec.Full(r.Design),
	}
	if !r.Start.IsZero() {
		t.began = r.Start.UnixMicro()
	}
	for i, p := range f.params {
		t.levels[i] = noLevel
		if i >= len(r.Design) {
			continue
		}
		if level, on := p.Level(r.Design[i]); on && level < noLevel {
			t.levels[i] = uint16(level)
		}
	}
	if !r.Feasible {
		t.cause = f.once(r.Outcome)
		if r.Reason != nil {
			t.cause, t.message = f.once(r.Reason.Code), f.once(r.Reason.Message)
		}
	}
	f.kept = append(f.kept, t)
	return t
}

// once returns one copy of a text. What it knows is bounded.
func (f *Fold) once(text string) string {
	if known, ok := f.texts[text]; ok {
		return known
	}
	const most = 10_000
	if len(f.texts) < most {
		f.texts[text] = text
	}
	return text
}

// kindOf tells the trials of a picture apart.
func kindOf(r *archiver.Row) string {
	switch {
	case r.Feasible:
		return kindFeasible
	case r.Reason != nil && r.Reason.Code == events.ReasonLowFidelity:
		return kindLow
	case r.Outcome == events.OutcomeMeasured:
		return kindOver
	case r.Outcome == events.OutcomeInfeasible:
		return kindInfeasible
	case r.Outcome == events.OutcomeStopped:
		return kindStopped
	}
	return kindFailed
}

// value is that of a metric, NaN where there is none.
func (t *kept) value(metric int) float64 {
	if metric < 0 || metric >= len(t.values) {
		return math.NaN()
	}
	return t.values[metric]
}

// setting is the value of a parameter; false where it is none of the space.
func (t *kept) setting(params []space.Param, i int) (space.Value, bool) {
	if level := int(t.levels[i]); level < params[i].Len() {
		return params[i].Value(level), true
	}
	return space.Value{}, false
}

// design holds the values of all parameters, zero where one is none of the space.
func (t *kept) design(params []space.Param) []space.Value {
	d := make([]space.Value, len(params))
	for i := range params {
		d[i], _ = t.setting(params, i)
	}
	return d
}

// pageSize is how many trials a page of the table has.
const pageSize = 50

// query says which trials a table has, and in which order.
type query struct {
	Kind, Why, By string // "" means all
	Sort          string // a metric or a parameter; "" means by trial
	Descending    bool
	Page          int // from 1
	In            []interval
}

// readQuery reads a query off an address. Words that mean nothing are left out.
func readQuery(v url.Values) query {
	q := query{Kind: v.Get("kind"), Why: v.Get("why"), By: v.Get("by"), Page: 1}
	q.Sort, q.Descending = strings.CutPrefix(v.Get("sort"), "-")
	if q.Sort == "" {
		q.Sort, q.Descending = "trial", true
	}
	q.In = readIntervals(v["in"])
	if n, err := strconv.Atoi(v.Get("page")); err == nil && n > 0 {
		q.Page = min(n, maxTrials/pageSize+1)
	}
	if !slices.Contains(kinds(), q.Kind) {
		q.Kind = ""
	}
	return q
}

func kinds() []string {
	return []string{kindFeasible, kindOver, kindInfeasible, kindFailed, kindStopped, kindLow}
}

// checkQuery says what readQuery leaves out: a page forgives an old link, a program
// has to hear that it was not understood.
func checkQuery(spec *events.Spec, v url.Values) error {
	if kind := v.Get("kind"); kind != "" && !slices.Contains(kinds(), kind) {
		return fmt.Errorf("kind %.60q: want one of %s", kind, strings.Join(kinds(), ", "))
	}
	if key := strings.TrimPrefix(v.Get("sort"), "-"); key != "" && key != "trial" {
		if _, known := column(spec, key); !known {
			return fmt.Errorf("sort %.60q: want trial, a metric or a parameter of the study, with - before it for the largest first", key)
		}
	}
	if n, err := strconv.ParseUint(v.Get("page"), 10, 64); v.Has("page") && (err != nil || n < 1) {
		return fmt.Errorf("page %.60q: want a number from 1", v.Get("page"))
	}
	if list := v["in"]; len(list) > mostIntervals {
		return fmt.Errorf("in is given %d times: want %d at most", len(list), mostIntervals)
	}
	for _, text := range v["in"] {
		list := readIntervals([]string{text})
		if len(list) == 0 {
			return fmt.Errorf("in %.60q: want NAME:LOW:HIGH", text)
		}
		if _, known := column(spec, list[0].name); !known {
			return fmt.Errorf("in %.60q: want the name of a metric or a parameter of the study", text)
		}
	}
	return nil
}

// insideOf reports whether a trial lies in all intervals; nil where there is none. One that
// names nothing holds nothing back.
func insideOf(spec *events.Spec, in []interval) func(*kept) bool {
	var tests []func(*kept) bool
	for _, n := range in {
		if value, known := column(spec, n.name); known {
			tests = append(tests, func(t *kept) bool { v := value(t); return v >= n.low && v <= n.high })
		}
	}
	if tests == nil {
		return nil
	}
	return func(t *kept) bool {
		return !slices.ContainsFunc(tests, func(in func(*kept) bool) bool { return !in(t) })
	}
}

func (q *query) wants(t *kept) bool {
	return (q.Kind == "" || t.kind == q.Kind) && (q.Why == "" || t.cause == q.Why) && (q.By == "" || group(t.origin) == q.By)
}

// of returns the trials that a query is for, and how many there are on all pages.
func (q *query) of(spec *events.Spec, all []kept) (page []*kept, found int) {
	var out []*kept
	inside := insideOf(spec, q.In)
	for i := range all {
		if q.wants(&all[i]) && (inside == nil || inside(&all[i])) {
			out = append(out, &all[i])
		}
	}
	key := q.key(spec)
	slices.SortStableFunc(out, func(a, b *kept) int {
		ka, kb := key(a), key(b)
		switch na, nb := math.IsNaN(ka), math.IsNaN(kb); {
		case na && nb:
			return cmp.Compare(a.trial, b.trial)
		case na:
			return 1 // what has no value comes last, either way
		case nb:
			return -1
		}
		order := cmp.Or(cmp.Compare(ka, kb), cmp.Compare(a.trial, b.trial))
		if q.Descending {
			return -order
		}
		return order
	})
	from := min((q.Page-1)*pageSize, len(out))
	return out[from:min(from+pageSize, len(out))], len(out)
}

// key returns what a query sorts by: where its word is unknown, the trial.
func (q *query) key(spec *events.Spec) func(*kept) float64 {
	if value, known := column(spec, q.Sort); known {
		return value
	}
	q.Sort = "trial"
	return func(t *kept) float64 { return float64(t.trial) }
}
