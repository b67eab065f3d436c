package proposer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
	"apollo/services/tracing"
)

const (
	// resendMax bounds how long work is held back whose answers are refused,
	// resendServed the same where a worker is there that it is for.
	resendMax    = time.Minute
	resendServed = time.Second
	// roomEvery is how often a run that waits for results looks whether there is
	// room for them: a disk that fills up is a matter of minutes.
	roomEvery = 10 * time.Second
	// answerRoom is the room that the answer to a batch may need: docs/events.md,
	// Limits.
	answerRoom = 256 << 10
)

// owner drives one run: it folds the log and the results into the machine,
// appends what the machine says, and publishes work. Everything happens on
// one goroutine; a second owner elsewhere is kept out by the log's fence.
type owner struct {
	proposer *Proposer
	key      messages.RunKey
	log      *slog.Logger
	// brief: it carries out one request and ends. It proposes nothing.
	brief bool
	// cancelling: it is brief, and knows nothing of the sources.
	cancelling bool
	// who is whose run it is; guarded by Proposer.mu.
	who      string
	requests chan ownerRequest
	// verifies is called with every event before it is folded; nil but for Verify.
	verifies func(seq uint64, e events.Payload) error
	// kept is a request that it could not carry out before it has loaded the run.
	kept chan ownerRequest
	// moved holds a token when the run's log may have moved on without it.
	moved chan struct{}
	// lettered holds one when there may be new dead letters about its study. nextLetter is
	// where to read on for them; unread: that has failed.
	lettered   chan struct{}
	nextLetter uint64
	unread     bool
	// stuck is what keeps it waiting for the bus; nil while nothing does.
	stuck atomic.Pointer[stuck]
	// asking is since when it waits for one answer of the bus.
	asking atomic.Pointer[stuck]
	// away and full are what is logged of a bus that cannot be reached, and of a
	// stream that takes nothing; blind and roomless of looks that find nothing out, and
	// queueless of a queue that cannot be made again.
	away, full, blind, roomless, queueless messages.Outage

	teller teller
	// isLoading: it reads the run's log, results and sources.
	isLoading atomic.Bool
	done      chan struct{}
	err       error // why it ended; read it after done
	// waiting counts who is about to ask something; it changes under
	// Proposer.mu upwards, anywhere downwards.
	waiting atomic.Int32

	machine *study.Machine
	spec    *events.Spec
	pins    []events.SourcePin
	// models end the programs that the run asks.
	models []func() error
	// announced: the log knows which build this owner is of.
	announced bool
	// relearned: another owner's choice of sources replaced this one's.
	relearned bool
	// session makes event ids differ from another owner's, so that a lost
	// acknowledgement is told from a lost race.
	session string
	logSeq  uint64 // last folded event
	nextSeq uint64 // next result to follow
	// resultSeq is the last result that was folded.
	resultSeq uint64
	// bytes are those of the events and results that were folded.
	bytes    int64
	appended int
	sent     map[string]bool
	// again is added to the keys of work after the bus went back: the queue may
	// remember an item whose answer is gone.
	again string
	// letters are the dead letters, by batch, about items that the queue still holds.
	letters map[int]events.DeadLetter
	// before are those of them that were there before this owner published anything.
	before map[int]events.DeadLetter
	// judged is the batch whose letter was judged last.
	judged int
	// missed is what the last look did not find in the queue, and lookedAt the batch that the
	// next one begins with.
	missed   map[string]bool
	lookedAt int
	// lostTimes counts how often an item was lost.
	lostTimes map[string]int
	// later is until when the work of a batch is held back; resend fires at
	// wake, when the next of them may go.
	later  map[int]time.Time
	resend *time.Timer
	wake   time.Time
	// header travels with everything that follows from the request.
	header map[string]string
	// traced are the spans of the asks for batches that are not sent yet.
	traced map[int]map[string]string
	// wallSince is when the run was accepted, or extended the last time.
	wallSince time.Time
	// provisioned: the evaluator's consumer exists.
	provisioned bool
	// began is when it had loaded the run, and lastMove when it last proposed
	// something or heard of a result.
	began, lastMove time.Time
	// found is what the run waits for, since foundSince; said is what its log
	// says about that, and changes how often that has changed.
	found, said *events.Waiting
	foundSince  time.Time
	changes     int
	// idle is why workers of the run have nothing to do, since idleSince.
	idle      *events.Waiting
	idleSince time.Time
	idleNamed time.Time // when the reason in idle was found last
	// slots are those of the workers that serve the run, and strangers those of
	// workers that say nothing, as the last look saw them; curbed: it had more
	// work than its portion since then. answered counts the results that came
	// lately.
	slots     int
	strangers int
	curbed    bool
	answered  recentCount
}

