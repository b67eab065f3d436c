package services_test

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/optimizer/space"
	"apollo/services/proposer"
	"apollo/services/study"
)

// verify proposes the trials of a study again, from what the bus holds.
func (s *sim) verify(p *proposer.Proposer, run string) *proposer.Verified {
	s.t.Helper()
	return s.verifyOf(p, "sim", run)
}

func (s *sim) verifyOf(p *proposer.Proposer, name, run string) *proposer.Verified {
	s.t.Helper()
	if p.Bus == nil {
		p.Bus = s.hub.Client("verifier")
	}
	p.Logger = slog.New(slog.DiscardHandler)
	found, err := p.Verify(s.ctx, name, run)
	for range 100 { // the bus has faults
		if err == nil || !isFault(err) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		found, err = p.Verify(s.ctx, name, run)
	}
	if err != nil {
		s.t.Fatalf("verify: %v", err)
	}
	return found
}

func isFault(err error) bool { return strings.Contains(err.Error(), events.ErrUnreachable.Error()) }

// What a study proposed under faults and kills is what is proposed again.
func TestVerifyFindsNoDifference(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"strict":  "",
		"lag":     `,"seed":5`,
		"relaxed": `,"order":"relaxed"`,
		"start":   `,"start":[{"x":3,"y":4,"z":2}]`,
		"prior":   askFast,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range seeds(t, 1) {
				synctest.Test(t, func(t *testing.T) {
					s := newSim(t, 3*seed, allFaults, 10)
					defer s.close()
					body := toyStudy("sim", 96, more)
					if name == "lag" {
						body = strings.Replace(toyStudy("sim", 96, ""), `"parallelism":4`, `"parallelism":4,"lag":3`, 1)
					}
					s.startWithFast(new("7"))
					s.submit("sim", "x1", body)
					view := s.wait("sim")
					if view.State != study.Completed {
						t.Fatalf("%s (%s), want completed", view.State, view.Reason)
					}
					found := s.verify(&proposer.Proposer{Catalog: catalogWithFast(s.toy, "7")}, view.Run)
					if found.Difference != nil || found.Proposed != 96 || found.Hash != view.Summary.Hash || found.Ends != 1 {
						t.Errorf("seed %d: %+v (%+v), want 96 trials and hash %s", seed, found, found.Difference, view.Summary.Hash)
					}
					if name == "strict" {
						voided := slices.Compact(slices.Sorted(slices.Values([]int{3, 50, view.Best.Trial})))
						s.ask(events.StudyControl{Study: "sim", ID: "r1", Verb: "retry", Retry: voided}, 96+len(voided))
						view = s.ask(events.StudyControl{Study: "sim", ID: "m1", Verb: "extend", Trials: 140}, 140)
						found = s.verify(&proposer.Proposer{Catalog: catalogWithFast(s.toy, "7")}, view.Run)
						if found.Difference != nil || found.Proposed+len(voided) != 140 || found.Asked != len(voided) || found.Hash != view.Summary.Hash || found.Ends < 2 {
							t.Errorf("retried, seed %d: %+v (%+v), want 140 trials and hash %s", seed, found, found.Difference, view.Summary.Hash)
						}
					}
				})
			}
		})
	}
}

// changed is a bus whose stored messages were changed.
type changed struct {
	events.Bus
	log, facts func(events.Payload) events.Payload
}

func (c changed) Log() events.Log     { return changedLog{c.Bus.Log(), c.log} }
func (c changed) Facts() events.Facts { return changedFacts{c.Bus.Facts(), c.facts} }

type changedLog struct {
	events.Log
	edit func(events.Payload) events.Payload
}

func (c changedLog) Read(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	return edited(c.Log.Read(ctx, from, filters...), c.edit)
}

type changedFacts struct {
	events.Facts
	edit func(events.Payload) events.Payload
}

func (c changedFacts) Read(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	return edited(c.Facts.Read(ctx, from, filters...), c.edit)
}

func edited(all iter.Seq2[events.Message, error], edit func(events.Payload) events.Payload) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for m, err := range all {
			if err == nil && edit != nil {
				env, e, decodeErr := events.Decode(m.Data)
				if decodeErr == nil {
					m.Data, err = events.Encode(env.ID, env.Source, env.Subject, env.Time, edit(e))
				}
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// One number of the log or of an answer that was changed is found, with its place.
func TestVerifyNamesTheFirstDifference(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(2)
		s.submit("sim", "x1", toyStudy("sim", 96, ""))
		view := s.wait("sim")
		var was space.Value
		for name, test := range map[string]struct {
			log, facts func(events.Payload) events.Payload
			want       func(d *proposer.Difference) bool
		}{
			"a design": {log: func(e events.Payload) events.Payload {
				if p, ok := e.(events.TrialsProposed); ok && p.FirstTrial == 40 {
					was = p.Designs[2][1]
					p.Designs[2][1].Num = 17 - p.Designs[2][1].Num
					return p
				}
				return e
			}, want: func(d *proposer.Difference) bool {
				return d.Trial == 42 && d.What == "y" && d.Again == was.String() && d.Logged != d.Again
			}},
			"an origin": {log: func(e events.Payload) events.Payload {
				if p, ok := e.(events.TrialsProposed); ok && p.FirstTrial == 8 {
					p.Origins[0] = "user"
				}
				return e
			}, want: func(d *proposer.Difference) bool { return d.Trial == 8 && d.What == "origin" && d.Logged == "user" }},
			"the best trial": {log: func(e events.Payload) events.Payload {
				if c, ok := e.(events.StudyCompleted); ok {
					c.Summary.Best.Trial++
				}
				return e
			}, want: func(d *proposer.Difference) bool { return d.Trial == -1 && d.What == "best trial" }},
			"an answer": {facts: func(e events.Payload) events.Payload {
				if r, ok := e.(events.BatchEvaluated); ok && r.Batch == 11 {
					for i := range r.Trials {
						for k := range r.Trials[i].Values {
							r.Trials[i].Values[k] *= 2
						}
					}
				}
				return e
			}, want: func(d *proposer.Difference) bool { return d.Trial == -1 && d.What == "hash of the trials" }},
			"the seed": {log: func(e events.Payload) events.Payload {
				if a, ok := e.(events.StudyAccepted); ok {
					a.Spec.Seed++
					return a
				}
				return e
			}, want: func(d *proposer.Difference) bool { return d.Trial >= 0 && d.Trial < 8 }},
		} {
			p := &proposer.Proposer{Catalog: toyCatalog(s.toy), Bus: changed{s.hub.Client("changed"), test.log, test.facts}}
			found := s.verify(p, view.Run)
			if d := found.Difference; d == nil || !test.want(d) || d.Build != "" {
				t.Errorf("%s: %+v", name, d)
			}
			p.Build = "another"
			if d := s.verify(p, view.Run).Difference; d == nil || !test.want(d) {
				t.Errorf("%s, by another build: %+v", name, d)
			}
		}
		// Another version of the model proposes nothing: that is no fault of the log.
		later := s.toy
		later.version = "2"
		p := &proposer.Proposer{Catalog: toyCatalog(later), Bus: s.hub.Client("later"), Logger: slog.New(slog.DiscardHandler)}
		if _, err := p.Verify(s.ctx, "sim", view.Run); err == nil || !strings.Contains(err.Error(), "version 1 of evaluator toy, this build has version 2") {
			t.Errorf("verified with another model: %v", err)
		}
	})
}
