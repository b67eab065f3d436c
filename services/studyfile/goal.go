package studyfile

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"apollo/archiver/storage"
	"apollo/evaluator"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// objectives gives what to optimise its metrics.
func (b *builder) objectives() {
	read := b.spec.Objectives
	b.spec.Objectives = nil
	for i, n := range b.field("objectives").list() {
		m, ok := b.metric(n.get("metric"))
		if !ok {
			continue
		}
		o := read[i]
		o.Metric = m.Name
		if slices.ContainsFunc(b.spec.Objectives, func(earlier events.Objective) bool { return earlier.Metric == o.Metric }) {
			b.addMistake(n.get("metric"), codeDuplicate, "Remove one of them.", "metric %q is an objective already", short(m))
			continue
		}
		reference := n.get("reference")
		b.when(reference != nil && len(read) == 1, reference, codeContradicts, "Remove it.", "a reference is a corner of the hypervolume: it needs several objectives")
		o.Target, o.Reference = b.value(n.get("target"), m), b.value(reference, m)
		b.objectiveNodes = append(b.objectiveNodes, n)
		b.spec.Objectives = append(b.spec.Objectives, o)
	}
}

// bound is a constraint on a metric, with the node that sets it; bounds are the
// least and the most that is allowed.
type (
	bound struct {
		value *float64
		node  *node
	}
	bounds [2]bound
)

// constraints gives the bounds on metrics their values, and finds those that no
// design can meet.
func (b *builder) constraints() {
	of := map[string]bounds{}
	read := b.spec.Constraints
	b.spec.Constraints = nil
	for i, n := range b.field("constraints").list() {
		m, ok := b.metric(n.get("metric"))
		if !ok {
			continue
		}
		c := read[i]
		c.Metric = m.Name
		of[m.Name] = b.merge(of[m.Name], n, m, &c.Min, &c.Max)
		b.spec.Constraints = append(b.spec.Constraints, c)
	}
	b.targets(of)
}

// merge adds the bounds of one constraint to those on its metric.
func (b *builder) merge(s bounds, n *node, m events.Metric, to ...**float64) bounds {
	var last *node
	for side, key := range []string{"min", "max"} {
		at := n.get(key)
		*to[side] = b.limit(at, m)
		if v := *to[side]; v != nil {
			b.when(s[side].value != nil, at, codeDuplicate, "Remove one of them.", "metric %q has a %s already", short(m), key)
			s[side], last = bound{v, at}, at
		}
	}
	if least, most := s[0], s[1]; last != nil && least.value != nil && most.value != nil && *least.value > *most.value {
		b.addMistake(last, codeContradicts, "Swap them, or remove one.", "no design meets min %s and max %s of metric %q", least.node.text, most.node.text, short(m))
	}
	if most := *to[1]; most != nil && *most <= 0 && slices.Contains([]string{"area", "latency", "energy"}, short(m)) {
		b.addMistake(last, codeContradicts, "Write a larger limit.", "no design has %s of %s or less", unitOf(m.Unit).Dimension.Phrase(), last.text)
	}
	return s
}

// targets reports targets outside the constraints on their metric and behind
// their reference, and fills in the corners of the hypervolume that constraints
// give.
func (b *builder) targets(of map[string]bounds) {
	for i := range b.spec.Objectives {
		o, n := &b.spec.Objectives[i], b.objectiveNodes[i].get("target")
		best, side, sign := 0, "min", 1.0 // the bound that a better value meets
		if o.Goal == "maximize" {
			best, side, sign = 1, "max", -1
		}
		better := func(x, y *float64) bool { return x != nil && y != nil && sign*(*x) < sign*(*y) }
		s := of[o.Metric]
		if better(o.Target, s[best].value) {
			b.addMistake(n, codeContradicts, "Change one of them.", "the target %s lies beyond the constraint %s %s", n.text, side, s[best].node.text)
		}
		if len(b.spec.Objectives) > 1 {
			o.Reference = cmp.Or(o.Reference, s[1-best].value)
			if better(o.Reference, o.Target) {
				b.addMistake(n, codeContradicts, "The reference is the one that is written, or a constraint's bound: change one of the two.", "the target %s is worse than the reference", n.text)
			}
		}
	}
}

// baselineFactor is how much worse than the template's baseline a design may be
// in one objective and still count. Chosen: a front is about designs that are
// better in something, and none pays more than double for it.
const baselineFactor = 2

