package services_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
)

// limited runs a simulation whose proposer has a quota: what q says when it starts.
func limited(t *testing.T, q *proposer.Quota, test func(s *sim, bus events.Bus)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently, Quota: *q}
		})
		s.start("worker", toyWorker(toy{}, 1))
		bus := s.hub.Client("user")
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		test(s, bus)
	})
}

// ask submits a study and returns the refusal.
func ask(s *sim, bus events.Bus, owner, name, body string) error {
	_, err := client.Submit(s.ctx, bus, owner, name, "", events.StudyRequested{Study: []byte(body)}, nil)
	return err
}

func overLimit(t *testing.T, err error, limit string) {
	t.Helper()
	r, ok := errors.AsType[*client.RejectedError](err)
	if !ok || r.Errors[0].Code != "quota" || !strings.Contains(r.Errors[0].Message, limit) || !strings.Contains(r.Errors[0].Hint, "--"+limit) {
		t.Errorf("%v, want a refusal that names %s and how to raise it", err, limit)
	}
}

// What is over a limit of the operator is refused with the limit's name, and what
// is at it is not.
func TestQuotaOfRequests(t *testing.T) {
	t.Parallel()
	quota := proposer.Quota{Trials: 100, InFlight: 32, Levels: 40}
	limited(t, &quota, func(s *sim, bus events.Bus) {
		overLimit(t, ask(s, bus, "", "a", toyStudy("a", 101, "")), proposer.QuotaTrials)
		overLimit(t, ask(s, bus, "", "a", strings.Replace(toyStudy("a", 40, ""), `"parallelism":4`, `"parallelism":5`, 1)), proposer.QuotaInFlight)
		if err := ask(s, bus, "", "a", toyStudy("a", 100, "")); err != nil {
			t.Errorf("a study at every limit: %v", err)
		}
		s.wait("a")
		overLimit(t, client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "extend", Trials: 101}), proposer.QuotaTrials)
	})
	quota.Levels = 39
	limited(t, &quota, func(s *sim, bus events.Bus) {
		overLimit(t, ask(s, bus, "", "a", toyStudy("a", 40, "")), proposer.QuotaLevels)
	})
}

// An owner has so many studies at a time, and others have theirs. A fresh run
// takes the place of the one before, and one that has ended leaves its place.
func TestQuotaOfOwners(t *testing.T) {
	t.Parallel()
	limited(t, &proposer.Quota{Studies: 2}, func(s *sim, bus events.Bus) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"a", "b"} {
			must(ask(s, bus, "ada", name, toyStudy(name, 1000, "")))
		}
		third := func() error { return ask(s, bus, "ada", "c", toyStudy("c", 40, "")) }
		overLimit(t, third(), proposer.QuotaStudies)
		// Nothing in the study is wrong: its name is not, either.
		if refused, ok := errors.AsType[*client.RejectedError](third()); !ok || refused.Errors[0].Pointer != "" || !strings.Contains(refused.Errors[0].Hint, "apollo study cancel") {
			t.Errorf("%+v, want a refusal that points at nothing and says what ends a study", refused)
		}
		s.kill("proposer") // the next one knows it from the log
		overLimit(t, third(), proposer.QuotaStudies)
		must(ask(s, bus, "eve", "d", toyStudy("d", 40, "")))
		_, err := client.Submit(s.ctx, bus, "ada", "b", "", events.StudyRequested{Study: []byte(toyStudy("b", 1000, "")), Fresh: true}, nil)
		must(err)
		must(client.Control(s.ctx, bus, "ada", events.StudyControl{Study: "a", Verb: "cancel"}))
		time.Sleep(time.Minute)
		must(third())
	})
}

// A run that takes more of the bus than it may pauses, and goes on with more.
func TestQuotaOfBytes(t *testing.T) {
	t.Parallel()
	quota := proposer.Quota{StudyBytes: 20_000}
	limited(t, &quota, func(s *sim, bus events.Bus) {
		if err := ask(s, bus, "", "a", toyStudy("a", 1000, "")); err != nil {
			t.Fatal(err)
		}
		view := s.wait("a")
		if view.State != study.Paused || !strings.Contains(view.Reason, proposer.QuotaStudyBytes) {
			t.Fatalf("%s (%s), want paused because of %s", view.State, view.Reason, proposer.QuotaStudyBytes)
		}
		var stored int
		for m, err := range bus.Log().Read(s.ctx, 0, "study.a.*.*") {
			if err != nil {
				t.Fatal(err)
			}
			stored += len(m.Data)
		}
		for m, err := range bus.Facts().Read(s.ctx, 0, "result.*.a.*.*") {
			if err != nil {
				t.Fatal(err)
			}
			stored += len(m.Data)
		}
		// What is in flight when it pauses is answered: 4 items.
		if stored < 20_000 || stored > 40_000 {
			t.Errorf("the run takes %d bytes, want 20000 and what was in flight", stored)
		}
		quota.StudyBytes = 0
		s.kill("proposer") // the next one has no limit
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "resume"}); err != nil {
			t.Fatal(err)
		}
		if view := s.wait("a"); view.State != study.Completed {
			t.Errorf("%s (%s), want completed", view.State, view.Reason)
		}
	})
}

