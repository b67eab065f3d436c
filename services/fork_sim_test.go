package services_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/proposer"
	"apollo/services/study"
)

// forked is a toy study that shares the first trials of a run of study sim.
func forked(name, run string, shared, trials int, more string) string {
	return toyStudy(name, trials, fmt.Sprintf(`,"fork":{"study":"sim","run":%q,"trials":%d}%s`, run, shared, more))
}

// A fork that changes nothing goes on as the study did, to the same trials and the
// same hash, under faults and kills; also from the middle of a batch where no ask
// looks ahead, and over trials that a user added or measured anew.
func TestAForkThatChangesNothingIsTheSameStudy(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][2]string{
		"in order": {`"parallelism":4`, `"parallelism":1,"lag":0`},
		"lag":      {`"parallelism":4`, `"parallelism":4,"lag":3`},
		"start":    {`"seed":3`, `"seed":3,"start":[{"x":3,"y":4,"z":2}]`},
		"retried":  {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range seeds(t, 1) {
				synctest.Test(t, func(t *testing.T) {
					s := newSim(t, 3*seed, allFaults, 10)
					defer s.close()
					s.startAll(2)
					s.submit("sim", "x1", strings.Replace(toyStudy("sim", 96, ""), edit[0], edit[1], 1))
					of := s.wait("sim")
					shared, proposed, asked := 40, 56, 0
					if name == "retried" {
						s.ask(events.StudyControl{Study: "sim", ID: "r1", Verb: "retry", Retry: []int{3, 50}}, 98)
						shared, proposed = 98, 24
						of = s.ask(events.StudyControl{Study: "sim", ID: "m1", Verb: "extend", Trials: 122}, 122)
					}
					body := strings.Replace(forked("fork", of.Run, shared, 122, ""), edit[0], edit[1], 1)
					if name != "retried" {
						body = strings.Replace(body, `"trials":122`, `"trials":96`, 1)
					}
					s.submit("fork", "x2", body)
					view := s.wait("fork")
					if view.State != study.Completed || view.Summary.Hash != of.Summary.Hash || view.Summary.Best.Trial != of.Summary.Best.Trial {
						t.Fatalf("seed %d: the fork is %s (%s) with %+v, want %+v", seed, view.State, view.Reason, view.Summary, of.Summary)
					}
					found := s.verifyOf(&proposer.Proposer{Catalog: toyCatalog(s.toy)}, "fork", view.Run)
					if found.Difference != nil || found.Shared != shared || found.Proposed != proposed || found.Asked != asked || found.Hash != of.Summary.Hash {
						t.Errorf("seed %d: %+v (%+v), want %d shared and %d proposed", seed, found, found.Difference, shared, proposed)
					}
				})
			}
		})
	}
}

// A fork goes on in its own way from any trial, also of a study that runs, and
// measures none of what it shares.
func TestAForkMeasuresItsOwnTrialsAlone(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"strict", "relaxed"} {
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, 7, membus.Faults{}, 0)
			defer s.close()
			s.startAll(2)
			s.submit("sim", "x1", toyStudy("sim", 2000, ""))
			run := s.accepted("sim")
			time.Sleep(10 * time.Second)
			if state := s.state("sim"); state != study.Running {
				t.Fatalf("%s: the study is %s, want running", order, state)
			}
			body := strings.Replace(forked("fork", run, 43, 96, `,"order":"`+order+`"`), `"seed":3`, `"seed":4`, 1)
			s.submit("fork", "x2", body)
			view := s.wait("fork")
			if view.State != study.Completed || view.Summary.Trials != 96 {
				t.Fatalf("%s: the fork is %s (%s) with %+v", order, view.State, view.Reason, view.Summary)
			}
			var shared, own int
			for _, e := range s.log(events.StudySubject("fork", "*", "proposed")) {
				p := e.(events.TrialsProposed)
				for i := range p.Designs {
					if _, is := events.OriginBeforeFork(p.Origins[i]); is != (p.FirstTrial+i < 43) {
						t.Errorf("%s: the origin of trial %d is %s", order, p.FirstTrial+i, p.Origins[i])
					} else if is {
						shared++
					}
				}
				own += len(p.Designs) - len(p.Reused)
			}
			if shared != 43 || own != 53 {
				t.Errorf("%s: %d trials are shared and %d were measured, want 43 and 53", order, shared, own)
			}
			found := s.verifyOf(&proposer.Proposer{Catalog: toyCatalog(s.toy)}, "fork", view.Run)
			if found.Difference != nil || found.Shared != 43 || found.Proposed != 53 {
				t.Errorf("%s: %+v (%+v)", order, found, found.Difference)
			}
		})
	}
}

