package examples_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/optimizer/space"
)

// patience bounds waits that a correct program never has.
const patience = 60 * time.Second

// pythonWithNATS returns a Python that has nats-py; APOLLO_PYTHON names one.
func pythonWithNATS(t *testing.T) string {
	t.Helper()
	python := os.Getenv("APOLLO_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import nats").CombinedOutput(); err != nil {
		t.Skipf("no Python with nats-py (pip install nats-py, or set APOLLO_PYTHON): %v %s", err, out)
	}
	return python
}

// evaluator_nats.py answers work items on the real server: a good design, an
// infeasible one and one with an unknown parameter, each item once, also when
// it comes again and when someone else has answered before.
func TestEvaluatorOverNATS(t *testing.T) {
	t.Parallel()
	python := pythonWithNATS(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const token = "secret"
	quiet := slog.New(slog.DiscardHandler)
	server, err := natsbus.StartServer(natsbus.ServerConfig{Dir: t.TempDir(), Token: token, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	bus, err := natsbus.Connect(ctx, natsbus.Config{URL: server.URL(), Token: token, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close(context.WithoutCancel(ctx)) })
	if err := bus.Provision(ctx); err != nil {
		t.Fatal(err)
	}

	// The program starts before its consumer is there, and waits for it.
	worker := exec.CommandContext(ctx, python, "evaluator_nats.py", "mine", strings.Replace(server.URL(), "//", "//"+token+"@", 1))
	var said strings.Builder
	worker.Stderr = &said
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel() // nothing more will be answered
		_ = worker.Wait()
	}()
	t.Cleanup(func() {
		_ = worker.Process.Kill()
		<-ended
		if t.Failed() {
			t.Log(said.String())
		}
	})
	if err := bus.ProvisionEvaluator(ctx, "mine"); err != nil {
		t.Fatal(err)
	}

	// Batch 0 was answered by another worker that died before it acknowledged.
	first := work(0)
	answered := events.BatchEvaluated{
		Study: first.Study, Run: first.Run, Evaluator: first.Evaluator, Worker: "dead", Metrics: []string{"latency_s", "area_mm2"},
		Trials: []events.TrialResult{{Trial: 0, Outcome: events.OutcomeMeasured, Values: events.Numbers{1, 1}}},
	}
	record(ctx, t, bus, answered)
	publish(ctx, t, bus, first)
	publish(ctx, t, bus, work(1))
	work2 := work(2)
	work2.Parameters[0].Name = "rows_of_pes"
	publish(ctx, t, bus, work2)

	got := map[int]events.BatchEvaluated{}
	for m, err := range bus.Facts().Follow(ctx, 1, "result.mine.>") {
		if err != nil {
			t.Fatal(err)
		}
		_, r, err := events.DecodeAs[events.BatchEvaluated](m.Data)
		if err != nil {
			t.Fatalf("the answer does not decode: %v\n%s", err, m.Data)
		}
		got[r.Batch] = r
		if len(got) == 3 {
			break
		}
	}
	if len(got) != 3 {
		t.Fatalf("%d batches were answered, want 3", len(got))
	}
	if got[0].Worker != "dead" {
		t.Errorf("batch 0 was answered by %q, want the first answer to stay", got[0].Worker)
	}
	checkBatch(t, work(1), got[1], events.OutcomeMeasured, events.OutcomeInfeasible)
	checkBatch(t, work2, got[2], events.OutcomeFailed, events.OutcomeFailed)
	drained(ctx, t, bus)
}

func work(batch int) events.BatchRequested {
	num := func(v float64) space.Value { return space.Value{Num: v} }
	return events.BatchRequested{
		Study: "demo", Run: "0a1b2c3d", Batch: batch, Evaluator: "mine", TimeoutSeconds: 10, Attempts: 1,
		Metrics:    []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2"}},
		Parameters: []events.Column{{Name: "rows"}, {Name: "columns"}, {Name: "buffer", Unit: "B"}, {Name: "dataflow"}},
		Trials:     []int{2 * batch, 2*batch + 1},
		Designs: []events.Design{
			{num(16), num(16), num(65536), {Label: "weight"}},
			{num(64), num(64), num(16384), {Label: "output"}},
		},
	}
}

func publish(ctx context.Context, t *testing.T, bus events.Bus, w events.BatchRequested) {
	t.Helper()
	subject := events.WorkSubject(w.Evaluator, w.Study, w.Run, w.Batch)
	data, err := events.Encode(subject, "proposer", w.Study, time.Now(), w)
	if err != nil {
		t.Fatal(err)
	}
	m := message.NewMessage(subject, data)
	m.SetContext(ctx)
	if err := bus.Queue(1).Publish(subject, m); err != nil {
		t.Fatal(err)
	}
}

func record(ctx context.Context, t *testing.T, bus events.Bus, r events.BatchEvaluated) {
	t.Helper()
	subject := events.ResultSubject(r.Evaluator, r.Study, r.Run, r.Batch)
	data, err := events.Encode("another-id", "evaluator/mine", r.Study, time.Now(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Facts().Record(ctx, events.Message{Subject: subject, ID: "another-id", Data: data}); err != nil {
		t.Fatal(err)
	}
}

// checkBatch wants the outcomes, in order, and an answer that fits the item.
func checkBatch(t *testing.T, w events.BatchRequested, r events.BatchEvaluated, outcomes ...string) {
	t.Helper()
	trials, problems := events.ValidateResult(events.ExpectedOf(&w), &r)
	if len(problems) > 0 {
		t.Errorf("batch %d: %v", w.Batch, problems)
	}
	for i, want := range outcomes {
		got := trials[i]
		if got.Outcome != want || (want == events.OutcomeMeasured) != (got.Reason == nil) {
			t.Errorf("batch %d, trial %d: %s, reason %+v, want %s", w.Batch, got.Trial, got.Outcome, got.Reason, want)
		}
	}
}

// drained waits until every work item has been acknowledged.
func drained(ctx context.Context, t *testing.T, bus events.Bus) {
	t.Helper()
	for ctx.Err() == nil {
		info, err := bus.Log().Info(ctx, "work.mine.demo.0a1b2c3d.0")
		if err != nil {
			t.Fatal(err)
		}
		if info.Messages == 0 {
			return
		}
	}
	t.Error("work items stay in the queue: they were not acknowledged")
}
