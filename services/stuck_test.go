package services_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/archive"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// faulty is a bus of which single operations fail.
type faulty struct {
	events.Bus
	appending func(subject string) error
	working   func() error
	recording func() error
	following func() error
}

func (f faulty) Log() events.Log              { return faultyLog{f.Bus.Log(), f} }
func (f faulty) Facts() events.Facts          { return faultyFacts{f.Bus.Facts(), f} }
func (f faulty) Queue(slots int) events.Queue { return faultyQueue{f.Bus.Queue(slots), f} }

type faultyLog struct {
	events.Log
	f faulty
}

func (l faultyLog) Append(ctx context.Context, m events.Message, fence events.Fence) (uint64, error) {
	if l.f.appending != nil {
		if err := l.f.appending(m.Subject); err != nil {
			return 0, err
		}
	}
	return l.Log.Append(ctx, m, fence)
}

type faultyQueue struct {
	events.Queue
	f faulty
}

func (q faultyQueue) Publish(topic string, messages ...*message.Message) error {
	if q.f.working != nil && strings.HasPrefix(topic, "work.") {
		if err := q.f.working(); err != nil {
			return err
		}
	}
	return q.Queue.Publish(topic, messages...)
}

type faultyFacts struct {
	events.Facts
	f faulty
}

func (t faultyFacts) Record(ctx context.Context, m events.Message) (uint64, error) {
	if t.f.recording != nil {
		if err := t.f.recording(); err != nil {
			return 0, err
		}
	}
	return t.Facts.Record(ctx, m)
}

func (t faultyFacts) Follow(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	if t.f.following != nil {
		if err := t.f.following(); err != nil {
			return func(yield func(events.Message, error) bool) { yield(events.Message{}, err) }
		}
	}
	return t.Facts.Follow(ctx, from, filters...)
}

// troubled runs test with a proposer on a faulty bus and one evaluator.
func troubled(t *testing.T, f faulty, topology []events.Stream, test func(s *sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		s.hub = membus.New(membus.Config{Seed: 1, Topology: topology, Trace: s.trace})
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			f.Bus = b
			return &proposer.Proposer{Bus: f, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.start("evaluator", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		test(s)
	})
}

func (s *sim) state(name string) study.State {
	s.t.Helper()
	view, err := client.ReadStudy(s.ctx, s.hub.Client("reader").Log(), name, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return view.State
}

func TestAStuckStudyHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	f := faulty{appending: func(subject string) error {
		if full.Load() && strings.HasPrefix(subject, "study.stuck.") {
			return events.ErrFull
		}
		return nil
	}}
	troubled(t, f, nil, func(s *sim) {
		s.submit("stuck", "x1", toyStudy("stuck", 4000, ""))
		s.submit("sim", "x2", toyStudy("sim", 4000, ""))
		time.Sleep(300 * time.Millisecond)
		full.Store(true)
		s.control("stuck", "c1", "pause", 0)
		s.control("sim", "c2", "pause", 0)
		time.Sleep(9 * time.Second)
		if got := s.state("sim"); got != study.Paused {
			t.Errorf("the study behind the stuck one is %s, want paused", got)
		}
		r := s.log("rejected.stuck")
		if len(r) != 1 || r[0].(events.StudyRejected).Errors[0].Code != "full" {
			t.Fatalf("rejections %+v, want one that says that the stream is full", r)
		}
		full.Store(false)
		time.Sleep(20 * time.Second)
		if got := s.state("stuck"); got == study.Paused {
			t.Error("a request that was refused was carried out later")
		}
	})
}

// lines keeps what a service logs of its own troubles, and of their end.
type lines struct {
	mu   sync.Mutex
	said []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && r.Message != "the study waits" || strings.HasSuffix(r.Message, "again") || strings.HasSuffix(r.Message, "told of") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.said = append(l.said, r.Message)
	}
	return nil
}

// all is what was said so far; services may still say more.
func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.said)
}

