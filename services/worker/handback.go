package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/services/messages"
)

const (
	// handBackFirst and handBackMax bound the time after which an item comes
	// again that was handed back. Between them it is one part in handBackPart of
	// what the item has waited: an item that every other worker may take by chance
	// first must not wait twice as long each time, and one that waits for long must
	// not keep the workers busy.
	handBackFirst = 20 * time.Millisecond
	handBackMax   = 2 * time.Second
	handBackPart  = 8
	// metaHandBacks is how many times an item was handed back before this copy
	// took its place.
	metaHandBacks = "Apollo-Handed-Back"
	// maxHandBacks is after how many deliveries a copy takes the place of an
	// item that is handed back: far from events.MaxDeliver, which is for items
	// that nobody survives.
	maxHandBacks = events.MaxDeliver / 2
	// lookTimeout bounds the look whether a run still waits for answers.
	lookTimeout = 2 * time.Second
)

// handBack is the error of a worker that is not the one that an item is for.
// Nothing is wrong with the item.
type handBack struct{ why string }

// Error implements error.
func (h *handBack) Error() string { return h.why }

// isAsked returns a handBack when the item is for somebody else.
func (e *Evaluator) isAsked(work *events.BatchRequested) error {
	if e.OnlyStudy != "" && (work.Study != e.OnlyStudy || work.Run != e.OnlyRun) {
		return &handBack{fmt.Sprintf("this worker serves run %s of study %s alone", e.OnlyRun, e.OnlyStudy)}
	}
	if work.Identity == nil {
		return nil
	}
	have := events.Identity{Program: e.Program.Digest()}
	if backend := e.backendOf(work); backend != nil {
		have.Version = backend.Describe().Version
	}
	if have != *work.Identity {
		return &handBack{fmt.Sprintf("waits for %s of evaluator %s; this worker has %s", work.Identity, e.Name, have)}
	}
	return nil
}

// HandedBack counts the items that were handed back because they are for
// another version, program or run.
func (e *Evaluator) HandedBack() uint64 { return e.handedBack.Load() }

// handBack gives an item back and says so. It returns nil when a copy has taken
// the place of the item, which is done with then.
func (e *Evaluator) handBack(msg *message.Message, back *handBack) error {
	e.handedBack.Add(1)
	subject := msg.Metadata.Get(events.MetaSubject)
	e.tell(subject, back)
	n, _ := strconv.Atoi(msg.Metadata.Get(events.MetaDeliveries))
	before, _ := strconv.Atoi(msg.Metadata.Get(metaHandBacks))
	if n >= maxHandBacks {
		err := e.renew(msg, subject, before+n)
		if err == nil {
			return nil
		}
		e.Logger.Warn("renew a work item that is for another worker", "subject", subject, "error", err)
	}
	events.HandBack(msg, handBackDelay(before+n))
	return back
}

// handBackDelay is after what time an item comes again that was handed back n
// times.
func handBackDelay(n int) time.Duration {
	delay, waited := handBackFirst, time.Duration(0)
	for ; n > 1 && delay < handBackMax; n-- {
		waited += delay
		delay = max(handBackFirst, waited/handBackPart)
	}
	return min(delay, handBackMax)
}

// tell logs once for each run why its items are handed back.
func (e *Evaluator) tell(subject string, back *handBack) {
	study, run, _, _ := events.ParseWorkSubject(subject)
	key := study + "." + run + "." + back.why
	if !e.first(key) {
		e.Logger.Debug("work item handed back", "subject", subject, "reason", back.why)
		return
	}
	level := slog.LevelWarn
	if e.OnlyStudy != "" {
		level = slog.LevelInfo // the other study has a worker of its own, or will
	}
	e.Logger.Log(context.Background(), level, "work items handed back", "evaluator", e.Name, "study", study, "run", run, "reason", back.why,
		"hint", "the study goes on when a worker is there that fits; a fresh run of it takes the one that is there")
}

// renew publishes an item under a name of its own, so that its deliveries count
// from the start; the time until it comes again does not. The copy of an item whose run has ended would never go away:
// it is dropped instead.
func (e *Evaluator) renew(msg *message.Message, subject string, handBacks int) error {
	study, run, _, ok := events.ParseWorkSubject(subject)
	ctx := msg.Context()
	if ok && e.over(ctx, messages.RunKey{Study: study, Run: run}) {
		return nil
	}
	// Nobody must guess the name and use it up: the item would be gone.
	again := message.NewMessageWithContext(ctx, subject+".again."+rand.Text(), msg.Payload)
	for k, v := range events.QueueHeader(msg) {
		again.Metadata.Set(k, v)
	}
	again.Metadata.Set(metaHandBacks, strconv.Itoa(handBacks))
	return e.Bus.Queue(1).Publish(subject, again)
}

// dropped reports whether nobody waits for the answer to an item any more: its
// run was removed, or has ended. It looks at the first item of a run, and at
// every item that comes again.
func (e *Evaluator) dropped(ctx context.Context, msg *message.Message, work *events.BatchRequested) bool {
	key := messages.RunKey{Study: work.Study, Run: work.Run}
	e.mu.Lock()
	live := e.live[key]
	e.mu.Unlock()
	if live && msg.Metadata.Get(events.MetaDeliveries) == "1" {
		return false
	}
	if e.over(ctx, key) {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.live) >= maxBound {
		clear(e.live)
	}
	e.live[key] = true
	return false
}

// over reports whether a run takes no more answers, and says so. A log that
// cannot be read keeps nobody from work.
func (e *Evaluator) over(ctx context.Context, key messages.RunKey) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	last := "removed"
	for m, err := range e.Bus.Log().Read(ctx, 0, events.BoundsOfRuns(key.Study, key.Run)...) {
		if err != nil {
			e.Logger.Debug("look whether a run has ended", "study", key.Study, "run", key.Run, "error", err)
			return false
		}
		_, _, last, _ = events.ParseStudySubject(m.Subject)
	}
	if last != "removed" && !events.EndsRun(last) {
		return false
	}
	e.Logger.Info("work item dropped: nobody waits for it", "study", key.Study, "run", key.Run, "the_run_was", last)
	return true
}

// first reports whether something is said for the first time.
func (e *Evaluator) first(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	told := e.told[key]
	if e.told == nil || len(e.told) >= maxBound {
		e.told = map[string]bool{}
	}
	e.told[key] = true
	return !told
}