// baselineReferences fills in what is still open from the template's baseline,
// measured on the study's networks. Where that is infeasible, or not positive,
// the reference stays open: the first trials fix it.
func (b *builder) baselineReferences() {
	open := func(o events.Objective) bool { return o.Reference == nil }
	if len(b.found) > 0 || len(b.spec.Objectives) < 2 || !slices.ContainsFunc(b.spec.Objectives, open) {
		return
	}
	values := b.baseline()
	for i := range b.spec.Objectives {
		o := &b.spec.Objectives[i]
		k := b.spec.MetricIndex(o.Metric)
		switch {
		case !open(*o) || k >= len(values) || !(values[k] > 0):
		case o.Goal == "maximize":
			o.Reference = new(values[k] / baselineFactor)
		default:
			o.Reference = new(values[k] * baselineFactor)
		}
	}
}

// baseline returns the metrics of the template's baseline, nil when it has none.
func (b *builder) baseline() []float64 {
	if !b.builtin() || len(b.template.Baseline) != len(b.template.Params) {
		return nil
	}
	values, _ := b.measureBaseline("")
	return values
}

// measureBaseline returns the metrics of the template's baseline with mappers of a
// goal, or why it has none.
func (b *builder) measureBaseline(goal string) (values []float64, problem string) {
	e, err := b.template.Backend.New(b.task(b.template.Params, goal))
	if err != nil {
		return nil, err.Error()
	}
	r, err := e.Evaluate(context.Background(), evaluator.Request{Study: b.spec.Study, Trial: -1, Design: b.template.Baseline})
	switch {
	case err != nil:
		return nil, err.Error()
	case r.Reason != nil:
		return nil, r.Reason.Message
	}
	derive, err := events.NewDeriver(b.spec.Metrics)
	if err != nil {
		return nil, err.Error()
	}
	return derive.Row(r.Values), ""
}

// task is what the template's evaluator is bound to.
func (b *builder) task(params []space.Param, goal string) evaluator.Task {
	t := evaluator.Task{Params: params, Networks: b.networks, Choice: Choice(b.spec.Search, b.networks), MapperGoal: evaluator.MapperGoal(goal)}
	for _, m := range b.spec.Measured() {
		t.Metrics = append(t.Metrics, evaluator.Metric{Name: m.Name, Unit: m.Unit})
	}
	return t
}

// limit reads a bound on a metric: a quantity, or a share of the baseline's value,
// which is measured here and so is a quantity from then on.
func (b *builder) limit(n *node, m events.Metric) *float64 {
	share, relative := strings.CutSuffix(n.str(), "baseline")
	if !relative {
		return b.value(n, m)
	}
	share, ok := strings.CutSuffix(strings.TrimSpace(share), "of")
	q, err := unit.Parse(strings.TrimSpace(share))
	if b.when(!ok || err != nil || q.Unit.Symbol != "%", n, codeWrongType, "Write it so: 110 % of baseline.", "%q is no share of the baseline", clip(n.text)) {
		return nil
	}
	if b.when(!b.builtin() || len(b.template.Baseline) != len(b.template.Params), n, codeContradicts, "Write the limit as a quantity.", "there is no baseline: only a template with its own evaluator has one") {
		return nil
	}
	values, problem := b.measureBaseline(b.spec.MapperGoal())
	if b.when(problem != "", n, codeContradicts, "Write the limit as a quantity.", "the baseline has no %s on these networks: %s", short(m), problem) {
		return nil
	}
	return new(values[b.spec.MetricIndex(m.Name)] * q.Base())
}

// algorithm lets the catalog check the strategy and its options.
func (b *builder) algorithm() {
	a := &b.spec.Algorithm
	a.Name = cmp.Or(a.Name, "default")
	name, options := b.field("algorithm", "name"), b.field("algorithm", "options")
	if options != nil && options.kind != mapKind || b.cat.Algorithm == nil || name == nil && options == nil || name != nil && name.kind != stringKind {
		return
	}
	if !b.policyFile(options) {
		return
	}
	err := b.cat.Algorithm(a.Name, a.Options)
	switch {
	case err == nil:
		n, many := len(b.spec.Objectives), b.cat.MultiObjectiveNames
		b.when(n > 1 && many != nil && !slices.Contains(many, a.Name), name, codeContradicts, "Those that search several: "+strings.Join(many, ", ")+".",
			"algorithm %q searches one objective, the study has %d", a.Name, n)
	case !slices.Contains(b.cat.AlgorithmNames, a.Name):
		b.addMistake(name, codeUnknownName, oneOf(name.text, b.cat.AlgorithmNames), "there is no algorithm %q", clip(name.text))
	case options != nil:
		at := options
		if named := regexp.MustCompile(`option "?(\w+)`).FindStringSubmatch(err.Error()); named != nil && options.get(named[1]) != nil {
			at = options.get(named[1])
		}
		b.addMistake(at, codeBadOptions, "", "%s", err)
	default:
		b.addMistake(name, codeBadOptions, "", "%s", err)
	}
}

