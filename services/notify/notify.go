// Package notify tells people and programs what a study comes to: on a subject
// of the bus, or by a webhook with a signature.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

const (
	// lookBack is how old an event may be that is told after a start: what ended
	// while no notifier was there. Receivers know by its id what they have had.
	lookBack = 10 * time.Minute
	// tries and firstPause bound how long one notice is tried: 8 times, with pauses
	// of 1 s, doubled each time, of 2 minutes in all and 10 s for each answer.
	tries      = 8
	firstPause = time.Second
	answerTime = 10 * time.Second
	// maxWaiting is how many notices wait for one receiver, maxOfOwner how many
	// receivers of an owner are waited for at a time, and maxReceivers of all owners.
	// What is more is dropped, and logged.
	maxWaiting   = 64
	maxOfOwner   = 64
	maxReceivers = 512
	// shutdownGrace bounds what is still told at the end.
	shutdownGrace = 3 * time.Second
	// maxRuns is how many runs are remembered that ask for nothing or something.
	maxRuns = 10_000
)

// Notifier follows the log and tells of its events. It holds up no study: it
// only reads.
type Notifier struct {
	Bus    events.Bus
	Policy Policy
	Logger *slog.Logger

	// call is post, but for tests in fake time.
	call func(ctx context.Context, x *notice) error

	// wants are what runs ask for.
	wants map[messages.RunKey]wanted

	mu        sync.Mutex // guards receivers
	receivers map[receiverKey]*receiver
	sending   sync.WaitGroup
}

// wanted is what a run asks for, and whose it is.
type wanted struct {
	owner string
	of    []events.Notify
}

// receiverKey names a receiver. That of another owner is another one, so that nobody
// waits for what others tell it.
type receiverKey struct{ owner, name string }

// notice is an event on its way to a receiver.
type notice struct {
	to    events.Notify
	owner string
	id    string
	study string
	run   string
	data  []byte
	seq   uint64
	subj  string
}

// receiver is one that is told now; its notices wait in order.
type receiver struct{ waiting []notice }

// Run works until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.Bus.Ready(ctx); err != nil {
		return messages.Quiet(ctx, err)
	}
	info, err := n.Bus.Log().Info(ctx, events.RunFilter("*", "*"))
	if err != nil {
		return messages.Quiet(ctx, fmt.Errorf("look at the log: %w", err))
	}
	n.wants, n.receivers = map[messages.RunKey]wanted{}, map[receiverKey]*receiver{}
	sending, give := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		time.AfterFunc(shutdownGrace, give)
		n.sending.Wait()
		give()
	}()
	kinds := []string{events.OnCompleted, events.OnFailed, events.OnPaused, events.OnImproved}
	filters := make([]string, len(kinds))
	for i, k := range kinds {
		filters[i] = events.StudySubject("*", "*", k)
	}
	seen := uint64(0)
	for m, err := range n.Bus.Log().Follow(ctx, 0, filters...) {
		if err != nil {
			return messages.Quiet(ctx, fmt.Errorf("follow the log: %w", err))
		}
		seen = m.Seq
		n.heard(sending, m, m.Seq <= info.Last)
	}
	// The end of a study may be what ends this process.
	time.AfterFunc(shutdownGrace, give)
	for m, err := range n.Bus.Log().Read(sending, seen+1, filters...) {
		if err != nil {
			return messages.Quiet(sending, fmt.Errorf("read the log: %w", err))
		}
		n.heard(sending, m, m.Seq <= info.Last)
	}
	return nil
}

// heard tells of one event. Old ones were told, and improvements are of no
// use after a time.
func (n *Notifier) heard(ctx context.Context, m events.Message, before bool) {
	study, run, kind, ok := events.ParseStudySubject(m.Subject)
	if !ok || before && (kind == events.OnImproved || time.Since(m.Time) > lookBack) {
		return
	}
	if _, e, err := events.DecodeAs[events.StudyPaused](m.Data); err == nil && e.Already {
		return
	}
	key := messages.RunKey{Study: study, Run: run}
	wants, err := n.asked(ctx, key)
	if err != nil {
		n.Logger.Warn("what a study asks to be told cannot be read", "study", study, "run", run, "error", err)
		return
	}
	for i, w := range wants.of {
		if w.On == kind {
			n.enqueue(ctx, notice{w, wants.owner, fmt.Sprintf("%s.%s.%d.%d", study, run, m.Seq, i), study, run, m.Data, m.Seq, m.Subject})
		}
	}
}

