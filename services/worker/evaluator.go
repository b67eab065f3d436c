// Package worker is the evaluator role: it takes work items, measures their
// designs and records the answers.
package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/catalog"
	"apollo/services/messages"
	"apollo/services/tracing"
)

// Evaluator takes work items and answers them. The unit of failure is one
// design: a broken evaluation fails its own trial, the rest of the batch keeps
// its results. Any number may run.
type Evaluator struct {
	Bus events.Bus
	// Name is the evaluator in the work subjects, "edge".
	Name string
	// Backend measures; nil binds the work item's template from Catalog.
	Backend evaluator.Backend
	Catalog catalog.Catalog
	// Program is the user's program that Backend runs; nil for what is built in.
	// With the backend's version it is the identity of who answers.
	Program *events.Program
	// OnlyStudy and OnlyRun are what is served alone; "" serves all.
	OnlyStudy, OnlyRun string
	// Slots is how many work items are in progress at a time; 0 means 1.
	Slots int
	// Worker identifies this process in results.
	Worker string
	Logger *slog.Logger
	// Meter hears what it does; nil for nobody.
	Meter Meter
	// Tracer makes the spans of work items; nil makes none.
	Tracer trace.Tracer
	// Failpoint is as in Proposer.
	Failpoint func(point string) error

	mu    sync.Mutex // guards what follows
	bound map[string]binding
	// live are the runs that were seen to wait for answers; told are the reasons
	// for handing items back that were logged.
	live map[messages.RunKey]bool
	told map[string]bool

	// process tells this worker from others of its name.
	process    string
	hands      heldItems
	storing    storing
	handedBack atomic.Uint64
	began      time.Time
	// answered counts designs, failed the attempts that broke.
	answered, failed atomic.Uint64
	// end ends Run with an error.
	end context.CancelCauseFunc
	// away and full are what is logged of a bus that cannot be reached, and of
	// streams that take no answer.
	away, full messages.Outage
}

// Meter hears what an evaluator does. Calls may be concurrent.
type Meter interface {
	// Taken is called for every work item: how often it has been handed out, and
	// how long it lay in the queue.
	Taken(deliveries int, waited time.Duration)
	// Attempted is called after every attempt at a design, with the code of why
	// it failed, "" for one that did not.
	Attempted(code string, took time.Duration)
	// Answered is called for every trial whose answer is stored.
	Answered(outcome string)
}

// binding is an evaluator that is ready for the work items of a study.
type binding struct {
	to        *events.BatchRequested
	evaluator evaluator.Evaluator
	columns   []int // of its answers, for the metrics that the study wants
}

// fits reports whether a work item asks the same as the one that the binding
// was made for. A run that was removed and asked for again has its old name.
func (b binding) fits(work *events.BatchRequested) bool {
	return b.to.Template == work.Template && b.to.MapperGoal == work.MapperGoal && b.to.Search == work.Search && slices.Equal(b.to.Parameters, work.Parameters) &&
		slices.EqualFunc(b.to.Networks, work.Networks, sameNetwork) && slices.Equal(b.to.Metrics, work.Metrics)
}

// sameNetwork compares networks by their identity, which covers the layers.
func sameNetwork(a, b events.Network) bool {
	return a.Name == b.Name && a.SHA256 == b.SHA256 && a.Weight == b.Weight && a.Accuracy == b.Accuracy
}

// Run works until ctx ends, then finishes what is in progress. It returns an
// error when it cannot subscribe, and one that wraps evaluator.ErrChanged when
// the program that it runs is no longer the one that it was.
func (e *Evaluator) Run(ctx context.Context) error {
	e.bound, e.live, e.told = map[string]binding{}, map[messages.RunKey]bool{}, map[string]bool{}
	e.process, e.began = strings.ToLower(rand.Text()), time.Now()
	ctx, e.end = context.WithCancelCause(ctx)
	defer e.end(nil)
	if err := e.Bus.Ready(ctx); err != nil {
		return fmt.Errorf("wait for the streams: %w", err)
	}
	// Where permissions leave it to the proposer, it comes with the first work.
	if err := e.Bus.ProvisionEvaluator(ctx, e.Name); err != nil && !errors.Is(err, events.ErrDenied) {
		return fmt.Errorf("provision evaluator %s: %w", e.Name, err)
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 10 * time.Second}, watermill.NewSlogLogger(quietLogger(e.Logger)))
	if err != nil {
		return err
	}
	router.AddMiddleware(e.inHand, e.poison, middleware.Recoverer)
	router.AddConsumerHandler("evaluate", "work."+e.Name, e.Bus.Queue(max(e.Slots, 1)), func(msg *message.Message) error {
		return e.answer(ctx, msg)
	})
	beats, quiet := context.WithCancel(ctx)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer quiet()
	beating.Go(func() { e.beat(beats) })
	err = router.Run(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, evaluator.ErrChanged) {
		return cause
	}
	return err
}

