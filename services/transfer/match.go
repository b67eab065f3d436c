package transfer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// What becomes of a parameter or metric.
const (
	// Mapped: same name, same unit.
	Mapped = "mapped"
	// Converted: same name, another unit of the same dimension.
	Converted = "converted"
	// filled: the source lacks it; the study's own level stands in.
	filled = "filled"
	// dropped: this study lacks it.
	dropped = "dropped"
	// computed: from the source's other metrics, as this study computes it.
	computed = "computed"
	// missing: the source did not measure it, so it is not judged.
	missing = "missing"
)

// Match says what becomes of one parameter or metric of a source.
type Match struct {
	// Name is the name in this study, or the source's where it is dropped.
	Name string `json:"name"`
	// Use is mapped, converted, filled, dropped, computed or missing.
	Use        string `json:"use"`
	SourceUnit string `json:"source_unit,omitempty"`
	Unit       string `json:"unit,omitempty"`
	// Note says why, in words.
	Note string `json:"note,omitempty"`
}

// column says where a number of this study stands in a source's row.
type column struct {
	// index is the position in the row; -1 when the source lacks it.
	index  int
	factor float64
	// fill is the level that stands in for a parameter that is lacking.
	fill int
	// guessed: the files tell no unit, this study's is assumed.
	guessed bool
}

// mapping turns rows of a source into points and values of this study.
type mapping struct {
	params, metrics             []column
	derive                      *events.Deriver
	paramMatches, metricMatches []Match
	exact                       bool          // every parameter is there, in the same unit
	off                         []float64     // of point: a buffer
	source                      *events.Judge // of the study that the rows belong to; nil where nobody says
}

// renamed are the columns of a source under the names of this study.
func renamed(log *archiver.SourceLog) *archiver.Columns {
	if len(log.Rename) == 0 {
		return log.Columns
	}
	cols := *log.Columns
	cols.Parameters, cols.Metrics, cols.Unread = slices.Clone(cols.Parameters), slices.Clone(cols.Metrics), slices.Clone(cols.Unread)
	for i := range cols.Parameters {
		if ours, ok := log.Rename[cols.Parameters[i].Name]; ok {
			cols.Parameters[i].Name = ours
		}
	}
	for i, m := range cols.Metrics {
		symbol := m.Unit
		if symbol == "" && cols.Spec == nil {
			_, symbol = splitUnit(m.Name)
		}
		if ours, ok := log.Rename[strings.TrimSuffix(m.Name, unit.Suffix(symbol))]; ok {
			cols.Metrics[i].Name = ours + unit.Suffix(symbol)
		}
	}
	for i, u := range cols.Unread {
		if ours, ok := log.Rename[strings.TrimPrefix(u.Column, "p_")]; ok && strings.HasPrefix(u.Column, "p_") {
			cols.Unread[i].Column = "p_" + ours
		}
	}
	return &cols
}

// match builds the mapping of a source. The error says which unit, type or
// metric makes the source unfit.
func (l *Learner) match(cols *archiver.Columns) (*mapping, error) {
	m := &mapping{exact: len(cols.Parameters) == l.space.Len(), derive: l.judge.Deriver()}
	if cols.Spec != nil && l.judge.Conditional() {
		var err error
		if m.source, err = events.NewJudge(cols.Spec); err != nil {
			return nil, err
		}
	}
	known := 0
	for i := range l.space.Len() {
		if err := unread(cols, "parameter", "p_"+l.space.Param(i).Name); err != nil {
			return nil, err
		}
		c, match, err := l.matchParameter(i, cols)
		if err != nil {
			return nil, err
		}
		if c.index >= 0 {
			known++
		}
		m.exact = m.exact && match.Use == Mapped
		m.params, m.paramMatches = append(m.params, c), append(m.paramMatches, match)
	}
	if known == 0 {
		return nil, fmt.Errorf("it has none of this study's parameters%s", others(cols, "p_", len(cols.Parameters), func(i int) string { return cols.Parameters[i].Name }))
	}
	for _, p := range cols.Parameters {
		if l.space.Find(p.Name) < 0 {
			m.paramMatches = append(m.paramMatches, Match{Name: p.Name, Use: dropped, SourceUnit: p.Unit, Note: "this study has no such parameter"})
		}
	}
	return m, l.matchMetrics(m, cols)
}

