package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/optimizer"
	"apollo/services/study"
	"apollo/services/transfer"
)

// Job is a cell as a worker process gets it.
type Job struct {
	Suite       string      `json:"suite"`
	Task        string      `json:"task"`
	Lane        Lane        `json:"lane"`
	Environment Environment `json:"environment"`
	Contender
	Run  string       `json:"run"`
	Spec *events.Spec `json:"spec"`
	// Data is the data directory whose log holds the sources.
	Data string `json:"data,omitempty"`
	// CPULimit is the most CPU time of one suggestion, in seconds; 0 means any.
	CPULimit float64 `json:"cpu_limit_s,omitempty"`
}

// Batch is one batch of a cell, proposed and evaluated.
type Batch struct {
	Proposed  events.TrialsProposed `json:"proposed"`
	Evaluated events.BatchEvaluated `json:"evaluated"`
}

// cpuKey is the CPU time that a trial's proposal took, ask and tell, in the
// log's extra numbers.
const cpuKey = "suggest_cpu_s"

// answerKey is the true value of the objective of the study's answer after a trial
// in the log's extra numbers, where answers are noisy.
const answerKey = "answer_true"

// ErrTimeout is returned by Search when a suggestion took more CPU time than
// the job allows.
var ErrTimeout = errors.New("the CPU limit of a suggestion is exceeded")

// Search runs a cell in this process: it drives the product's own machine and
// evaluates in place. emit gets every batch in order; its error ends the search.
func Search(ctx context.Context, job *Job, task *Task, inner optimizer.Algorithm, emit func(*Batch) error) error {
	m := &meter{}
	defer func() {
		if c, ok := m.inner.(io.Closer); ok {
			_ = c.Close() // the child ends with the process at the latest
		}
	}()
	checker, _ := task.Evaluator.(evaluator.Checker)
	knowledge, pins, err := learn(job, task, checker)
	if err != nil {
		return err
	}
	machine, err := study.New(study.Config{
		Spec: job.Spec, Run: job.Run, Algorithm: &laneContender{inner: inner, task: task, cell: job, meter: m},
		Checker: checker, Baseline: task.Baseline, Features: task.Features, Knowledge: knowledge,
	})
	if err != nil {
		return err
	}
	if err := machine.Fold(events.StudyStarted{Study: job.Spec.Study, Run: job.Run, Sources: pins}); err != nil {
		return err
	}
	s := &search{job: job, task: task, machine: machine, meter: m, emit: emit}
	return s.run(ctx)
}

// learn loads the sources of a job.
func learn(job *Job, task *Task, checker evaluator.Checker) (study.Knowledge, []events.SourcePin, error) {
	if job.Spec.Transfer == nil {
		return study.Knowledge{}, nil, nil
	}
	sp, err := job.Spec.Space()
	if err != nil {
		return study.Knowledge{}, nil, err
	}
	judge, err := events.NewJudge(job.Spec)
	if err != nil {
		return study.Knowledge{}, nil, err
	}
	learner, err := transfer.NewLearner(transfer.Target{
		Spec: job.Spec, Legal: study.Legality(job.Spec, sp, judge, checker), Network: transfer.Layers(workload.Sized),
	})
	if err != nil {
		return study.Knowledge{}, nil, err
	}
	for i, ref := range job.Spec.Transfer.Sources {
		source, err := archiver.OpenSource(os.DirFS(job.Data), ref)
		if err != nil {
			return study.Knowledge{}, nil, err
		}
		_, err = learner.Add(source, "")
		switch refused := i < len(task.From) && task.From[i].Refused; {
		case refused && err == nil:
			return study.Knowledge{}, nil, fmt.Errorf("source %s is taken, but must be refused", source.Study)
		case !refused && err != nil:
			return study.Knowledge{}, nil, err
		}
	}
	k, pins := learner.Knowledge()
	return k, pins, nil
}

// search is a running cell.
type search struct {
	job     *Job
	task    *Task
	machine *study.Machine
	meter   *meter
	emit    func(*Batch) error
	seq     uint64
	spent   float64 // CPU seconds that were already counted
}