// The limits hold for what a log says: a run that another proposer accepted, or
// somebody forged, pauses with the limit's name.
func TestQuotaOfTheLog(t *testing.T) {
	t.Parallel()
	for limit, q := range map[string]proposer.Quota{
		proposer.QuotaTrials: {Trials: 39}, proposer.QuotaInFlight: {InFlight: 31}, proposer.QuotaLevels: {Levels: 39},
	} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			var quota proposer.Quota
			limited(t, &quota, func(s *sim, bus events.Bus) {
				if err := ask(s, bus, "", "sim", toyStudy("sim", 2000, "")); err != nil {
					t.Fatal(err)
				}
				quota = q
				s.kill("proposer")
				time.Sleep(10 * time.Second)
				view, err := client.ReadStudy(s.ctx, bus.Log(), "sim", "")
				if err != nil || view.State != study.Paused || !strings.Contains(view.Reason, limit) {
					t.Errorf("%s %q (%v), want paused because of %s", view.State, view.Reason, err, limit)
				}
				if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "sim", Verb: "cancel"}); err != nil {
					t.Errorf("cancel: %v", err)
				}
			})
		})
	}
}

// What comes on top of a budget is held to the limit of trials as well.
func TestQuotaOfDesignsOnTop(t *testing.T) {
	t.Parallel()
	limited(t, &proposer.Quota{Trials: 42}, func(s *sim, bus events.Bus) {
		if err := ask(s, bus, "", "a", toyStudy("a", 40, "")); err != nil {
			t.Fatal(err)
		}
		s.wait("a")
		retry := func(trials ...int) error {
			return client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "retry", Retry: trials})
		}
		overLimit(t, retry(1, 2, 3), proposer.QuotaTrials)
		if err := retry(1); err != nil {
			t.Errorf("below the limit: %v", err)
		}
		s.wait("a")
		tried := map[string]bool{}
		for _, e := range s.log(events.StudySubject("a", "*", "proposed")) {
			for _, d := range e.(events.TrialsProposed).Designs {
				tried[fmt.Sprint(d)] = true
			}
		}
		var untried []events.AddedDesign
		for x := range 16 {
			design := []any{float64(x + 1), 1.0, 1.0}
			if !tried[fmt.Sprint(design)] {
				untried = append(untried, events.AddedDesign{Design: map[string]any{"x": design[0], "y": design[1], "z": design[2]}})
			}
		}
		add := func(designs ...events.AddedDesign) error {
			return client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "add", Designs: designs})
		}
		overLimit(t, add(untried[0], untried[1]), proposer.QuotaTrials)
		if err := add(untried[0], untried[0]); err != nil {
			t.Errorf("at the limit: %v", err)
		}
		s.wait("a")
		overLimit(t, add(untried[1]), proposer.QuotaTrials)
		overLimit(t, client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "extend", Trials: 43}), proposer.QuotaTrials)
	})
}

// A run that is opened again counts as one of its owner's, whoever asks, and whichever run
// of a study it is.
func TestQuotaOfRunsOpenedAgain(t *testing.T) {
	t.Parallel()
	limited(t, &proposer.Quota{Studies: 1}, func(s *sim, bus events.Bus) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		extend := func(owner, name, run string) error {
			return client.Control(s.ctx, bus, owner, events.StudyControl{Study: name, Run: run, Verb: "extend", Trials: 1000})
		}
		must(ask(s, bus, "ada", "a", toyStudy("a", 40, "")))
		first := s.wait("a").Run
		_, err := client.Submit(s.ctx, bus, "ada", "a", "", events.StudyRequested{Study: []byte(toyStudy("a", 1000, "")), Fresh: true}, nil)
		must(err)
		overLimit(t, extend("ada", "a", first), proposer.QuotaStudies)
		overLimit(t, extend("", "a", first), proposer.QuotaStudies)
		must(client.Control(s.ctx, bus, "ada", events.StudyControl{Study: "a", Verb: "cancel"}))
		time.Sleep(time.Minute)
		must(extend("ada", "a", first))
		overLimit(t, ask(s, bus, "ada", "b", toyStudy("b", 40, "")), proposer.QuotaStudies)
		must(ask(s, bus, "", "c", toyStudy("c", 40, ""))) // nobody's share is used up by it
		s.kill("proposer")
		time.Sleep(3 * time.Minute)
		if view, err := client.ReadStudy(s.ctx, bus.Log(), "a", first); err != nil || view.State != study.Completed {
			t.Errorf("the first run is %s (%v) after a restart, want that somebody drives it to its end", view.State, err)
		}
	})
}

