package studyfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// The aggregates of a metric over the networks, beside the geometric mean that has
// no name: of the worst network, and the sum of all, each times its weight.
const (
	worst       = "worst"
	weightedSum = "weighted_sum"
)

// Choice is what designs choose their network from in a study that searches it; nil
// for one whose designs run all networks.
func Choice(search string, networks []evaluator.Network) *evaluator.Choice {
	if search == "" || len(networks) == 0 {
		return nil
	}
	if networks[0].Family != nil {
		return evaluator.OfFamily(networks[0])
	}
	return evaluator.OneOf(events.NetworkParameter, networks)
}

// choice makes the network part of the design. own is where the study declares its
// parameters.
func (b *builder) choice(own *node) {
	choice := Choice(b.spec.Search, b.networks)
	search, list := b.field("workload", "search"), b.field("workload", "networks")
	b.accuracies(list, choice)
	if choice == nil || len(b.spec.Parameters) == 0 {
		return
	}
	b.when(len(list.list()) < 2 && b.spec.Search == events.SearchOne && b.networks[0].Family == nil, search, codeContradicts, "Name several networks, or remove search.", "there is one network: nothing is to be searched")
	for _, n := range list.list() {
		weight := n.get("weight")
		v, ok := plainNumber(weight)
		b.when(ok && v != 1, weight, codeContradicts, "Remove it.", "a design runs one network: a weight means nothing")
	}
	i := slices.IndexFunc(b.networks, func(n evaluator.Network) bool { return n.Workload.Decode != nil })
	if j := slices.IndexFunc(b.networks, func(n evaluator.Network) bool { return n.Workload.Decode == nil }); i >= 0 && j >= 0 {
		b.addMistake(search, codeContradicts, "Search those alone that do the same.", "network %s generates tokens, and network %s does not: they have other metrics",
			b.networks[i].Workload.Name, b.networks[j].Workload.Name)
	}
	for i := range own.list() {
		if slices.ContainsFunc(choice.Params, func(p space.Param) bool { return p.Name == b.own[i].Name }) {
			b.addMistake(own.list()[i].get("name"), codeDuplicate, "Give it another name.", "the parameter %q is that of the network, which the study searches", b.own[i].Name)
			return
		}
	}
	if b.template != nil {
		b.template = new(b.template.Choosing(choice))
	}
	for _, p := range choice.Params {
		b.spec.Parameters = append(b.spec.Parameters, events.Parameter{Name: p.Name, Unit: p.Unit, Values: slices.Clone(p.Values), Labels: p.Labels})
	}
}

// accuracies refuses accuracies that mean nothing: of some of the networks, or where
// all of them run.
func (b *builder) accuracies(list *node, choice *evaluator.Choice) {
	var without *node
	for _, n := range list.list() {
		if n.kind == mapKind && n.get("accuracy") == nil {
			without = n
		}
	}
	for _, n := range list.list() {
		stated := n.get("accuracy")
		switch {
		case stated == nil || stated.kind == nullKind:
		case choice == nil:
			b.addMistake(stated, codeContradicts, "Write search: one, or remove it.", "a design runs all networks: their accuracy is no matter of the search")
		case without != nil:
			b.addMistake(without, codeMissing, "State the accuracy of every network, or of none.", "this network has no accuracy, and others have")
			b.broken = append(b.broken, "accuracy")
			return
		}
	}
}

// single adds, behind what the template measures of all networks, what the study
// names of single ones: an objective, a constraint or an expression.
func (b *builder) single() {
	if !b.builtin() || b.spec.Search != "" {
		return
	}
	needed := map[string]bool{}
	for _, name := range b.namedMetrics() {
		base, of, dotted := strings.Cut(name, ".")
		if !dotted {
			continue
		}
		inputs := []string{base}
		if i := slices.IndexFunc(derivations(), func(d derivation) bool { return d.name == base }); i >= 0 {
			inputs = events.FormulaNames(derivations()[i].expr(subject{ops: "1", runs: "1"}))
		}
		for _, n := range b.networks {
			for _, input := range inputs {
				if own := n.Workload.Name; own == of || b.aggregate(of) {
					needed[input+"."+own] = true
				}
			}
		}
	}
	for _, m := range b.measurable() {
		for _, n := range b.networks {
			if name := unit.Bare(m.Name, m.Unit) + "." + n.Workload.Name; needed[name] && has(m, n) && isWord(n.Workload.Name) {
				b.spec.Metrics = append(b.spec.Metrics, events.Metric{Name: unit.Named(name, m.Unit), Unit: m.Unit})
			}
		}
	}
	b.when(len(b.spec.Metrics) > events.MaxMetrics, b.field(), codeTooLarge, "Name the metrics of fewer networks, or use fewer networks.",
		"the study measures %d metrics of single networks, at most %d metrics are possible in all", len(needed), events.MaxMetrics)
}

// has says that a network has a metric of its own.
func has(m evaluator.Metric, n evaluator.Network) bool {
	return !m.Cheap && (!m.Generation || n.Workload.Decode != nil)
}