func (n *Notifier) asked(ctx context.Context, key messages.RunKey) (wants wanted, err error) {
	if wants, known := n.wants[key]; known {
		return wants, nil
	}
	for m, err := range n.Bus.Log().Read(ctx, 0, events.StudySubject(key.Study, key.Run, "accepted")) {
		if err != nil {
			return wanted{}, err
		}
		_, e, err := events.DecodeAs[events.StudyAccepted](m.Data)
		if err != nil {
			return wanted{}, err
		}
		if err := events.CheckSpec(&e.Spec, true); err != nil {
			return wanted{}, err
		}
		wants = wanted{e.Owner, e.Spec.Notify}
	}
	if len(n.wants) >= maxRuns {
		clear(n.wants)
	}
	n.wants[key] = wants
	return wants, nil
}

// enqueue hands a notice to its receiver, which is told one after the other. Of
// a run's improvements that wait only the last one is of interest.
func (n *Notifier) enqueue(ctx context.Context, x notice) {
	key := receiverKey{x.owner, cmp.Or(x.to.Webhook, x.to.Subject)}
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.receivers[key]
	if r != nil {
		for i := range r.waiting {
			if w := &r.waiting[i]; x.to.On == events.OnImproved && w.to == x.to && w.study == x.study && w.run == x.run {
				*w = x
				return
			}
		}
	}
	switch {
	case r == nil && n.crowded(x.owner), r != nil && len(r.waiting) >= maxWaiting:
		n.Logger.Warn("a notice is dropped: too many wait", "study", x.study, "run", x.run, "to", events.Redact(key.name))
	case r != nil:
		r.waiting = append(r.waiting, x)
	default:
		r = &receiver{waiting: []notice{x}}
		n.receivers[key] = r
		n.sending.Go(func() { n.serve(ctx, key, r) })
	}
}

// crowded reports whether an owner, or all, have as many receivers as are waited for.
func (n *Notifier) crowded(owner string) bool {
	of := 0
	for key := range n.receivers {
		if key.owner == owner {
			of++
		}
	}
	return of >= maxOfOwner || len(n.receivers) >= maxReceivers
}

// serve tells a receiver until nothing waits.
func (n *Notifier) serve(ctx context.Context, key receiverKey, r *receiver) {
	for {
		n.mu.Lock()
		if len(r.waiting) == 0 || ctx.Err() != nil {
			delete(n.receivers, key)
			n.mu.Unlock()
			return
		}
		x := r.waiting[0]
		r.waiting = r.waiting[1:]
		n.mu.Unlock()
		n.deliver(ctx, &x)
	}
}

// errForGood is a refusal that comes again however often one asks.
var errForGood = errors.New("refused")

// deliver tries until it succeeds, is refused, or has tried enough; then it
// leaves a dead letter.
func (n *Notifier) deliver(ctx context.Context, x *notice) {
	pause := firstPause
	var err error
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause *= 2
		}
		if err = n.send(ctx, x); err == nil || ctx.Err() != nil {
			return
		}
		if errors.Is(err, errForGood) || errors.Is(err, errForbidden) {
			break
		}
	}
	to := events.Redact(cmp.Or(x.to.Webhook, x.to.Subject))
	reason := events.Redact(fmt.Sprintf("the notice to %s: %v", to, err))
	n.Logger.Warn("a notice could not be delivered", "study", x.study, "run", x.run, "to", to, "error", events.Redact(err.Error()))
	_ = messages.SetAside(ctx, n.Bus, n.Logger, x.study, events.DeadLetter{
		Service: "proposer", Reason: reason, Subject: x.subj, Sequence: x.seq, Body: x.data,
	}, "dlq.notify."+x.id) // ctx ends
}

func (n *Notifier) send(ctx context.Context, x *notice) error {
	if x.to.Subject != "" {
		return n.Bus.Notify(ctx, events.NotifySubject(x.to.Subject), x.data)
	}
	if n.call != nil {
		return n.call(ctx, x)
	}
	return n.post(ctx, x)
}
