package membus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
)

const topic = "work.edge"

// stormy is everything that can go wrong at once.
var stormy = membus.Faults{
	Duplicate: 0.2, Delay: 0.3, Reorder: 0.3, Drop: 0.1, LostAck: 0.1,
	LostPubAck: 0.1, Unreachable: 0.1, Full: 0.05, FollowDelay: 0.3, Freeze: 0.02,
	MaxDelay: 3 * time.Second,
}

func provisioned(t *testing.T, conf membus.Config) *membus.Hub {
	t.Helper()
	hub := membus.New(conf)
	owner := hub.Client("owner")
	if err := errors.Join(owner.Provision(t.Context()), owner.ProvisionEvaluator(t.Context(), "edge")); err != nil {
		t.Fatal(err)
	}
	return hub
}

// insist repeats an operation as the services do.
func insist(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || errors.Is(err, events.ErrExists) {
			return nil
		}
		if !errors.Is(err, events.ErrUnreachable) && !errors.Is(err, events.ErrFull) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// worker records a fact for every message of the queue.
func worker(ctx context.Context, c *membus.Client, slots int, wg *sync.WaitGroup) {
	ch, err := c.Queue(slots).Subscribe(ctx, topic)
	if err != nil {
		return
	}
	for m := range ch {
		wg.Go(func() {
			time.Sleep(time.Duration(len(m.UUID)) * 100 * time.Millisecond) // the evaluation, in fake time
			subject := strings.Replace(m.Metadata.Get(events.MetaSubject), "work.", "result.", 1)
			err := insist(ctx, func() error {
				_, err := c.Facts().Record(ctx, events.Message{Subject: subject, ID: "result " + m.UUID, Data: m.Payload})
				return err
			})
			if err != nil {
				m.Nack()
				return
			}
			m.Ack()
		})
	}
}

// TestStorm runs a small pipeline through all faults and a crash, for many
// seeds: every message becomes exactly one fact, and a follower sees each once.
func TestStorm(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { storm(t, seed) })
	}
}

func storm(t *testing.T, seed uint64) {
	hub := provisioned(t, membus.Config{Seed: seed, Faults: stormy})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	doomed := hub.Client("doomed")
	for i, c := range []*membus.Client{hub.Client("one"), hub.Client("two"), doomed} {
		wg.Go(func() { worker(ctx, c, i+1, &wg) })
	}
	const n = 20
	pub := hub.Client("proposer")
	for i := range n {
		subject := events.WorkSubject("edge", "demo", "r", i)
		if err := insist(ctx, func() error {
			return pub.Queue(1).Publish(subject, message.NewMessage(subject, []byte(strconv.Itoa(i))))
		}); err != nil {
			t.Fatal(err)
		}
		if i == n/2 {
			doomed.Kill()
		}
	}
	seen := map[string]bool{}
	var last uint64
	for m, err := range hub.Client("archiver").Facts().Follow(ctx, 1, "result.>") {
		if err != nil {
			t.Fatal(err)
		}
		if seen[m.Subject] || m.Seq <= last {
			t.Fatalf("seed %d: %s again or out of order", seed, m.Subject)
		}
		seen[m.Subject], last = true, m.Seq
		if len(seen) == n {
			break
		}
	}
}

// record notes what the hub does, without the order of what runs at once.
type record struct {
	mu  sync.Mutex
	ops []string
}

func (r *record) trace(op membus.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, fmt.Sprint(op))
}

