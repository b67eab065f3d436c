package certify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// identity is what a proof depends on: the space, what is measured, by what.
// Budget, seed, algorithm and all else that only steers a search is left out.
type identity struct {
	Format      int                 `json:"format"`
	Template    string              `json:"template"`
	Parameters  []events.Parameter  `json:"parameters"`
	Rules       []events.Rule       `json:"rules"`
	Networks    []events.Network    `json:"networks"`
	Metrics     []events.Metric     `json:"metrics"`
	Objective   string              `json:"objective"`
	Goal        string              `json:"goal"`
	Constraints []events.Constraint `json:"constraints"`
	Evaluator   string              `json:"evaluator"`
	Version     string              `json:"version"`
	// Answers is a hash of the evaluator's answers to sampled designs, so that
	// a proof made by a model whose version was forgotten to change is not
	// taken for one of this model.
	Answers string `json:"answers"`
}

// format changes when the meaning of State does.
const format = 1

// Key identifies what is proven, 64 hex digits: studies that differ only in
// name, labels, budget, seed, algorithm or the like share it.
func (p *Problem) Key(ctx context.Context) (string, error) {
	keys, err := p.keys(ctx, p.spec.Constraints)
	if err != nil {
		return "", err
	}
	return keys[0], nil
}

// LadderKeys identifies what is proven under other limits on a metric than the study's
// own: all of them together, which is the key of a Ladder, and each of some limits, as
// Key identifies it.
func (p *Problem) LadderKeys(ctx context.Context, metric string, limits []float64) (ladder string, each []string, err error) {
	var others []events.Constraint
	own := slices.IndexFunc(p.spec.Constraints, func(c events.Constraint) bool { return c.Metric == metric })
	for i, c := range p.spec.Constraints {
		if i != own {
			others = append(others, c)
		}
	}
	free := events.Constraint{Metric: metric}
	if own >= 0 {
		free.Min = p.spec.Constraints[own].Min
	}
	all := [][]events.Constraint{append(others, free)}
	for _, limit := range limits {
		under := slices.Clone(p.spec.Constraints)
		if own >= 0 {
			under[own].Max = &limit
		}
		all = append(all, under)
	}
	keys, err := p.keys(ctx, all...)
	if err != nil {
		return "", nil, err
	}
	return keys[0], keys[1:], nil
}

// keys are those of the problem under several lists of constraints.
func (p *Problem) keys(ctx context.Context, under ...[]events.Constraint) (keys []string, err error) {
	answers, err := p.answers(ctx)
	if err != nil {
		return nil, err
	}
	s := p.spec
	for _, constraints := range under {
		b, err := json.Marshal(identity{
			Format: format, Template: s.Template, Parameters: s.Parameters, Rules: s.Rules, Networks: s.Networks, Metrics: s.Metrics,
			Objective: s.Objectives[0].Metric, Goal: s.Objectives[0].Goal, Constraints: constraints,
			Evaluator: p.desc.Name, Version: p.desc.Version, Answers: answers,
		})
		if err != nil {
			return nil, fmt.Errorf("identify the proof: %w", err)
		}
		sum := sha256.Sum256(b)
		keys = append(keys, hex.EncodeToString(sum[:]))
	}
	return keys, nil
}

// sampledDesigns is how many designs identify a model: about a quarter of a
// template's designs are feasible.
const sampledDesigns = 64

// answers hashes what the evaluator says of sampled designs.
func (p *Problem) answers(ctx context.Context) (string, error) {
	h := sha256.New()
	rng := rand.New(rand.NewPCG(0, p.space.Size()))
	var point space.Point
	var design []space.Value
	for range sampledDesigns {
		if err := ctx.Err(); err != nil { // evaluators of templates do not ask
			return "", err
		}
		point = p.space.Draw(point, rng)
		design = p.space.AppendValues(design[:0], point)
		r, err := p.ev.Evaluate(ctx, evaluator.Request{Study: p.spec.Study, Trial: -1, Design: design})
		if err != nil {
			return "", fmt.Errorf("identify the model: %w", err)
		}
		h.Write([]byte(r.Outcome))
		for _, v := range r.Values {
			h.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
