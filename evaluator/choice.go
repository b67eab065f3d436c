package evaluator

import (
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/space"
)

// Choice is a set of networks of which a design runs one: the one that values of
// its own parameters choose. Its metrics are that network's.
type Choice struct {
	// Params stand behind the template's; Docs has one sentence for each.
	Params []space.Param
	Docs   []string
	// Baseline are the values for the network of the template's baseline.
	Baseline []space.Value
	// Network returns the network of values of Params, in their order. The error
	// names a value that chooses none. It is safe for concurrent use.
	Network func(values []space.Value) (Network, error)
	// All are the networks that there are; of a family it is its own network, for all
	// of them.
	All []Network
	// Metrics are those of the networks whatever runs them; they are cheap. Values
	// appends them for values of Params, NaN where these choose none. It is safe for
	// concurrent use.
	Metrics []Metric
	Values  func(to []float64, values []space.Value) []float64
	// Extra names what Params only number, for values that choose a network; nil where
	// Params say it themselves.
	Extra func(values []space.Value) []Extra
	// Alike says that what is cheap of a design is the same on all networks, since
	// they have numbers of the same formats.
	Alike bool
}

// ofAccuracy is the metric of networks whose accuracy is known.
func ofAccuracy() Metric { return Metric{Name: "accuracy_percent", Unit: "%", Cheap: true} }

// OneOf is the choice among networks, at least one, by the label of one parameter:
// their names. The first is the baseline's.
func OneOf(param string, networks []Network) *Choice {
	p := space.Param{Name: param}
	for _, n := range networks {
		p.Labels = append(p.Labels, n.Workload.Name)
	}
	c := &Choice{
		Params: []space.Param{p}, Docs: []string{"The network that the design runs."},
		Baseline: []space.Value{{Label: p.Labels[0]}},
		Network: func(values []space.Value) (Network, error) {
			if len(values) != 1 {
				return Network{}, fmt.Errorf("%d values choose a network, want one", len(values))
			}
			at := slices.Index(p.Labels, values[0].Label)
			if at < 0 {
				return Network{}, fmt.Errorf("%s is %q, want one of %v", param, values[0].Label, p.Labels)
			}
			return networks[at], nil
		},
		All:    networks,
		Values: func(to []float64, _ []space.Value) []float64 { return to },
	}
	if !slices.ContainsFunc(networks, func(n Network) bool { return n.Accuracy == 0 }) {
		c.Metrics = []Metric{ofAccuracy()}
		c.Values = func(to []float64, values []space.Value) []float64 {
			if n, err := c.Network(values); err == nil {
				return append(to, n.Accuracy)
			}
			return append(to, math.NaN())
		}
	}
	return c
}

// Split returns where the parameters of a choice stand among those of a task, and
// where all others do.
func (c *Choice) Split(params []space.Param) (chosen, others []int, err error) {
	for _, p := range c.Params {
		at := slices.IndexFunc(params, func(o space.Param) bool { return o.Name == p.Name })
		if at < 0 {
			return nil, nil, fmt.Errorf("the parameter %s is missing, which chooses the network", p.Name)
		}
		chosen = append(chosen, at)
	}
	for i := range params {
		if !slices.Contains(chosen, i) {
			others = append(others, i)
		}
	}
	return chosen, others, nil
}

// Pick appends the values at some places of a design.
func Pick(to, design []space.Value, at []int) []space.Value {
	for _, i := range at {
		to = append(to, design[i])
	}
	return to
}

// Choosing returns the template with the parameters of a choice behind its own; t
// itself without one.
func (t Template) Choosing(c *Choice) Template {
	if c == nil {
		return t
	}
	t.Params = slices.Concat(t.Params, c.Params)
	t.ParamDocs = slices.Concat(t.ParamDocs, c.Docs)
	t.Baseline = slices.Concat(t.Baseline, c.Baseline)
	if t.When != nil {
		t.When = slices.Concat(t.When, make([]string, len(c.Params)))
	}
	return t
}
