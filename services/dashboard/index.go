package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
	"apollo/services/study"
)

// indexKinds are the events of a run's log that the list of studies needs: all but
// those of its trials.
func indexKinds() []string {
	return append([]string{"accepted", "started", "improved", "paused", "resumed", "extended", "stopping"}, events.RunEnds()...)
}

// index is what is known of every run without reading its trials.
type index struct {
	mu      sync.Mutex // guards all below
	runs    map[messages.RunKey]*client.StudyView
	order   []messages.RunKey
	trends  map[messages.RunKey]*trend
	ticks   map[messages.RunKey]tick
	keys    map[messages.RunKey]map[string]string // ladderKeys of each run
	version uint64
	letters uint64        // dead ones, as the bus counted them last
	caught  chan struct{} // closed when the stored events were read
	// told hears of what happens to a run from then on, but for a better trial.
	told func(messages.RunKey)
}

// tick is what a run said last, and its rate since it was first heard.
type tick struct {
	events.Progress
	first time.Time
	from  int // trials then
	last  time.Time
}

func newIndex() *index {
	return &index{runs: map[messages.RunKey]*client.StudyView{}, ticks: map[messages.RunKey]tick{}, trends: map[messages.RunKey]*trend{}, keys: map[messages.RunKey]map[string]string{}, caught: make(chan struct{})}
}

func (x *index) follow(ctx context.Context, bus events.Bus) error {
	var filters []string
	for _, kind := range indexKinds() {
		filters = append(filters, events.StudySubject("*", "*", kind))
	}
	next := uint64(0)
	for m, err := range bus.Log().Read(ctx, 0, filters...) {
		if err != nil {
			return err
		}
		next = m.Seq + 1
		x.event(m)
	}
	close(x.caught)
	for m, err := range bus.Log().Follow(ctx, next, filters...) {
		if err != nil {
			return err
		}
		x.event(m)
		if name, run, kind, ok := events.ParseStudySubject(m.Subject); ok && kind != "improved" {
			x.told(messages.RunKey{Study: name, Run: run})
		}
	}
	return nil
}

