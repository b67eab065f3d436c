package studyfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// movePrior makes the prior one of the study's sources: it is nothing else, and
// what is published says so.
func (b *builder) movePrior() {
	spec := b.field()
	i := -1
	if spec != nil {
		i = slices.IndexFunc(spec.entries, func(e entry) bool { return e.key == "prior" })
	}
	if i < 0 {
		return
	}
	e := spec.entries[i]
	if e.value.kind != mapKind || e.value.get("template") == nil && e.value.get("exec") == nil {
		return // reported with its shape
	}
	transfer := spec.get("transfer")
	sources := transfer.get("sources")
	switch {
	case transfer != nil && transfer.kind != mapKind, sources != nil && sources.kind != listKind:
		return // reported with their shapes
	case transfer == nil:
		transfer = &node{kind: mapKind, place: e.place, pointer: e.value.pointer}
		spec.entries = append(spec.entries, entry{"transfer", e.place, transfer})
	}
	if sources == nil {
		sources = &node{kind: listKind, place: e.place, pointer: e.value.pointer}
		transfer.entries = append(transfer.entries, entry{"sources", e.place, sources})
	}
	sources.items = append(sources.items, e.value)
	spec.entries = slices.Delete(spec.entries, i, i+1)
}

// renames checks the names that a source's are in this study.
func (b *builder) renames(n *node) {
	if n == nil || n.kind != mapKind {
		return
	}
	var names []string
	for _, p := range b.spec.Parameters {
		names = append(names, p.Name)
	}
	for _, m := range b.spec.Metrics {
		names = append(names, short(m))
	}
	seen := map[string]string{}
	for _, e := range n.entries {
		ours := e.value.str()
		if ours == "" || len(names) == 0 {
			continue
		}
		b.when(!slices.Contains(names, ours), e.value, codeUnknownName, oneOf(ours, names), "this study has no parameter or metric %q that the source's %q could be", clip(ours), clip(e.key))
		b.when(seen[ours] != "", e.value, codeDuplicate, "Remove one of them.", "%q and %q of the source cannot both be %q", clip(seen[ours]), clip(e.key), clip(ours))
		seen[ours] = e.key
	}
}

// model checks a source that is asked for every design.
func (b *builder) model(n *node, s *events.Source) {
	for i, m := range s.Metrics {
		s.Metrics[i].Unit = unitOf(m.Unit).Symbol
		s.Metrics[i].Name = strings.TrimSuffix(m.Name, unit.Suffix(s.Metrics[i].Unit)) + unit.Suffix(s.Metrics[i].Unit)
	}
	if s.Exec != "" {
		b.askedProgram(n, s)
		return
	}
	at := n.get("template")
	i := slices.Index(b.cat.templateNames(), s.Template)
	if i < 0 {
		b.addMistake(at, codeUnknownName, oneOf(s.Template, b.cat.templateNames()), "there is no template %q", clip(s.Template))
		return
	}
	t := &b.cat.Templates[i]
	d := t.Backend.Describe()
	s.Version = d.Version
	if b.when(len(b.networks) == 0, at, codeMissing, "Write workload: {networks: [{name: …}]}. "+oneOf("", b.cat.NetworkNames), "the template %s needs the networks that the evaluator measures", t.Name) {
		return
	}
	b.fits(n, s, t.Params, t.Baseline, d.Of(b.networks))
}

// askedProgram checks what a program says of itself, where it does.
func (b *builder) askedProgram(n *node, s *events.Source) {
	if b.opts.Describe == nil || b.opts.Published {
		return
	}
	d, err := b.opts.Describe(s.Exec)
	said := len(d.Metrics) > 0
	switch {
	case err == nil || said:
	case !errors.Is(err, ErrSilent):
		b.addMistakeAt(wordOf(n.get("exec"), err), n.get("exec").pointer, codeUnknownName, "", "the prior's program cannot be asked: %s", err)
		return
	case len(s.Metrics) == 0:
		b.addMistake(n.get("exec"), codeMissing, "Write metrics: [{name: latency, unit: s}], or let the program describe itself.", "nobody says what the prior's program answers: %s", err)
		return
	}
	var metrics []evaluator.Metric
	for _, m := range d.Metrics {
		metrics = append(metrics, evaluator.Metric{Name: m.Name, Unit: plainUnit(m.Unit)})
	}
	for i, m := range s.Metrics {
		if said {
			b.answers(n.get("metrics").list()[i], events.Metric{Name: m.Name, Unit: m.Unit}, metrics)
		} else {
			metrics = append(metrics, evaluator.Metric{Name: m.Name, Unit: m.Unit})
		}
	}
	b.fits(n, s, d.Params, nil, metrics)
}

