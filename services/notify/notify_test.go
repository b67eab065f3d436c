package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/messages"
)

const (
	testKey = "0123456789abcdef01234567"
	hook    = "https://hooks.example/apollo"
)

// world is a bus with the log of one run, and a notifier.
type world struct {
	t   *testing.T
	bus events.Bus
	n   *Notifier
	end func()

	mu  sync.Mutex // guards got
	got []string
}

func newWorld(t *testing.T, p Policy, wants ...events.Notify) *world {
	t.Helper()
	bus := membus.New(membus.Config{}).Client("notifier")
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, bus: bus, n: &Notifier{Bus: bus, Policy: p, Logger: slog.New(slog.DiscardHandler)}}
	spec := events.Spec{
		Study: "demo", Parameters: []events.Parameter{{Name: "x", Values: []float64{1, 2}}}, Metrics: []events.Metric{{Name: "y"}},
		Objectives: []events.Objective{{Metric: "y", Goal: "minimize"}}, Evaluator: events.EvaluatorSpec{Name: "own"},
		Budget: events.Budget{Trials: 4, Batch: 1, Parallelism: 1}, Notify: wants,
	}
	w.tell("accepted", events.StudyAccepted{Study: "demo", Run: "00000001", Spec: spec})
	return w
}

func (w *world) tell(kind string, e events.Payload) {
	w.t.Helper()
	m := events.Message{Subject: events.StudySubject("demo", "00000001", kind), ID: fmt.Sprintf("%s.%d", kind, time.Now().UnixNano())}
	if err := messages.Append(w.t.Context(), w.bus.Log(), m, "proposer", e, events.Fence{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.n.Run(ctx) }()
	w.end = func() {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}
}

func (w *world) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, text)
}

func (w *world) letters() (reasons []string) {
	w.t.Helper()
	for m, err := range w.bus.Log().Read(w.t.Context(), 0, "dlq.>") {
		if err != nil {
			w.t.Fatal(err)
		}
		_, d, err := events.DecodeAs[events.DeadLetter](m.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		reasons = append(reasons, d.Reason)
	}
	return reasons
}

func completed() events.Payload {
	return events.StudyCompleted{Study: "demo", Run: "00000001", Reason: "budget"}
}

// What fails is tried again with growing pauses; what is tried enough becomes a
// dead letter; neither holds up what others are told.
func TestRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Policy{Local: true, Key: []byte(testKey)},
			events.Notify{On: events.OnCompleted, Webhook: hook}, events.Notify{On: events.OnCompleted, Webhook: hook + "/dead"},
			events.Notify{On: events.OnFailed, Webhook: hook + "/other"})
		start := time.Now()
		tried := map[string]int{}
		w.n.call = func(_ context.Context, x *notice) error {
			w.note(fmt.Sprintf("%s at %v", strings.TrimPrefix(x.to.Webhook, hook), time.Since(start)))
			w.mu.Lock()
			defer w.mu.Unlock()
			if tried[x.to.Webhook]++; x.to.Webhook == hook && tried[hook] == 4 {
				return nil
			}
			return errors.New("not now")
		}
		w.start()
		synctest.Wait()
		w.tell("completed", completed())
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []string{" at 0s", " at 1s", " at 3s", " at 7s"}
		for _, s := range []int{0, 1, 3, 7, 15, 31, 63, 127} {
			want = append(want, fmt.Sprintf("/dead at %v", time.Duration(s)*time.Second))
		}
		slices.Sort(want)
		slices.Sort(w.got)
		if !slices.Equal(w.got, want) {
			t.Errorf("tries %q, want %q", w.got, want)
		}
		if got := w.letters(); len(got) != 1 || !strings.Contains(got[0], "/dead") {
			t.Errorf("dead letters %q, want one of the receiver that never takes it", got)
		}
		w.end()
	})
}