// TestSameSeed takes the same decisions for the same operations.
func TestSameSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (ops []string) {
		synctest.Test(t, func(t *testing.T) {
			var r record
			hub := provisioned(t, membus.Config{Seed: seed, Faults: stormy, Trace: r.trace})
			c := hub.Client("c")
			for i := range 50 {
				m := events.Message{Subject: events.StudySubject("demo", "r", "proposed"), ID: strconv.Itoa(i)}
				if err := insist(t.Context(), func() error {
					_, err := c.Log().Append(t.Context(), m, events.Fence{})
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			ops = r.ops
		})
		return ops
	}
	one, again, other := run(1), run(1), run(2)
	if !slices.Equal(one, again) {
		t.Errorf("the same seed made %d and %d operations", len(one), len(again))
	}
	if slices.Equal(one, other) || len(one) == 100 {
		t.Errorf("seeds 1 and 2 do the same, or nothing went wrong in %d operations", len(one))
	}
}

// TestRates checks that each fault happens about as often as it should, and
// never at rate 0.
func TestRates(t *testing.T) {
	t.Parallel()
	const n = 2000
	stored := func(f membus.Faults) (refused, unknown, full int) {
		hub := provisioned(t, membus.Config{Seed: 7, Faults: f})
		c := hub.Client("c")
		for i := range n {
			_, err := c.Log().Append(t.Context(), events.Message{Subject: events.RejectedSubject("demo"), ID: strconv.Itoa(i)}, events.Fence{})
			switch {
			case errors.Is(err, events.ErrFull):
				full++
			case err != nil && strings.Contains(err.Error(), "after it was stored"):
				unknown++
			case err != nil:
				refused++
			}
		}
		info, err := c.Log().Info(t.Context(), "rejected.*")
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(n - refused - full); info.Messages != want {
			t.Errorf("%d messages are stored, want %d", info.Messages, want)
		}
		return refused, unknown, full
	}
	if a, b, c := stored(membus.Faults{}); a+b+c != 0 {
		t.Errorf("%d faults without any rate", a+b+c)
	}
	// n draws at rate 0.1: 200 with a deviation of 13, so five of them is ±67.
	for name, f := range map[string]membus.Faults{
		"unreachable": {Unreachable: 0.1}, "lost": {LostPubAck: 0.1}, "full": {Full: 0.1},
	} {
		a, b, c := stored(f)
		if got := a + b + c; got < 133 || got > 267 {
			t.Errorf("%s: %d faults in %d, want about 200", name, got, n)
		}
	}
}

// TestCrashPoints kills a client before and after an effect.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{membus.Before, membus.After} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			var doomed *membus.Client
			hub := provisioned(t, membus.Config{Trace: func(op membus.Op) {
				if op.Client == "doomed" && op.Kind == membus.OpAppend && op.Stage == stage {
					doomed.Kill()
				}
			}})
			doomed = hub.Client("doomed")
			subject := events.RejectedSubject("demo")
			_, err := doomed.Log().Append(t.Context(), events.Message{Subject: subject, ID: "x"}, events.Fence{})
			if !errors.Is(err, membus.ErrKilled) {
				t.Errorf("append of a client that was killed: %v", err)
			}
			info, err := hub.Client("other").Log().Info(t.Context(), subject)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]uint64{membus.Before: 0, membus.After: 1}[stage]; info.Messages != want {
				t.Errorf("killed %s the effect: %d messages are stored, want %d", stage, info.Messages, want)
			}
		})
	}
}

// TestKill ends what a client does, and gives its messages to another one
// after AckWait, in fake time.
func TestKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := provisioned(t, membus.Config{})
		doomed, other := hub.Client("doomed"), hub.Client("other")
		held, err := doomed.Queue(1).Subscribe(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			var last error
			for _, err := range doomed.Log().Follow(t.Context(), 1, "rejected.*") {
				last = err
			}
			ended <- last
		}()
		subject := events.WorkSubject("edge", "demo", "r", 0)
		if err := other.Queue(1).Publish(subject, message.NewMessage("m", nil)); err != nil {
			t.Fatal(err)
		}
		m := <-held
		time.Sleep(time.Hour) // a worker that lives keeps its message
		doomed.Kill()
		killed := time.Now()
		m.Ack()
		if err := <-ended; !errors.Is(err, membus.ErrKilled) {
			t.Errorf("follow of a killed client ended with %v", err)
		}
		<-m.Context().Done()
		if _, open := <-held; open {
			t.Error("a killed client is handed messages")
		}
		ch, err := other.Queue(1).Subscribe(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		again := <-ch
		if got := time.Since(killed); again.UUID != "m" || got != events.AckWait {
			t.Errorf("%s came after %v, want m after %v", again.UUID, got, events.AckWait)
		}
		again.Ack()
		if err := other.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestBuried refuses a message until it is a dead letter, in fake time.
func TestBuried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := provisioned(t, membus.Config{})
		c := hub.Client("c")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ch, err := c.Queue(1).Subscribe(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		subject := events.WorkSubject("edge", "demo", "r", 0)
		if err := c.Queue(1).Publish(subject, message.NewMessage("m", []byte("body"))); err != nil {
			t.Fatal(err)
		}
		start, refused := time.Now(), 0
		go func() {
			for m := range ch {
				refused++
				m.Nack()
			}
		}()
		for m, err := range c.Log().Follow(ctx, 1, "dlq.*.*") {
			if err != nil || m.Subject != events.DeadLetterSubject(events.QueueService, "demo") {
				t.Errorf("dead letter %s, %v", m.Subject, err)
			}
			break
		}
		if refused != events.MaxDeliver-1 {
			t.Errorf("handed out %d times, want %d", refused, events.MaxDeliver-1)
		}
		if got := time.Since(start); got < 7*time.Hour || got > 8*time.Hour {
			t.Errorf("gave up after %v, want between 7 and 8 hours of growing delays", got)
		}
		info, err := c.Log().Info(ctx, "work.>")
		if err != nil || info.Messages != 0 {
			t.Errorf("%d messages left, %v", info.Messages, err)
		}
	})
}
