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
	answers, err := p.answers(ctx)
	if err != nil {
		return "", err
	}
	s := p.spec
	b, err := json.Marshal(identity{
		Format: format, Template: s.Template, Parameters: s.Parameters, Rules: s.Rules, Networks: s.Networks, Metrics: s.Metrics,
		Objective: s.Objectives[0].Metric, Goal: s.Objectives[0].Goal, Constraints: s.Constraints,
		Evaluator: p.desc.Name, Version: p.desc.Version, Answers: answers,
	})
	if err != nil {
		return "", fmt.Errorf("identify the proof: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
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