// A receiver that is slow is told of the last improvement, and of no more than
// it can be told of.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Policy{Local: true, Key: []byte(testKey)}, events.Notify{On: events.OnImproved, Webhook: hook}, events.Notify{On: events.OnPaused, Webhook: hook})
		w.n.call = func(_ context.Context, x *notice) error {
			time.Sleep(time.Minute)
			w.note(x.to.On)
			return nil
		}
		w.start()
		synctest.Wait()
		for i := range 1000 {
			w.tell("improved", events.StudyImproved{Study: "demo", Run: "00000001"})
			if i%5 == 0 {
				w.tell("paused", events.StudyPaused{Study: "demo", Run: "00000001", Reason: "failures"})
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		improved := 0
		for _, on := range w.got {
			if on == events.OnImproved {
				improved++
			}
		}
		if improved != 2 || len(w.got) != maxWaiting+1 {
			t.Errorf("told of %d improvements in %d notices, want the first and the last one in %d", improved, len(w.got), maxWaiting+1)
		}
		w.end()
	})
}

// What ended while no notifier was there is told, for a time; what comes at the
// end of the process is told before it.
func TestStartAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Policy{}, events.Notify{On: events.OnPaused, Subject: "vision.nightly"}, events.Notify{On: events.OnImproved, Subject: "vision.better"})
		heard := make(chan []byte, 8)
		ctx, stop := context.WithCancel(t.Context())
		var listening sync.WaitGroup
		listening.Go(func() {
			for m, err := range w.bus.Notices(ctx, events.NotifySubject("vision.nightly")) {
				if err == nil {
					heard <- m.Data
				}
			}
		})
		synctest.Wait()
		paused := events.StudyPaused{Study: "demo", Run: "00000001", Reason: "failures"}
		w.tell("paused", paused)
		time.Sleep(lookBack + time.Minute)
		w.tell("paused", paused)
		w.tell("improved", events.StudyImproved{Study: "demo", Run: "00000001"})
		time.Sleep(time.Minute)
		w.start()
		synctest.Wait()
		if len(heard) != 1 {
			t.Errorf("%d notices of what came before the start, want that of the last minutes", len(heard))
		}
		w.tell("paused", paused)
		w.end()
		synctest.Wait()
		if len(heard) != 2 {
			t.Errorf("%d notices, want also that of the end", len(heard))
		}
		if _, e, err := events.DecodeAs[events.StudyPaused](<-heard); err != nil || e.Reason != "failures" {
			t.Errorf("the notice holds %+v, %v; want the event", e, err)
		}
		stop()
		listening.Wait()
	})
}

