package dashboard

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/inspect"
)

// watch keeps the fold of one run up to date.
type watch struct {
	cancel context.CancelFunc

	mu      sync.Mutex // guards all below
	moved   *sync.Cond // fold changed, or err was set
	fold    Fold
	version uint64
	err     error
	// caught counts the streams that were read to where they ended at the start.
	caught   int
	baseline inspect.Baseline // measured once, when the study is known
	used     uint64           // when it was looked at last, in looks
}

func newWatch(v *client.StudyView) *watch {
	w := &watch{}
	w.moved = sync.NewCond(&w.mu)
	w.fold.View = client.StudyView{Study: v.Study, Run: v.Run}
	return w
}

// run follows the run's two streams until ctx ends.
func (w *watch) run(ctx context.Context, bus events.Bus, evaluator string) {
	name, run := w.fold.View.Study, w.fold.View.Run
	defer context.AfterFunc(ctx, func() { w.fail(context.Cause(ctx)) })()
	var both sync.WaitGroup
	both.Go(func() {
		w.fail(follow(ctx, bus.Log(), events.RunFilter(name, run), w.event, w.caughtUp))
	})
	both.Go(func() { w.measure(ctx) })
	both.Go(func() {
		filter := fmt.Sprintf("result.%s.%s.%s.*", evaluator, name, run)
		w.fail(follow(ctx, bus.Facts(), filter, w.answer, w.caughtUp))
	})
	both.Wait()
}

// measure evaluates the study's baseline when its specification is there.
func (w *watch) measure(ctx context.Context) {
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
	w.mu.Lock()
	defer w.mu.Unlock()
	w.baseline = base
	w.step()
}

// follow hands what is stored to take, says that it has, and goes on with what comes.
func follow(ctx context.Context, from events.Reader, filter string, take func(events.Message) error, caught func()) error {
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
	caught()
	for m, err := range from.Follow(ctx, next, filter) {
		if err == nil {
			err = take(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) caughtUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.caught++
	w.moved.Broadcast()
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
	return w.fold.Event(m)
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
	defer w.step()
	w.fold.Answer(batch, &e)
	return nil
}

func (w *watch) step() {
	w.version++
	w.moved.Broadcast()
}
