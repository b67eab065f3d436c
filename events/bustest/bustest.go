// Package bustest is the conformance suite of events.Bus: what the services
// may rely on, whichever bus carries them. events/natsbus and events/membus
// both pass it.
package bustest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
)

// Bus is what the suite needs beyond events.Bus: an orderly end.
type Bus interface {
	events.Bus
	// Close ends the client in order, as a process that shuts down.
	Close(ctx context.Context) error
}

// Options describe a fresh bus that one test of the suite asks for.
type Options struct {
	// Topology of the bus; nil means events.Topology().
	Topology []events.Stream
}

// Factory makes one bus for one test, without any streams, and returns a
// function that connects a process to it. Cleaning up is the factory's job.
// kill ends the process of a client as kill -9 does.
type Factory func(t *testing.T, opts Options) (client func(name string) Bus, kill func(Bus))

// patience is how long the suite waits for what must happen. It is far beyond
// what any bus needs: it only ends a test that would hang.
const patience = 45 * time.Second

// Run runs the suite. Every test has a bus of its own and runs in parallel.
func Run(t *testing.T, factory Factory) {
	t.Helper()
	tests := map[string]func(*testing.T, Factory){
		"append":            testAppend,
		"append used ID":    testAppendUsedID,
		"fence":             testFence,
		"fence after loss":  testFenceLostAck,
		"once":              testOnce,
		"once, known id":    testOnceKnownID,
		"read":              testRead,
		"read while stored": testReadEnd,
		"follow":            testFollow,
		"follow early":      testFollowEarly,
		"follow in strides": testStrides,
		"cancel":            testCancel,
		"filters":           testFilters,
		"purge":             testPurge,
		"info":              testInfo,
		"notices":           testNotices,
		"large":             testLarge,
		"full":              testFull,
		"ring":              testRing,
		"names":             testNames,
		"queue":             testQueue,
		"queue dedupe":      testQueueDedupe,
		"queue late":        testQueueLate,
		"queued":            testQueued,
		"queue slots":       testQueueSlots,
		"queue share":       testQueueShare,
		"queue nack":        testQueueNack,
		"queue hand back":   testQueueHandBack,
		"queue handover":    testQueueHandover,
		"queue kill":        testQueueKill,
		"queue close":       testQueueClose,
		"queue metadata":    testQueueMetadata,
		"queue alive":       testQueueAlive,
		"queue info":        testQueueInfo,
		"queue removed":     testQueueRemoved,
		"subjects":          testSubjects,
		"commands":          testCommands,
		"ready":             testReady,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, factory)
		})
	}
}

// provisioned returns a bus with streams and the evaluator "edge".
func provisioned(t *testing.T, factory Factory, opts Options) (client func(name string) Bus, kill func(Bus), first Bus) {
	t.Helper()
	client, kill = factory(t, opts)
	first = client("first")
	must(t, first.Provision(t.Context()))
	must(t, first.ProvisionEvaluator(t.Context(), "edge"))
	return client, kill, first
}

// simple returns one client of a provisioned bus.
func simple(t *testing.T, factory Factory) Bus {
	t.Helper()
	_, _, b := provisioned(t, factory, Options{})
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: error %v, want %v", what, got, want)
	}
}

// impatient is a context that ends a test that would hang.
func impatient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func msg(subject, id, data string) events.Message {
	return events.Message{Subject: subject, ID: id, Data: []byte(data)}
}

// entry is the nth event of a run's log.
func entry(study string, n int) events.Message {
	return msg(events.StudySubject(study, "0a1b2c3d", "proposed"), fmt.Sprintf("%s/%d", study, n), fmt.Sprintf("%s %d", study, n))
}

func appendAll(t *testing.T, b Bus, messages ...events.Message) {
	t.Helper()
	for _, m := range messages {
		if _, err := b.Log().Append(t.Context(), m, events.Fence{}); err != nil {
			t.Fatalf("append %s: %v", m.ID, err)
		}
	}
}

// texts drains an iterator that ends by itself.
func texts(t *testing.T, seq iter.Seq2[events.Message, error]) []string {
	t.Helper()
	var got []string
	for m, err := range seq {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		got = append(got, string(m.Data))
	}
	return got
}

func wantTexts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("%s = %q, want %q", what, got, want)
	}
}

// work publishes the messages of n batches of the study "demo".
func work(t *testing.T, b Bus, n int) {
	t.Helper()
	q := b.Queue(1)
	for i := range n {
		subject := events.WorkSubject("edge", "demo", "0a1b2c3d", i)
		m := message.NewMessage(subject, []byte(strconv.Itoa(i)))
		m.SetContext(t.Context())
		must(t, q.Publish(subject, m))
	}
}

// receive returns the next message of a subscription.
func receive(t *testing.T, ch <-chan *message.Message) *message.Message {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case m, ok := <-ch:
		if !ok {
			t.Fatal("the subscription ended")
		}
		return m
	case <-timeout.C:
		t.Fatal("no message came")
		return nil
	}
}

// eventually waits for a state that has no signal.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if ok() {
			return
		}
		pause(t)
	}
	t.Fatalf("never: %s", what)
}

// pause is the interval of a poll, not a wait for something to happen.
func pause(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(2 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// Leaks runs f and fails when goroutines whose stack mentions one of the
// fragments are left behind. It looks at the whole process: a test that calls
// it must not run in parallel with others.
func Leaks(t *testing.T, fragments []string, f func()) {
	t.Helper()
	before := count(fragments)
	f()
	var after int
	for end := time.Now().Add(patience); time.Now().Before(end); pause(t) {
		if after = count(fragments); after <= before {
			return
		}
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after:\n%s", before, after, buf[:runtime.Stack(buf, true)])
}

func count(fragments []string) int {
	buf := make([]byte, 1<<22)
	n := 0
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		for _, fragment := range fragments {
			if strings.Contains(stack, fragment) {
				n++
				break
			}
		}
	}
	return n
}