type ownerRequest struct {
	// ctx ends when nobody waits for the reply any more.
	ctx     context.Context
	control *events.StudyControl
	reply   chan ownerReply
}

type ownerReply struct {
	refusal error // what to tell the user
	err     error // try again later
}

// run drives the run until it ends or ctx does.
func (o *owner) run(ctx context.Context) error {
	var session [6]byte
	_, _ = rand.Read(session[:]) // never fails: see crypto/rand
	o.session, o.sent, o.later = hex.EncodeToString(session[:]), map[string]bool{}, map[int]time.Time{}
	o.letters, o.before, o.judged, o.missed, o.lostTimes = nil, nil, -1, nil, map[string]int{}
	o.resend = time.NewTimer(resendMax)
	o.resend.Stop()
	defer o.resend.Stop()
	ctx, cancel := context.WithCancel(ctx)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer cancel()
	o.teller.loading(o.key)
	followers.Go(func() { o.beat(ctx) })
	o.isLoading.Store(true)
	err := o.retry(ctx, "load", o.load)
	o.isLoading.Store(false)
	if err != nil {
		return messages.Quiet(ctx, err)
	}
	if err := o.readFirstLetters(ctx); err != nil {
		return messages.Quiet(ctx, err)
	}
	results, broken := make(chan events.Message, 64), make(chan error, 1)
	answers := o.proposer.Bus.Facts().Follow(ctx, o.nextSeq, o.resultFilter())
	followers.Go(func() { broken <- pass(ctx, "results", answers, results) })
	room, look := time.NewTicker(roomEvery), time.NewTicker(lookForCauseEvery)
	defer room.Stop()
	defer look.Stop()
	o.began = time.Now()
	o.lastMove = o.began
	o.countSlots(ctx, o.began)
	for {
		if err := errors.Join(o.checkWall(ctx), o.checkBytes(ctx)); err != nil {
			return messages.Quiet(ctx, err)
		}
		if err := o.retryServing(ctx, "drive", o.requests, o.drive); err != nil {
			return messages.Quiet(ctx, err)
		}
		if o.machine.Stale() {
			return messages.Quiet(ctx, errVoided)
		}
		o.tick(ctx)
		if state, _ := o.machine.State(); state.Terminal() {
			if err := o.retry(ctx, "clean up", o.cleanUp); err != nil || o.proposer.retire(o) {
				return messages.Quiet(ctx, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case m := <-results:
			if err := o.foldResults(ctx, m, results); err != nil {
				return messages.Quiet(ctx, err)
			}
		case <-o.lettered:
			o.hearOfLetters(ctx)
		case <-o.resend.C:
			o.wake = time.Time{}
		case err := <-broken:
			return messages.Quiet(ctx, err)
		case <-o.moved:
			if err := o.retry(ctx, "read the log", o.refresh); err != nil {
				return messages.Quiet(ctx, err)
			}
		case <-look.C:
			if o.unread {
				o.hearOfLetters(ctx)
			}
			o.judgeLetters(ctx)
			if err := o.look(ctx); err != nil {
				return messages.Quiet(ctx, err)
			}
		case <-room.C:
			if err := o.checkMoment(ctx); err != nil {
				return messages.Quiet(ctx, err)
			}
			if err := o.lookForWork(ctx); err != nil {
				return messages.Quiet(ctx, err)
			}
			if err := o.checkRoom(ctx); err != nil {
				return messages.Quiet(ctx, err)
			}
		case r := <-o.next():
			reply := o.request(r.ctx, r.control) //nolint:contextcheck // it ends with who asked
			r.reply <- reply
			if errors.Is(reply.err, errLogWentBack) {
				return reply.err
			}
			if o.brief {
				return messages.Quiet(ctx, o.retry(ctx, "clean up", o.cleanUp))
			}
		}
	}
}

// giveUp tells users that the run is not driven any more and why, by pausing
// it: whoever mends the cause resumes it.
func (o *owner) giveUp(ctx context.Context) {
	o.log.Error("the study cannot go on", "error", o.err)
	end, err := o.readEnd(ctx)
	if err != nil {
		o.log.Error("pause the study", "error", err)
		return
	}
	if !end.active {
		return
	}
	e := events.StudyPaused{Study: o.key.Study, Run: o.key.Run, Reason: events.Cut(o.err.Error(), events.MaxReasonBytes)}
	m := events.Message{Subject: events.StudySubject(o.key.Study, o.key.Run, "paused"), ID: o.key.Run + ".paused." + o.session, Header: o.header}
	err = messages.Append(ctx, o.proposer.Bus.Log(), m, "proposer", e,
		events.Fence{Filter: events.RunFilter(o.key.Study, o.key.Run), Last: end.last})
	if err != nil {
		o.log.Error("pause the study", "error", err)
	}
}

// drive says everything that there is to say, and publishes the work.
func (o *owner) drive(ctx context.Context) error {
	if o.brief {
		return nil
	}
	state, _ := o.machine.State()
	// Once: two builds that drive a run side by side would say it for ever.
	other := !o.announced && state == study.Running && o.machine.Build() != o.proposer.Build
	o.announced = true
	if !o.machine.Started() || other {
		err := o.append(ctx, "started", events.StudyStarted{Study: o.key.Study, Run: o.key.Run, Sources: o.pins, Build: o.proposer.Build})
		if err != nil {
			return err
		}
	}
	for {
		if err := o.share(ctx); err != nil {
			return err
		}
		asked := time.Now()
		e, err := o.machine.Next()
		if p, ok := e.(events.TrialsProposed); ok {
			o.asked(ctx, &p, asked)
		}
		if errors.Is(err, errSourceMissing) {
			return err
		}
		if err != nil {
			e = events.StudyFailed{Study: o.key.Study, Run: o.key.Run, Reason: events.Cut(err.Error(), events.MaxReasonBytes)}
		}
		if e == nil {
			return o.publish(ctx)
		}
		if err := o.append(ctx, kindOf(e), e); err != nil {
			return err
		}
		// At once: the evaluators work while the next batch is asked for.
		if err := o.publish(ctx); err != nil {
			return err
		}
	}
}

// asked tells of a batch that the strategy was asked for.
func (o *owner) asked(ctx context.Context, p *events.TrialsProposed, since time.Time) {
	if o.proposer.Suggested != nil {
		o.proposer.Suggested(o.spec.Algorithm.Name, time.Since(since))
	}
	if o.proposer.Tracer == nil {
		return
	}
	span := tracing.BeginAt(ctx, o.proposer.Tracer, o.header, "ask", trace.SpanKindInternal, since,
		append(tracing.Batch(o.key.Study, o.key.Run, p.Batch, p.FirstTrial, len(p.Designs)), attribute.String("apollo.algorithm", o.spec.Algorithm.Name))...)
	span.End(nil)
	if len(o.traced) >= events.MaxParallelism {
		clear(o.traced) // their work is linked to the request alone
	}
	if o.traced == nil {
		o.traced = map[int]map[string]string{}
	}
	o.traced[p.Batch] = span.Header()
}

// request carries out a user's request.
func (o *owner) request(ctx context.Context, c *events.StudyControl) ownerReply {
	// Once for all batches of a request: the commands of all studies wait for it.
	designs := sync.OnceValues(func() (map[int]events.Design, error) { return o.designs(ctx, c.Retry) })
	if refusal := o.overQuota(c); refusal != nil {
		return ownerReply{refusal: refusal}
	}
	for {
		before := o.logSeq
		var e events.Payload
		var refusal, err error
		if c.Verb == "retry" {
			e, refusal, err = o.machine.Retry(c, designs)
		} else {
			e, refusal = o.machine.Command(c)
		}
		if err != nil {
			return ownerReply{err: err}
		}
		if refusal != nil || e == nil {
			return ownerReply{refusal: refusal}
		}
		if err := o.append(ctx, kindOf(e), e); err != nil {
			return ownerReply{err: err}
		}
		if o.machine.Knows(c.ID) || o.logSeq == before {
			return ownerReply{}
		}
	}
}

// errVoided makes a run begin anew from its log and its results: trials that it has
// told its strategies count for nothing any more.
var errVoided = errors.New("trials were voided")

// designs reads those of the trials that a request names.
func (o *owner) designs(ctx context.Context, trials []int) (map[int]events.Design, error) {
	found := map[int]events.Design{}
	for m, err := range o.proposer.Bus.Log().Read(ctx, 0, events.StudySubject(o.key.Study, o.key.Run, "proposed")) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		_, p, err := events.DecodeAs[events.TrialsProposed](m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err)
		}
		for i, d := range p.Designs {
			if slices.Contains(trials, p.FirstTrial+i) {
				found[p.FirstTrial+i] = d
			}
		}
	}
	return found, nil
}

// cleanUp drops the queued work of a cancelled or failed run.
func (o *owner) cleanUp(ctx context.Context) error {
	if state, _ := o.machine.State(); state != study.Cancelled && state != study.Failed {
		return nil
	}
	return o.proposer.Bus.Purge(ctx, fmt.Sprintf("work.%s.%s.%s.*", o.spec.Evaluator.Name, o.key.Study, o.key.Run))
}
