package services_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services"
	"apollo/services/study"
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

	mu      sync.Mutex
	procs   map[string]*process
	crashes map[string]int // crash point → hits
}

// process is one incarnation of a service.
type process struct {
	client *membus.Client
	cancel context.CancelFunc
}

func newSim(t *testing.T, seed uint64, faults membus.Faults, kills int) *sim {
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 99)), kills: kills, odds: 12, procs: map[string]*process{}, crashes: map[string]int{}}
	s.ctx, s.stop = context.WithCancel(t.Context())
	s.hub = membus.New(membus.Config{Seed: seed, Faults: faults, Trace: s.trace})
	return s
}

// trace kills the process that is doing an operation, before or after its
// effect.
func (s *sim) trace(op membus.Op) {
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
	s.crashes[point]++
	delete(s.procs, op.Client)
	p.client.Kill()
	p.cancel()
}

// crashPoint names the operations that a crash may hit: "proposed.before", ….
func crashPoint(op membus.Op) string {
	kind := ""
	switch {
	case op.Kind == membus.OpAppend && events.MatchSubject("study.*.*.*", op.Subject):
		_, _, kind, _ = events.ParseStudySubject(op.Subject)
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
			s.procs[name] = &process{client, cancel}
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
		return &services.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: logger}
	})
	for i := range evaluators {
		s.start(fmt.Sprintf("evaluator-%d", i), func(b events.Bus) service {
			return &services.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Slots: 1, Worker: fmt.Sprint(i), Logger: logger}
		})
	}
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
func (s *sim) wait(name string) *services.StudyView {
	s.t.Helper()
	log := s.hub.Client("watcher").Log()
	for range 20_000 {
		time.Sleep(time.Second)
		view, err := services.ReadStudy(s.ctx, log, name, "")
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
func simulate(t *testing.T, seed uint64, faults membus.Faults, kills, evaluators int, body string) (view *services.StudyView, crashes map[string]int) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, faults, kills)
		defer s.close()
		s.startAll(evaluators)
		s.submit("sim", "x1", body)
		view, crashes = s.wait("sim"), s.crashes
	})
	return view, crashes
}

var allFaults = membus.Faults{
	Duplicate: 0.1, Delay: 0.1, Reorder: 0.2, Drop: 0.03, LostAck: 0.05, LostPubAck: 0.05,
	Unreachable: 0.02, Full: 0.01, FollowDelay: 0.2, NoticeLoss: 0.5, MaxDelay: 300 * time.Millisecond,
}

func TestStudyIsTheSameUnderFaultsAndKills(t *testing.T) {
	t.Parallel()
	body := toyStudy("sim", 160, "")
	want, _ := simulate(t, 0, membus.Faults{}, 0, 1, body)
	if want.State != study.Completed || want.Summary.Trials != 160 || want.Summary.Infeasible == 0 {
		t.Fatalf("undisturbed: %s %+v", want.State, want.Summary)
	}
	seeds := uint64(200)
	if testing.Short() {
		seeds = 20
	}
	hits := map[string]int{}
	for seed := range seeds {
		got, crashes := simulate(t, seed+1, allFaults, 8, 1<<(seed%4), body)
		for point, n := range crashes {
			hits[point] += n
		}
		if got.State != study.Completed || got.Summary.Hash != want.Summary.Hash {
			t.Fatalf("seed %d (%v): %s %q, hash %.12s, want %.12s", seed+1, crashes, got.State, got.Reason, hashOf(got), want.Summary.Hash)
		}
	}
	for _, point := range []string{"proposed.before", "proposed.after", "work.before", "work.after", "result.before", "result.after"} {
		if hits[point] == 0 {
			t.Errorf("no crash hit %s in %d seeds", point, seeds)
		}
	}
	t.Logf("%d seeds, crashes by point: %v", seeds, hits)
}

func hashOf(v *services.StudyView) string {
	if v.Summary == nil {
		return ""
	}
	return v.Summary.Hash
}
