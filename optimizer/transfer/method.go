package transfer

import (
	"fmt"
	"strings"

	"apollo/optimizer/surrogate"
)

// Method makes models of a target from its sources alone. They are trained
// before the first ask, once for values and once for feasibility (labels −1 for
// feasible and 1 for infeasible designs), and must be pure
// functions of the sources.
type Method interface {
	// Name is what origins say: "transfer:<name>".
	Name() string
	// Train returns the models, none where the sources are too few. Their
	// predictions need the unit of the labels, but no common zero: the target
	// shifts them.
	Train(*Sources) ([]Expert, error)
}

// Expert is a model of one method.
type Expert struct {
	// Model predicts a label of the target.
	Model surrogate.Regressor
	// Source is the position of the only source that it knows, or −1.
	Source int
}

// methods lists what a study can name, in the order in which equals are
// preferred.
func methods() []Method { return []Method{RGPE{}, Stack{}, RTM{}, ZeroShot{}} }

// methodNames returns the names that Algorithm.Method takes.
func methodNames() []string {
	names := []string{"auto", "seed"}
	for _, m := range methods() {
		names = append(names, m.Name())
	}
	return names
}

// choose returns the methods that a name stands for.
func choose(name string) ([]Method, error) {
	switch name {
	case "", "auto":
		return methods(), nil
	case "seed":
		return nil, nil
	}
	for _, m := range methods() {
		if m.Name() == name {
			return []Method{m}, nil
		}
	}
	return nil, fmt.Errorf("method is %q, but must be one of %s", name, strings.Join(methodNames(), ", "))
}

// gpRegressor makes a Gaussian process a Regressor. It is for one goroutine.
type gpRegressor struct{ *surrogate.GP }

// Predict implements surrogate.Regressor.
func (p gpRegressor) Predict(x []float64) float64 { return p.Mean(x) }

func newGPRegressor(categorical []bool, h surrogate.Hyper, x, y []float64) (gpRegressor, error) {
	g, err := surrogate.NewGP(categorical, h, len(y))
	if err != nil {
		return gpRegressor{}, fmt.Errorf("model of a source: %w", err)
	}
	d := len(categorical)
	for i := range y {
		g.Append(x[i*d : (i+1)*d])
	}
	g.SetLabels(y)
	return gpRegressor{g}, nil
}

// RGPE has one Gaussian process for each source, so that each is weighed by how
// well it ranks the target's designs (the ranking-weighted ensemble).
type RGPE struct{}

// Name implements Method.
func (RGPE) Name() string { return "rgpe" }

// Train implements Method.
func (RGPE) Train(s *Sources) ([]Expert, error) {
	var out []Expert
	for i := range s.Tables {
		t := &s.Tables[i]
		p, err := newGPRegressor(s.Categorical, t.Hyper, t.X, t.Y)
		if err != nil {
			return nil, err
		}
		out = append(out, Expert{Model: p, Source: t.Source})
	}
	return out, nil
}

// Stack has one Gaussian process for each source on what the processes of the
// sources before it leave, the last source's on top; together they are one
// model.
type Stack struct{}

// Name implements Method.
func (Stack) Name() string { return "gp" }

type stacked []gpRegressor

// Predict implements surrogate.Regressor.
func (s stacked) Predict(x []float64) float64 {
	var sum float64
	for _, p := range s {
		sum += p.Mean(x)
	}
	return sum
}

// Train implements Method.
func (Stack) Train(s *Sources) ([]Expert, error) {
	if len(s.Tables) == 0 {
		return nil, nil
	}
	var stack stacked
	d := len(s.Categorical)
	for i := range s.Tables {
		t := &s.Tables[i]
		rest := make([]float64, len(t.Y))
		for k, y := range t.Y {
			rest[k] = y - stack.Predict(t.X[k*d:(k+1)*d])
		}
		h := t.Hyper
		if len(stack) > 0 {
			h = surrogate.Fit{Scales: s.Scales()}.Hyper(s.Categorical, t.X, rest)
		}
		p, err := newGPRegressor(s.Categorical, h, t.X, rest)
		if err != nil {
			return nil, err
		}
		stack = append(stack, p)
	}
	return []Expert{{Model: stack, Source: -1}}, nil
}
