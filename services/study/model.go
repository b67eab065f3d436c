package study

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/events/unit"
	names "apollo/internal/nearest"
	"apollo/optimizer/space"
)

// ModelInput says where a parameter of a model takes its value from.
type ModelInput struct {
	// Param is the model's, with the values that the study gives it.
	Param space.Param
	// From is the index of a parameter of the study, or -1 for Fixed.
	From   int
	Factor float64
	Fixed  space.Value
}

// MapModel finds the parameters of a model that a study asks beside its
// evaluator: by name and unit, as renamed and fixed by the source. A model that
// names no parameters takes the study's. missing are those that nothing gives a
// value; err says what does not fit otherwise.
func MapModel(params []space.Param, spec *events.Spec, ref *events.Source) (inputs []ModelInput, missing []string, err error) {
	if len(params) == 0 {
		params = openParams(spec, ref)
	}
	var wrong []error
	known := 0
	for _, p := range params {
		in, found, err := mapParam(p, spec, ref)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("parameter %q: %w", p.Name, err))
		case !found:
			missing = append(missing, p.Name)
		}
		if in.From >= 0 && found {
			known++
		}
		inputs = append(inputs, in)
	}
	if known == 0 && len(missing) == 0 && len(wrong) == 0 {
		wrong = append(wrong, errors.New("it has none of this study's parameters"))
	}
	return inputs, missing, errors.Join(append(wrong, strayNames(params, ref)...)...)
}

// openParams are the parameters of a model that takes what it is given.
func openParams(spec *events.Spec, ref *events.Source) []space.Param {
	var params []space.Param
	for _, p := range spec.Parameters {
		params = append(params, space.Param{Name: theirName(p.Name, ref), Unit: p.Unit, Labels: p.Labels})
	}
	for name := range ref.Fix {
		params = append(params, space.Param{Name: name})
	}
	slices.SortFunc(params[len(spec.Parameters):], func(a, b space.Param) int { return strings.Compare(a.Name, b.Name) })
	return params
}

// theirName is what a source calls a parameter of the study.
func theirName(ours string, ref *events.Source) string {
	for theirs, name := range ref.Rename {
		if name == ours {
			return theirs
		}
	}
	return ours
}

func mapParam(p space.Param, spec *events.Spec, ref *events.Source) (in ModelInput, found bool, err error) {
	in = ModelInput{Param: p, From: -1, Factor: 1}
	if v, ok := ref.Fix[p.Name]; ok {
		in.Fixed, err = fixedValue(p, v)
		in.Param.Values, in.Param.Labels = []float64{in.Fixed.Num}, nil
		if in.Fixed.Label != "" {
			in.Param.Values, in.Param.Labels = nil, []string{in.Fixed.Label}
		}
		return in, true, err
	}
	ours := p.Name
	if name, ok := ref.Rename[p.Name]; ok {
		ours = name
	}
	i := slices.IndexFunc(spec.Parameters, func(q events.Parameter) bool { return q.Name == ours })
	if i < 0 {
		return in, false, nil
	}
	q := &spec.Parameters[i]
	if labels := q.Labels != nil; p.Len() > 0 && labels != p.Categorical() {
		return in, true, fmt.Errorf("it is %s there and %s here", numberOrLabel(!labels), numberOrLabel(labels))
	}
	for _, l := range q.Labels {
		if p.Len() > 0 && !slices.Contains(p.Labels, l) {
			return in, true, fmt.Errorf("it has no level %q there: %s", l, strings.Join(p.Labels, ", "))
		}
	}
	in.From = i
	in.Param.Labels, in.Param.Values = q.Labels, nil
	if q.Labels != nil {
		return in, true, nil
	}
	if _, err = unit.Ratio(p.Unit, q.Unit); err != nil { // it tells there from here
		return in, true, err
	}
	if in.Factor, err = unit.Ratio(q.Unit, p.Unit); err != nil {
		return in, true, err
	}
	for _, v := range q.Values {
		in.Param.Values = append(in.Param.Values, v*in.Factor)
	}
	return in, true, nil
}

func numberOrLabel(label bool) string {
	if label {
		return "a label"
	}
	return "a number"
}

// fixedValue reads a value that a source fixes, in the parameter's unit.
func fixedValue(p space.Param, v any) (space.Value, error) {
	text, isText := v.(string)
	switch number, ok := v.(float64); {
	case ok && p.Categorical():
		return space.Value{}, fmt.Errorf("it takes a label (%s), not %v", strings.Join(p.Labels, ", "), v)
	case ok && p.Unit != "":
		return space.Value{}, fmt.Errorf("%v has no unit: write it as in %q", v, unit.Format(number, p.Unit))
	case ok:
		return space.Value{Num: number}, nil
	case !isText:
		return space.Value{}, fmt.Errorf("it takes one number or label, not %v", v)
	case p.Categorical() && !slices.Contains(p.Labels, text):
		return space.Value{}, fmt.Errorf("it has no level %q: %s", text, strings.Join(p.Labels, ", "))
	case p.Categorical() || p.Len() == 0 && p.Unit == "" && !isNumber(text):
		return space.Value{Label: text}, nil
	}
	q, err := unit.Parse(text)
	if err != nil {
		return space.Value{}, fmt.Errorf("%q is no quantity: %w", text, err)
	}
	u, _ := unit.Find(p.Unit)
	if q.Unit.Dimension != u.Dimension {
		return space.Value{}, fmt.Errorf("%q is %s, it takes %s", text, q.Unit.Dimension.Phrase(), u.Dimension.Phrase())
	}
	return space.Value{Num: q.In(u)}, nil
}

func isNumber(text string) bool {
	v, err := strconv.ParseFloat(text, 64)
	return err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
}

// strayNames are the names that fix what the model does not have.
func strayNames(params []space.Param, ref *events.Source) (wrong []error) {
	var known []string
	for _, p := range params {
		known = append(known, p.Name)
	}
	var stray []string
	for name := range ref.Fix {
		if !slices.Contains(known, name) {
			stray = append(stray, name)
		}
	}
	slices.Sort(stray)
	for _, name := range stray {
		hint := ""
		if near := names.Name(name, known); near != "" {
			hint = fmt.Sprintf(": did you mean %q?", near)
		}
		wrong = append(wrong, fmt.Errorf("it has no parameter %q to fix%s", name, hint))
	}
	return wrong
}

// Value is the parameter's for a design of the study.
func (in *ModelInput) Value(design []space.Value) space.Value {
	if in.From < 0 {
		return in.Fixed
	}
	v := design[in.From]
	v.Num *= in.Factor
	return v
}

// OurMetric is the full name of a source's metric in the study.
func OurMetric(m events.Metric, ref *events.Source) string {
	if ours, ok := ref.Rename[m.Short()]; ok {
		return ours + unit.Suffix(m.Unit)
	}
	return m.Name
}
