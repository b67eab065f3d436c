package studyfile

import (
	"fmt"
	"slices"

	"apollo/events"
	"apollo/optimizer/fidelity"
)

// fidelity refuses a parameter that cannot be the study's fidelity, and what does not go
// with one.
func (b *builder) fidelity() {
	f, n := b.spec.Fidelity, b.field("fidelity")
	at := n.get("parameter")
	if f == nil || at == nil || len(b.spec.Parameters) == 0 {
		return // reported, or there is none
	}
	const remove = "Remove fidelity."
	if b.when(b.builtin(), n, codeContradicts, remove+" It is for programs that take long.",
		"the template's own evaluator has its answer at once, and no setting that makes it cheaper") {
		return
	}
	b.when(b.spec.Chooses(f.Parameter), at, codeContradicts, remove, "%q chooses the network: an answer of another network is no cheaper answer of the same", clip(f.Parameter))
	column := b.spec.FidelityColumn()
	if b.when(column < 0, at, codeUnknownName, oneOf(f.Parameter, b.parameterNames()), "there is no parameter %q", clip(f.Parameter)) {
		return
	}
	p := b.spec.Parameters[column]
	b.when(len(p.Values)+len(p.Labels) < 2, at, codeContradicts, "Give it a cheaper value, or remove fidelity.", "the parameter %q has one value", p.Name)
	b.when(len(b.spec.Parameters) < 2, at, codeContradicts, "Write the parameters of the design.", "%q is the only parameter: there is nothing to search", p.Name)
	b.when(p.When != "", at, codeContradicts, "Remove its when.", "the parameter %q does not always count", p.Name)
	without := slices.Delete(slices.Clone(b.spec.Parameters), column, column+1)
	for i, other := range b.spec.Parameters {
		rule := events.Rule{ID: events.ConditionID(other.Name), Expr: other.When}
		b.when(i != column && other.When != "" && events.CompileRule(b.spec.Parameters, rule) == nil && events.CompileRule(without, rule) != nil, at, codeContradicts, "Remove it from that condition.",
			"the parameter %q depends on %q: a design would be another one at its cheaper values", other.Name, p.Name)
	}
	if levels := len(p.Values) + len(p.Labels); levels > 1 {
		least := fidelity.FirstRound(levels)
		b.when(b.spec.Budget.Trials > 0 && b.spec.Budget.Trials < least, at, codeOutOfRange, fmt.Sprintf("Raise budget.trials to %d at least, or remove fidelity.", least),
			"%d trials end before the first round over %d values of %q, which has %d", b.spec.Budget.Trials, levels, p.Name, least)
	}
	b.when(len(b.spec.Objectives) > 1, n, codeContradicts, remove+" Or search one objective.",
		"cheaper values are used only with one objective, and the study has %d", len(b.spec.Objectives))
	b.when(b.spec.Evaluator.Noise != nil, n, codeContradicts, "Remove one of the two.", "cheaper values are not used where answers differ (deterministic: false)")
	b.when(b.spec.EarlyStop != nil, n, codeContradicts, "Remove one of the two.", "earlyStop compares evaluations on their way: those of another %s take another way", p.Name)
	b.when(b.spec.Transfer != nil && b.spec.Transfer.Control > 0, n, codeContradicts, "Remove transfer.control.", "a control arm has no cheaper values: it would be compared with what costs another amount")
}
