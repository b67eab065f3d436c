package studyfile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/services/studyfile"
)

// measured is the toy evaluator with an answer: values are those of the
// baseline.
type measured struct {
	backend
	values []float64 // nil: infeasible
}

func (m measured) New(t evaluator.Task) (evaluator.Evaluator, error) {
	return answering{values: m.values}, nil
}

type answering struct {
	toy
	values []float64
}

func (a answering) Evaluate(context.Context, evaluator.Request) (evaluator.Result, error) {
	if a.values == nil {
		return evaluator.Result{Outcome: evaluator.Infeasible}, nil
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: a.values}, nil
}

// References come from the study, then from constraints, then from the
// baseline; and publishing keeps them.
func TestReferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, objectives, constraints string
		baseline                      []float64
		want                          string
	}{
		{"written", "{metric: latency, goal: minimize, reference: 3 ms}, {metric: area, goal: minimize, reference: 20 mm2}", "", []float64{0.001, 4, 0.5}, "0.003 20"},
		{"constraints", "{metric: latency, goal: minimize}, {metric: energy, goal: maximize}", "{metric: latency, max: 5 ms}, {metric: energy, min: 10 mJ, max: 1 J}", []float64{0.001, 4, 0.5}, "0.005 0.01"},
		{"the other bound is none", "{metric: latency, goal: minimize}, {metric: energy, goal: maximize}", "{metric: latency, min: 0.5 ms}, {metric: energy, max: 1 J}", []float64{0.001, 4, 0.5}, "0.002 0.25"},
		{"baseline", "{metric: latency, goal: minimize}, {metric: area, goal: minimize}, {metric: energy, goal: maximize}", "", []float64{0.001, 4, 0.5}, "0.002 8 0.25"},
		{"the baseline is infeasible", "{metric: latency, goal: minimize}, {metric: area, goal: minimize, reference: 20 mm2}", "", nil, "open 20"},
		{"the baseline is not positive", "{metric: latency, goal: minimize}, {metric: energy, goal: minimize}", "", []float64{0, 4, -1}, "open open"},
		{"one objective has none", "{metric: latency, goal: minimize}", "{metric: latency, max: 5 ms}", []float64{0.001, 4, 0.5}, "open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cat := catalog()
			cat.Templates[0].Backend = measured{values: c.baseline}
			src := strings.Replace(small, "{metric: latency, goal: minimize}", c.objectives, 1)
			if c.constraints != "" {
				src += "  constraints: [" + c.constraints + "]\n"
			}
			doc, err := studyfile.Parse("study.yaml", []byte(src), cat, studyfile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := referencesOf(doc); got != c.want {
				t.Errorf("references %s, want %s", got, c.want)
			}

			cat.Templates[0].Backend = measured{values: c.baseline}
			published, err := studyfile.Parse("request", doc.Normalised, cat, studyfile.Options{Published: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := referencesOf(published); got != c.want {
				t.Errorf("published: references %s, want %s", got, c.want)
			}
		})
	}
}

func referencesOf(doc *studyfile.Document) string {
	var words []string
	for _, o := range doc.Spec.Objectives {
		if o.Reference == nil {
			words = append(words, "open")
			continue
		}
		words = append(words, fmt.Sprint(*o.Reference))
	}
	return strings.Join(words, " ")
}