// quietLogger keeps Watermill's routine messages out of the services' log.
func quietLogger(l *slog.Logger) *slog.Logger {
	return slog.New(levelFloor{l.Handler(), slog.LevelWarn})
}

type levelFloor struct {
	slog.Handler
	floor slog.Level
}

func (h levelFloor) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelFloor{h.Handler.WithAttrs(attrs), h.floor}
}

func (h levelFloor) WithGroup(name string) slog.Handler {
	return levelFloor{h.Handler.WithGroup(name), h.floor}
}

// handlerFailed is the Router's line about an error that poison has told.
const handlerFailed = "Handler returned error"

// Handle implements slog.Handler.
func (h levelFloor) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == handlerFailed {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h levelFloor) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.floor && h.Handler.Enabled(ctx, l)
}

// errPoison marks a message that no evaluator can answer.
var errPoison = errors.New("cannot be answered")

// poison moves messages that can never be answered, and panics, to the
// dead-letter stream. Every other error brings the message back later.
func (e *Evaluator) poison(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		_, err := next(msg)
		if back, ok := errors.AsType[*handBack](err); ok {
			return nil, e.handBack(msg, back)
		}
		panicked := false
		if _, ok := errors.AsType[middleware.RecoveredPanicError](err); ok {
			panicked = true
		}
		if !errors.Is(err, errPoison) && !panicked {
			switch {
			case err == nil:
				e.away.Over(e.Logger.Info, "the bus can be reached again")
				e.full.Over(e.Logger.Info, "the stream has room again")
			case canBeStoredLater(err):
				e.tellOutage(msg, err)
			case !errors.Is(err, context.Canceled):
				e.Logger.Warn("work item will be tried again", "subject", msg.Metadata.Get(events.MetaSubject), "error", err)
			}
			return nil, err
		}
		subject := msg.Metadata.Get(events.MetaSubject)
		e.Logger.Warn("dead letter", "subject", subject, "error", err)
		sequence, _ := strconv.ParseUint(msg.Metadata.Get(events.MetaSequence), 10, 64)
		return nil, messages.AppendDeadLetter(msg.Context(), e.Bus, events.StudyOf(subject), events.DeadLetter{
			Service: "evaluator", Reason: err.Error(), Subject: subject, Sequence: sequence, Body: msg.Payload,
		},
			// An id that follows from the item could be used up by whoever may write letters.
			fmt.Sprintf("dlq.evaluator.%s.%d.%s", subject, sequence, rand.Text()))
	}
}

// answer evaluates a work item and records the result. The message is
// acknowledged (by returning nil) only after that.
func (e *Evaluator) answer(ctx context.Context, msg *message.Message) error {
	_, payload, err := events.Decode(msg.Payload)
	if err != nil {
		return fmt.Errorf("%w: %w", errPoison, err)
	}
	work, ok := payload.(events.BatchRequested)
	if !ok {
		return fmt.Errorf("%w: a %s is no work item", errPoison, payload.EventType())
	}
	if err := events.ValidateWork(&work); err != nil {
		return fmt.Errorf("%w: %w", errPoison, err)
	}
	if err := e.isAsked(&work); err != nil {
		return err
	}
	if e.dropped(ctx, msg, &work) {
		return nil
	}
	bound, description, err := e.bind(&work)
	if err != nil {
		return fmt.Errorf("%w: %w", errPoison, err)
	}
	if e.Meter != nil {
		deliveries, _ := strconv.Atoi(msg.Metadata.Get(events.MetaDeliveries))
		stored, err := time.Parse(time.RFC3339Nano, msg.Metadata.Get(events.MetaStored))
		if err != nil {
			stored = time.Now() // a bus that does not say it
		}
		e.Meter.Taken(deliveries, max(0, time.Since(stored)))
	}
	e.Logger.Debug("work item taken", "study", work.Study, "run", work.Run, "batch", work.Batch)
	span := tracing.Begin(ctx, e.Tracer, messages.TraceOf(msg), "evaluate", trace.SpanKindConsumer, tracing.Batch(work.Study, work.Run, work.Batch, work.Trials[0], len(work.Trials))...)
	result, err := e.measure(ctx, msg, &work, bound, description.Version, span)
	span.End(err)
	if err != nil {
		return err
	}
	e.answered.Add(uint64(len(work.Designs)))
	if e.Meter != nil {
		for i := range result.Trials {
			e.Meter.Answered(result.Trials[i].Outcome)
		}
	}
	e.Logger.Debug("work item answered", "study", work.Study, "run", work.Run, "batch", work.Batch)
	return e.at("result.after")
}

