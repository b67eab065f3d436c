package main

import (
	"context"
	"fmt"
	"math"

	"apollo/events"
	"apollo/services/certify"
	"apollo/services/cli"
)

// optimum is what a proof says about a study's best design.
type optimum struct {
	// Value is the proven optimum in the objective's unit.
	Value float64 `json:"value"`
	// Gap is how much worse the best trial is, relative to the optimum: 0 when
	// it is optimal, null when no trial is feasible.
	Gap *float64 `json:"gap"`
	// Tied is how many designs have the optimal value.
	Tied uint64 `json:"tied"`
}

// optimumOf returns what the data directory knows about a study's optimum; nil
// when it was not certified, or not by this build's model.
func (a *app) optimumOf(ctx context.Context, spec *events.Spec, best *events.BestTrial) *optimum {
	if spec == nil || !certify.Any(a.Data) {
		return nil
	}
	problem, _, err := prover(spec)
	if err != nil {
		return nil // a study without a proof is the rule
	}
	key, err := problem.Key(ctx)
	if err != nil {
		return nil
	}
	proof, ok, err := certify.Load(a.Data, key)
	if err != nil {
		a.Say("%v; `apollo certify --fresh` writes it anew", err)
		return nil
	}
	if !ok || !proof.Proven || proof.Value == nil {
		return nil
	}
	o := &optimum{Value: *proof.Value, Tied: proof.Tied}
	if best != nil {
		objective := spec.Objectives[0]
		gap := best.Metrics[objective.Metric] - o.Value
		if objective.Goal == "maximize" {
			gap = -gap
		}
		if o.Value != 0 {
			gap /= math.Abs(o.Value)
		}
		o.Gap = &gap
	}
	return o
}

// provenUnder returns what the data directory knows of a study's optimum under limits on
// a metric, by rising limit: of the given ones, and of those that a sweep went through.
func (a *app) provenUnder(ctx context.Context, spec *events.Spec, metric string, limits []float64) []certify.Optimum {
	if !certify.Any(a.Data) {
		return nil
	}
	problem, _, err := prover(spec)
	if err != nil {
		return nil // a study without a proof is the rule
	}
	key, keys, err := problem.LadderKeys(ctx, metric, limits)
	if err != nil {
		return nil
	}
	ladder, _, err := certify.LoadLadder(a.Data, key)
	if err != nil {
		a.Say("%v; `apollo certify --sweep` writes it anew", err)
		ladder = certify.Ladder{}
	}
	for i, key := range keys {
		proof, ok, err := certify.Load(a.Data, key)
		if err != nil {
			a.Say("%v; `apollo certify --fresh` writes it anew", err)
		}
		if ok && proof.Proven {
			ladder.Add([]certify.Optimum{{Limit: limits[i], Value: proof.Value, Index: proof.Index, Tied: proof.Tied}})
		}
	}
	return ladder.Steps
}

// text says how far the best design is from the proven optimum.
func (o *optimum) text(spec *events.Spec) string {
	value := cli.Quantity(o.Value, spec.Metrics[spec.MetricIndex(spec.Objectives[0].Metric)].Unit)
	switch {
	case o.Gap == nil:
		return value + ", proven"
	case *o.Gap == 0:
		return "the best design is optimal, proven"
	}
	return fmt.Sprintf("%s, proven; the best design is %s from it", value, cli.Percent(*o.Gap))
}