// A bus that is gone is a line, one a minute at most, and one when it is
// back: in every role. A page of lines a second hides what else went wrong.
func TestAnOutageIsNotLoggedAtEveryTry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		logs, gone := map[string]*lines{}, map[string]*atomic.Bool{}
		role := func(name string, of func(events.Bus, *slog.Logger) service) {
			logs[name], gone[name] = &lines{}, &atomic.Bool{}
			fails := func() error {
				if gone[name].Load() {
					return events.ErrUnreachable
				}
				return nil
			}
			s.start(name, func(b events.Bus) service {
				return of(faulty{Bus: b, appending: func(string) error { return fails() }, working: fails, recording: fails}, slog.New(logs[name]))
			})
		}
		role("proposer", func(b events.Bus, log *slog.Logger) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: log}
		})
		role("evaluator", func(b events.Bus, log *slog.Logger) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: log, Slots: 2}
		})
		role("archiver", func(b events.Bus, log *slog.Logger) service {
			return &archive.Archiver{Bus: b, Dir: dir, Plain: true, Logger: log}
		})
		s.submit("sim", "x1", toyStudy("sim", 1000, ""))
		for _, name := range []string{"evaluator", "proposer", "archiver"} { // in this order all have something to do
			time.Sleep(300 * time.Millisecond)
			gone[name].Store(true)
			time.Sleep(2*time.Minute + 30*time.Second)
			gone[name].Store(false)
		}
		s.final(s.wait("sim"))
		for name, l := range logs {
			said := l.all()
			n := map[string]int{}
			for _, line := range said {
				n[line]++
			}
			for line, times := range n {
				if times > 3 {
					t.Errorf("the %s says %d times in two minutes and a half: %s", name, times, line)
				}
			}
			if back := n["the bus can be reached again"] + n["the archived files are told of"]; len(said) < 2 || back != 1 {
				t.Errorf("the %s says %q, want an outage, and its end once", name, said)
			}
		}
	})
}

// The queue of work is full: nothing goes on, but users can still decide.
func TestAStudyThatWaitsForRoomCanBePaused(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	f := faulty{working: func() error {
		if full.Load() {
			return events.ErrFull
		}
		return nil
	}}
	troubled(t, f, nil, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 400, ""))
		time.Sleep(300 * time.Millisecond)
		full.Store(true)
		time.Sleep(30 * time.Second)
		s.control("sim", "c1", "pause", 0)
		if got := s.state("sim"); got != study.Paused {
			t.Fatalf("paused on request while it waits for room: %s", got)
		}
		full.Store(false)
		s.control("sim", "c2", "resume", 0)
		time.Sleep(20 * time.Second)
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("with room again: %s (%s), want completed", view.State, view.Reason)
		}
	})
}

func TestAnOwnerThatHearsNothingSaysSo(t *testing.T) {
	t.Parallel()
	var follows atomic.Int64
	f := faulty{following: func() error {
		if follows.Add(1) == 1 {
			return errors.New("the server forbids it")
		}
		return nil
	}}
	troubled(t, f, nil, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 80, ""))
		if view := s.wait("sim"); view.State != study.Paused || !strings.Contains(view.Reason, "the server forbids it") {
			t.Fatalf("%s (%s), want paused with the reason", view.State, view.Reason)
		}
		s.control("sim", "c1", "resume", 0)
		time.Sleep(20 * time.Second)
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("resumed: %s (%s), want completed", view.State, view.Reason)
		}
	})
}

func smallResults() []events.Stream {
	topology := events.Topology()
	for i := range topology {
		if topology[i].Once {
			topology[i].MaxBytes = 1 << 20
		}
	}
	return topology
}

// fill leaves no room for results.
func (s *sim) fill() *membus.Client {
	s.t.Helper()
	user := s.hub.Client("user")
	if err := user.Ready(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	for size, batch := 1000, 0; size > 0; batch++ {
		subject := events.ResultSubject("other", "old", "00000001", batch)
		_, err := user.Facts().Record(s.ctx, events.Message{Subject: subject, ID: strconv.Itoa(batch), Data: make([]byte, size)})
		if err != nil {
			size /= 10
		}
	}
	return user
}

func TestAFullStreamOfResultsPausesTheStudy(t *testing.T) {
	t.Parallel()
	troubled(t, faulty{}, smallResults(), func(s *sim) {
		user := s.fill()
		s.submit("sim", "x1", toyStudy("sim", 400, ""))
		for i := range 2 {
			view := s.wait("sim")
			if view.State != study.Paused || !strings.Contains(view.Reason, "full") || !strings.Contains(view.Reason, "study rm") {
				t.Fatalf("%s (%s), want paused because the stream is full", view.State, view.Reason)
			}
			if i == 1 {
				if err := user.Purge(s.ctx, "result.other.>"); err != nil {
					t.Fatal(err)
				}
			}
			s.control("sim", fmt.Sprint("c", i), "resume", 0)
		}
		time.Sleep(10 * time.Minute) // the evaluator comes back to what it could not store
		if view := s.wait("sim"); view.State != study.Completed || view.Summary.Trials != 400 {
			t.Errorf("with room again: %s (%s), want completed", view.State, view.Reason)
		}
	})
}

// The proposer itself records the answer of a batch that needs no evaluation.
func TestAFullStreamOfResultsPausesAStudyOfKnownDesigns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		s.hub = membus.New(membus.Config{Seed: 1, Topology: smallResults(), Trace: s.trace})
		defer s.close()
		log := &sources{}
		s.startWith(map[string]proposer.Sources{"proposer": log})
		log.source.Store(s.first())
		user := s.fill()
		body := toyStudy("sim", 40, `,"transfer":{"sources":[{"study":"first"}]}`)
		s.submit("sim", "x1", strings.Replace(body, `"batch":8,"parallelism":4`, `"batch":1,"parallelism":1`, 1))
		if view := s.wait("sim"); view.State != study.Paused || !strings.Contains(view.Reason, "full") {
			t.Fatalf("%s (%s), want paused because the stream is full", view.State, view.Reason)
		}
		if err := user.Purge(s.ctx, "result.other.>"); err != nil {
			t.Fatal(err)
		}
		s.control("sim", "c1", "resume", 0)
		time.Sleep(10 * time.Minute)
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("with room again: %s (%s), want completed", view.State, view.Reason)
		}
	})
}