// measure evaluates the designs of a work item and records the answer.
func (e *Evaluator) measure(ctx context.Context, msg *message.Message, work *events.BatchRequested, bound binding, version string, span tracing.Span) (*events.BatchEvaluated, error) {
	span.Note(attribute.String("apollo.evaluator", e.Name), attribute.String("apollo.worker", e.Worker), attribute.String("apollo.deliveries", msg.Metadata.Get(events.MetaDeliveries)))
	result := &events.BatchEvaluated{
		Study: work.Study, Run: work.Run, Batch: work.Batch, Evaluator: work.Evaluator,
		EvaluatorVersion: version, Program: e.Program.Digest(), Worker: e.Worker,
	}
	for _, m := range work.Metrics {
		result.Metrics = append(result.Metrics, m.Name)
	}
	result.Trials = make([]events.TrialResult, len(work.Designs))
	limit := timeLimit{timeout: time.Duration(work.TimeoutSeconds * float64(time.Second)), bounds: bounds(work)}
	defer limit.end()
	var err error
	for i := range work.Designs {
		if result.Trials[i], err = e.trial(ctx, bound.evaluator, work, i, bound.columns, &limit); err != nil {
			if errors.Is(err, evaluator.ErrChanged) {
				e.end(err)
			}
			return nil, err
		}
	}
	if err := e.at("result.before"); err != nil {
		return nil, err
	}
	return result, e.record(ctx, msg, work, span.Header(), result)
}

func (e *Evaluator) at(point string) error {
	if e.Failpoint == nil {
		return nil
	}
	return e.Failpoint(point)
}

// bind returns the evaluator for a work item; the items of a run share one.
func (e *Evaluator) bind(work *events.BatchRequested) (binding, evaluator.Description, error) {
	backend := e.backendOf(work)
	if backend == nil {
		return binding{}, evaluator.Description{}, fmt.Errorf("template %q is not part of this build", work.Template)
	}
	key := work.Study + "." + work.Run
	e.mu.Lock()
	defer e.mu.Unlock()
	if b, ok := e.bound[key]; ok && b.fits(work) {
		return b, backend.Describe(), nil
	}
	params := make([]space.Param, len(work.Parameters))
	for i, c := range work.Parameters {
		params[i] = space.Param{Name: c.Name, Unit: c.Unit}
	}
	task, err := e.Catalog.Task(params, work.Networks, work.Search, evaluator.MapperGoal(work.MapperGoal), work.Metrics)
	if err != nil {
		return binding{}, evaluator.Description{}, err
	}
	ev, err := backend.New(task)
	if err != nil {
		return binding{}, evaluator.Description{}, err
	}
	// One entry a study is small; forget all of them before they add up.
	if len(e.bound) >= maxBound {
		clear(e.bound)
	}
	to := &events.BatchRequested{
		Template: work.Template, Parameters: work.Parameters, Networks: work.Networks, Search: work.Search, MapperGoal: work.MapperGoal, Metrics: work.Metrics,
	}
	d := backend.Describe()
	b := binding{to, ev, metricColumns(work.Metrics, d.For(task))}
	e.bound[key] = b
	return b, d, nil
}

// backendOf returns what measures the designs of a work item; nil when its
// template is not part of this build.
func (e *Evaluator) backendOf(work *events.BatchRequested) evaluator.Backend {
	if e.Backend != nil {
		return e.Backend
	}
	t, _ := e.Catalog.Template(work.Template)
	return t.Backend
}

// maxBound bounds the evaluators that are kept ready.
const maxBound = 64

// metricColumns returns, for each metric that the study wants, its index in
// what the evaluator gives, or -1. An evaluator that lists no metrics gives
// what the study wants.
func metricColumns(want []events.Metric, have []evaluator.Metric) []int {
	columns := make([]int, len(want))
	for i, w := range want {
		columns[i] = -1
		if len(have) == 0 {
			columns[i] = i
		}
		for j, h := range have {
			if h.Name == w.Name && h.Unit == w.Unit {
				columns[i] = j
			}
		}
	}
	return columns
}
