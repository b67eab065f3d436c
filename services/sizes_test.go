package services_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/archiver"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// narrow runs test with all services on a bus that carries payload bytes.
func narrow(t *testing.T, payload int, toy toy, topology []events.Stream, test func(s *sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		s.toy = toy
		s.hub = membus.New(membus.Config{Seed: 1, MaxPayload: payload, Topology: topology, Trace: s.trace})
		defer s.close()
		s.startAll(1)
		test(s)
	})
}

// Answers that are larger than a message lose their extra numbers, and nothing
// else: the study is the one that it would have been.
func TestLargeAnswersLoseTheirExtraNumbers(t *testing.T) {
	t.Parallel()
	body := strings.Replace(toyStudy("sim", 192, ""), `"batch":8`, `"batch":64`, 1)
	var want string
	narrow(t, 0, toy{}, nil, func(s *sim) {
		s.submit("sim", "x1", body)
		want = hashOf(s.wait("sim"))
	})
	narrow(t, 64<<10, toy{extras: 200}, nil, func(s *sim) {
		s.submit("sim", "x1", body)
		if got := s.wait("sim"); got.State != study.Completed || hashOf(got) != want {
			t.Fatalf("%s %q, hash %.12s, want completed with %.12s", got.State, got.Reason, hashOf(got), want)
		}
		kept, dropped := 0, 0
		for _, e := range s.log("result.>") {
			for _, r := range e.(events.BatchEvaluated).Trials {
				switch n := r.Extra[events.ExtraDropped]; {
				case n == 0 && len(r.Extra) == 200:
					kept++
				case n == 200:
					dropped++
				}
			}
		}
		if kept == 0 || dropped == 0 || kept+dropped != 192 {
			t.Errorf("the extra numbers of %d trials were kept and of %d dropped, want some of both and 192 in all", kept, dropped)
		}
		if n := len(s.log("dlq.*.*")); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// The note of what was left out is in the trial log.
func TestTheLogSaysWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var view *client.StudyView
	narrow(t, 64<<10, toy{extras: 200}, nil, func(s *sim) {
		s.startArchiver(dir, &failOnce{})
		s.submit("sim", "x1", strings.Replace(toyStudy("sim", 64, ""), `"batch":8`, `"batch":64`, 1))
		view = s.wait("sim")
		s.final(view)
	})
	noted := 0
	for _, row := range scanned(t, dir, archiver.Query{AllRuns: true}) {
		if row.Extra == fmt.Sprintf(`{"%s":200}`, events.ExtraDropped) {
			noted++
		}
	}
	if noted == 0 || noted == 64 {
		t.Errorf("%d of 64 trials say that their extra numbers were left out", noted)
	}
}

// A study whose batches a bus cannot carry is refused with the number that it
// can, and runs with that.
func TestAStudyThatTheBusCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	const payload = 64 << 10
	narrow(t, payload, toy{}, nil, func(s *sim) {
		body := func(batch int) string {
			return strings.Replace(toyStudy("sim", 1024, ""), `"batch":8`, fmt.Sprintf(`"batch":%d`, batch), 1)
		}
		s.submit("sim", "x1", body(1024))
		time.Sleep(time.Second)
		r := s.log("rejected.sim")
		if len(r) != 1 {
			t.Fatalf("%d rejections, want one", len(r))
		}
		m := r[0].(events.StudyRejected).Errors[0]
		var most int
		if _, err := fmt.Sscanf(m.Hint, "Write batch: %d at most", &most); err != nil || m.Pointer != "/spec/budget/batch" || !strings.Contains(m.Message, strconv.Itoa(payload)) {
			t.Fatalf("%+v, want the largest batch and max_payload", m)
		}
		s.submit("sim", "x2", body(most+1))
		time.Sleep(time.Second)
		if n := len(s.log("rejected.sim")); n != 2 {
			t.Errorf("a batch of %d is accepted, the hint says at most %d", most+1, most)
		}
		s.submit("sim", "x3", body(most))
		if got := s.wait("sim"); got.State != study.Completed {
			t.Errorf("a batch of %d, as the hint says: %s %q", most, got.State, got.Reason)
		}
	})
}

// tinyLetters is a topology whose stream of dead letters holds a few.
func tinyLetters() []events.Stream {
	topology := events.Topology()
	for i := range topology {
		if topology[i].Ring {
			topology[i].MaxBytes = 1 << 20
		}
	}
	return topology
}

// However much garbage comes, commands of others are carried out.
func TestAFloodOfBadCommandsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	narrow(t, 1<<20, toy{}, tinyLetters(), func(s *sim) {
		garbage := strings.Repeat("x", 700_000)
		for range 40 {
			s.submit("Bad_Name", "", garbage) // many clients send no id
		}
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		if got := s.wait("sim"); got.State != study.Completed {
			t.Errorf("%s %q, want completed", got.State, got.Reason)
		}
		letters := s.log("dlq.proposer.unknown")
		if n := len(letters); n < 5 || n >= 40 {
			t.Fatalf("%d letters are kept, want the last of 40", n)
		}
		if d := letters[0].(events.DeadLetter); len(d.Body) > events.MaxDeadLetterBytes || d.Size != len(garbage) || d.Whole() {
			t.Errorf("a letter keeps %d of %d bytes", len(d.Body), d.Size)
		}
	})
}

