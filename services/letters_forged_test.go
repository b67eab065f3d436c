package services_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/messages"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// Every evaluator may write dead letters, and their subject names none. A letter about work
// that another one still has, or has answered, or that was never asked, pauses no study.
func TestForgedDeadLettersPauseNothing(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 400, ""))
		time.Sleep(300 * time.Millisecond)
		run := s.log("study.sim.*.accepted")[0].(events.StudyAccepted).Run
		mallory := s.hub.Client("mallory")
		for batch := range 110 { // 100 are proposed in the end
			for n, item := range []uint64{1, uint64(batch + 1), 1 << 62} {
				letter := events.DeadLetter{
					Service: "evaluator", Reason: "forged", Subject: events.WorkSubject("toy", "sim", run, batch), Sequence: item, Body: []byte("{}"),
				}
				if err := messages.AppendDeadLetter(s.ctx, mallory, "sim", letter, fmt.Sprintf("forged.%d.%d", batch, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("the study is %s (%s), want completed", view.State, view.Reason)
		}
		if paused := s.log("study.sim.*.paused"); len(paused) > 0 {
			t.Errorf("forged letters paused the study: %+v", paused)
		}
	})
}

// countingBus counts the questions whether a queue holds an item.
type countingBus struct {
	events.Bus
	asked *atomic.Int64
}

func (b countingBus) Queued(ctx context.Context, subject string) (bool, error) {
	b.asked.Add(1)
	return b.Bus.Queued(ctx, subject)
}

// Letters cost the driver of a run a question each when they come, and a bounded number a
// second after that, however many wait for their items to leave the queue.
func TestManyForgedLettersAskLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var asked atomic.Int64
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: countingBus{b, &asked}, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		const items, letters, seconds = 100, 400, 8
		s.submit("sim", "x1", fmt.Sprintf(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"sim"},"spec":{"seed":3,
			"space":{"template":"toy"},"workload":{"networks":[{"name":"mobilenet_v2"}]},"objectives":[{"metric":"latency","goal":"minimize"}],
			"algorithm":{"name":"random"},"budget":{"trials":1000,"batch":1,"parallelism":%d}}}`, items))
		time.Sleep(time.Second)
		run := s.log("study.sim.*.accepted")[0].(events.StudyAccepted).Run
		mallory := s.hub.Client("mallory")
		before := asked.Load()
		for n := range letters {
			letter := events.DeadLetter{
				Service: "evaluator", Reason: "forged", Subject: events.WorkSubject("toy", "sim", run, n%items), Sequence: uint64(n/items + 1), Body: []byte("{}"),
			}
			if err := messages.AppendDeadLetter(s.ctx, mallory, "sim", letter, fmt.Sprintf("forged.%d", n)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(seconds * time.Second)
		if n, most := asked.Load()-before, int64(letters+(seconds+1)*64); n > most || n == 0 {
			t.Errorf("%d letters made the proposer ask the queue %d times in %d s, want %d at most, and some", letters, n, seconds, most)
		}
	})
}

// A work item that was given up while no proposer was there is not tried again by the
// next one: its study pauses.
func TestAWorkItemGivenUpStaysGivenUpOverARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var away atomic.Bool
		s.propose(&away)
		s.submit("sim", "x1", toyStudy("sim", 80, ""))
		victim := s.hub.Client("victim")
		defer victim.Kill()
		items, err := victim.Queue(8).Subscribe(s.ctx, "work.toy")
		if err != nil {
			t.Fatal(err)
		}
		item := <-items
		subject := item.Metadata.Get(events.MetaSubject)
		var seq uint64
		if _, err := fmt.Sscan(item.Metadata.Get(events.MetaSequence), &seq); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		away.Store(true)
		s.kill("proposer")
		time.Sleep(time.Second)
		letter := events.DeadLetter{Service: events.QueueService, Reason: "nobody survives it", Subject: subject, Sequence: seq, Body: item.Payload}
		if err := messages.AppendDeadLetter(s.ctx, victim, "sim", letter, "letter"); err != nil {
			t.Fatal(err)
		}
		item.Ack()
		time.Sleep(time.Second)
		away.Store(false)
		s.kill("proposer")
		for end := time.After(10 * time.Second); ; {
			select {
			case m := <-items:
				if m.Metadata.Get(events.MetaSubject) == subject && len(s.log("study.sim.*.paused")) == 0 {
					t.Errorf("%s, which was given up, is handed out again before its study has paused", subject)
				}
				continue
			case <-end:
			}
			break
		}
		if view := s.wait("sim"); view.State != study.Paused {
			t.Errorf("the study is %s (%s), want paused", view.State, view.Reason)
		}
	})
}

// Whoever may write letters cannot keep those of others from being stored by using their
// ids up: the study hears that its work is given up.
func TestAUsedIDHidesNoLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", toyStudy("sim", 80, ""))
		time.Sleep(time.Second)
		run := s.log("study.sim.*.accepted")[0].(events.StudyAccepted).Run
		mallory := s.hub.Client("mallory")
		for batch := range 4 {
			for seq := range 8 {
				id := fmt.Sprintf("dlq.evaluator.%s.%d", events.WorkSubject("toy", "sim", run, batch), seq)
				if err := messages.AppendDeadLetter(s.ctx, mallory, "sim", events.DeadLetter{Service: "evaluator", Reason: "forged", Subject: "work.other.sim.x.0"}, id); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.start("evaluator", func(b events.Bus) service {
			c := toyCatalog(s.toy)
			c.Network = func(string, workload.Sizes) (*workload.Workload, error) { return nil, errors.New("no networks here") }
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: c, Logger: slog.New(slog.DiscardHandler)}
		})
		time.Sleep(5 * time.Second) // after 20 s lost work is published again, under another sequence
		if got := s.state("sim"); got != study.Paused {
			t.Errorf("the study is %s, want paused: no evaluator can answer its work", got)
		}
	})
}