// answers reports a metric that the study expects of a program which says that it has
// another unit, or none of that name.
func (b *builder) answers(at *node, m events.Metric, metrics []evaluator.Metric) {
	var names []string
	for _, k := range metrics {
		theirs := events.Metric{Name: k.Name, Unit: k.Unit}
		if names = append(names, theirs.Short()); theirs.Short() != m.Short() {
			continue
		}
		b.when(theirs.Unit != m.Unit, at, codeContradicts, "Leave metrics: of the prior out, as its program says them: units are converted.",
			"the prior's program answers %s in %s, not in %s", m.Short(), cmp.Or(theirs.Unit, "no unit"), cmp.Or(m.Unit, "no unit"))
		return
	}
	b.addMistake(at, codeUnknownName, oneOf(m.Short(), names), "the prior's program does not answer %q", m.Short())
}

// fits reports what of a model has no counterpart in the study.
func (b *builder) fits(n *node, s *events.Source, params []space.Param, baseline []space.Value, metrics []evaluator.Metric) {
	if len(b.spec.Parameters) == 0 || len(b.spec.Metrics) == 0 {
		return // reported
	}
	at := cmp.Or(n.get("template"), n.get("exec"))
	what := cmp.Or(s.Template, "program")
	_, missing, err := study.MapModel(params, b.spec, s)
	if len(missing) > 0 {
		hint := fmt.Sprintf("Say which parameter of this study each is, rename: {%s: NAME}, or its value", missing[0])
		b.addMistake(at, codeMissing, hint+exampleFix(missing, params, baseline)+".", "the prior %s needs the parameter%s %s, which this study lacks", what, plural(missing), strings.Join(missing, ", "))
	}
	if err != nil {
		text := strings.ReplaceAll(err.Error(), "\n", "; ")
		b.addMistake(at, codeContradicts, "rename: and fix: of the prior say what its parameters are in this study.", "the prior %s does not fit: %s", what, text)
	}
	b.renamesKnown(n.get("rename"), params, metrics)
	for _, o := range b.spec.Objectives {
		b.predicts(at, what, s, b.spec.Metrics[b.spec.MetricIndex(o.Metric)], metrics)
	}
}

// exampleFix shows what to write with the values of the model's baseline.
func exampleFix(missing []string, params []space.Param, baseline []space.Value) string {
	var parts []string
	for _, name := range missing {
		i := slices.IndexFunc(params, func(p space.Param) bool { return p.Name == name })
		if i < 0 || i >= len(baseline) {
			return ": fix: {" + missing[0] + ": VALUE}"
		}
		text := baseline[i].Label
		if text == "" {
			text = unit.Format(baseline[i].Num, params[i].Unit)
		}
		parts = append(parts, name+": "+text)
	}
	return ", as in fix: {" + strings.Join(parts, ", ") + "}"
}

func plural(list []string) string {
	if len(list) == 1 {
		return ""
	}
	return "s"
}

// renamesKnown reports names that the model does not have.
func (b *builder) renamesKnown(n *node, params []space.Param, metrics []evaluator.Metric) {
	if n == nil || len(params) == 0 {
		return
	}
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	for _, m := range metrics {
		names = append(names, events.Metric{Name: m.Name, Unit: m.Unit}.Short())
	}
	for _, e := range n.entries {
		if !slices.Contains(names, e.key) {
			b.addMistakeAt(e.place, e.value.pointer, codeUnknownName, oneOf(e.key, names), "the prior has no parameter or metric %q", clip(e.key))
		}
	}
}

// predicts reports an objective that the model does not answer, and that does not
// follow from what it answers.
func (b *builder) predicts(at *node, what string, s *events.Source, m events.Metric, metrics []evaluator.Metric) {
	var names []string
	for _, k := range metrics {
		theirs := events.Metric{Name: k.Name, Unit: k.Unit}
		theirs.Name = study.OurMetric(theirs, s)
		if names = append(names, theirs.Short()); theirs.Short() != short(m) {
			continue
		}
		_, err := unit.Ratio(k.Unit, m.Unit)
		b.when(err != nil, at, codeContradicts, "", "the metric %q of the prior %s: %v", short(m), what, err)
		return
	}
	if m.Expr != "" {
		for _, input := range events.MetricInputs(b.spec.Metrics[:b.spec.MetricIndex(m.Name)], m) {
			b.predicts(at, what, s, b.spec.Metrics[b.spec.MetricIndex(input)], metrics)
		}
		return
	}
	b.addMistake(at, codeMissing, fmt.Sprintf("Say which of its metrics it is, rename: {NAME: %s}. %s", short(m), oneOf("", names)), "the prior %s does not predict the objective %q", what, short(m))
}
