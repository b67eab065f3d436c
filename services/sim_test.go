package services_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"regexp"
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

// sim runs the services over the bus in memory, inside a bubble of fake time,
// and kills and restarts them as a seed says.
type sim struct {
	t     *testing.T
	hub   *membus.Hub
	rng   *rand.Rand
	toy   toy
	wg    sync.WaitGroup
	stop  context.CancelFunc
	ctx   context.Context
	kills int // left
	odds  int // one operation in odds is a crash
	// diskKills are the kills of the archiver at its own crash points that are
	// left; half of its chances are taken.
	diskKills int

	mu      sync.Mutex
	procs   map[string]*incarnation
	crashes map[string]int // crash point → hits
	freezes int            // of a stream or the server
	said    map[string]int // type → messages of services
}

// incarnation is one life of a service, from its start to a kill.
type incarnation struct {
	client *membus.Client
	cancel context.CancelFunc
}

func newSim(t *testing.T, seed uint64, faults membus.Faults, kills int) *sim {
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 99)), kills: kills, odds: 12, procs: map[string]*incarnation{}, crashes: map[string]int{}, said: map[string]int{}}
	s.ctx, s.stop = context.WithCancel(t.Context())
	s.hub = membus.New(membus.Config{Seed: seed, Faults: faults, Trace: s.trace})
	return s
}

// trace checks what services say, and kills the process that is doing an
// operation, before or after its effect.
func (s *sim) trace(op membus.Op) {
	s.conforms(op)
	if op.Kind == membus.OpFreeze {
		s.mu.Lock()
		s.freezes++
		s.mu.Unlock()
	}
	point := crashPoint(op)
	if point == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kills == 0 || s.rng.IntN(s.odds) != 0 {
		return
	}
	p := s.procs[op.Client]
	if p == nil {
		return
	}
	s.kills--
	s.crash(op.Client, point)
}

// validator compiles the schemas once for all simulations.
var validator = sync.OnceValues(events.NewValidator)

// conforms checks an event of a service, or a dead letter of the bus, against
// the schemas that are published for it: the first ones of a type, and one in eight
// after them. All of them would cost more than a quarter of a simulation.
func (s *sim) conforms(op membus.Op) {
	service, _, _ := strings.Cut(op.Client, "-")
	if op.Data == nil || !slices.Contains([]string{"proposer", "evaluator", "archiver", ""}, service) {
		return // users say what they like
	}
	var typ string
	if op.Kind == membus.OpNotify {
		typ = noticeType(op.Subject)
	} else if _, after, ok := bytes.Cut(op.Data, []byte(`"type":"`)); ok {
		name, _, _ := bytes.Cut(after, []byte(`"`))
		typ = string(name)
	}
	s.mu.Lock()
	n := s.said[typ]
	s.said[typ]++
	s.mu.Unlock()
	if typ != "" && n >= 8 && n%8 != 0 {
		return
	}
	v, err := validator()
	switch {
	case err != nil:
	case op.Kind == membus.OpNotify:
		err = v.Data(typ, op.Data)
	default:
		err = v.Event(op.Data)
	}
	if err != nil {
		s.t.Errorf("%s says on %s what its schema forbids: %v\n%s", op.Client, op.Subject, err, op.Data)
	}
}

// subjects are the types by what their subjects match, made once.
var subjects = sync.OnceValue(func() map[string]string {
	of := map[string]string{}
	for _, info := range events.Types() {
		of[regexp.MustCompile(`{\w+}`).ReplaceAllString(info.Subject, "*")] = info.Type
	}
	return of
})

// noticeType is the type of what is notified on a subject.
func noticeType(subject string) string {
	for filter, typ := range subjects() {
		if events.MatchSubject(filter, subject) {
			return typ
		}
	}
	return subject
}

// crash ends an incarnation; s.mu is held.
func (s *sim) crash(name, point string) {
	p := s.procs[name]
	s.crashes[point]++
	delete(s.procs, name)
	p.client.Kill()
	p.cancel()
}

