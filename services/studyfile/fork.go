package studyfile

import "apollo/events"

// Fork writes a study as a document again, under another name: one that shares its
// first trials, from one of its runs.
func Fork(of *events.Spec, name, run string, trials int, cat Catalog) []byte {
	spec := *of
	spec.Study, spec.Fork = name, &events.Fork{Study: of.Study, Run: run, Trials: trials}
	b := builderOf(of, &spec, cat)
	if of.Template == "" || !builtinEvaluator(of, cat) {
		for _, m := range of.Measured() {
			b.ownMetrics = append(b.ownMetrics, events.Metric{Name: m.Short(), Unit: m.Unit})
		}
	}
	if n := of.Evaluator.Noise; n != nil {
		b.noise.repeats, b.noise.reference = int64(n.Repeats), int64(n.Reference)
	}
	if of.Evaluator.Noise != nil || of.Evaluator.Deterministic {
		b.noise.deterministic = &of.Evaluator.Deterministic
	}
	return appendJSON(nil, b.written(b.table, b, nil))
}

// builtinEvaluator reports whether a template's own evaluator measures a study.
func builtinEvaluator(spec *events.Spec, cat Catalog) bool {
	for _, t := range cat.Templates {
		if t.Name == spec.Template && t.Backend.Describe().Name == spec.Evaluator.Name {
			return true
		}
	}
	return false
}