// policyFile puts what a policy's file says in its place, so that the study that is
// accepted needs no file.
func (b *builder) policyFile(options *node) bool {
	const key = "policy"
	n := options.get(key)
	if n == nil || n.kind != stringKind {
		return true
	}
	data, ok := b.sideFile(n)
	if !ok {
		return false
	}
	const writes = "`apollo train` writes policies."
	var policy, all map[string]json.RawMessage
	if err := json.Unmarshal(data, &policy); err != nil {
		message := "it holds no JSON object"
		if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
			message = placeIn(data, wrong.Offset) + ": " + wrong.Error()
		}
		b.addMistake(n, codeBadOptions, writes, "the file %s: %s", n.text, message)
		return false
	}
	// The policy alone, so that a mistake in it is told from those of the other options.
	err := b.cat.Algorithm(b.spec.Algorithm.Name, slices.Concat([]byte(`{"policy":`), data, []byte("}")))
	if err != nil && strings.Contains(err.Error(), "option policy") {
		message := err.Error()[strings.Index(err.Error(), "option policy")+len("option "):]
		if wrong, ok := errors.AsType[interface {
			error
			Offset() int64
		}](err); ok {
			leading := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
			message = placeIn(data, wrong.Offset()+int64(leading)) + ": " + message
		}
		b.addMistake(n, codeBadOptions, writes, "the file %s: %s", n.text, message)
		return false
	}
	if err := json.Unmarshal(b.spec.Algorithm.Options, &all); err != nil {
		return false // reported: options are no mapping
	}
	all[key] = data
	text, err := json.Marshal(all)
	if b.when(err != nil, n, codeBadOptions, "", "%v", err) ||
		b.when(len(text) > events.MaxSpecBytes/2, n, codeTooLarge, "", "the options have %d bytes, at most %d fit into a study", len(text), events.MaxSpecBytes/2) {
		return false
	}
	b.spec.Algorithm.Options = text
	return true
}

// placeIn names the line and column of what ends at an offset.
func placeIn(data []byte, end int64) string {
	before := data[:max(0, min(int(end), len(data))-1)]
	line := bytes.LastIndexByte(before, '\n') + 1
	return fmt.Sprintf("line %d, column %d", bytes.Count(before, []byte("\n"))+1, utf8.RuneCount(before[line:])+1)
}

// budget fills in what depends on other fields, and checks what may be spent.
func (b *builder) budget() {
	s, batch, most := &b.spec.Budget, b.field("budget", "batch"), events.MaxBatch
	if b.builtin() && b.desc.MaxBatch > 0 {
		most = b.desc.MaxBatch
	}
	switch {
	case s.Batch == 0:
		s.Batch = 1
	case s.Batch > s.Trials && s.Trials > 0:
		b.addMistake(batch, codeOutOfRange, fmt.Sprintf("Write at most %d, or leave it out.", s.Trials), "a batch of %d is more than the %d trials", s.Batch, s.Trials)
	}
	if s.Batch > most && most < events.MaxBatch {
		b.addMistake(batch, codeOutOfRange, fmt.Sprintf("Write at most %d.", most), "the evaluator %q takes at most %d designs at once", b.desc.Name, most)
	}
	if f := b.spec.Fork; f != nil {
		at := b.field("fork")
		b.when(f.Study == b.spec.Study && f.Study != "", at.get("study"), codeContradicts, "Give this study another name.", "a study cannot be a fork of itself")
		b.when(f.Trials >= s.Trials && s.Trials > 0, at.get("trials"), codeOutOfRange, fmt.Sprintf("Share fewer, or set budget.trials to more than %d.", f.Trials),
			"the %d trials that are shared leave none of the budget of %d", f.Trials, s.Trials)
	}
	b.flight()
}

