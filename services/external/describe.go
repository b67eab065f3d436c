package external

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"apollo/evaluator"
	"apollo/events/unit"
	"apollo/optimizer/space"
	"apollo/services/child"
)

// Info is what a program says about itself when it is asked to describe
// itself. The zero Info is a program that does not answer that.
type Info struct {
	// Described tells whether the program answered; Note says why not.
	Described bool
	Note      string
	// Waited is for how long nothing was answered, where that is why.
	Waited time.Duration
	// Spoilt: something else than an answer came on its standard output.
	Spoilt bool
	// Name and Version go into every row of the log.
	Name, Version string
	// Template names a built-in design space; "" when Params are the
	// program's own or unknown.
	Template string
	// Params are the parameters, with units; their levels may be empty. None
	// means that the program takes what it is given.
	Params []space.Param
	// Metrics are what it measures. Cheap marks the metrics that it gives for
	// infeasible designs too.
	Metrics []evaluator.Metric
	// said are the metrics that it describes without the unit at the end of the name,
	// by the name that the log has: cost_s is cost.
	said map[string]string
	// Deterministic programs give the same answer to the same design; a
	// program that does not say so is taken to be.
	Deterministic bool
	// Repeats: it said itself that it is deterministic, so that what fails once
	// fails again. Varies: it said that it is not.
	Repeats, Varies bool
	// Checks: it answers the op "check", its cheap metrics and whether a design is
	// legal.
	Checks bool
	// SecondsPerDesign is about what a design takes; 0 means that it is unknown.
	SecondsPerDesign float64
	// MaxBatch is the largest number of designs in one work item; 0 means any.
	MaxBatch int
}

// Limits on what a program declares.
const (
	maxDeclared = 1024
	maxMaxBatch = 1 << 20
)

// fieldForms are the fields of a description that are no texts.
var fieldForms = map[string]string{
	"parameters": `a list of {"name": "x", "unit": "", "values": [1, 2]}`, "metrics": `a list of {"name": "cost", "unit": "s"}`,
	"values": "a list of numbers (texts are labels)", "labels": "a list of texts", "max_batch": "a whole number", "seconds_per_design": "a number",
	"deterministic": "true or false", "checks": "true or false", "cheap": "true or false",
}

// readInfo takes the answer to describe apart. ok is false when the answer
// shows that the program took the line for something else; the error is for a
// description with mistakes, all of them.
func readInfo(a answer) (info Info, ok bool, err error) {
	if a.fields["metrics"] == nil && a.fields["parameters"] == nil && a.fields["name"] == nil || a.metrics != nil {
		return Info{}, false, nil
	}
	if a.outcome == evaluator.Failed {
		return Info{}, false, nil
	}
	var d struct {
		Name, Version, Template string
		Parameters              []struct {
			Name, Unit string
			Values     []float64
			Labels     []string
		}
		Metrics []struct {
			Name  string
			Unit  *string
			Cheap bool
		}
		Deterministic *bool
		Checks        bool
		Cost          float64 `json:"seconds_per_design"`
		MaxBatch      int     `json:"max_batch"`
	}
	line, err := json.Marshal(a.fields)
	if err == nil {
		err = json.Unmarshal(line, &d)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := strings.ToLower(wrong.Field[strings.LastIndex(wrong.Field, ".")+1:])
		return Info{}, true, fmt.Errorf("the description has a field of the wrong type: %s: a %s is there, want %s", strings.ToLower(wrong.Field), wrong.Value, cmp.Or(fieldForms[field], "a text"))
	}
	if err != nil {
		return Info{}, true, fmt.Errorf("read the description: %w", err)
	}
	info = Info{
		Described: true, Name: child.Clip(d.Name, maxCode), Version: child.Clip(d.Version, maxCode), Template: child.Clip(d.Template, maxCode),
		Deterministic: d.Deterministic == nil || *d.Deterministic, MaxBatch: d.MaxBatch,
		Repeats: d.Deterministic != nil && *d.Deterministic, Varies: d.Deterministic != nil && !*d.Deterministic, Checks: d.Checks, SecondsPerDesign: d.Cost,
	}
	var errs []error
	if len(d.Parameters) > maxDeclared || len(d.Metrics) > maxDeclared {
		return Info{}, true, fmt.Errorf("the description has more than %d parameters or metrics", maxDeclared)
	}
	if d.MaxBatch < 0 || d.MaxBatch > maxMaxBatch {
		errs = append(errs, fmt.Errorf("max_batch is %d, want 0 (any) to %d", d.MaxBatch, maxMaxBatch))
	}
	if d.Cost < 0 {
		errs = append(errs, fmt.Errorf("seconds_per_design is %v, want 0 (unknown) or more", d.Cost))
	}
	for i, p := range d.Parameters {
		param := space.Param{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels}
		err := checkParam(param, info.Params)
		if base := baseUnit(p.Unit); err == nil && base != p.Unit {
			err = fmt.Errorf("its unit is %s, and a program gets numbers in %s: write \"unit\": %q and the levels in it, %s", p.Unit, base, base, inBase(p.Values, p.Unit))
		}
		if err == nil {
			err = knownUnit(p.Unit)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("parameters[%d] (%q): %w", i, child.Clip(p.Name, maxCode), err))
		}
		info.Params = append(info.Params, param)
	}
	if len(d.Metrics) == 0 {
		errs = append(errs, errors.New("the description has no metrics"))
	}
	for i, m := range d.Metrics {
		metric := evaluator.Metric{Name: m.Name, Cheap: m.Cheap}
		if m.Unit != nil {
			metric.Unit = *m.Unit
		}
		logged := unit.Named(unit.Bare(m.Name, plain(metric.Unit)), plain(metric.Unit))
		switch {
		case !plainName(m.Name):
			err = errors.New("the name is empty, too long or unprintable")
		case info.taken(m.Name, logged):
			err = errors.New("the name is used twice, with or without the unit at its end")
		case m.Unit == nil:
			err = errors.New(`the unit is missing; write "1" for a plain number`)
		default:
			err = knownUnit(metric.Unit)
		}
		if err == nil && logged != m.Name {
			if info.said == nil {
				info.said = map[string]string{}
			}
			metric.Name, info.said[logged] = logged, m.Name
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("metrics[%d] (%q): %w", i, child.Clip(m.Name, maxCode), err))
		}
		info.Metrics = append(info.Metrics, metric)
	}
	return info, true, errors.Join(errs...)
}

