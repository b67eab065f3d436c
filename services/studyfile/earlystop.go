package studyfile

import "apollo/events"

// earlyStop gives the metric that is watched, and refuses what nothing could be
// stopped of.
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
	if len(b.spec.Objectives) == 0 {
		return // reported
	}
	at := n.get("metric")
	if at == nil {
		at = b.field("objectives").list()[0].get("metric")
		e.Metric = b.spec.Objectives[0].Metric
	} else if m, ok := b.metric(at); ok {
		e.Metric = m.Name
	} else {
		return // reported
	}
	i := b.spec.MetricIndex(e.Metric)
	b.when(i >= 0 && b.spec.Metrics[i].Expr != "", at, codeContradicts, "Write earlyStop.metric: one that the evaluator measures, in the objective's direction.",
		"metric %q is computed of an answer: no evaluation reports it on the way", at.text)
	e.Rule = events.RuleMedian
}
