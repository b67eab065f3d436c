package studyfile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/services/studyfile/unit"
)

// metric is a metric of the study's evaluator as people name it.
type metric struct {
	events.Metric
	// short is the name without the unit: "latency".
	short string
	unit  unit.Unit
}

// suffix is how a unit ends a metric's name: latency_s, rate_b_per_s.
func suffix(symbol string) string {
	if symbol == "" {
		return ""
	}
	return "_" + strings.NewReplacer("/", "_per_", "%", "percent").Replace(strings.ToLower(symbol))
}

func toMetric(m events.Metric) metric {
	return metric{Metric: m, short: strings.TrimSuffix(m.Name, suffix(m.Unit)), unit: unitOf(m.Unit)}
}

// workload reads the networks.
func (b *builder) workload() {
	w := b.field("workload")
	if w == nil && b.template != nil {
		b.add(b.field(), codeMissing, "Write workload: {networks: [{name: …}]}. "+oneOf("", b.cat.NetworkNames), "template %q needs a workload", b.template.Name)
		return
	}
	seen := map[string]bool{}
	for _, n := range w.get("networks").list() {
		if n.kind != mapKind {
			continue
		}
		before := len(b.networks)
		weight := 1.0
		if v, ok := plainNumber(n.get("weight")); ok {
			weight = v
		}
		b.network(n, weight)
		if len(b.networks) == before {
			continue
		}
		name := b.spec.Networks[before].Name
		if seen[name] {
			at := n
			if n := n.get("name"); n != nil {
				at = n
			}
			b.add(at, codeDuplicate, "Use weight to make one network count more.", "the network %q is here twice", clip(name))
			b.networks, b.spec.Networks = b.networks[:before], b.spec.Networks[:before]
		}
		seen[name] = true
	}
}

// network adds a network: a built-in one by name, or one with its layers.
func (b *builder) network(n *node, weight float64) {
	name, file, layers := n.get("name"), n.get("file"), n.get("layers")
	switch {
	case file != nil && layers != nil:
		b.add(layers, codeContradicts, "Remove one of the two.", "file and layers both say what the network is")
	case file != nil && file.kind == stringKind:
		b.fileNetwork(name, file, weight)
	case layers != nil && layers.kind == mapKind:
		b.layers(name, layers, b.plain(layers, nil), weight)
	case layers != nil:
		b.add(layers, codeWrongType, "", "want a mapping, not %s", layers.kind)
	case file != nil: // reported
	case name == nil:
		b.add(n, codeMissing, "Write name: …, a built-in network (apollo workload ls), or file: …, a workload file.", "the network has no name")
	case name.kind == stringKind:
		b.builtinNetwork(name, weight)
	}
}

// fileNetwork reads a workload file.
func (b *builder) fileNetwork(name, file *node, weight float64) {
	if b.opts.Published || b.opts.ReadFile == nil {
		b.add(file, codeUnsupported, "Submit it with `apollo study submit`, which sends the layers, or write them as layers: {schema: apollo.workload/v1, …}.",
			"a published study cannot name files")
		return
	}
	path := file.text
	if b.opts.Dir != "" && !filepath.IsAbs(path) {
		path = filepath.Join(b.opts.Dir, path)
	}
	data, err := b.opts.ReadFile(path)
	if err != nil {
		b.add(file, codeUnknownName, "Paths are relative to the study file.", "the workload file cannot be read: %s", err)
		return
	}
	b.layers(name, file, data, weight)
}

// layers adds a network with its layer table.
func (b *builder) layers(name, at *node, data []byte, weight float64) {
	w, err := workload.Parse("workload", data)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		b.add(at, codeBadOptions, "A model file becomes a workload file with `apollo workload import MODEL --out FILE`.", "%s", first)
		return
	}
	if name != nil && name.kind == stringKind {
		w.Name = name.text
		if err := w.Normalise(); err != nil {
			b.add(name, codeBadName, "", "%s", err)
			return
		}
	}
	text, err := w.CanonicalJSON()
	if err != nil {
		b.add(at, codeBadOptions, "", "%s", err)
		return
	}
	text = bytes.TrimSpace(text)
	if len(text) > events.MaxSpecBytes/2 {
		b.add(at, codeTooLarge, "", "the layers have %d bytes, at most %d fit into a study", len(text), events.MaxSpecBytes/2)
		return
	}
	b.addNetwork(at, w.Name, w, weight, text)
}

func (b *builder) builtinNetwork(n *node, weight float64) {
	if b.cat.Network == nil {
		b.add(n, codeUnknownName, "", "there is no network %q: this build has none", clip(n.text))
		return
	}
	w, err := b.cat.Network(n.text)
	if err != nil {
		b.add(n, codeUnknownName, oneOf(n.text, b.cat.NetworkNames), "there is no network %q", clip(n.text))
		return
	}
	b.addNetwork(n, n.text, w, weight, nil)
}

func (b *builder) addNetwork(at *node, name string, w *workload.Workload, weight float64, layers []byte) {
	id, err := w.Identity()
	if err != nil {
		b.add(at, codeUnknownName, "", "network %q cannot be used: %s", name, err)
		return
	}
	b.networks = append(b.networks, evaluator.Network{Workload: w, Weight: weight})
	b.spec.Networks = append(b.spec.Networks, events.Network{Name: name, Weight: weight, SHA256: id, Workload: layers})
}