func (x *index) event(m events.Message) {
	name, run, kind, ok := events.ParseStudySubject(m.Subject)
	if !ok {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.version++
	key := messages.RunKey{Study: name, Run: run}
	v := x.runs[key]
	if v == nil {
		v = &client.StudyView{Study: name, Run: run, Accepted: m.Time, Updated: m.Time, Spec: &events.Spec{}}
		x.runs[key] = v
		x.order = append(x.order, key)
	}
	if v.Err == nil {
		v.Fold(m)
	}
	if kind == "improved" && v.Err == nil {
		x.trend(key).add(v, m)
	}
}

// pruneEvery is how often it is looked for runs that were removed: nobody tells of them.
const pruneEvery = 5 * time.Second

// prune forgets runs that were removed from the bus, until ctx ends or the bus says that
// it may not be counted.
func (x *index) prune(ctx context.Context, bus counter) {
	every := time.NewTicker(pruneEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		x.mu.Lock()
		before := slices.Clone(x.order)
		x.mu.Unlock()
		counts, err := bus.Count(ctx, events.StudySubject("*", "*", "accepted"))
		if errors.Is(err, events.ErrDenied) {
			return
		}
		x.count(ctx, bus)
		if err == nil && len(before) > 0 {
			x.keep(before, counts)
		}
	}
}

// count notes how many dead letters there are; none where they may not be counted.
func (x *index) count(ctx context.Context, bus counter) {
	counts, err := bus.Count(ctx, events.DeadLetterSubject("*", "*"))
	if err != nil {
		return
	}
	letters := uint64(0)
	for _, n := range counts {
		letters += n
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if letters != x.letters {
		x.letters = letters
		x.version++
	}
}

// counter counts the messages of a stream by subject.
type counter interface {
	Count(ctx context.Context, filter string) (map[string]uint64, error)
}

// keep forgets those of some runs whose acceptance the bus does not count.
func (x *index) keep(before []messages.RunKey, counts map[string]uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, key := range before {
		if counts[events.StudySubject(key.Study, key.Run, "accepted")] > 0 {
			continue
		}
		x.version++
		delete(x.runs, key)
		delete(x.trends, key)
		delete(x.ticks, key)
		delete(x.keys, key)
		x.order = slices.DeleteFunc(x.order, func(k messages.RunKey) bool { return k == key })
	}
}

// trend is how the best of a run went, thinned out where it is long.
type trend struct{ values []float64 }

func (x *index) trend(key messages.RunKey) *trend {
	t := x.trends[key]
	if t == nil {
		t = &trend{}
		x.trends[key] = t
	}
	return t
}

func (t *trend) add(v *client.StudyView, m events.Message) {
	_, e, err := events.DecodeAs[events.StudyImproved](m.Data)
	if err != nil || len(v.Spec.Objectives) == 0 {
		return
	}
	value, known := e.Best.Metrics[v.Spec.Objectives[0].Metric]
	if len(v.Spec.Objectives) > 1 {
		if known = e.Hypervolume != nil; known {
			value = *e.Hypervolume
		}
	}
	if !known {
		return
	}
	const most = 60
	if t.values = append(t.values, value); len(t.values) > most {
		for i := range most / 2 {
			t.values[i] = t.values[2*i]
		}
		t.values = append(t.values[:most/2], value)
	}
}

// listen notes what runs say of their progress, and tells also.
func (x *index) listen(ctx context.Context, bus events.Bus, also func(events.Progress)) {
	for m, err := range bus.Notices(ctx, events.ProgressSubject("*", "*")) {
		if err != nil {
			return
		}
		var p events.Progress
		if json.Unmarshal(m.Data, &p) == nil && events.IsName(p.Study) && events.IsName(p.Run) {
			x.progress(p, time.Now())
			also(p)
		}
	}
}

func (x *index) progress(p events.Progress, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := messages.RunKey{Study: p.Study, Run: p.Run}
	if x.runs[key] == nil {
		return // a notice is no proof of a run
	}
	x.version++
	t, heard := x.ticks[key]
	if !heard {
		t.first, t.from = now, p.Trials
	}
	t.Progress, t.last = p, now
	x.ticks[key] = t
}

// Listed is a study's latest run in the list.
type Listed struct {
	Study    string            `json:"study"`
	Run      string            `json:"run"`
	State    string            `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Trials   int               `json:"trials"`
	Budget   int               `json:"budget"`
	Feasible int               `json:"feasible"`
	Best     *events.BestTrial `json:"best" jsonschema:"nullable"`
	// TrialsPerSecond is the rate since this server heard of the run; 0 when it
	// says nothing.
	TrialsPerSecond float64  `json:"trials_per_s,omitempty"`
	Algorithm       string   `json:"algorithm"`
	Networks        []string `json:"networks,omitempty"`
	// Sources are the studies that it learns from.
	Sources  []string          `json:"sources,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Accepted time.Time         `json:"accepted"`
	Updated  time.Time         `json:"updated"`
	// Trend is how the best went, or the hypervolume with several objectives.
	Trend []float64 `json:"trend,omitempty"`
	// FrontSize is how many designs are on the front of several objectives.
	FrontSize int `json:"front_size,omitempty"`

	spec    *events.Spec
	ladders map[string]string // the keys of the ladders that it is on, by limited metric
}

// silentTick is how old a notice of progress may be to say the rate.
const silentTick = 10 * time.Second

func (x *index) listed(key messages.RunKey, now time.Time) Listed {
	v, t := x.runs[key], x.ticks[key]
	if x.keys[key] == nil { // a specification never changes
		x.keys[key] = ladderKeys(v.Spec)
	}
	l := Listed{
		Study: v.Study, Run: v.Run, State: string(v.State), Reason: v.Reason, Trials: t.Trials, Feasible: t.Feasible, Best: v.Best,
		Budget:    max(v.Budget, t.Trials), // the list does not read who adds to it
		Algorithm: v.Spec.Algorithm.Name, Labels: v.Spec.Labels, Accepted: v.Accepted, Updated: v.Updated, spec: v.Spec, ladders: x.keys[key],
	}
	if t := x.trends[key]; t != nil {
		l.Trend = slices.Clone(t.values)
	}
	if len(v.Spec.Objectives) > 1 {
		l.FrontSize = len(v.Answer())
	}
	for i := range v.Spec.Networks {
		l.Networks = append(l.Networks, v.Spec.Networks[i].Name)
	}
	for i := range v.Sources {
		l.Sources = append(l.Sources, v.Sources[i].Study)
	}
	if v.Summary != nil {
		l.Trials, l.Feasible = v.Summary.Trials, v.Summary.Feasible
	} else if seconds := t.last.Sub(t.first).Seconds(); seconds > 0 && now.Sub(t.last) < silentTick && v.State != study.Paused {
		l.TrialsPerSecond = float64(t.Trials-t.from) / seconds
	}
	return l
}

// list returns the latest run of every study: those that need attention first,
// then those that run, then by when something happened.
func (x *index) list(now time.Time) []Listed {
	x.mu.Lock()
	defer x.mu.Unlock()
	latest := map[string]messages.RunKey{}
	for _, key := range x.order {
		latest[key.Study] = key
	}
	out := []Listed{}
	for _, key := range x.order {
		if latest[key.Study] == key {
			out = append(out, x.listed(key, now))
		}
	}
	slices.SortStableFunc(out, func(a, b Listed) int {
		if ra, rb := rank(a.State), rank(b.State); ra != rb {
			return ra - rb
		}
		return b.Updated.Compare(a.Updated)
	})
	return out
}

// needsAttention reports whether somebody should look at a run in that state.
func needsAttention(state string) bool { return rank(state) == 0 }

func rank(state string) int {
	switch study.State(state) {
	case study.Paused, study.Failed, client.Unreadable:
		return 0
	case study.Running, study.Stopping:
		return 1
	}
	return 2
}

// latest returns the view of a study's named run, of its latest one when run is
// "", and false when there is none.
func (x *index) latest(name, run string) (client.StudyView, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, key := range slices.Backward(x.order) {
		if key.Study == name && (run == "" || key.Run == run) {
			return *x.runs[key], true
		}
	}
	return client.StudyView{}, false
}

// rate says how fast a run goes, "" where it does not.
func (x *index) rate(name, run string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := messages.RunKey{Study: name, Run: run}
	if x.runs[key] == nil {
		return ""
	}
	l := x.listed(key, time.Now())
	return l.rateText()
}

// dead is how many dead letters there are.
func (x *index) dead() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.letters
}

func (x *index) now() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.version
}
