package services_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/events/membus"
	"apollo/optimizer/space"
	"apollo/services/catalog"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// fast is a model of the toy with other names and another parameter.
type fast struct{ version string }

func (f fast) Describe() evaluator.Description {
	return evaluator.Description{Name: "fast", Version: f.version, Deterministic: true, Metrics: []evaluator.Metric{{Name: "time_s", Unit: "s"}}}
}

func (f fast) New(evaluator.Task) (evaluator.Evaluator, error) { return f, nil }

func (f fast) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
	x, y, z := r.Design[0].Num, r.Design[1].Num, r.Design[2].Num
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{1 + (x-9)*(x-9) + (y-5)*(y-5) + (z-3)*(z-3)}}, nil
}

func catalogWithFast(t toy, version string) catalog.Catalog {
	c := toyCatalog(t)
	c.Templates = append(c.Templates, evaluator.Template{
		Name: "fast", Params: []space.Param{{Name: "u", Values: levels(16)}, {Name: "v", Values: levels(16)}, {Name: "w", Values: levels(8)}, {Name: "ports", Values: []float64{1, 2}}},
		Baseline: []space.Value{{Num: 1}, {Num: 1}, {Num: 1}, {Num: 1}}, Backend: fast{version},
	})
	return c
}

const askFast = `,"prior":{"template":"fast","rename":{"u":"x","v":"y","w":"z","time":"latency"},"fix":{"ports":2}}`

func (s *sim) startWithFast(version *string) {
	s.start("proposer", func(b events.Bus) service {
		return &proposer.Proposer{Bus: b, Catalog: catalogWithFast(s.toy, *version), Logger: slog.New(slog.DiscardHandler)}
	})
	s.start("evaluator", func(b events.Bus) service {
		return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
	})
}

// A study that asks a model is the same one with and without kills, trial by trial.
func TestAStudyWithAPriorIsReplayed(t *testing.T) {
	t.Parallel()
	hashes := map[string]bool{}
	for _, kills := range []int{0, 6} {
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, 4, membus.Faults{}, 0)
			defer s.close()
			s.startWithFast(new("7"))
			s.submit("sim", "x1", toyStudy("sim", 160, askFast))
			for range kills {
				time.Sleep(60 * time.Millisecond)
				s.kill("proposer")
			}
			view := s.wait("sim")
			if view.State != study.Completed {
				t.Fatalf("%s (%s), want completed", view.State, view.Reason)
			}
			if len(view.Sources) != 1 || view.Sources[0].Study != "fast" || view.Sources[0].Run != "v7" || view.Sources[0].Trials < 500 {
				t.Errorf("pins %+v, want a sample of version 7", view.Sources)
			}
			hashes[hashOf(view)] = true
			origins := map[string]int{}
			for _, e := range s.log("study.sim.*.proposed") {
				for _, o := range e.(events.TrialsProposed).Origins {
					kind, _, _ := strings.Cut(o, "/")
					origins[kind]++
				}
			}
			if origins["seed:fast"] == 0 || origins["transfer:prior:fast"] == 0 {
				t.Errorf("origins %v, want seeds of the model and proposals by it", origins)
			}
		})
	}
	if len(hashes) != 1 {
		t.Errorf("with and without kills the study has %d hashes, want one", len(hashes))
	}
}

// A build with another version of the model has other numbers: it does not go on.
func TestAStudyKeepsItsPrior(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		version := "1"
		s.startWithFast(&version)
		s.submit("sim", "x1", toyStudy("sim", 4000, askFast))
		time.Sleep(300 * time.Millisecond)
		version = "2"
		s.kill("proposer")
		view := s.wait("sim")
		if view.State != study.Paused || !strings.Contains(view.Reason, "version 1 of the template fast") || !strings.Contains(view.Reason, "version 2") {
			t.Fatalf("after an upgrade: %s (%s), want paused with both versions", view.State, view.Reason)
		}
	})
}

// What has no counterpart is named before the study is accepted.
func TestAPriorThatDoesNotMapIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startWithFast(new("1"))
		s.submit("sim", "x1", toyStudy("sim", 10, `,"prior":{"template":"fast","rename":{"u":"x"}}`))
		time.Sleep(time.Second)
		rejected := s.log("rejected.sim")
		if len(rejected) != 1 {
			t.Fatalf("%d rejections, want one", len(rejected))
		}
		var all strings.Builder
		for _, m := range rejected[0].(events.StudyRejected).Errors {
			all.WriteString(m.Message + "\n")
		}
		for _, want := range []string{"the parameters v, w, ports, which this study lacks", `does not predict the objective "latency"`} {
			if !strings.Contains(all.String(), want) {
				t.Errorf("the rejection does not say %q:\n%s", want, all.String())
			}
		}
	})
}
