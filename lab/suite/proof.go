package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/services/certify"
)

// errNoAnswer is returned by Known of a task that no design solves.
var errNoAnswer = errors.New("no legal design is feasible")

// keepEvery is how much work an interrupted proof loses at most.
const keepEvery = 10 * time.Second

// certified proves the optimum of a study, or reads the proof from a data
// directory ("" keeps none). Interrupted, it goes on where it stopped.
func certified(ctx context.Context, data string, spec *events.Spec, ev evaluator.Evaluator, desc evaluator.Description) (bench.Known, error) {
	problem, err := certify.New(spec, ev, desc)
	if err != nil {
		return bench.Known{}, err
	}
	proof, err := proofOf(ctx, data, problem, spec)
	if err != nil {
		return bench.Known{}, err
	}
	if !proof.Proven {
		if err := prove(ctx, data, problem, ev, spec, &proof); err != nil {
			return bench.Known{}, fmt.Errorf("prove the optimum: %w", err)
		}
	}
	if proof.Value == nil {
		return bench.Known{}, fmt.Errorf("%w: all %d were judged", errNoAnswer, proof.Legal)
	}
	sp, err := spec.Space()
	if err != nil {
		return bench.Known{}, err
	}
	return bench.Known{Best: *proof.Value, Design: sp.Values(sp.At(proof.Index)), Proven: true, Source: "certified"}, nil
}

// proofOf returns what is known of a proof.
func proofOf(ctx context.Context, data string, problem *certify.Problem, spec *events.Spec) (certify.Proof, error) {
	key, err := problem.Key(ctx)
	if err != nil {
		return certify.Proof{}, err
	}
	if data != "" {
		if proof, ok, err := certify.Load(data, key); err != nil || ok {
			return proof, err
		}
	}
	o := spec.Objectives[0].Metric
	return certify.Proof{Key: key, Study: "bench", Metric: o, Unit: spec.Metrics[spec.MetricIndex(o)].Unit}, nil
}

// prove finishes a proof.
func prove(ctx context.Context, data string, problem *certify.Problem, ev evaluator.Evaluator, spec *events.Spec, proof *certify.Proof) error {
	save := func() error {
		if data == "" {
			return nil
		}
		return certify.Save(data, proof)
	}
	last := time.Now()
	state, err := problem.Run(ctx, certify.Options{From: proof.State, Report: func(s certify.State) error {
		if time.Since(last) < keepEvery {
			return nil
		}
		last, proof.State = time.Now(), s
		return save()
	}})
	proof.State = state
	if err != nil {
		return errors.Join(err, save())
	}
	if proof.Value != nil {
		if err := describeOptimum(ctx, problem, ev, spec, proof); err != nil {
			return err
		}
	}
	return save()
}

// describeOptimum fills in the design and its metrics, which `apollo certify`
// prints when it finds the proof.
func describeOptimum(ctx context.Context, problem *certify.Problem, ev evaluator.Evaluator, spec *events.Spec, proof *certify.Proof) error {
	sp, err := spec.Space()
	if err != nil {
		return err
	}
	r, err := ev.Evaluate(ctx, evaluator.Request{Trial: -1, Design: sp.Values(sp.At(proof.Index))})
	if err != nil {
		return err
	}
	proof.Design, proof.Metrics = problem.Design(proof.Index), map[string]float64{}
	for i, m := range spec.Metrics {
		proof.Metrics[m.Name] = r.Values[i]
	}
	return nil
}
