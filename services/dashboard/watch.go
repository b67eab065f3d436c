package dashboard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/transfer"
)

// watch keeps the fold of one run up to date.
type watch struct {
	cancel context.CancelFunc

	used      uint64       // when it was looked at last, in looks; the server's lock guards it
	listeners atomic.Int64 // clients that listen to it

	mu      sync.Mutex // guards all below
	moved   *sync.Cond // fold changed, or err was set
	fold    Fold
	version uint64
	err     error
	// caught counts the streams that were read to where they ended at the start.
	caught int
	// asked counts who wanted all that is stored.
	asked    uint64
	log      strides
	facts    strides
	baseline inspect.Baseline // measured once, when the study is known
	optimum  *float64         // looked up then; nil where nobody proved one
	weighed  weighed
	repairs  *repairs // has a guard of its own
	brought  brought
	matched  []transfer.Candidate // of its sources; nil until somebody asks
}

func newWatch(v *client.StudyView) *watch {
	w := &watch{log: newStrides(), facts: newStrides()}
	w.moved = sync.NewCond(&w.mu)
	w.repairs = newRepairs(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.step()
	})
	w.fold.View = client.StudyView{Study: v.Study, Run: v.Run}
	return w
}

// run follows the run's two streams until ctx ends.
func (w *watch) run(ctx context.Context, bus events.Bus, evaluator string, optimum func(context.Context, *events.Spec) *float64) {
	defer context.AfterFunc(ctx, func() { w.fail(context.Cause(ctx)) })()
	var measuring sync.WaitGroup
	measuring.Go(func() { w.measure(ctx, optimum) })
	defer measuring.Wait()
	for {
		err := w.read(ctx, bus, evaluator)
		if !errors.Is(err, errVoided) {
			w.fail(err)
			return
		}
		w.again()
	}
}

// read follows both streams until one of them says why it ends.
func (w *watch) read(ctx context.Context, bus events.Bus, evaluator string) error {
	name, run := w.fold.View.Study, w.fold.View.Run
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var both sync.WaitGroup
	both.Go(func() { stop(w.follow(ctx, bus.Log(), events.RunFilter(name, run), w.event, &w.log)) })
	both.Go(func() {
		filter := fmt.Sprintf("result.%s.%s.%s.*", evaluator, name, run)
		stop(w.follow(ctx, bus.Facts(), filter, w.answer, &w.facts))
	})
	both.Wait()
	return context.Cause(ctx)
}

// errVoided ends the reading of a run whose trials were counted before it was known
// that they are measured anew.
var errVoided = errors.New("trials were voided")

// again begins a fold that knows which trials do not count.
func (w *watch) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.fold.View
	w.fold = Fold{View: client.StudyView{Study: v.Study, Run: v.Run}, voided: w.fold.voided}
	w.caught = 0
	w.step()
}

// outdated returns errVoided where the fold counts what counts no more. While it
// still reads what is stored, there may be more of that.
func (w *watch) outdated() error {
	if w.caught == 2 && w.fold.stale {
		return errVoided
	}
	return nil
}

// measure evaluates the study's baseline when its specification is there, and looks
// whether its optimum is proven.
func (w *watch) measure(ctx context.Context, optimum func(context.Context, *events.Spec) *float64) {
	w.mu.Lock()
	for w.err == nil && w.fold.answers == nil {
		w.moved.Wait()
	}
	spec := w.fold.View.Spec
	w.mu.Unlock()
	if spec == nil {
		return
	}
	base := inspect.BaselineOf(ctx, spec)
	var proven *float64
	if optimum != nil && len(spec.Objectives) == 1 {
		proven = optimum(ctx, spec)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.baseline, w.optimum = base, proven
	w.step()
}

// follow hands what is stored to take, says that it has, and goes on in strides with what
// comes.
func (w *watch) follow(ctx context.Context, from events.Reader, filter string, take func(events.Message) error, s *strides) error {
	next := uint64(0)
	for m, err := range from.Read(ctx, 0, filter) {
		if err == nil {
			next = m.Seq + 1
			err = take(m)
		}
		if err != nil {
			return err
		}
	}
	if err := w.caughtUp(); err != nil {
		return err
	}
	w.begin(s)
	for m, err := range from.FollowInStrides(ctx, next, func(ctx context.Context, left uint64) error { return w.rest(ctx, s, left) }, filter) {
		if err == nil {
			err = take(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) caughtUp() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.caught++
	w.moved.Broadcast()
	return w.outdated()
}

func (w *watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && err != nil {
		w.err = err
		w.version++
	}
	w.moved.Broadcast()
}

// errStopped ends a reader whose watch is over.
var errStopped = errors.New("nobody looks any more")

// event and answer hold back the stream that is ahead of the other: what waits
// for its counterpart is bounded.
func (w *watch) event(m events.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && w.caught == 0 && len(w.fold.proposed) >= maxOpen {
		w.moved.Wait()
	}
	if w.err != nil {
		return errStopped
	}
	defer w.step()
	if err := w.fold.Event(m); err != nil {
		return err
	}
	return w.outdated()
}

func (w *watch) answer(m events.Message) error {
	batch, ok := events.BatchOfSubject(m.Subject)
	if !ok {
		return nil
	}
	// What does not decode fails its trials, as it does for the proposer.
	_, e, _ := events.DecodeAs[events.BatchEvaluated](m.Data)
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && (w.fold.answers == nil || w.caught == 0 && len(w.fold.answers) >= maxOpen) {
		w.moved.Wait()
	}
	if w.err != nil {
		return errStopped
	}
	if w.caught == 2 && w.fold.proposed[batch] == nil && len(w.fold.answers) >= maxOpen {
		return nil // nobody asked for so many: an answer comes soon before its proposal, if at all
	}
	defer w.step()
	w.fold.Answer(batch, &e)
	return nil
}

func (w *watch) step() {
	w.version++
	w.moved.Broadcast()
}
