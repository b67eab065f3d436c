package studyfile

import (
	"fmt"

	"apollo/events"
)

// earlyStop watches the objective's metric, whose goal says what is worse, and refuses
// what nothing could be stopped of.
func (b *builder) earlyStop() {
	e, n := b.spec.EarlyStop, b.field("earlyStop")
	if e == nil || n == nil {
		return
	}
	const remove = "Remove earlyStop."
	b.when(b.builtin(), n, codeContradicts, remove+" It is for programs that take long, and report on the way.",
		"the template's own evaluator has its answer at once: there is nothing to stop")
	b.when(b.spec.Evaluator.Manual, n, codeContradicts, remove, "who measures by hand reports nothing on the way")
	b.when(len(b.spec.Objectives) > 1, n, codeContradicts, remove+" Or search one objective.",
		"evaluations are stopped early only with one objective, and the study has %d", len(b.spec.Objectives))
	b.when(b.spec.Evaluator.Noise != nil, n, codeContradicts, "Remove one of the two.",
		"evaluations are not stopped early where answers differ (deterministic: false): one measurement would judge a design")
	if len(b.spec.Objectives) != 1 {
		return // reported
	}
	e.Rule, e.Metric = events.RuleMedian, b.spec.Objectives[0].Metric
	objective := b.field("objectives").list()[0].get("metric")
	if i := b.spec.MetricIndex(e.Metric); b.when(i >= 0 && b.spec.Metrics[i].Expr != "", n, codeContradicts, remove+" Or search an objective that the evaluator measures.",
		"the objective %q is computed of an answer: no evaluation reports it on the way", objective.text) {
		return
	}
	at := n.get("metric")
	if at == nil {
		return
	}
	m, ok := b.metric(at)
	b.when(ok && m.Name != e.Metric, at, codeContradicts, fmt.Sprintf("Write %s, or remove metric.", objective.text),
		"which evaluation is worse is judged by the objective, %q: by %q good designs would be stopped", objective.text, at.text)
}