// A server comes back that carries less than the study needs: the study pauses
// and says how much that is, and goes on when the server carries it again.
func TestAServerThatCarriesLess(t *testing.T) {
	t.Parallel()
	const less = 8 << 10
	narrow(t, 1<<20, toy{}, nil, func(s *sim) {
		s.submit("sim", "x1", strings.Replace(toyStudy("sim", 40960, ""), `"batch":8`, `"batch":256`, 1))
		time.Sleep(15 * time.Second)
		s.hub.SetMaxPayload(less)
		view := s.wait("sim")
		if view.State != study.Paused || !strings.Contains(view.Reason, strconv.Itoa(less)) {
			t.Fatalf("%s %q, want paused with the figure", view.State, view.Reason)
		}
		s.hub.SetMaxPayload(1 << 20)
		s.control("sim", "c1", "resume", 0)
		if view := s.wait("sim"); view.State != study.Completed || view.Summary.Failed != 0 {
			t.Errorf("with the former server: %s %q, want completed without a failed trial", view.State, view.Reason)
		}
	})
}

// A letter that cannot be stored holds up no command; work whose letter cannot
// be stored is not lost in silence.
func TestALetterThatCannotBeStored(t *testing.T) {
	t.Parallel()
	var refuse, mended atomic.Bool
	refuse.Store(true)
	f := faulty{appending: func(subject string) error {
		if refuse.Load() && strings.HasPrefix(subject, "dlq.") {
			return errors.Join(events.ErrFull, errors.New("no letters today"))
		}
		return nil
	}}
	troubled(t, f, nil, func(s *sim) {
		s.submit("Bad_Name", "bad", "x")
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		if got := s.wait("sim"); got.State != study.Completed {
			t.Errorf("%s %q, want completed", got.State, got.Reason)
		}
		if n := len(s.log("dlq.*.*")); n != 0 {
			t.Errorf("%d letters", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		logger := slog.New(slog.DiscardHandler)
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: logger}
		})
		s.start("evaluator", func(b events.Bus) service {
			f.Bus = b
			c := toyCatalog(s.toy)
			network := c.Network
			c.Network = func(name string, sizes workload.Sizes) (*workload.Workload, error) {
				if mended.Load() {
					return network(name, sizes)
				}
				return nil, errors.New("no networks here")
			}
			return &worker.Evaluator{Bus: f, Name: "toy", Catalog: c, Logger: logger}
		})
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		time.Sleep(20 * time.Second)
		refuse.Store(false)
		if got := s.wait("sim"); got.State != study.Paused || !strings.Contains(got.Reason, "no evaluator could answer") {
			t.Errorf("%s %q, want paused once the letter was stored", got.State, got.Reason)
		}
		// All items in flight are lost the same way. One pause is told, one resume mends all.
		time.Sleep(time.Minute)
		mended.Store(true)
		s.control("sim", "c1", "resume", 0)
		if got := s.wait("sim"); got.State != study.Completed {
			t.Errorf("%s %q after one resume, want completed", got.State, got.Reason)
		}
		told, pauses := 0, 0
		for _, p := range s.log(events.RunFilter("sim", "*")) {
			if e, ok := p.(events.StudyPaused); ok {
				pauses++
				if !e.Already {
					told++
				}
			}
		}
		if told != 1 || pauses < 2 {
			t.Errorf("%d pauses, %d of them anew; want several lost items and 1 pause anew", pauses, told)
		}
	})
}

// A trace context of any length comes with a request; a huge one must not make
// every event that follows too large.
func TestAHugeTraceContextIsDropped(t *testing.T) {
	t.Parallel()
	narrow(t, 64<<10, toy{}, nil, func(s *sim) {
		user := s.hub.Client("user")
		if err := user.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		m := message.NewMessage("x1", []byte(toyStudy("sim", 40, "")))
		m.Metadata.Set("traceparent", strings.Repeat("0", 60_000))
		if err := user.Queue(1).Publish(events.SubmitSubject("sim"), m); err != nil {
			t.Fatal(err)
		}
		if got := s.wait("sim"); got.State != study.Completed {
			t.Errorf("%s %q, want completed", got.State, got.Reason)
		}
	})
}