// A run that takes too much of the bus is not given more to do.
func TestQuotaOfBytesOfRequests(t *testing.T) {
	t.Parallel()
	limited(t, &proposer.Quota{StudyBytes: 20_000}, func(s *sim, bus events.Bus) {
		if err := ask(s, bus, "", "a", toyStudy("a", 1000, "")); err != nil {
			t.Fatal(err)
		}
		s.wait("a")
		for _, c := range []events.StudyControl{{Verb: "extend", Trials: 2000}, {Verb: "retry", Retry: []int{1}}} {
			c.Study = "a"
			overLimit(t, client.Control(s.ctx, bus, "", c), proposer.QuotaStudyBytes)
		}
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "stop"}); err != nil {
			t.Error(err)
		}
	})
}

// The requests of an owner that take long keep others waiting for a while, and no longer;
// while nobody waits they are all carried out.
func TestQuotaOfOwnersTime(t *testing.T) {
	t.Parallel()
	const takes, flood = 2 * time.Second, 40
	slow := func(subject string) error { //nolint:unparam // a fault of the bus, which is slow
		if strings.HasPrefix(subject, "study.flood.") && strings.HasSuffix(subject, ".accepted") {
			time.Sleep(takes)
		}
		return nil
	}
	for _, others := range []bool{false, true} {
		t.Run(fmt.Sprintf("others wait %t", others), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, 1, membus.Faults{}, 0)
				defer s.close()
				s.start("proposer", func(b events.Bus) service {
					return &proposer.Proposer{
						Bus: faulty{Bus: b, appending: slow}, Catalog: toyCatalog(toy{}), Logger: silently,
						Quota: proposer.Quota{OwnerTime: 10 * time.Second},
					}
				})
				bus := s.hub.Client("user")
				if err := bus.Ready(s.ctx); err != nil {
					t.Fatal(err)
				}
				for i := range flood {
					m := message.NewMessage(fmt.Sprint("flood", i), []byte(fresh(toyStudy("flood", 40, ""))))
					if err := bus.Queue(1).Publish(events.OwnedSubject("ada", events.SubmitSubject("flood")), m); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				if others {
					if err := ask(s, bus, "eve", "small", toyStudy("small", 40, "")); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(began); took > 10*time.Second+2*takes {
						t.Errorf("eve waits %s behind the requests of ada", took)
					}
				}
				time.Sleep(flood * takes * 2)
				accepted, refused := len(s.log("study.flood.*.accepted")), s.log("rejected.flood")
				if accepted+len(refused) != flood || others != (accepted < flood) {
					t.Errorf("%d of %d requests are accepted and %d refused, although others wait: %t", accepted, flood, len(refused), others)
				}
				for _, r := range refused {
					overLimit(t, &client.RejectedError{StudyRejected: r.(events.StudyRejected)}, proposer.QuotaOwnerTime)
				}
			})
		})
	}
}

// Two proposers hold an owner to one limit, whichever of them a request comes to, and the
// one that is left when the other dies.
func TestQuotaOfTwoProposers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		const limit = 3
		for _, name := range []string{"proposer-a", "proposer-b"} {
			s.start(name, func(b events.Bus) service {
				return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently, Quota: proposer.Quota{Studies: limit}}
			})
		}
		bus := s.hub.Client("user")
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		submit := func(name string) {
			m := message.NewMessage(name, []byte(toyStudy(name, 40, "")))
			if err := bus.Queue(1).Publish(events.OwnedSubject("ada", events.SubmitSubject(name)), m); err != nil {
				t.Fatal(err)
			}
		}
		open := func(want int) {
			t.Helper()
			time.Sleep(time.Minute)
			// Each may have carried out one more before it heard of the other's.
			if n := len(s.log("study.*.*.accepted")); n < want || n > want+1 {
				t.Errorf("%d studies of an owner are accepted, want %d and one more at most", n, want)
			}
		}
		for i := range 20 {
			submit(fmt.Sprint("first", i))
		}
		open(limit)
		s.kill("proposer-a")
		for i := range 20 {
			submit(fmt.Sprint("second", i))
		}
		open(limit)
	})
}
