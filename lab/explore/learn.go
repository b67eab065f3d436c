package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"apollo/optimizer"
)

// lessons are what the policy learns on: no template and no network of the tables.
func lessons() []task {
	return []task{
		{"nvdla", "mobilenet_v1"},
		{"shidiannao", "squeezenet"},
		{"nvdla", "inception_v1"},
		{"simba", "mnasnet_a1"},
	}
}

// learnTo lets a policy learn from searches by random designs and by novelty, then, with
// these, from its own.
func learnTo(ctx context.Context, file string) error {
	const rounds = 3
	teachers := []contender{{"random", optimizer.Random{}}, {"explore", optimizer.Explore{}}}
	var all optimizer.Lessons
	var policy *optimizer.Policy
	problems := map[task]*problem{}
	for round := range uint64(rounds) {
		for _, t := range lessons() {
			p := problems[t]
			if p == nil {
				var err error
				if p, err = newProblem(t); err != nil {
					return err
				}
				problems[t] = p
			}
			for _, by := range teachers {
				counts, log, err := p.cover(ctx, by, round+1)
				if err != nil {
					return err
				}
				if err := all.Add(p.space, log); err != nil {
					return err
				}
				fmt.Fprintf(os.Stderr, "explore: round %d, %s, %s, %s: %.0f cells\n", round, t.template, t.network, by.name, counts)
			}
		}
		var err error
		if policy, err = all.Learn(1); err != nil {
			return err
		}
		teachers = []contender{{"policy", optimizer.Explore{Policy: policy}}}
	}
	b, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func readPolicy(file string) (*optimizer.Policy, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var p optimizer.Policy
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &p, nil
}