// What cannot be shared is refused with its place; a study that was removed is told
// from one that was changed.
func TestForksThatCannotBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(2)
		s.submit("sim", "x1", toyStudy("sim", 48, ""))
		of := s.wait("sim")
		for name, test := range map[string]struct{ body, pointer, message string }{
			"more":      {forked("more", of.Run, 49, 96, ""), "/spec/fork/trials", "has an answer to the first 48"},
			"other-run": {forked("other-run", "00000000", 9, 96, ""), "/spec/fork/study", "is not in the log"},
			"all":       {forked("all", of.Run, 48, 48, ""), "/spec/fork/trials", "leave none of the budget of 48"},
			"itself":    {strings.Replace(forked("sim", of.Run, 9, 96, ""), `"study":"sim"`, `"study":"itself"`, 1), "/spec/fork/study", "cannot be a fork of itself"},
			"goal":      {strings.Replace(forked("goal", of.Run, 9, 96, ""), "minimize", "maximize", 1), "/spec/fork", `/objectives/0/goal: "minimize", now "maximize"`},
			"space":     {strings.Replace(forked("space", of.Run, 9, 96, ""), `"template":"toy"`, `"template":"toy","fix":{"x":3}`, 1), "/spec/fork", "/parameters/0/values"},
		} {
			body := strings.Replace(test.body, `"name":"sim"`, `"name":"itself"`, 1)
			s.submit(name, "x-"+name, body)
			time.Sleep(time.Minute)
			rejected := s.log(events.RejectedSubject(name))
			if len(rejected) != 1 {
				t.Fatalf("%s: %d rejections, want one", name, len(rejected))
			}
			m := rejected[0].(events.StudyRejected).Errors[0]
			if m.Pointer != test.pointer || !strings.Contains(m.Message, test.message) {
				t.Errorf("%s: %+v, want %q at %s", name, m, test.message, test.pointer)
			}
		}
		s.submit("fork", "x2", forked("fork", of.Run, 40, 96, ""))
		view := s.wait("fork")
		if err := s.hub.Client("user").Purge(s.ctx, events.RunFilter("sim", "*")); err != nil {
			t.Fatal(err)
		}
		found := s.verifyOf(&proposer.Proposer{Catalog: toyCatalog(s.toy)}, "fork", view.Run)
		if found.Difference != nil || found.Unchecked != 40 || found.Shared != 0 || found.Proposed != 56 || found.Hash != view.Summary.Hash {
			t.Errorf("the study was removed: %+v (%+v)", found, found.Difference)
		}
		// It needs the other study no more.
		s.submit("gone", "x3", forked("gone", of.Run, 40, 96, ""))
		if s.ask(events.StudyControl{Study: "fork", ID: "m1", Verb: "extend", Trials: 112}, 112).State != study.Completed {
			t.Error("the fork of a removed study does not go on")
		}
	})
}

// A trial that was changed in the fork's log is found.
func TestVerifyFindsAChangedSharedTrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(2)
		s.submit("sim", "x1", toyStudy("sim", 48, ""))
		of := s.wait("sim")
		s.submit("fork", "x2", forked("fork", of.Run, 40, 64, ""))
		view := s.wait("fork")
		edit := func(e events.Payload) events.Payload {
			if p, ok := e.(events.TrialsProposed); ok && p.Study == "fork" && p.FirstTrial == 16 {
				p.Reused[3].Values[0] /= 2
				return p
			}
			return e
		}
		bus := changed{Bus: s.hub.Client("verifier"), log: edit}
		found := s.verifyOf(&proposer.Proposer{Bus: bus, Catalog: toyCatalog(s.toy)}, "fork", view.Run)
		if d := found.Difference; d == nil || d.Trial != 19 || d.What != "answer that was known" {
			t.Errorf("the difference is %+v, want trial 19", d)
		}
	})
}
