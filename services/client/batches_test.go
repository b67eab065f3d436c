package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
)

const (
	studyName, runName = "demo", "00000001"
	batches            = 40
)

// answered is a bus with a run of one-trial batches, whose answers came in another order,
// and without anybody who drives it.
func answered(t *testing.T) (events.Bus, *client.StudyView) {
	t.Helper()
	bus := membus.New(membus.Config{}).Client("one")
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec := &events.Spec{
		Study: studyName, Evaluator: events.EvaluatorSpec{Name: "edge"},
		Parameters: []events.Parameter{{Name: "x", Values: []float64{1, 2}}}, Metrics: []events.Metric{{Name: "latency_s", Unit: "s"}},
	}
	encode := func(id string, e events.Payload) []byte {
		data, err := events.Encode(id, "test", studyName, time.Now(), e)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	log := func(kind string, e events.Payload) {
		if _, err := bus.Log().Append(t.Context(), events.Message{Subject: events.StudySubject(studyName, runName, kind), ID: kind, Data: encode(kind, e)}, events.Fence{}); err != nil {
			t.Fatal(err)
		}
	}
	log("accepted", events.StudyAccepted{Study: studyName, Run: runName, Spec: *spec, Command: "c"})
	for k := range batches {
		id := fmt.Sprint("p", k)
		e := events.TrialsProposed{Study: studyName, Run: runName, Batch: k, FirstTrial: k, Designs: []events.Design{{{Num: 1}}}, Origins: []string{"random"}}
		if _, err := bus.Log().Append(t.Context(), events.Message{Subject: events.StudySubject(studyName, runName, "proposed"), ID: id, Data: encode(id, e)}, events.Fence{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range batches {
		k := (i*7 + 3) % batches
		e := events.BatchEvaluated{
			Study: studyName, Run: runName, Batch: k, Evaluator: "edge", Metrics: []string{"latency_s"},
			Trials: []events.TrialResult{{Trial: k, Outcome: events.OutcomeMeasured, Values: events.Numbers{float64(k)}}},
		}
		id := fmt.Sprint("r", k)
		subject := fmt.Sprintf("result.edge.%s.%s.%d", studyName, runName, k)
		if _, err := bus.Facts().Record(t.Context(), events.Message{Subject: subject, ID: id, Data: encode(id, e)}); err != nil {
			t.Fatal(err)
		}
	}
	return bus, &client.StudyView{Study: studyName, Run: runName, Spec: spec}
}

// Each batch comes with its own answer, whatever order they were given in.
func TestBatchesHaveTheirAnswers(t *testing.T) {
	t.Parallel()
	bus, view := answered(t)
	next := 0
	for b, err := range client.Batches(t.Context(), bus, view, events.MaxTrials) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Batch != next || b.Answers[0] == nil || b.Answers[0].Values[0] != float64(next) || b.Stored.Seq == 0 {
			t.Fatalf("batch %d: %+v, want batch %d with its answer", b.Batch, b, next)
		}
		next++
	}
	if next != batches {
		t.Errorf("%d batches, want %d", next, batches)
	}
}

// A run that is read once is the same as one whose log is read for its view and for its
// batches: also where it is pinned, or followed by another run, while it is read.
func TestRunIsReadOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile events.Payload
		kind, run string
		begins    int
		answers   int
	}{
		"nothing happens": {begins: 1, answers: batches},
		"it is pinned": {
			meanwhile: events.StudyBound{Study: studyName, Run: runName, Identity: events.Identity{Version: "another"}}, kind: "bound", run: runName,
			begins: 2, answers: 0,
		},
		"another run begins": {
			meanwhile: events.StudyAccepted{Study: studyName, Run: "00000002", Spec: events.Spec{Study: studyName}, Command: "d"}, kind: "accepted", run: "00000002",
			begins: 2, answers: 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus, _ := answered(t)
			begins, read := 0, 0
			view, err := client.ReadRun(t.Context(), bus, studyName, "", func(*client.StudyView) (func(*client.Batch), error) {
				if begins++; begins == 1 && tt.meanwhile != nil {
					data, err := events.Encode("m", "test", studyName, time.Now(), tt.meanwhile)
					if err != nil {
						return nil, err
					}
					m := events.Message{Subject: events.StudySubject(studyName, tt.run, tt.kind), ID: "m", Data: data}
					if _, err := bus.Log().Append(t.Context(), m, events.Fence{}); err != nil {
						return nil, err
					}
				}
				read = 0
				return func(b *client.Batch) {
					if b.Answers[0] != nil {
						read++
					}
				}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want, err := client.ReadStudy(t.Context(), bus.Log(), studyName, "")
			if err != nil {
				t.Fatal(err)
			}
			if view.Run != want.Run || view.Proposed != want.Proposed || !view.Updated.Equal(want.Updated) {
				t.Errorf("ReadRun() = %s with %d trials of %s, want %s, %d, %s", view.Run, view.Proposed, view.Updated, want.Run, want.Proposed, want.Updated)
			}
			if begins != tt.begins || read != tt.answers {
				t.Errorf("began %d times, %d answers, want %d and %d", begins, read, tt.begins, tt.answers)
			}
		})
	}
}

// What cannot be read ends the reading of a run.
func TestRunThatCannotBeRead(t *testing.T) {
	t.Parallel()
	bus, _ := answered(t)
	begin := func(*client.StudyView) (func(*client.Batch), error) { return func(*client.Batch) {}, nil }
	if _, err := client.ReadRun(t.Context(), bus, "none", "", begin); !errors.Is(err, client.ErrNoStudy) {
		t.Errorf("ReadRun() of no study: %v, want ErrNoStudy", err)
	}
	if _, err := bus.Log().Append(t.Context(), events.Message{Subject: events.StudySubject(studyName, runName, "proposed"), ID: "bad", Data: []byte("{}")}, events.Fence{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ReadRun(t.Context(), bus, studyName, runName, begin); !errors.Is(err, events.ErrMalformed) {
		t.Errorf("ReadRun() of a run with what is no event: %v, want ErrMalformed", err)
	}
}

// Who is interrupted hears of it: what was read so far is not the run.
func TestBatchesThatAreInterrupted(t *testing.T) {
	t.Parallel()
	bus, view := answered(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, last := 0, error(nil)
	for _, err := range client.Batches(ctx, bus, view, events.MaxTrials) {
		cancel()
		if last = err; err != nil {
			break
		}
		read++
	}
	if read == batches || !errors.Is(last, context.Canceled) {
		t.Errorf("%d of %d batches were read, and the error is %v", read, batches, last)
	}
}

// Who has seen enough leaves nobody behind who reads on.
func TestBatchesThatAreEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails where a goroutine is left
		bus, view := answered(t)
		some, err := client.ReadBatches(context.WithoutCancel(t.Context()), bus, view, 3)
		if err != nil || len(some) != 3 {
			t.Errorf("%d batches, %v, want 3", len(some), err)
		}
	})
}
