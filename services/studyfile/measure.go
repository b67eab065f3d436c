package studyfile

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/events/unit"
)

// short is a metric's name as people write it, without the unit: "latency".
func short(m events.Metric) string { return m.Short() }

// workload reads the networks.
func (b *builder) workload() {
	w := b.field("workload")
	if w == nil && b.template != nil {
		b.addMistake(b.field(), codeMissing, "Write workload: {networks: [{name: …}]}. "+oneOf("", b.cat.NetworkNames), "template %q needs a workload", b.template.Name)
		return
	}
	read := b.spec.Networks
	b.spec.Networks = nil
	for i, n := range w.get("networks").list() {
		before := len(b.networks)
		if n.kind == mapKind {
			b.network(n, read[i])
		}
		if len(b.networks) == before {
			continue
		}
		name := b.spec.Networks[before].Name
		if slices.ContainsFunc(b.spec.Networks[:before], func(earlier events.Network) bool { return earlier.Name == name }) {
			b.addMistake(cmp.Or(n.get("name"), n), codeDuplicate, "Use weight to make one network count more.", "the network %q is here twice", clip(name))
			b.networks, b.spec.Networks = b.networks[:before], b.spec.Networks[:before]
		}
	}
}

// network adds a network: a built-in one by name, or one with its layers.
func (b *builder) network(n *node, read events.Network) {
	name, file, layers := n.get("name"), n.get("file"), n.get("layers")
	if a := n.get("accuracies"); n.get("family") == nil && file == nil && layers == nil && n.get("accuracy") == nil {
		b.when(a != nil && a.kind != nullKind, a, codeContradicts, "Write accuracy: …, of every network, in a study with search.", "only a family has accuracies")
	}
	switch {
	case file != nil && layers != nil: // reported
	case n.get("family") != nil && (file != nil || layers != nil): // reported
	case n.get("family") != nil && n.get("family").kind == stringKind:
		before := len(b.networks)
		if b.family(n, read); len(b.networks) == before {
			b.unread, b.broken = true, append(b.broken, "accuracy", "accuracy_interval")
		}
	case file != nil && file.kind == stringKind:
		if data, ok := b.workloadFile(file); ok {
			b.layers(name, file, data, read)
		}
	case layers != nil && layers.kind == mapKind:
		b.layers(name, layers, append([]byte(nil), cmp.Or(string(read.Workload), "{}")...), read)
	case file == nil && layers == nil && name != nil && name.kind == stringKind:
		b.builtinNetwork(n, name, read)
	}
}

// workloadFile reads a workload file.
func (b *builder) workloadFile(file *node) ([]byte, bool) {
	if b.when(b.opts.Published || b.opts.ReadFile == nil, file, codeUnsupported,
		"Submit it with `apollo study submit`, which sends the layers, or write them as layers: {schema: apollo.workload/v1, …}.", "a published study cannot name files") {
		return nil, false
	}
	data, err := b.opts.ReadFile(b.path(file.text))
	b.when(err != nil, file, codeUnknownName, "Paths are relative to the study file.", "the workload file cannot be read: %s", err)
	return data, err == nil
}

// path joins a path of the document to its folder.
func (b *builder) path(path string) string {
	if b.opts.Dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.opts.Dir, path)
}

// layers adds a network with its layer table.
func (b *builder) layers(name, at *node, data []byte, read events.Network) {
	w, err := workload.Parse("workload", data)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		b.addMistake(at, codeBadOptions, "A model file becomes a workload file with `apollo workload import MODEL --out FILE`.", "%s", first)
		return
	}
	if name != nil && name.kind == stringKind {
		w.Name = name.text
		err := w.Normalise()
		if b.when(err != nil, name, codeBadName, "", "%s", err) {
			return
		}
	}
	text, err := w.CanonicalJSON()
	read.Name, read.Workload = w.Name, bytes.TrimSpace(text)
	if !b.when(err != nil, at, codeBadOptions, "", "%s", err) &&
		!b.when(len(read.Workload) > events.MaxSpecBytes/2, at, codeTooLarge, "", "the layers have %d bytes, at most %d fit into a study", len(read.Workload), events.MaxSpecBytes/2) {
		b.addNetwork(at, w, read)
	}
}

