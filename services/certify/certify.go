package certify

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// State is how far a proof is. It is enough to go on.
type State struct {
	// Done of Groups groups of designs are settled, in the order of their
	// bounds.
	Done   int `json:"groups_done"`
	Groups int `json:"groups"`
	counts
	// Value is the best objective found, in the metric's unit; nil when no
	// feasible design was seen. Index is the lowest of the Tied designs that
	// have it.
	Value *float64 `json:"value"`
	Index uint64   `json:"index"`
	Tied  uint64   `json:"tied"`
	// Bound is a value that no legal design is below, of an objective that is minimised: the
	// best of what is left may be as good as the bound of its group. Nil when nothing is known.
	Bound *float64 `json:"bound,omitempty"`
	// Proven says that every group is settled.
	Proven bool `json:"proven"`
	// Seconds is the time that the proof took so far.
	Seconds float64 `json:"seconds"`
}

// Options say how to run a proof.
type Options struct {
	// Workers is the number of goroutines; 0 means one per processor. No count
	// depends on it.
	Workers int
	// From is where to go on; the zero value starts anew. It must be a State
	// of the same problem.
	From State
	// Report is called with the state after every round, from the goroutine of
	// Run. Its error ends the proof. nil means no reports.
	Report func(State) error
}

// roundGroups is the number of groups in a round: rounds start with one group
// and double, so that the first good value prunes early; more would lose more
// work to an interruption.
const roundGroups = 128

// Run proves the optimum. When the context ends, the error is its cause and
// the state of the last finished round is returned: Run goes on from there.
func (p *Problem) Run(ctx context.Context, opts Options) (State, error) {
	r := &run{p: p, state: opts.From, began: time.Now(), before: opts.From.Seconds}
	r.walkers = p.newWalkers(ctx, opts.Workers)
	if err := r.sort(ctx); err != nil {
		return r.state, err
	}
	r.state.Groups = len(r.order)
	r.bound()
	for r.state.Done < len(r.order) {
		if err := r.round(ctx); err != nil {
			return r.state, err
		}
		if opts.Report == nil {
			continue
		}
		if err := opts.Report(r.state); err != nil {
			return r.state, err
		}
	}
	r.state.Proven = true
	r.state.Seconds = r.before + time.Since(r.began).Seconds()
	return r.state, nil
}

// newWalkers makes so many walkers, 0 for one per processor.
func (p *Problem) newWalkers(ctx context.Context, n int) (walkers []*walker) {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	for range n {
		w := newWalker(p)
		if q, ok := w.probe.(*enumerationProbe); ok {
			q.ctx = ctx
		}
		walkers = append(walkers, w)
	}
	return walkers
}

// run is a proof under way.
type run struct {
	p       *Problem
	walkers []*walker
	order   []root
	state   State
	began   time.Time
	before  float64 // seconds of earlier runs
}

// root is a group of the first stage with the bound of its objective, -Inf
// where there is none, +Inf where every design of it is infeasible.
type root struct {
	group uint64
	floor float64
}

// sort puts the groups of the first stage into the order of their bounds.
func (r *run) sort(ctx context.Context) error {
	r.order = make([]root, r.p.groups(0))
	err := r.each(ctx, len(r.order), func(w *walker, i int) { r.order[i] = root{uint64(i), w.floor(uint64(i))} })
	if err != nil {
		return err
	}
	slices.SortStableFunc(r.order, func(a, b root) int {
		switch {
		case a.floor < b.floor:
			return -1
		case a.floor > b.floor:
			return 1
		}
		return 0
	})
	return nil
}

// floor bounds the key of a group of the first stage.
func (w *walker) floor(n uint64) float64 {
	w.set(0, n)
	if none, _ := w.enclose(0); none || !w.bound(0) {
		return math.Inf(1)
	}
	return w.key()
}

func (r *run) round(ctx context.Context) error {
	n := min(roundGroups, max(1, r.state.Done), len(r.order)-r.state.Done)
	type answer struct {
		found
		counts
	}
	answers := make([]answer, n)
	best := r.best()
	err := r.each(ctx, n, func(w *walker, i int) {
		answers[i].found, answers[i].counts = w.root(r.order[r.state.Done+i].group, best.key)
	})
	if err != nil {
		return err
	}
	for i := range answers {
		best.merge(answers[i].found)
		r.state.add(answers[i].counts)
	}
	r.state.Done += n
	if best.tied > 0 {
		value := r.p.sign * best.key
		r.state.Value, r.state.Index, r.state.Tied = &value, best.index, best.tied
	}
	r.bound()
	r.state.Seconds = r.before + time.Since(r.began).Seconds()
	return nil
}

// bound says what the optimum cannot be below: groups come in the order of their
// bounds.
func (r *run) bound() {
	least := r.best().key
	if r.state.Done < len(r.order) {
		least = min(least, r.order[r.state.Done].floor)
	}
	r.state.Bound = nil
	if r.p.sign > 0 && !math.IsInf(least, 0) {
		r.state.Bound = &least
	}
}

func (r *run) best() found {
	if r.state.Value == nil {
		return nothing()
	}
	return found{key: r.p.sign * *r.state.Value, index: r.state.Index, tied: r.state.Tied}
}

// each calls f for 0 to n-1 on the walkers, until the context ends or an
// evaluation fails.
func (r *run) each(ctx context.Context, n int, f func(w *walker, i int)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	for _, w := range r.walkers {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil && w.failure() == nil; i = next.Add(1) - 1 {
				f(w, int(i))
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, w := range r.walkers {
		if err := w.failure(); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) failure() error {
	if q, ok := w.probe.(*enumerationProbe); ok {
		return q.err
	}
	return nil
}