// onDisk is the failpoint of an archiver on bus b. An incarnation that was
// killed writes no more, as if it were a process that is gone.
func (s *sim) onDisk(b events.Bus, point string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs["archiver"]
	if p == nil || events.Bus(p.client) != b {
		return errCrash
	}
	if s.diskKills == 0 || s.rng.IntN(2) != 0 {
		return nil
	}
	s.diskKills--
	s.crash("archiver", point)
	return errCrash
}

// crashPoint names the operations that a crash may hit: "proposed.before", ….
func crashPoint(op membus.Op) string {
	var kind string
	switch {
	case op.Kind == membus.OpAppend && events.MatchSubject("study.*.*.*", op.Subject):
		_, _, kind, _ = events.ParseStudySubject(op.Subject)
	case op.Kind == membus.OpAppend && events.MatchSubject("archive.>", op.Subject):
		kind = "archive"
	case op.Kind == membus.OpPublish && events.MatchSubject("work.>", op.Subject):
		kind = "work"
	case op.Kind == membus.OpRecord:
		kind = "result"
	case op.Kind == membus.OpAck:
		kind = "ack"
	default:
		return ""
	}
	return kind + "." + op.Stage
}

// service is what the sim runs: any of the three.
type service interface {
	Run(ctx context.Context) error
}

// start runs a service under name, and again whenever it was killed.
func (s *sim) start(name string, make func(events.Bus) service) {
	s.wg.Go(func() {
		for s.ctx.Err() == nil {
			client := s.hub.Client(name)
			ctx, cancel := context.WithCancel(s.ctx)
			s.mu.Lock()
			s.procs[name] = &incarnation{client, cancel}
			s.mu.Unlock()
			err := make(client).Run(ctx)
			cancel()
			if err != nil && s.ctx.Err() == nil && !errors.Is(err, membus.ErrKilled) && !errors.Is(err, context.Canceled) && !errors.Is(err, events.ErrUnreachable) {
				s.t.Errorf("%s ended: %v", name, err)
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}

func (s *sim) startAll(evaluators int) {
	logger := slog.New(slog.DiscardHandler)
	s.start("proposer", func(b events.Bus) service {
		return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: logger}
	})
	for i := range evaluators {
		s.start(fmt.Sprintf("evaluator-%d", i), func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Slots: 1, Worker: strconv.Itoa(i), Logger: logger}
		})
	}
}

// propose starts a proposer that does nothing after a restart while it is away.
func (s *sim) propose(away *atomic.Bool) {
	s.start("proposer", func(b events.Bus) service {
		if away.Load() {
			return idle{}
		}
		return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
	})
}

// submit publishes a request until the bus takes it.
func (s *sim) submit(name, id, body string) {
	s.t.Helper()
	user := s.hub.Client("user")
	if err := user.Ready(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	for range 50 {
		err := user.Queue(1).Publish(events.SubmitSubject(name), message.NewMessage(id, []byte(body)))
		if err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatal("the request could not be published")
}

// wait polls (in fake time) until the study ended or a request was rejected.
func (s *sim) wait(name string) *client.StudyView {
	s.t.Helper()
	log := s.hub.Client("watcher").Log()
	for range 20_000 {
		time.Sleep(time.Second)
		view, err := client.ReadStudy(s.ctx, log, name, "")
		if err == nil && (view.State.Terminal() || view.State == study.Paused) {
			return view
		}
	}
	s.t.Fatalf("study %s does not end", name)
	return nil
}

func (s *sim) close() {
	s.stop()
	s.wg.Wait()
}

// simulate runs one study in a bubble and returns how it ended.
func simulate(t *testing.T, seed uint64, faults membus.Faults, kills, evaluators int, body string) (view *client.StudyView) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, faults, kills)
		defer s.close()
		s.startAll(evaluators)
		s.submit("sim", "x1", body)
		view = s.wait("sim")
	})
	return view
}

var allFaults = membus.Faults{
	Duplicate: 0.1, Delay: 0.1, Reorder: 0.2, Drop: 0.03, LostAck: 0.05, LostPubAck: 0.05,
	Unreachable: 0.02, Full: 0.01, FollowDelay: 0.2, NoticeLoss: 0.5, Freeze: 0.02, MaxDelay: 300 * time.Millisecond,
}