// namedMetrics are the names that the study writes where metrics can stand.
func (b *builder) namedMetrics() (names []string) {
	for _, list := range []string{"objectives", "constraints"} {
		for _, n := range b.field(list).list() {
			names = append(names, n.get("metric").str())
		}
	}
	for _, n := range b.field("metrics").list() {
		names = append(append(names, n.get("name").str()), events.FormulaNames(n.get("expr").str())...)
	}
	return names
}

// aggregate says that a name behind a dot is of all networks; a network of that
// name goes first.
func (b *builder) aggregate(of string) bool {
	return (of == worst || of == weightedSum) && b.networkCalled(of) < 0
}

func (b *builder) networkCalled(name string) int {
	return slices.IndexFunc(b.networks, func(n evaluator.Network) bool { return n.Workload.Name == name })
}

// ofNetworks is the metric base.of, or why there is none.
func (b *builder) ofNetworks(base, of string) (m events.Metric, p problem) {
	m.Name = base + "." + of
	if p = b.noneOf(base, of); p.message != "" {
		return m, p
	}
	if !b.aggregate(of) {
		m.Unit, m.Expr, _, p.message = b.ofNetwork(base, b.networks[b.networkCalled(of)])
		return m, p
	}
	var terms []string
	var rate bool
	for _, n := range b.networks {
		var term string
		if m.Unit, term, rate, p.message = b.ofNetwork(base, n); p.message != "" {
			return m, p
		}
		if of == weightedSum && n.Weight != 1 {
			term = strconv.FormatFloat(n.Weight, 'g', -1, 64) + " * " + term
		}
		terms = append(terms, term)
	}
	call := "max"
	if rate {
		call = "min"
	}
	switch {
	case len(terms) == 1:
		m.Expr = terms[0]
	case of == weightedSum:
		m.Expr = strings.Join(terms, " + ")
	default:
		m.Expr = call + "(" + strings.Join(terms, ", ") + ")"
	}
	return m, p
}

// noneOf says why there is no metric base.of, as far as its name says.
func (b *builder) noneOf(base, of string) (p problem) {
	var names []string
	for _, n := range b.networks {
		names = append(names, n.Workload.Name)
	}
	known := slices.ContainsFunc(derivations(), func(d derivation) bool { return d.name == base })
	measured := b.measuredOf(base)
	switch {
	case b.spec.Search != "":
		return problem{fmt.Sprintf("a design runs one network, and %s is that network's", clip(base)), "Write " + clip(base) + "."}
	case !b.builtin():
		return problem{"only a template measures each network by itself", "Let your evaluator measure it, under a name without a dot."}
	case !known && measured == nil:
		for _, m := range b.measurable() {
			names = append(names, unit.Bare(m.Name, m.Unit))
		}
		return problem{fmt.Sprintf("there is no metric %q", clip(base)), oneOf(base, names[len(b.networks):])}
	case measured != nil && measured.Cheap:
		return problem{base + " is the chip's, the same for every network", "Write " + base + "."}
	case !b.aggregate(of) && b.networkCalled(of) < 0:
		return problem{fmt.Sprintf("the study has no network %q", clip(of)), oneOf(of, append(names, worst, weightedSum))}
	}
	for _, name := range names {
		if !isWord(name) && (name == of || b.aggregate(of)) {
			return problem{fmt.Sprintf("the network %q has no name for it", clip(name)), "Give it a name of a-z, 0-9 and \"_\": {name: …, file: …}."}
		}
	}
	return p
}

// isWord says that a network's name can stand in an expression.
func isWord(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// measurable are the metrics that the template can measure of the study's networks.
func (b *builder) measurable() []evaluator.Metric {
	return append(b.desc.Of(b.networks), b.desc.OnRequest(b.desc.Metrics)...)
}

// onRequest are the metrics that the template measures because the study names them.
func (b *builder) onRequest() []evaluator.Metric {
	names := b.namedMetrics()
	for _, n := range b.field("metrics").list() {
		if name := n.get("name").str(); n.get("expr") != nil { // one of the study's own
			names = slices.DeleteFunc(names, func(o string) bool { return o == name })
		}
	}
	return slices.DeleteFunc(b.desc.OnRequest(b.desc.Metrics), func(m evaluator.Metric) bool {
		return !slices.Contains(names, unit.Bare(m.Name, m.Unit))
	})
}

// measuredOf is what the template measures under a short name, nil for nothing.
func (b *builder) measuredOf(short string) *evaluator.Metric {
	all := b.measurable()
	if i := slices.IndexFunc(all, func(m evaluator.Metric) bool { return unit.Bare(m.Name, m.Unit) == short }); i >= 0 {
		return &all[i]
	}
	return nil
}

// ofNetwork is a metric of one network: its unit, its expression, and whether less is
// worse.
func (b *builder) ofNetwork(base string, n evaluator.Network) (symbol, expr string, rate bool, problem string) {
	if m := b.measuredOf(base); m != nil {
		if !has(*m, n) {
			problem = fmt.Sprintf("network %s generates no tokens", n.Workload.Name)
		}
		return m.Unit, base + "." + n.Workload.Name, unitOf(m.Unit).Dimension == unit.TokenRate, problem
	}
	i := slices.IndexFunc(derivations(), func(d derivation) bool { return d.name == base })
	d := derivations()[i]
	expr, problem = b.workExpression(d, []evaluator.Network{n}, "."+n.Workload.Name)
	return d.unit, expr, d.rate, problem
}