func (s *search) run(ctx context.Context) error {
	for {
		e, err := s.machine.Next()
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case nil:
			return fmt.Errorf("the study waits for nothing after %d trials", s.machine.Summary().Trials)
		case events.StudyPaused:
			return errors.New(e.Reason)
		case events.StudyCompleted:
			return s.machine.Fold(e)
		case events.TrialsProposed:
			if err := s.machine.Fold(e); err != nil {
				return err
			}
			if err := s.batch(ctx, &e); err != nil {
				return err
			}
		default:
			if err := s.machine.Fold(e); err != nil {
				return err
			}
		}
	}
}

// batch evaluates what was proposed and gives the machine the answer.
func (s *search) batch(ctx context.Context, proposed *events.TrialsProposed) error {
	now := s.meter.seconds()
	each := (now - s.spent) / float64(len(proposed.Designs))
	s.spent = now
	if limit := s.job.CPULimit; limit > 0 && each > limit {
		return fmt.Errorf("%w: %.3g s at trial %d, the limit is %.3g s", ErrTimeout, each, proposed.FirstTrial, limit)
	}
	work := s.machine.Work(proposed.Batch)
	answer := events.BatchEvaluated{
		Study: work.Study, Run: work.Run, Batch: work.Batch, Evaluator: work.Evaluator,
		EvaluatorVersion: s.job.Spec.Evaluator.Version,
	}
	for _, m := range work.Metrics {
		answer.Metrics = append(answer.Metrics, m.Name)
	}
	for i, design := range work.Designs {
		t, err := s.trial(ctx, work, i, design)
		if err != nil {
			return err
		}
		t.Extra[cpuKey] = each
		answer.Trials = append(answer.Trials, t)
	}
	s.seq++
	s.machine.Result(s.seq, &answer)
	if err := s.truth(ctx, &answer); err != nil {
		return err
	}
	return s.emit(&Batch{Proposed: *proposed, Evaluated: answer})
}

// truth notes what the study's answer is really worth.
func (s *search) truth(ctx context.Context, answer *events.BatchEvaluated) error {
	best := s.machine.Summary().Best
	if s.task.True == nil || best == nil {
		return nil
	}
	design := make(events.Design, len(s.job.Spec.Parameters))
	for i, p := range s.job.Spec.Parameters {
		switch v := best.Design[p.Name].(type) {
		case float64:
			design[i].Num = v
		case string:
			design[i].Label = v
		}
	}
	value, err := s.task.True(ctx, design)
	for i := range answer.Trials {
		answer.Trials[i].Extra[answerKey] = value
	}
	return err
}

func (s *search) trial(ctx context.Context, work *events.BatchRequested, i int, design events.Design) (events.TrialResult, error) {
	began := time.Now()
	r, err := s.task.Evaluator.Evaluate(ctx, evaluator.Request{Study: work.Study, Trial: work.Trials[i], Design: design})
	if err != nil {
		return events.TrialResult{}, fmt.Errorf("evaluate trial %d: %w", work.Trials[i], err)
	}
	t := events.TrialResult{
		Trial: work.Trials[i], Outcome: string(r.Outcome), Attempts: 1,
		Started: microseconds(began), Seconds: time.Since(began).Seconds(), Extra: map[string]float64{},
	}
	if r.Reason != nil {
		t.Reason = &events.Reason{
			Code: r.Reason.Code, Layer: r.Reason.Layer, Need: r.Reason.Need, Have: r.Reason.Have,
			Unit: r.Reason.Unit, Message: r.Reason.Message,
		}
	}
	if r.Values != nil {
		t.Values = make(events.Numbers, len(work.Metrics))
		for k := range t.Values {
			t.Values[k] = math.NaN()
			if k < len(r.Values) {
				t.Values[k] = r.Values[k]
			}
		}
	}
	for _, x := range r.Extra {
		if !math.IsNaN(x.Value) && !math.IsInf(x.Value, 0) { // JSON has no such numbers
			t.Extra[x.Name] = x.Value
		}
	}
	return t, nil
}