// evaluator reads who measures, and which metrics there are.
func (b *builder) evaluator() {
	e := b.field("evaluator")
	s := &b.spec.Evaluator
	s.TimeoutSeconds, s.Attempts, s.MaxFailures = defaultTimeout, defaultAttempts, defaultMaxFailures
	if v, ok := quietQuantity(e.get("timeout"), "s"); ok {
		s.TimeoutSeconds = v
	}
	setInt(&s.Attempts, e.get("attempts"))
	setInt(&s.MaxFailures, e.get("maxFailures"))
	if b.desc != nil {
		s.Name = b.desc.Name
	}
	if name := e.get("name"); name != nil && name.kind == stringKind {
		b.label(name, "an evaluator")
		s.Name = name.text
	}
	if b.desc != nil && s.Name == b.desc.Name {
		b.templateEvaluator(e)
		return
	}
	b.ownEvaluator(e)
}

// templateEvaluator takes everything from the template's backend.
func (b *builder) templateEvaluator(e *node) {
	b.spec.Evaluator.Deterministic, b.spec.Evaluator.Version = b.desc.Deterministic, b.desc.Version
	if d := e.get("deterministic"); d != nil && d.kind == boolKind && (d.text == "true") != b.desc.Deterministic {
		b.add(d, codeContradicts, "Remove the field.", "the evaluator %q says itself that deterministic is %t", b.desc.Name, b.desc.Deterministic)
	}
	if m := e.get("metrics"); m != nil {
		b.add(m, codeContradicts, "Remove the field; or give your own evaluator a name of its own.", "the metrics of the evaluator %q are known", b.desc.Name)
	}
	for _, m := range b.desc.Metrics {
		b.addMetric(events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
}

// ownEvaluator takes everything from the study. Nothing is cheap then: only
// the evaluator could compute it.
func (b *builder) ownEvaluator(e *node) {
	b.spec.Evaluator.Deterministic = e.get("deterministic") != nil && e.get("deterministic").text == "true"
	spec := b.field()
	switch {
	case b.desc == nil && (spec.at("space", "parameters") == nil || spec.at("space", "template") != nil):
		return // reported: without a space nobody knows what evaluates it
	case e == nil:
		b.add(spec, codeMissing, "Write evaluator: {name: mine, metrics: [{name: latency, unit: s}]}.", "a space without template needs an evaluator")
		return
	case e.kind != mapKind:
		return
	}
	if e.get("name") == nil {
		b.add(e, codeMissing, "It is the name that apollo evaluator run --name gets.", "your own evaluator needs a name")
	}
	metrics := e.get("metrics")
	if metrics == nil {
		b.add(e, codeMissing, "Write metrics: [{name: latency, unit: s}].", "your own evaluator needs its metrics")
	}
	seen := map[string]bool{}
	for _, n := range metrics.list() {
		b.ownMetric(n, seen)
	}
}

func (b *builder) ownMetric(n *node, seen map[string]bool) {
	name := n.get("name")
	if name == nil || name.kind != stringKind {
		return
	}
	b.snake(name, "a metric")
	u := unit.Unit{Dimension: unit.Dimensionless, Factor: 1}
	if un := n.get("unit"); un != nil && un.kind == stringKind {
		var known bool
		if u, known = b.unit(un); !known {
			u = unit.Unit{Dimension: unit.Dimensionless, Factor: 1}
		}
	}
	if s := suffix(u.Symbol); s != "" && strings.HasSuffix(name.text, s) {
		b.add(name, codeBadName, fmt.Sprintf("Write %s; the log calls it %s.", strings.TrimSuffix(name.text, s), name.text), "a metric's name has no unit in a study")
		return
	}
	full := name.text + suffix(u.Symbol)
	if seen[name.text] || seen[full] {
		b.add(name, codeDuplicate, "Give each metric a name of its own.", "the metric %q is here twice", clip(name.text))
		return
	}
	seen[name.text], seen[full] = true, true
	b.addMetric(events.Metric{Name: full, Unit: u.Symbol})
}

func (b *builder) addMetric(m events.Metric) {
	b.spec.Metrics = append(b.spec.Metrics, m)
	b.metrics = append(b.metrics, toMetric(m))
}

// metric finds the metric that a node names, or reports it.
func (b *builder) metric(n *node) (metric, bool) {
	if n == nil || n.kind != stringKind || len(b.metrics) == 0 {
		return metric{}, false
	}
	var names []string
	for _, m := range b.metrics {
		if m.short == n.text {
			return m, true
		}
		names = append(names, m.short)
	}
	for _, m := range b.metrics {
		if m.Name == n.text {
			b.add(n, codeUnknownName, fmt.Sprintf("Write %s: a study names metrics without their unit.", m.short), "there is no metric %q", n.text)
			return metric{}, false
		}
	}
	b.add(n, codeUnknownName, oneOf(n.text, names), "the evaluator measures no %q", clip(n.text))
	return metric{}, false
}

// value reads a quantity in a metric's unit.
func (b *builder) value(n *node, m metric) *float64 {
	if !n.scalar() {
		return nil
	}
	v, ok := b.quantity(n, m.unit, fmt.Sprintf("metric %q", m.short))
	if !ok {
		return nil
	}
	v += 0 // -0 is 0
	return &v
}

func setInt(dst *int, n *node) {
	if v, ok := plainNumber(n); ok && v >= 0 && v <= events.MaxTrials && v == float64(int(v)) {
		*dst = int(v)
	}
}

// quietQuantity reads what check has already found to be right.
func quietQuantity(n *node, symbol string) (float64, bool) {
	if n == nil || !n.scalar() {
		return 0, false
	}
	return (&report{}).quantity(n, unitOf(symbol), "")
}