// Asking for what is so is answered, although no event says it.
func TestARequestForWhatIsSoIsAnswered(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		time.Sleep(300 * time.Millisecond)
		user := s.hub.Client("user")
		for _, c := range []events.StudyControl{
			{Verb: "resume"},
			{Verb: "pause"},
			{Verb: "pause"},
			{Verb: "extend", Trials: 4000},
			{Verb: "resume"},
			{Verb: "stop"},
			{Verb: "stop"},
			{Verb: "stop"},
		} {
			c.Study = "sim"
			began := time.Now()
			if err := client.Control(s.ctx, user, "", c); err != nil {
				t.Errorf("%s: %v", c.Verb, err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s took %v", c.Verb, took)
			}
		}
		var rejected *client.RejectedError
		if err := client.Control(s.ctx, user, "", events.StudyControl{Study: "sim", Verb: "pause"}); !errors.As(err, &rejected) {
			t.Errorf("pausing a stopped study: %v, want a rejection", err)
		}
	})
}

// A proposer of one study carries out commands of the others, because any
// proposer may get them, and leaves the studies to whoever drives them.
func TestAProposerOfOneStudyDrivesNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		logger := slog.New(slog.DiscardHandler)
		s.start("only", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Only: "other", Logger: logger}
		})
		s.start("evaluator", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: logger}
		})
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		s.control("sim", "c1", "pause", 0)
		s.control("sim", "c2", "extend", 4400)
		s.control("sim", "c3", "resume", 0)
		time.Sleep(time.Minute)
		if got, n := s.state("sim"), len(s.log("study.sim.*.started", "study.sim.*.proposed")); got != study.Running || n != 0 {
			t.Fatalf("a study that nobody drives is %s and has %d events of a driver", got, n)
		}
		s.start("all", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: logger}
		})
		// Whoever carries out the request, the driver hears of it.
		for i := range 6 {
			time.Sleep(500 * time.Millisecond)
			before := len(s.log("study.sim.*.proposed"))
			s.control("sim", fmt.Sprint("p", i), "pause", 0)
			s.control("sim", fmt.Sprint("r", i), "resume", 0)
			if after := len(s.log("study.sim.*.proposed")); after == before {
				t.Fatalf("round %d: the study does not go on after it was resumed", i)
			}
		}
		s.control("sim", "p", "pause", 0)
		s.control("sim", "s", "stop", 0)
		if got := s.state("sim"); got != study.Stopped {
			t.Errorf("stopped while it was paused: %s", got)
		}
	})
}

// What was measured is not measured again because it could not be stored for a while, and
// the study goes on within seconds of the room.
func TestAnAnswerIsKeptUntilItIsStored(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{events.ErrFull, events.ErrUnreachable} {
		t.Run(cause.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, 1, membus.Faults{}, 0)
				defer s.close()
				var refused atomic.Bool
				var evaluations atomic.Int64
				s.start("proposer", func(b events.Bus) service {
					return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently}
				})
				s.start("worker", func(b events.Bus) service {
					f := faulty{Bus: b, recording: func() error {
						if refused.Load() {
							return cause
						}
						return nil
					}}
					return &worker.Evaluator{Bus: f, Name: "toy", Slots: 4, Worker: "host/1", Logger: silently, Catalog: toyCatalog(toy{evaluations: func(int) { evaluations.Add(1) }})}
				})
				refused.Store(true)
				s.submit("sim", "x1", toyStudy("sim", 40, ""))
				time.Sleep(10 * time.Minute)
				refused.Store(false)
				time.Sleep(30 * time.Second)
				if view := s.wait("sim"); view.State != study.Completed {
					t.Fatalf("%s (%s) 30 s after answers are stored again, want completed", view.State, view.Reason)
				}
				if n := evaluations.Load(); n != 40 {
					t.Errorf("%d evaluations of 40 designs", n)
				}
			})
		})
	}
}