// bulky reports whether a seed has answers that are larger than its bus carries.
func bulky(seed uint64) bool { return seed%3 == 2 }

// bulk makes the answers of a seed as large as it says.
func (s *sim) bulk(seed uint64, faults membus.Faults) {
	if bulky(seed) {
		s.toy.extras = 200
		s.hub = membus.New(membus.Config{Seed: seed, Faults: faults, MaxPayload: 48 << 10, Trace: s.trace})
	}
}

// simulateAll is simulate with an archiver, which is killed too.
func simulateAll(t *testing.T, seed uint64, faults membus.Faults, kills, evaluators int, body string) (e ending) {
	t.Helper()
	return withArchive(t, seed, faults, kills, body, true, func(s *sim, startArchiver func(wrap func(events.Bus) events.Bus)) {
		s.startAll(evaluators)
		startArchiver(func(b events.Bus) events.Bus { return b })
	})
}

// withArchive runs one study with the services that start starts, and reads what
// is on disk after it has completed. The log is whole where the archiver judges.
func withArchive(t *testing.T, seed uint64, faults membus.Faults, kills int, body string, whole bool, start func(s *sim, startArchiver func(wrap func(events.Bus) events.Bus))) (e ending) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, faults, kills)
		defer s.close()
		s.bulk(seed, faults)
		s.diskKills = kills / 2
		start(s, func(wrap func(events.Bus) events.Bus) {
			s.start("archiver", func(b events.Bus) service {
				return &crashing{archive.Archiver{
					Bus: wrap(b), Dir: dir, Plain: true, Logger: slog.New(slog.DiscardHandler),
					Failpoint: func(point string) error { return s.onDisk(b, point) },
				}}
			})
		})
		s.submit("sim", "x1", body)
		e.view = s.wait("sim")
		if e.view.State == study.Completed {
			s.final(e.view)
		}
		s.mu.Lock()
		e.crashes, e.freezes = maps.Clone(s.crashes), s.freezes
		s.mu.Unlock()
	})
	// Outside of the bubble: see archiving.
	if e.view.State == study.Completed {
		if whole {
			checkLog(t, dir, e.view)
		}
		e.rows = inFiles(t, dir, e.view)
	}
	return e
}

func TestStudyIsTheSameUnderFaultsAndKills(t *testing.T) {
	t.Parallel()
	body := toyStudy("sim", 160, "")
	sameUnderFaults(t, body, seeds(t, 10))
}

// TestSequentialStudyIsTheSameUnderFaultsAndKills: with lag 0 one batch is under
// way at a time, so that every kill stops all there is.
func TestSequentialStudyIsTheSameUnderFaultsAndKills(t *testing.T) {
	t.Parallel()
	body := strings.Replace(toyStudy("sim", 160, ""), `"parallelism":4`, `"parallelism":1,"lag":0`, 1)
	sameUnderFaults(t, body, seeds(t, 4))
}

// sameUnderFaults compares a study of 160 trials with n disturbed runs of it.
func sameUnderFaults(t *testing.T, body string, n uint64) {
	t.Helper()
	want := simulateAll(t, 0, membus.Faults{}, 0, 1, body)
	if v := want.view; v.State != study.Completed || v.Summary.Trials != 160 || v.Summary.Infeasible == 0 || len(want.rows) != 160 {
		t.Fatalf("undisturbed: %s %+v, %d rows", v.State, v.Summary, len(want.rows))
	}
	var hits tally
	t.Run("seeds", func(t *testing.T) {
		for seed := range n {
			t.Run(strconv.FormatUint(seed+1, 10), func(t *testing.T) {
				t.Parallel()
				got := simulateAll(t, seed+1, allFaults, 8, 1<<(seed%4), body)
				hits.add(got)
				compare(t, seed+1, want, got)
			})
		}
	})
	// Which point a kill hits is drawn: a few seeds miss one now and then.
	if n >= 20 {
		hits.everywhere(t)
	}
	hits.report(t, n)
}
