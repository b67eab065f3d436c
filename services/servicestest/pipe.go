// Package servicestest has a study whose every step is done by the caller, for
// the benchmarks of the services.
package servicestest

import (
	"context"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/services/study"
)

// batch is how many designs a work item of a Pipe has.
const batch = 64

// Run is the name of a Pipe's run.
const Run = "0badcafe"

// Spec returns a study of ten parameters and three metrics.
func Spec() *events.Spec {
	limit := 6.8
	s := &events.Spec{
		Study: "bench", Seed: 1,
		Metrics:    []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"}},
		Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "area_mm2", Max: &limit}},
		Algorithm: events.Algorithm{Name: "random"},
		Evaluator: events.EvaluatorSpec{Name: "fake", TimeoutSeconds: 60, Attempts: 3, Deterministic: true},
		Budget:    events.Budget{Trials: math.MaxInt32, Batch: batch, Parallelism: 1, Lag: 2},
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

// Instant is an evaluator whose answers cost nothing: a third is measured, as
// in random search under an area limit.
type Instant struct{}

// Describe names its metrics.
func (Instant) Describe() evaluator.Description {
	return evaluator.Description{Name: "fake", Version: "fake-1", Deterministic: true, Metrics: []evaluator.Metric{
		{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"},
	}}
}

// New returns itself for every task.
func (Instant) New(evaluator.Task) (evaluator.Evaluator, error) { return Instant{}, nil }

// Evaluate answers by the number of the trial.
func (Instant) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
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

// Pipe is a study whose every step is done by the caller.
type Pipe struct {
	Machine *study.Machine

	b    *testing.B
	last events.BatchRequested
	seq  uint64
}

// NewPipe opens the study of Spec.
func NewPipe(b *testing.B) *Pipe {
	b.Helper()
	machine, err := study.New(study.Config{Spec: Spec(), Run: Run, Algorithm: optimizer.Random{}})
	if err != nil {
		b.Fatal(err)
	}
	return &Pipe{b: b, Machine: machine}
}

// Propose returns the next batch as an event and as a work item, folded.
func (p *Pipe) Propose() (proposed events.Message, work *message.Message) {
	p.b.Helper()
	var proposal events.TrialsProposed
	for proposal.Study == "" {
		e, err := p.Machine.Next()
		if err == nil {
			err = p.Machine.Fold(e)
		}
		if err != nil {
			p.b.Fatal(err)
		}
		proposal, _ = e.(events.TrialsProposed) // or an improvement
	}
	id := strconv.Itoa(proposal.Batch)
	proposed = events.Message{Subject: events.StudySubject("bench", Run, "proposed"), ID: id, Data: p.Encode(id, proposal)}
	p.last = *p.Machine.Work(proposal.Batch)
	work = message.NewMessage(id, p.Encode(id, p.last))
	work.Metadata.Set(events.MetaDeliveries, "1")
	return proposed, work
}

// Answer returns the result of the batch that was proposed last, as recorded.
func (p *Pipe) Answer() (events.BatchEvaluated, events.Message) {
	p.b.Helper()
	r := events.BatchEvaluated{
		Study: p.last.Study, Run: p.last.Run, Batch: p.last.Batch, Evaluator: p.last.Evaluator, EvaluatorVersion: "fake-1", Worker: "bench/1",
		Trials: make([]events.TrialResult, len(p.last.Trials)),
	}
	for _, m := range p.last.Metrics {
		r.Metrics = append(r.Metrics, m.Name)
	}
	for i, trial := range p.last.Trials {
		got, err := Instant{}.Evaluate(p.b.Context(), evaluator.Request{Trial: trial})
		if err != nil {
			p.b.Fatal(err)
		}
		r.Trials[i] = events.TrialResult{
			Trial: trial, Outcome: string(got.Outcome), Values: got.Values, Attempts: 1, Seconds: 1e-6,
		}
		if got.Reason != nil {
			reason := events.Reason(*got.Reason)
			r.Trials[i].Reason = &reason
		}
	}
	p.seq++
	subject := events.ResultSubject(r.Evaluator, r.Study, r.Run, r.Batch)
	return r, events.Message{Subject: subject, ID: subject, Seq: p.seq, Time: time.Unix(1, 0), Data: p.Encode(subject, r)}
}

// Encode returns an event as the services store it.
func (p *Pipe) Encode(id string, e events.Payload) []byte {
	p.b.Helper()
	data, err := events.Encode(id, "proposer", "bench", time.Unix(0, 0), e)
	if err != nil {
		p.b.Fatal(err)
	}
	return data
}

// PerTrial reports the time of a trial instead of a batch's.
func (p *Pipe) PerTrial() {
	p.b.ReportMetric(float64(p.b.Elapsed().Nanoseconds())/float64(p.b.N)/batch, "ns/trial")
	p.b.ReportMetric(0, "ns/op")
}