// taken reports whether a metric before has one of the two names of another: an answer
// and the log have one place for each.
func (i Info) taken(said, logged string) bool {
	return slices.ContainsFunc(i.Metrics, func(m evaluator.Metric) bool {
		other := i.saidOf(m.Name)
		return m.Name == logged || m.Name == said || other == logged || other == said
	})
}

// saidOf is the name of a metric in the program's answers.
func (i Info) saidOf(logged string) string { return cmp.Or(i.said[logged], logged) }

func plainName(s string) bool {
	return s != "" && len(s) <= maxCode && child.Clip(s, maxCode) == s
}

// checkParam checks a declared parameter, whose levels are optional.
func checkParam(p space.Param, before []space.Param) error {
	if !plainName(p.Name) {
		return errors.New("the name is empty, too long or unprintable")
	}
	if slices.ContainsFunc(before, func(o space.Param) bool { return o.Name == p.Name }) {
		return errors.New("the name is used twice")
	}
	if p.Len() == 0 {
		return nil
	}
	_, err := space.New(p)
	return err
}

// knownUnit refuses a unit that no study can have: none would fit the program.
func knownUnit(symbol string) error {
	if _, ok := unit.Find(plain(symbol)); ok {
		return nil
	}
	if guess := unit.Guess(symbol); guess != "" {
		return fmt.Errorf("the unit %q is none that a study knows: did you mean %s?", symbol, guess)
	}
	return fmt.Errorf(`the unit %q is none that a study knows (docs/study-file.md lists them); "1" is that of a plain number, a count or a ratio`, symbol)
}

// baseUnit is the unit in which a program gets a parameter.
func baseUnit(symbol string) string {
	u, ok := unit.Find(plain(symbol))
	if !ok || u.Dimension == unit.Dimensionless {
		return symbol
	}
	return unit.Base(u.Dimension)
}

// measures names the metrics, a few of them.
func (i Info) measures() string {
	const most = 8
	var names []string
	for k, m := range i.Metrics {
		if k == most {
			names = append(names, "…")
			break
		}
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// inBase is what levels in a unit are in the base unit, the first few.
func inBase(levels []float64, symbol string) string {
	u, _ := unit.Find(plain(symbol))
	var out []string
	for _, v := range levels[:min(len(levels), 3)] {
		out = append(out, strconv.FormatFloat(v*u.Scale(), 'g', -1, 64))
	}
	if len(levels) > len(out) {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

// plain is a unit as studies write it: a plain number, which a program calls
// "1", has none.
func plain(unit string) string {
	if unit == "1" {
		return ""
	}
	return unit
}

// match checks a task against the description and reports every difference.
func (i Info) match(t evaluator.Task) error {
	var differences []string
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	for _, p := range t.Params {
		at := slices.IndexFunc(i.Params, func(o space.Param) bool { return o.Name == p.Name })
		switch {
		case len(i.Params) == 0:
		case at < 0:
			differ("the study's parameter %q is unknown to the program", p.Name)
		case plain(i.Params[at].Unit) != plain(p.Unit):
			differ("parameter %q: the study has the unit %q, the program %q", p.Name, p.Unit, i.Params[at].Unit)
		}
	}
	for _, p := range i.Params {
		if !slices.ContainsFunc(t.Params, func(o space.Param) bool { return o.Name == p.Name }) {
			differ("the program needs the parameter %q, which the study lacks", p.Name)
		}
	}
	for _, m := range t.Metrics {
		at := slices.IndexFunc(i.Metrics, func(o evaluator.Metric) bool { return o.Name == m.Name })
		switch {
		case len(i.Metrics) == 0:
		case at < 0:
			differ("the study wants the metric %q, which the program does not measure: it measures %s", m.Name, i.measures())
		case plain(i.Metrics[at].Unit) != plain(m.Unit):
			differ("metric %q: the study has the unit %q, the program %q", m.Name, m.Unit, i.Metrics[at].Unit)
		}
	}
	if len(i.Metrics) == 0 && len(t.Metrics) == 0 {
		differ("neither the study nor the program names the metrics")
	}
	if len(differences) == 0 {
		return nil
	}
	return errors.New(strings.Join(differences, "; "))
}