func (b *builder) builtinNetwork(network, n *node, read events.Network) {
	if b.when(b.cat.Network == nil, n, codeUnknownName, "", "there is no network %q: this build has none", clip(n.text)) {
		return
	}
	w, err := b.cat.Network(n.text, workload.Sizes(read.NetworkSizes))
	if err != nil && slices.Contains(b.cat.NetworkNames, n.text) {
		if b.mistaken(network) {
			return // the same again
		}
		b.addMistake(n, codeBadOptions, "`apollo workload ls` lists the sizes of every network.", "%s", err)
		return
	}
	if err != nil {
		b.addMistake(n, codeUnknownName, oneOf(n.text, b.cat.NetworkNames), "there is no network %q", clip(n.text))
		return
	}
	b.addNetwork(n, w, read)
}

func (b *builder) addNetwork(at *node, w *workload.Workload, read events.Network) {
	var err error
	read.SHA256, err = w.Identity()
	if !b.when(err != nil, at, codeUnknownName, "", "network %q cannot be used: %s", read.Name, err) {
		b.networks = append(b.networks, evaluator.Network{Workload: w, Weight: read.Weight, Accuracy: read.AccuracyPercent()})
		b.spec.Networks = append(b.spec.Networks, read)
	}
}

// evaluator finds who measures, and which metrics there are.
func (b *builder) evaluator() {
	e := b.field("evaluator")
	if s := &b.spec.Evaluator; b.desc != nil {
		s.Name = cmp.Or(s.Name, b.desc.Name)
	}
	if !b.builtin() {
		if says := b.noise.deterministic; says != nil {
			b.spec.Evaluator.Deterministic = *says
		}
		b.ownEvaluator(e)
		return
	}
	// The template's backend says everything.
	b.spec.Evaluator.Deterministic, b.spec.Evaluator.Version = b.desc.Deterministic, b.desc.Version
	b.noise.deterministic = &b.desc.Deterministic
	says, metrics := e.get("deterministic"), e.get("metrics")
	b.when(says != nil && says.kind == boolKind && (says.text == "true") != b.desc.Deterministic, says, codeContradicts, "Remove the field.",
		"the evaluator %q says itself that deterministic is %t", b.desc.Name, b.desc.Deterministic)
	b.when(metrics != nil, metrics, codeContradicts, "Remove the field; or give your own evaluator a name of its own.", "the metrics of the evaluator %q are known", b.desc.Name)
	task := b.task(nil, "")
	task.Metrics = b.onRequest()
	for _, m := range b.desc.For(task) {
		b.spec.Metrics = append(b.spec.Metrics, events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
	b.when(b.spec.Evaluator.Manual, e.get("manual"), codeContradicts, "Remove it; or give your own evaluator a name of its own.", "the evaluator %q is built in", b.desc.Name)
	b.when(b.program.Exec != "", e.get("exec"), codeContradicts, "Remove it; or give your own evaluator a name of its own.", "the evaluator %q is built in", b.desc.Name)
}

// ownEvaluator takes everything from the study. Nothing is cheap then: only
// the evaluator could compute it.
func (b *builder) ownEvaluator(e *node) {
	spec := b.field()
	switch {
	case b.desc == nil && (spec.at("space", "parameters") == nil || spec.at("space", "template") != nil):
		return // reported: without a space nobody knows what evaluates it
	case e == nil:
		b.addMistake(spec, codeMissing, "Write evaluator: {name: mine, metrics: [{name: latency, unit: s}]}.", "a space without template needs an evaluator")
		return
	case e.kind != mapKind:
		return
	}
	b.when(slices.Contains(b.cat.templateNames(), b.spec.Evaluator.Name), e.get("name"), codeBadName, "Give your own evaluator another name.",
		"%q is the built-in evaluator of the template %[1]s, which measures nothing else", b.spec.Evaluator.Name)
	b.manual(e)
	b.findable(e.get("exec"))
	for _, n := range b.field("workload", "networks").list() {
		stated := n.get("accuracy")
		if a := n.get("accuracies"); stated == nil {
			stated = a
		}
		b.when(stated != nil && stated.kind != nullKind, stated, codeContradicts, "Let your evaluator answer it as a metric.", "only a template's own evaluator adds what is stated to what it measures")
	}
	metrics := e.get("metrics")
	b.when(e.get("name") == nil, e, codeMissing, "It is the name that apollo evaluator run --name gets.", "your own evaluator needs a name")
	b.when(metrics == nil, e, codeMissing, "Write metrics: [{name: latency, unit: s}].", "your own evaluator needs its metrics")
	seen := map[string]bool{}
	for i, n := range metrics.list() {
		b.ownMetric(n, &b.ownMetrics[i], seen)
	}
}

// findable reports a program that cannot be started, where somebody looks and it was not
// asked already.
func (b *builder) findable(exec *node) {
	if b.opts.Missing == nil || exec == nil || b.program.Exec == "" || slices.ContainsFunc(b.found, func(f found) bool { return f.Pointer == exec.pointer }) {
		return
	}
	if err := b.opts.Missing(b.program.Exec); err != nil {
		b.addMistakeAt(wordOf(exec, err), exec.pointer, codeUnknownName, "", "the evaluator's program cannot be started: %s", err)
	}
}

// manual refuses what means nothing where nobody is asked: there is no program, and
// one design is told at a time.
func (b *builder) manual(e *node) {
	if !b.spec.Evaluator.Manual {
		return
	}
	for _, key := range []string{"exec", "startup", "memory", "env"} {
		n := e.get(key)
		b.when(n != nil && n.kind != nullKind, n, codeContradicts, "Remove it; or remove manual.", "no program is started where the evaluator is manual")
	}
	b.when(b.spec.Budget.Batch > 1, b.field("budget", "batch"), codeContradicts, "Write parallelism: instead, for several designs at a time.",
		"a manual evaluator is told about one design at a time")
}

func (b *builder) ownMetric(n *node, m *events.Metric, seen map[string]bool) {
	name := n.get("name")
	if name == nil || name.kind != stringKind {
		return
	}
	m.Unit = unitOf(m.Unit).Symbol
	full := m.Name + unit.Suffix(m.Unit)
	switch without, has := strings.CutSuffix(m.Name, unit.Suffix(m.Unit)); {
	case has && m.Unit != "":
		b.addMistake(name, codeBadName, fmt.Sprintf("Write %s; the log calls it %s.", without, m.Name), "a metric's name has no unit in a study")
	case seen[m.Name] || seen[full]:
		b.addMistake(name, codeDuplicate, "Give each metric a name of its own.", "the metric %q is here twice", clip(m.Name))
	default:
		seen[m.Name], seen[full] = true, true
		b.spec.Metrics = append(b.spec.Metrics, events.Metric{Name: full, Unit: m.Unit})
	}
}

// metric finds the metric that a node names, or reports it.
func (b *builder) metric(n *node) (events.Metric, bool) {
	if n == nil || n.kind != stringKind || len(b.spec.Metrics) == 0 {
		return events.Metric{}, false
	}
	var names []string
	for _, m := range b.spec.Metrics {
		if short(m) == n.text {
			return m, true
		}
		names = append(names, short(m))
	}
	if slices.Contains(b.broken, n.text) {
		return events.Metric{}, false
	}
	if m, found, ok := b.derived(n); found {
		return m, ok
	}
	generation := func(m evaluator.Metric) bool {
		return m.Generation && strings.TrimSuffix(m.Name, unit.Suffix(m.Unit)) == n.text
	}
	switch i := b.spec.MetricIndex(n.text); {
	case i >= 0:
		b.addMistake(n, codeUnknownName, fmt.Sprintf("Write %s: a study names metrics without their unit.", names[i]), "there is no metric %q", n.text)
	case b.desc != nil && slices.ContainsFunc(b.desc.Metrics, generation):
		b.addMistake(n, codeUnknownName, "Name a network that generates tokens: {name: llama_1b, sequence: 1024, generate: 256}.",
			"%q is measured of networks that generate tokens, and there is none", n.text)
	case n.text == "accuracy" && b.spec.Search != "":
		b.addMistake(n, codeUnknownName, "State it of every network, accuracy: 71.8 %, or of a family with accuracies.", "no network has an accuracy")
	default:
		names = append(names, b.derivable()...)
		b.addMistake(n, codeUnknownName, oneOf(n.text, names), "the evaluator measures no %q", clip(n.text))
	}
	return events.Metric{}, false
}

// value reads a quantity in a metric's unit.
func (b *builder) value(n *node, m events.Metric) *float64 {
	if n != nil {
		if v, ok := b.quantity(n, unitOf(m.Unit), fmt.Sprintf("metric %q", short(m))); ok {
			return new(v + 0) // -0 is 0
		}
	}
	return nil
}