// TestWebhook is told by a real server what it got.
func TestWebhook(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls := map[string]int{}
	failures := 1
	told := make(chan struct{}, 16)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		calls[r.URL.Path]++
		switch r.URL.Path {
		case "/moved":
			http.Redirect(rw, r, "/secret", http.StatusTemporaryRedirect)
		case "/ok":
			if failures--; failures >= 0 {
				rw.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
			if got := r.Header.Get("Webhook-Signature"); got != Sign([]byte(testKey), id, at, body) || id == "" || at == "" {
				t.Errorf("signature %q of id %q at %q does not fit the body", got, id, at)
			}
			if Sign([]byte(testKey), id, at, append(body, ' ')) == r.Header.Get("Webhook-Signature") {
				t.Error("the signature fits another body")
			}
			if _, e, err := events.DecodeAs[events.StudyCompleted](body); err != nil || e.Reason != "budget" {
				t.Errorf("the body is %q (%v), want the event", body, err)
			}
		}
		told <- struct{}{}
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, Policy{Hosts: []string{strings.TrimPrefix(server.URL, "http://")}, Key: []byte(testKey)},
		events.Notify{On: events.OnCompleted, Webhook: server.URL + "/ok"}, events.Notify{On: events.OnCompleted, Webhook: server.URL + "/moved"},
		events.Notify{On: events.OnCompleted, Webhook: "http://169.254.169.254/latest"})
	w.start()
	w.tell("completed", completed())
	<-told
	<-told
	w.end()
	mu.Lock()
	defer mu.Unlock()
	if calls["/ok"] != 2 || calls["/secret"] != 0 || calls["/moved"] != 1 {
		t.Errorf("calls %v, want two of /ok, one of /moved and no redirect followed", calls)
	}
	if got := w.letters(); len(got) != 2 {
		t.Errorf("dead letters %q, want two: of the redirect, and of the host that nobody allowed", got)
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	key := []byte(testKey)
	for _, c := range []struct {
		policy Policy
		url    string
		fine   bool
	}{
		{Policy{Key: key}, hook, false},
		{Policy{Key: key, Local: true}, "http://127.0.0.1:9000/x", true},
		{Policy{Local: true}, hook, false},
		{Policy{Local: true, Key: []byte("short")}, hook, false},
		{Policy{Key: key, Hosts: []string{"hooks.example"}}, hook, true},
		{Policy{Key: key, Hosts: []string{"Hooks.Example"}}, "https://HOOKS.example:8443/", true},
		{Policy{Key: key, Hosts: []string{"hooks.example:443"}}, hook, true},
		{Policy{Key: key, Hosts: []string{"hooks.example:443"}}, "http://hooks.example/", false},
		{Policy{Key: key, Hosts: []string{"*.example"}}, hook, true},
		{Policy{Key: key, Hosts: []string{"*.example"}}, "https://hooksxexample/", false},
		{Policy{Key: key, Hosts: []string{"example"}}, hook, false},
		{Policy{Key: key, Hosts: []string{"*"}}, hook, true},
	} {
		if err := c.policy.Check(c.url); (err == nil) != c.fine {
			t.Errorf("Check(%q) with %+v = %v, want fine: %t", c.url, c.policy, err, c.fine)
		}
	}
	for hosts, fine := range map[string]bool{"*": true, "a.example": true, "*.example": true, "[::1]:80": true, "https://a": false, "": false, "a*b": false} {
		p := Policy{Hosts: []string{hosts}}
		if err := p.CheckHosts(); (err == nil) != fine {
			t.Errorf("CheckHosts(%q) = %v, want fine: %t", hosts, err, fine)
		}
	}
	for address, public := range map[string]bool{
		"93.184.216.34": true, "2606:4700::1": true, "127.0.0.1": false, "::7f00:1": false, "fec0::1": false, "168.63.129.16": false, "10.1.2.3": false, "192.168.0.1": false, "169.254.169.254": false,
		"::1": false, "fe80::1": false, "fd00::1": false, "0.0.0.0": false, "100.64.0.1": false, "224.0.0.1": false, "::ffff:127.0.0.1": false,
		"64:ff9b::7f00:1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address).Unmap()); got != public {
			t.Errorf("isPublic(%s) = %t, want %t", address, got, public)
		}
	}
	// With * a name that leads to this machine is not called.
	w := newWorld(t, Policy{Hosts: []string{"*"}, Key: key})
	if err := w.n.post(t.Context(), &notice{to: events.Notify{Webhook: "http://127.0.0.1:1/"}}); !errors.Is(err, errForbidden) {
		t.Errorf("post to the loopback = %v, want a refusal", err)
	}
}

// An owner whose receivers hang, as many as there are, holds up nobody else, not even
// at the same address.
func TestOneOwnerHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := map[string]int{}
		var mu sync.Mutex // guards told
		n := &Notifier{Logger: slog.New(slog.DiscardHandler), receivers: map[receiverKey]*receiver{}}
		n.call = func(ctx context.Context, x *notice) error {
			mu.Lock()
			told[x.owner]++
			mu.Unlock()
			if x.owner == "ada" {
				<-ctx.Done()
			}
			return nil
		}
		ctx, end := context.WithCancel(t.Context())
		tell := func(owner string, i int) {
			n.enqueue(ctx, notice{to: events.Notify{On: events.OnCompleted, Webhook: fmt.Sprintf("%s/%d", hook, i)}, owner: owner})
		}
		for i := range 2 * maxReceivers {
			tell("ada", i)
		}
		for i := range 3 {
			tell("bob", i)
		}
		tell("", 0)
		synctest.Wait()
		if told["ada"] != maxOfOwner || told["bob"] != 3 || told[""] != 1 {
			t.Errorf("told %v, want %d receivers of ada, three of bob and one of nobody's", told, maxOfOwner)
		}
		end()
		n.sending.Wait()
	})
}
