package services

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/services/study"
)

// The benchmarks measure what the services do with a batch of 64 designs of
// ten parameters besides asking, evaluating and talking to the bus.

const benchBatch = 64

func benchSpec() *events.Spec {
	limit := 6.8
	s := &events.Spec{
		Study: "bench", Seed: 1,
		Metrics:    []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"}},
		Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "area_mm2", Max: &limit}},
		Algorithm: events.Algorithm{Name: "random"},
		Evaluator: events.EvaluatorSpec{Name: "fake", TimeoutSeconds: 60, Attempts: 3, Deterministic: true},
		Budget:    events.Budget{Trials: math.MaxInt32, Batch: benchBatch, Parallelism: 1, Lag: 2},
		Order:     "strict",
	}
	for _, name := range []string{"pes_x", "pes_y", "simd_units", "compute_lanes", "pe_memory", "core_memory", "register_file", "cores", "io_bandwidth", "clock"} {
		p := events.Parameter{Name: name, Unit: "B"}
		for level := range 8 {
			p.Values = append(p.Values, float64(int(64)<<level))
		}
		s.Parameters = append(s.Parameters, p)
	}
	return s
}

// instant is an evaluator whose answers cost nothing: a third is measured, as
// in random search under an area limit.
type instant struct{}

func (instant) Describe() evaluator.Description {
	return evaluator.Description{Name: "fake", Version: "fake-1", Deterministic: true, Metrics: []evaluator.Metric{
		{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"},
	}}
}

func (instant) New(evaluator.Task) (evaluator.Evaluator, error) { return instant{}, nil }

func (instant) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
	x := float64(r.Trial)
	if r.Trial%3 == 0 {
		return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{1 / (300 + math.Mod(x, 97)), 6 + 1/(x+1), 1 / (x + 70)}}, nil
	}
	return evaluator.Result{
		Outcome: evaluator.Infeasible, Values: []float64{math.NaN(), 6 + 1/(x+1), math.NaN()},
		Reason: &evaluator.Reason{
			Code: "parameter_memory", Layer: "mobilenet_v2/block_13_project", Need: 153600, Have: 65536, Unit: "B",
			Message: "the parameters of the layer need 150 KiB, the memory of a core holds 64 KiB",
		},
	}, nil
}

// lastFact keeps the last result that was recorded.
type lastFact struct {
	events.Facts
	last events.Message
}

func (f *lastFact) Record(_ context.Context, m events.Message) (uint64, error) {
	m.Seq = f.last.Seq + 1
	f.last = m
	return m.Seq, nil
}

type factBus struct {
	events.Bus
	facts lastFact
}

func (b *factBus) Facts() events.Facts { return &b.facts }

// pipe is a study whose every step is done by the caller.
type pipe struct {
	b         *testing.B
	machine   *study.Machine
	evaluator *Evaluator
	bus       *factBus
}

func newPipe(b *testing.B) *pipe {
	b.Helper()
	machine, err := study.New(study.Config{Spec: benchSpec(), Run: "0badcafe", Algorithm: optimizer.Random{}})
	if err != nil {
		b.Fatal(err)
	}
	bus := &factBus{}
	return &pipe{b: b, machine: machine, bus: bus, evaluator: &Evaluator{
		Bus: bus, Name: "fake", Backend: instant{}, Worker: "bench/1", Logger: slog.New(slog.DiscardHandler), bound: map[string]binding{},
	}}
}

// propose returns the next batch as an event and as a work item, folded.
func (p *pipe) propose() (proposed events.Message, work *message.Message) {
	p.b.Helper()
	var proposal events.TrialsProposed
	for proposal.Study == "" {
		e, err := p.machine.Next()
		if err == nil {
			err = p.machine.Fold(e)
		}
		if err != nil {
			p.b.Fatal(err)
		}
		proposal, _ = e.(events.TrialsProposed) // or an improvement
	}
	id := strconv.Itoa(proposal.Batch)
	proposed = events.Message{Subject: events.StudySubject("bench", "0badcafe", "proposed"), ID: id, Data: p.encode(id, proposal)}
	return proposed, message.NewMessage(id, p.encode(id, *p.machine.Work(proposal.Batch)))
}

func (p *pipe) encode(id string, e events.Payload) []byte {
	data, err := events.Encode(id, "proposer", "bench", time.Unix(0, 0), e)
	if err != nil {
		p.b.Fatal(err)
	}
	return data
}

// answer evaluates a work item and returns the recorded result.
func (p *pipe) answer(work *message.Message) events.Message {
	if err := p.evaluator.answer(p.b.Context(), work); err != nil {
		p.b.Fatal(err)
	}
	return p.bus.facts.last
}

// perTrial reports the time of a trial instead of a batch's.
func (p *pipe) perTrial() {
	p.b.ReportMetric(float64(p.b.Elapsed().Nanoseconds())/float64(p.b.N)/benchBatch, "ns/trial")
	p.b.ReportMetric(0, "ns/op")
}

// BenchmarkAnswer decodes a work item, evaluates and encodes the result.
func BenchmarkAnswer(b *testing.B) {
	p := newPipe(b)
	_, work := p.propose()
	b.ReportAllocs()
	for b.Loop() {
		p.answer(work)
	}
	p.perTrial()
}

// BenchmarkFold decodes a result and folds it into the study.
func BenchmarkFold(b *testing.B) {
	p := newPipe(b)
	o := &owner{machine: p.machine, log: slog.New(slog.DiscardHandler)}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		_, work := p.propose()
		m := p.answer(work)
		b.StartTimer()
		if err := o.fold(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	p.perTrial()
}

// BenchmarkArchive decodes proposals and results, joins them, and commits them
// to files whenever a commit is due, fsync included.
func BenchmarkArchive(b *testing.B) {
	p := newPipe(b)
	store, err := archiver.Open(b.TempDir(), archiver.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	w := &archive{store: store, log: slog.New(slog.DiscardHandler), runs: map[runKey]*archiveRun{}}
	accepted := p.encode("a", events.StudyAccepted{Study: "bench", Run: "0badcafe", Spec: *benchSpec()})
	err = w.logged(b.Context(), delivery{m: events.Message{Subject: events.StudySubject("bench", "0badcafe", "accepted"), Data: accepted}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		proposed, work := p.propose()
		result := p.answer(work)
		o := &owner{machine: p.machine}
		if err := o.fold(b.Context(), result); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		err := errors.Join(w.logged(b.Context(), delivery{m: proposed}), w.archiveResult(b.Context(), result, nil))
		if err == nil && store.Due() {
			err = store.Commit(archiver.Position{Sequence: result.Seq})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	p.perTrial()
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}