// flight fills in how much of a study is under way at once. Who measures in
// microseconds gains nothing from asking before an answer is in, and who measures
// by hand measures one design after the other.
func (b *builder) flight() {
	s, lag := &b.spec.Budget, b.field("budget", "lag")
	if s.Parallelism == 0 {
		s.Parallelism = 4
		switch {
		case b.builtin() || b.spec.Evaluator.Manual:
			s.Parallelism = 1
		case b.auto && b.opts.Slots != nil:
			if n := b.opts.Slots(b.spec.Evaluator.Name, b.program.Exec != ""); n > 0 {
				if LearnsNothing(b.spec.Algorithm.Name) {
					n *= 2
				}
				s.Parallelism = min(n, events.MaxParallelism)
			}
		}
	}
	if (lag == nil || lag.kind == nullKind) && s.Parallelism > 1 {
		s.Lag = 2 * s.Parallelism
	}
	b.autoLag = b.auto && (lag == nil || lag.kind == nullKind)
}

// LearnsNothing says that a strategy proposes the same whatever it is told. A design
// that waits beside each that is measured then costs no trials, and saves its worker
// the way to the proposer and back.
func LearnsNothing(algorithm string) bool { return algorithm == "random" || algorithm == "sobol" }

// autoParallelism notes that the parallelism is to be that of the workers: a
// number from then on, so that a study's trials follow from what was accepted.
func (b *builder) autoParallelism() {
	const key, word = "parallelism", "auto"
	budget := b.field("budget")
	if n := budget.get(key); n == nil || n.kind != stringKind || n.text != word {
		return
	}
	b.auto = true
	budget.entries = slices.DeleteFunc(budget.entries, func(e entry) bool { return e.key == key })
}

// builtin says that the template's own evaluator measures.
func (b *builder) builtin() bool { return b.desc != nil && b.spec.Evaluator.Name == b.desc.Name }

// transfer checks the sources of knowledge.
func (b *builder) transfer() {
	t, n := b.spec.Transfer, b.field("transfer")
	if t == nil {
		return
	}
	if t.Method == "auto" { // by evidence
		t.Method = ""
	}
	b.when(t.Method == "seed" && t.Seeds == 0, n.get("seeds"), codeContradicts, "Allow some seeds, or remove transfer.", "method seed with no seeds uses nothing of the sources")
	b.when(n.get("sources") == nil, n, codeMissing, "Write sources: [{study: NAME}], or a prior.", "transfer has no sources")
	for i, s := range n.get("sources").list() {
		source := &t.Sources[i]
		good := source.Auto || s.kind == mapKind && b.source(s, source)
		twice := slices.ContainsFunc(t.Sources[:i], func(o events.Source) bool { return reflect.DeepEqual(o, *source) })
		b.when(good && twice, s, codeDuplicate, "Remove one of them.", "this source is here twice")
		again := source.Exec != "" && slices.ContainsFunc(t.Sources[:i], func(o events.Source) bool { return o.Exec == source.Exec })
		b.when(good && !twice && again, s.get("exec"), codeDuplicate, "Say rename: and fix: in one source, or give each program a command of its own.",
			"the program %q is asked by two sources, which logs and reports could not tell apart", clip(source.Exec))
	}
}

// source checks one source, and makes its path complete.
func (b *builder) source(n *node, out *events.Source) bool {
	before := len(b.found)
	study, parquet := n.get("study"), n.get("parquet")
	b.when(study.str() != "" && study.str() == b.spec.Study, study, codeContradicts, "To start anew, give the study another name.", "a study cannot be its own source")
	b.renames(n.get("rename"))
	if out.Asked() {
		b.model(n, out)
		return len(b.found) == before
	}
	if parquet == nil || parquet.kind != stringKind {
		return len(b.found) == before
	}
	_, err := filepath.Match(parquet.text, "")
	switch {
	case b.opts.Published: // reported
	case parquet.text == "":
		b.addMistake(parquet, codeOutOfRange, "", "the pattern is empty")
	case err != nil:
		b.addMistake(parquet, codeSyntax, "A [ in a name is written \\[.", "%q is no path pattern", clip(parquet.text))
	default:
		if out.Parquet = parquet.text; !storage.Remote(out.Parquet) {
			out.Parquet = b.path(parquet.text)
		}
	}
	return len(b.found) == before
}