func (l *Learner) matchParameter(i int, cols *archiver.Columns) (column, Match, error) {
	p := l.space.Param(i)
	match := Match{Name: p.Name, Use: Mapped, Unit: p.Unit}
	for k, q := range cols.Parameters {
		if q.Name != p.Name {
			continue
		}
		match.SourceUnit = q.Unit
		both := q.Kind == archiver.KindBool || q.Kind == archiver.KindWord
		if !both && (q.Kind == archiver.KindString) != p.Categorical() {
			return column{}, match, fmt.Errorf("parameter %q is %s there and %s here", p.Name, numbersOr(q.Kind == archiver.KindString), numbersOr(p.Categorical()))
		}
		c := column{index: k, factor: 1}
		if cols.Spec == nil && q.Unit == "" && p.Unit != "" {
			c.guessed = true
			match.SourceUnit, match.Note = p.Unit, "the files tell no unit: taken for this study's"
			return c, match, nil
		}
		c.guessed = cols.Spec == nil && q.Unit == "" // nothing says that it is the same count
		factor, err := unit.Ratio(q.Unit, p.Unit)
		if err != nil {
			return column{}, match, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		if c.factor = factor; q.Unit != p.Unit {
			match.Use = Converted
		}
		return c, match, nil
	}
	c := column{index: -1, fill: l.fill(i)}
	family := l.target.Spec.SearchedFamily()
	switch {
	case family != nil && !family.HasOwn() && l.target.Spec.Chooses(p.Name):
		return column{}, match, fmt.Errorf("it has no parameter %s, and the table of this study lacks the own network of %s: nothing stands in", p.Name, family.Name)
	case cols.Spec == nil:
	case family != nil && l.target.Spec.Chooses(p.Name):
		if !ranAll(cols.Spec, family.Own) {
			return column{}, match, fmt.Errorf("it did not measure %s, the own network of the family that this study searches", family.Name)
		}
	case l.target.Spec.Chooses(p.Name):
		var ok bool
		if c.fill, ok = l.networkOf(p, cols.Spec); !ok {
			return column{}, match, fmt.Errorf("it measured none of the networks that this study searches alone")
		}
	}
	match.Use, match.Note = filled, "the source lacks it: "+text(p, c.fill)+" stands in"
	return c, match, nil
}

// others lists what a source has instead, so that it can be renamed.
func others(cols *archiver.Columns, prefix string, n int, name func(int) string) string {
	const listed = 8
	var names []string
	for i := range min(n, listed) {
		names = append(names, name(i))
	}
	if n > listed {
		names = append(names, "…")
	}
	text := ""
	if len(names) > 0 {
		text = ": it has " + strings.Join(names, ", ") + "; `rename:` of the source says what they are here"
	}
	if cols.Spec == nil && prefix != "" {
		text += ": a parameter is a column that begins with " + prefix
	}
	return text
}

// ranAll reports whether all designs of a study ran the network of this identity.
func ranAll(spec *events.Spec, sha256 string) bool {
	return spec.Search == "" && len(spec.Networks) == 1 && spec.Networks[0].SHA256 == sha256
}

// networkOf is the level of the network that all designs of a source ran.
func (l *Learner) networkOf(p space.Param, source *events.Spec) (level int, ok bool) {
	if len(source.Networks) != 1 {
		return 0, false
	}
	for _, n := range l.target.Spec.Networks {
		if n.SHA256 == source.Networks[0].SHA256 {
			return p.Level(space.Value{Label: n.Name})
		}
	}
	return 0, false
}

func numbersOr(labels bool) string {
	if labels {
		return "a label"
	}
	return "a number"
}

func text(p space.Param, level int) string {
	v := p.Value(level)
	if v.Label != "" {
		return v.Label
	}
	return unit.Format(v.Num, p.Unit)
}

// fill is the level that stands in for a parameter that a source lacks: the
// baseline's, or the middle one; of a fidelity the last, because only it counts.
func (l *Learner) fill(i int) int {
	if l.target.Spec.FidelityColumn() == i {
		return l.space.Param(i).Len() - 1
	}
	if i < len(l.target.Baseline) {
		if level, ok := l.space.Param(i).Level(l.target.Baseline[i]); ok {
			return level
		}
	}
	return l.space.Param(i).Len() / 2
}

// matchMetrics finds this study's metrics in the source's columns. Objectives
// must be there, constraints need not.
func (l *Learner) matchMetrics(m *mapping, cols *archiver.Columns) error {
	wanted := map[string]bool{}
	for _, o := range l.target.Spec.Objectives {
		wanted[o.Metric] = true
	}
	has := map[string]bool{}
	apart := scalesApart(l.target.Spec, cols.Spec)
	scaled := map[string]bool{"accuracy_percent": apart != "", "accuracy_interval_percent": apart != ""} // on another scale
	for i, metric := range l.target.Spec.Metrics {
		c, match, err := matchMetric(metric, cols)
		if err != nil {
			return err
		}
		inputs := events.MetricInputs(l.target.Spec.Metrics[:i], metric)
		if scaled[metric.Name] = scaled[metric.Name] || slices.ContainsFunc(inputs, func(name string) bool { return scaled[name] }); scaled[metric.Name] && c.index >= 0 {
			c, match.Use, match.Note = column{index: -1}, missing, apart
		}
		if metric.Expr != "" && !slices.ContainsFunc(inputs, func(name string) bool { return !has[name] }) {
			c, match = column{index: -1}, Match{Name: metric.Name, Use: computed, Unit: metric.Unit, Note: metric.Expr}
		}
		has[metric.Name] = c.index >= 0 || match.Use == computed
		if !has[metric.Name] && wanted[metric.Name] {
			return fmt.Errorf("it does not measure %s%s", metric.Name, others(cols, "", len(cols.Metrics), func(i int) string { return cols.Metrics[i].Name }))
		}
		m.metrics, m.metricMatches = append(m.metrics, c), append(m.metricMatches, match)
	}
	return nil
}

// scalesApart says why the accuracies of a source cannot be compared with those of a
// study, "" where they can. A scale that nobody states equals none that is stated.
func scalesApart(spec, source *events.Spec) string {
	const unstated = "of no stated scale"
	if ours, theirs := scaleOf(spec), scaleOf(source); ours != theirs {
		return "its accuracies are " + cmp.Or(theirs, unstated) + ", this study's are " + cmp.Or(ours, unstated)
	}
	if source == nil {
		return ""
	}
	for _, n := range spec.Networks {
		if slices.ContainsFunc(source.Networks, func(o events.Network) bool { return o.SHA256 == n.SHA256 && o.Accuracy != n.Accuracy }) {
			return "it states another accuracy of " + n.Name
		}
	}
	return ""
}

// scaleOf is the scale of a study's accuracies, "" where nobody says.
func scaleOf(spec *events.Spec) string {
	if spec == nil {
		return ""
	}
	if f := spec.SearchedFamily(); f != nil {
		return f.Accuracies.Scale
	}
	return ""
}

func matchMetric(metric events.Metric, cols *archiver.Columns) (column, Match, error) {
	match := Match{Name: metric.Name, Use: Mapped, SourceUnit: metric.Unit, Unit: metric.Unit}
	if err := unread(cols, "metric", metric.Name); err != nil {
		return column{}, match, err
	}
	for k, c := range cols.Metrics {
		if c.Name == metric.Name && (c.Unit == metric.Unit || c.Unit == "" && cols.Spec == nil) {
			return column{index: k, factor: 1}, match, nil
		}
	}
	short := strings.TrimSuffix(metric.Name, archiver.UnitSuffix(metric.Unit))
	for k, c := range cols.Metrics {
		name, symbol := c.Name, c.Unit
		if symbol == "" && cols.Spec == nil {
			name, symbol = splitUnit(name)
		}
		if c.Name != metric.Name && strings.TrimSuffix(name, archiver.UnitSuffix(symbol)) != short {
			continue
		}
		factor, err := unit.Ratio(symbol, metric.Unit)
		if err != nil {
			return column{}, match, fmt.Errorf("metric %q: %w", c.Name, err)
		}
		match.Use, match.SourceUnit, match.Note = Converted, symbol, "from "+c.Name
		return column{index: k, factor: factor}, match, nil
	}
	for _, u := range cols.Unread {
		if name, _ := splitUnit(u.Column); cols.Spec == nil && name == short {
			return column{}, match, unread(cols, "metric", u.Column)
		}
	}
	match.Use, match.SourceUnit, match.Note = missing, "", "the source does not have it"
	return column{index: -1}, match, nil
}

// unread names a column that this study wants and that cannot be read.
func unread(cols *archiver.Columns, what, column string) error {
	for _, u := range cols.Unread {
		if u.Column == column {
			as := "a number or a text"
			if what == "metric" {
				as = "a number"
			}
			return fmt.Errorf("%s column %q is %s, which is not read here: write it as %s", what, column, u.Why, as)
		}
	}
	return nil
}

// splitUnit takes the unit off a column's name, as far as it ends in one.
func splitUnit(name string) (short, symbol string) {
	for u := range unit.All() {
		if strings.HasSuffix(name, archiver.UnitSuffix(u.Symbol)) && len(u.Symbol) > len(symbol) {
			symbol = u.Symbol
		}
	}
	return strings.TrimSuffix(name, archiver.UnitSuffix(symbol)), symbol
}

// closeEnough is the relative difference below which a converted number is the
// level: conversion rounds a few times in 2^-52.
const closeEnough = 1e-9

// outside reports whether a number lies beyond a parameter's levels.
func outside(p space.Param, x float64) bool {
	low, high := p.Values[0], p.Values[len(p.Values)-1]
	return x < low-closeEnough*math.Abs(low) || x > high+closeEnough*math.Abs(high)
}

// counts reports whether a parameter is a number without a unit that nothing but its
// name says to be this study's.
func (c *column) counts(p space.Param) bool { return c.guessed && !p.Categorical() && p.Unit == "" }

// point maps a design; ok is false where a label is none of this study's
// levels, or a count without a unit beyond them. Other numbers between levels, and beyond the ends, go to the nearest level
// (ties to the lower one); moved says how far, as the sum of relative
// differences. What means nothing in the design goes to its first level.
func (m *mapping) point(sp space.Space, judge *events.Judge, design []space.Value) (p space.Point, moved float64, ok bool) {
	p = make(space.Point, sp.Len())
	m.off = append(m.off[:0], make([]float64, sp.Len())...)
	off := m.off
	for i, c := range m.params {
		if c.index < 0 {
			p[i] = c.fill
			continue
		}
		param, v := sp.Param(i), design[c.index]
		if param.Categorical() {
			if p[i], ok = param.Level(v); !ok {
				p[i], off[i] = 0, math.Inf(1)
			}
			continue
		}
		x := v.Num * c.factor
		level := nearest(param.Values, x)
		p[i] = level
		if c.counts(param) && outside(param, x) {
			off[i] = math.Inf(1)
			continue
		}
		if d := math.Abs(param.Values[level]-x) / math.Max(math.Abs(x), math.Abs(param.Values[level])); d > closeEnough {
			off[i] = d
		}
	}
	if judge.Conditional() {
		var mattered []bool // what meant something where it was measured
		judge.Inactive(sp.Values(p), func(i int) {
			if mattered == nil {
				mattered = m.mattered(design)
			}
			if off[i] = 0; p[i] != 0 && mattered[i] {
				off[i] = 1 // another design: its answer is not this one's
			}
			p[i] = 0
		})
	}
	for _, d := range off {
		moved += d
	}
	return p, moved, !math.IsInf(moved, 1)
}

// mattered says of this study's parameters which a source has and which its own
// conditions did not leave without a meaning.
func (m *mapping) mattered(design []space.Value) []bool {
	out := make([]bool, len(m.params))
	if m.source == nil {
		return out
	}
	idle := make([]bool, len(design))
	m.source.Inactive(design, func(k int) { idle[k] = true })
	for i, c := range m.params {
		out[i] = c.index >= 0 && !idle[c.index]
	}
	return out
}

// unknown says why a design has no point: the reason, and the label or number.
func (m *mapping) unknown(sp space.Space, design []space.Value) (reason, example string) {
	for i, c := range m.params {
		if p := sp.Param(i); c.index >= 0 && p.Categorical() {
			if _, ok := p.Level(design[c.index]); !ok {
				return "label", fmt.Sprintf("%s: %q", p.Name, unit.Clip(design[c.index].Label, 40))
			}
		}
	}
	for i, c := range m.params {
		if p := sp.Param(i); c.counts(p) && outside(p, design[c.index].Num) {
			return "outside", fmt.Sprintf("%s: %s", p.Name, unit.Format(design[c.index].Num, ""))
		}
	}
	return "", ""
}

// nearest is the level whose value is nearest; values ascend.
func nearest(values []float64, x float64) int {
	i, _ := slices.BinarySearch(values, x)
	if i == len(values) || i > 0 && x-values[i-1] <= values[i]-x {
		i--
	}
	return i
}

// values returns a row's numbers in this study's metrics and units.
func (m *mapping) values(row []float64) []float64 {
	out := make([]float64, len(m.metrics))
	for i, c := range m.metrics {
		out[i] = math.NaN()
		if c.index >= 0 && c.index < len(row) {
			out[i] = row[c.index] * c.factor
		}
	}
	all := m.derive.Row(out)
	for i, match := range m.metricMatches {
		if match.Use == computed {
			out[i] = all[i]
		}
	}
	return out
}
