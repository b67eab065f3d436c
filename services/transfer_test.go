package services_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/optimizer/space"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// trialLogs is a trial log that later studies come into.
type trialLogs struct {
	mu      sync.Mutex // guards byStudy
	byStudy map[string]archiver.Source
}

func (a *trialLogs) Open(_ context.Context, ref events.Source) (*archiver.SourceLog, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.byStudy[ref.Study]
	if !ok || ref.Run != "" && ref.Run != s.Run {
		return nil, fmt.Errorf("%w: %s", archiver.ErrNoSource, ref.Study)
	}
	return s.Log(), nil
}

func (a *trialLogs) Studies(context.Context) ([]archiver.LoggedStudy, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []archiver.LoggedStudy
	for _, s := range a.byStudy {
		out = append(out, archiver.LoggedStudy{Study: s.Study, Run: s.Run, Spec: s.Spec, Trials: int64(len(s.Trials))})
	}
	return out, nil
}

// hold puts a study of the toy into the archive, measured on another network.
func (a *trialLogs) hold(name string, like *events.Spec) {
	spec := *like
	spec.Study, spec.Transfer = name, nil
	spec.Networks = []events.Network{{Name: "other", Weight: 1, SHA256: "b"}}
	src := archiver.Source{Study: name, Run: "0000000a", Spec: &spec}
	for i := range 40 {
		x, y, z := float64(1+i%16), float64(1+i*7%16), float64(1+i%8)
		src.Trials = append(src.Trials, archiver.Trial{
			Trial: i, Design: []space.Value{{Num: x}, {Num: y}, {Num: z}}, Outcome: events.OutcomeMeasured,
			Values: []float64{2e-3 * (1 + (x-8)*(x-8) + (y-6)*(y-6)), x + y, 1e-6},
		})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byStudy == nil {
		a.byStudy = map[string]archiver.Source{}
	}
	a.byStudy[name] = src
}

func (s *sim) startWith(sources map[string]proposer.Sources) {
	for name, from := range sources {
		s.start(name, func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Sources: from, Logger: slog.New(slog.DiscardHandler)}
		})
	}
	s.start("evaluator", func(b events.Bus) service {
		return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
	})
}

// searching is a study that takes what the archive has.
func searching(trials int) string {
	return toyStudy("sim", trials, `,"transfer":{"sources":["auto"],"control":0.2}`)
}

// The archive is searched once: what comes into it later changes nothing, and
// a study that is killed again and again is the same one, trial by trial.
func TestTheArchiveIsSearchedOnce(t *testing.T) {
	t.Parallel()
	hashes := map[string]bool{}
	for _, kills := range []int{0, 6} {
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, 4, membus.Faults{}, 0)
			defer s.close()
			logs := &trialLogs{}
			s.startWith(map[string]proposer.Sources{"proposer": logs})
			s.submit("first", "x0", toyStudy("first", 40, ""))
			logs.hold("near", s.wait("first").Spec)
			s.submit("sim", "x1", searching(64))
			for i := range kills {
				time.Sleep(60 * time.Millisecond)
				logs.hold(fmt.Sprint("later-", i), s.wait("first").Spec)
				s.kill("proposer")
			}
			view := s.wait("sim")
			if view.State != study.Completed {
				t.Fatalf("%s (%s), want completed", view.State, view.Reason)
			}
			if len(view.Sources) != 1 || view.Sources[0].Study != "near" || !strings.Contains(view.Sources[0].Why, "3 of 3 parameters") {
				t.Errorf("pins %+v, want near and why", view.Sources)
			}
			hashes[hashOf(view)] = true
			seeds := 0
			for _, e := range s.log("study.sim.*.proposed") {
				for _, o := range e.(events.TrialsProposed).Origins {
					if strings.HasPrefix(o, "seed:near/") {
						seeds++
					}
				}
			}
			if seeds == 0 {
				t.Error("nothing came from the source")
			}
		})
	}
	if len(hashes) != 1 {
		t.Errorf("with and without kills the study has %d hashes, want one", len(hashes))
	}
}

// Two owners search different archives: what the first one pinned counts for
// both.
func TestOwnersAgreeOnWhatWasFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 6, membus.Faults{}, 0)
		defer s.close()
		one, two := &trialLogs{}, &trialLogs{}
		s.startWith(map[string]proposer.Sources{"proposer": one, "proposer-2": two})
		s.submit("first", "x0", toyStudy("first", 40, ""))
		like := s.wait("first").Spec
		one.hold("near", like)
		two.hold("near", like)
		two.hold("nearer", like)
		s.submit("sim", "x1", searching(64))
		view := s.wait("sim")
		// An owner that cannot open what the other one chose has to give up.
		if view.State == study.Paused && strings.Contains(view.Reason, "nearer") {
			one.hold("nearer", like)
			s.control("sim", "c1", "resume", 0)
			view = s.wait("sim")
		}
		if view.State != study.Completed || len(s.log("study.sim.*.started")) != 1 {
			t.Errorf("%s (%s), pins %+v", view.State, view.Reason, view.Sources)
		}
	})
}

// A source that the archive has lost, or that has other trials now, stops a
// resume with its name.
func TestAFoundSourceThatMovedRefusesToGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 4, membus.Faults{}, 0)
		defer s.close()
		logs := &trialLogs{}
		s.startWith(map[string]proposer.Sources{"proposer": logs})
		s.submit("first", "x0", toyStudy("first", 40, ""))
		logs.hold("near", s.wait("first").Spec)
		s.submit("sim", "x1", searching(400))
		time.Sleep(300 * time.Millisecond)
		logs.mu.Lock()
		moved := logs.byStudy["near"]
		moved.Trials = moved.Trials[1:]
		logs.byStudy["near"] = moved
		logs.mu.Unlock()
		s.kill("proposer")
		if view := s.wait("sim"); view.State != study.Paused || !strings.Contains(view.Reason, "source near") {
			t.Errorf("%s (%s), want paused because of near", view.State, view.Reason)
		}
	})
}

// What a study's sources do not fit for is said before it starts.
func TestSourcesThatDoNotFitAreRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 4, membus.Faults{}, 0)
		defer s.close()
		logs := &trialLogs{}
		s.startWith(map[string]proposer.Sources{"proposer": logs})
		s.submit("first", "x0", toyStudy("first", 40, ""))
		spec := *s.wait("first").Spec
		spec.Parameters = []events.Parameter{{Name: "x", Unit: "s", Values: []float64{1, 2}}}
		logs.hold("seconds", &spec)
		s.submit("sim", "x1", toyStudy("sim", 40, `,"transfer":{"sources":[{"study":"seconds"}]}`))
		time.Sleep(time.Second)
		r := s.log("rejected.sim")
		if len(r) != 1 {
			t.Fatalf("%d rejections, want 1", len(r))
		}
		m := r[0].(events.StudyRejected).Errors[0]
		if m.Pointer != "/spec/transfer/sources/0" || !strings.Contains(m.Message, `parameter "x"`) || !strings.Contains(m.Message, "a time (s) there") {
			t.Errorf("rejected with %+v", m)
		}
	})
}
