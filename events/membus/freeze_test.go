package membus_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
)

// frozen is a hub whose first append finds its node stopped. It says which that
// is, and back waits for the append.
func frozen(t *testing.T, seed uint64) (hub *membus.Hub, what string, back func() error) {
	t.Helper()
	conf := membus.Config{Seed: seed, Faults: membus.Faults{Freeze: 1}}
	conf.Trace = func(op membus.Op) {
		if op.Kind == membus.OpFreeze && what == "" {
			what = op.Subject
		}
	}
	hub = provisioned(t, conf)
	done := make(chan error, 1)
	go func() {
		_, err := hub.Client("first").Log().Append(t.Context(), rejected("first"), events.Fence{})
		done <- err
	}()
	synctest.Wait()
	return hub, what, func() error { return <-done }
}

func rejected(id string) events.Message {
	return events.Message{Subject: events.RejectedSubject("demo"), ID: id}
}

// TestFreeze asks a node that stands still: who is patient gets an answer when it
// goes on, after 6 to 12 s; who is not learns that the bus cannot be reached, and
// the message is lost or is stored when the node goes on.
func TestFreeze(t *testing.T) {
	t.Parallel()
	answered, landed, lost, streams, servers := 0, 0, 0, 0, 0
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			hub, what, back := frozen(t, seed)
			switch what {
			case "APOLLO_LOG":
				streams++
			case membus.Server:
				servers++
			default:
				t.Fatalf("%q stopped, want the log or the server", what)
			}
			err := back()
			took := time.Since(start)
			if err == nil {
				answered++
				if took < 6*time.Second || took > 12*time.Second {
					t.Errorf("answered after %v, want 6 to 12 s", took)
				}
				return
			}
			if !errors.Is(err, events.ErrUnreachable) || took != 2*time.Second && took != 5*time.Second && took != 9500*time.Millisecond {
				t.Errorf("%v after %v, want that the bus is out of reach after one of the attempts", err, took)
			}
			time.Sleep(12*time.Second - took)
			info, err := hub.Client("later").Log().Info(t.Context(), "rejected.*")
			if err != nil {
				t.Fatal(err)
			}
			if info.Messages == 0 {
				lost++
				return
			}
			landed++
		})
	}
	if answered < 5 || landed < 5 || lost < 5 || streams < 5 || servers < 5 {
		t.Errorf("%d answered, %d stored without an answer, %d lost; %d streams and %d servers: want some of each", answered, landed, lost, streams, servers)
	}
}

// TestFreezeStopsReaders lets nobody see anything of a stream that stands still:
// a follower goes on with it, a question waits or is given up.
func TestFreezeStopsReaders(t *testing.T) {
	t.Parallel()
	gaveUp := 0
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			hub, _, back := frozen(t, seed)
			c := hub.Client("reader")
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer stop()
			followed := make(chan time.Duration, 1)
			wg.Go(func() {
				for _, err := range c.Log().Follow(ctx, 1, "rejected.*") {
					if err != nil {
						t.Errorf("a follower of a frozen node: %v", err)
					}
					followed <- time.Since(start)
					return
				}
			})
			short, done := context.WithTimeout(ctx, time.Second)
			defer done()
			if _, err := c.Log().Info(short, "rejected.*"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("asked for a second: %v, want that the time is over", err)
			}
			for _, err := range c.Log().Read(ctx, 1, "rejected.*") {
				if err != nil && !errors.Is(err, events.ErrUnreachable) {
					t.Errorf("read: %v", err)
				}
				if took := time.Since(start); err != nil && took < 3*time.Second || err == nil && took < 6*time.Second {
					t.Errorf("read: %v after %v, which is too early", err, took)
				}
				if err != nil {
					gaveUp++
				}
			}
			if err := back(); err != nil {
				return // it may be lost: nothing is there to follow
			}
			if took := <-followed; took < 6*time.Second || took > 12*time.Second {
				t.Errorf("followed after %v, want 6 to 12 s", took)
			}
		})
	}
	if gaveUp == 0 {
		t.Error("no reader gave up")
	}
}

// TestFreezeStopsWork hands nothing out of a queue that stands still and takes no
// answer: work that was answered meanwhile comes again.
func TestFreezeStopsWork(t *testing.T) {
	t.Parallel()
	again := 0
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			var stopped time.Time
			hub := provisioned(t, membus.Config{Seed: seed, Faults: membus.Faults{Freeze: 0.2}, Trace: func(op membus.Op) {
				switch op.Kind {
				case membus.OpFreeze:
					stopped = time.Now()
				case membus.OpDeliver:
					if since := time.Since(stopped); op.Stage == membus.Before && !stopped.IsZero() && since < 6*time.Second {
						t.Errorf("%s was handed out %v after the node stopped", op.ID, since)
					}
				}
			}})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ch, err := hub.Client("worker").Queue(1).Subscribe(ctx, topic)
			if err != nil {
				t.Fatal(err)
			}
			pub, judge := hub.Client("proposer"), hub.Client("judge")
			seen := map[string]bool{}
			for i := range 10 {
				subject := events.WorkSubject("edge", "demo", "r", i)
				if err := insist(ctx, func() error {
					return pub.Queue(1).Publish(subject, message.NewMessage(subject, nil))
				}); err != nil {
					t.Fatal(err)
				}
				for held := true; held; {
					m := <-ch
					if seen[m.UUID] {
						again++
					}
					seen[m.UUID] = true
					m.Ack()
					synctest.Wait()
					if err := insist(ctx, func() (err error) {
						held, err = judge.Queued(ctx, subject)
						return err
					}); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
	if again == 0 {
		t.Error("no work came again")
	}
}
