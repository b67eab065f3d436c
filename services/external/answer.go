package external

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator"
	"apollo/events/unit"
	"apollo/internal/nearest"
	"apollo/services/child"
)

// answer is a line of the program, taken apart. Metrics stay raw until it is
// known which are wanted.
type answer struct {
	id      string
	outcome evaluator.Outcome
	metrics map[string]json.RawMessage
	extra   map[string]json.RawMessage
	reason  *evaluator.Reason
	// bad says what is wrong with an answer whose id could be read.
	bad *Failure
	// note is what a line before the answer says; nil for an answer.
	note *note
	// retry asks for another attempt after a failure.
	retry bool
	// fields are all fields of the line, for describe.
	fields map[string]json.RawMessage
}

// parseAnswer reads a line. The error, a *Failure, is for lines that cannot be
// matched with a question; whatever else is wrong is in answer.bad.
func parseAnswer(line []byte) (answer, error) {
	fields, err := object(line)
	if err != nil {
		return answer{}, &Failure{CodeBadAnswer, fmt.Sprintf(
			"the program wrote a line that is no JSON object: %q; answers alone go to standard output, all other text to standard error",
			child.Clip(string(bytes.TrimSpace(line)), maxExcerpt))}
	}
	a := answer{fields: fields}
	var ok bool
	if a.id, ok = identifier(fields["id"]); !ok {
		return answer{}, &Failure{CodeBadAnswer, fmt.Sprintf("the answer %q has no id; copy the id of the line that it answers",
			child.Clip(string(bytes.TrimSpace(line)), maxExcerpt))}
	}
	if a.note = readNote(fields); a.note == nil {
		a.bad = a.read(fields)
		if isQuestion(fields) {
			a.bad = &Failure{CodeBadAnswer, "the answer is the question itself: the program, or a helper that it started, writes what it reads; " +
				"start helpers with an empty standard input and their output elsewhere"}
		}
	}
	return a, nil
}

// isQuestion reports whether a line has what questions have and nothing that answers. A program
// may answer with the question, to which it added numbers or why there are none.
func isQuestion(fields map[string]json.RawMessage) bool {
	if !restates(fields) || fields["outcome"] != nil || fields["error"] != nil || fields["reason"] != nil {
		return false
	}
	var units map[string]string
	return json.Unmarshal(fields["metrics"], &units) == nil && len(units) > 0
}

// restates reports whether a line has the fields of the question that it answers.
func restates(fields map[string]json.RawMessage) bool {
	return fields["design"] != nil && fields["study"] != nil
}

// untouched reports whether a metric of a design without measurement is the unit that the question has there.
func (a *answer) untouched(raw json.RawMessage, m evaluator.Metric) bool {
	var text string
	return a.outcome != evaluator.Measured && restates(a.fields) && json.Unmarshal(raw, &text) == nil && text == m.Unit
}

// object decodes a JSON object, without fields that are null: programs write those where
// they have nothing to say. NaN and Infinity, which JSON does not have but
// Python and others write, become texts, so that they can be named.
func object(line []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(line, &fields)
	if err != nil {
		if quoted := quoteNonFinite(line); quoted != nil {
			fields = nil
			err = json.Unmarshal(quoted, &fields)
		}
	}
	if err == nil && fields == nil { // null
		err = errNotObject
	}
	maps.DeleteFunc(fields, func(_ string, raw json.RawMessage) bool { return string(raw) == "null" })
	return fields, err
}

var errNotObject = errors.New("not an object")

// quoteNonFinite puts quotes around NaN, Infinity and their negatives outside
// of strings. It returns nil when there are none.
func quoteNonFinite(line []byte) []byte {
	var out []byte
	copied, inString := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && inString:
			i++
			continue
		case line[i] == '"':
			inString = !inString
			continue
		case inString:
			continue
		}
		n := nonFiniteToken(line[i:])
		if n == 0 {
			continue
		}
		out = append(out, line[copied:i]...)
		out = append(append(append(out, '"'), line[i:i+n]...), '"')
		copied = i + n
		i = copied - 1
	}
	if copied == 0 {
		return nil
	}
	return append(out, line[copied:]...)
}

func nonFiniteToken(b []byte) int {
	for _, word := range []string{"-Infinity", "+Infinity", "Infinity", "-NaN", "NaN", "-inf", "inf", "-nan", "nan"} {
		if bytes.HasPrefix(b, []byte(word)) {
			return len(word)
		}
	}
	return 0
}

// identifier reads an id: a text, or a number as it is written.
func identifier(raw json.RawMessage) (string, bool) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if len(raw) == 0 || d.Decode(&v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), true
	}
	return "", false
}

func (a *answer) read(fields map[string]json.RawMessage) *Failure {
	wrong := func(name, want string) *Failure {
		return &Failure{CodeBadAnswer, fmt.Sprintf("%s is %s, want %s", name, child.Clip(string(fields[name]), maxExcerpt), want)}
	}
	if raw := fields["metrics"]; raw != nil && json.Unmarshal(raw, &a.metrics) != nil {
		return wrong("metrics", `an object of numbers, {"latency_s": 0.001}`)
	}
	if raw := fields["extra"]; raw != nil && json.Unmarshal(raw, &a.extra) != nil {
		return wrong("extra", "an object of numbers")
	}
	if raw := fields["reason"]; raw != nil {
		var f *Failure
		if a.reason, f = readReason(raw); f != nil {
			return f
		}
	}
	if raw := fields["error"]; raw != nil && a.reason == nil {
		var message string
		if json.Unmarshal(raw, &message) != nil {
			return wrong("error", "a text")
		}
		a.outcome, a.reason = evaluator.Failed, &evaluator.Reason{Message: message}
	}
	if raw := fields["outcome"]; raw != nil {
		if json.Unmarshal(raw, (*string)(&a.outcome)) != nil {
			return wrong("outcome", "a text")
		}
	}
	if raw := fields["retry"]; raw != nil && json.Unmarshal(raw, &a.retry) != nil {
		return wrong("retry", "true or false")
	}
	return a.settle()
}

func (a *answer) settle() *Failure {
	switch a.outcome {
	case "":
		if a.metrics == nil {
			return &Failure{CodeBadAnswer, `the answer has neither metrics nor an outcome; write {"id": …, "metrics": {…}} or an outcome with a reason`}
		}
		a.outcome = evaluator.Measured
		a.reason = nil
	case evaluator.Measured:
		a.reason = nil
	case evaluator.Infeasible, evaluator.Failed:
		if a.reason == nil {
			a.reason = &evaluator.Reason{}
		}
		switch {
		case a.reason.Message != "":
		case a.reason.Code != "":
			a.reason.Message = "the program gives no message"
		default:
			a.reason.Message = "the program gives no reason"
		}
		a.reason.Code = cleanCode(a.reason.Code, string(a.outcome))
	default:
		return &Failure{CodeBadOutcome, fmt.Sprintf("the outcome is %q, want measured, infeasible or failed", child.Clip(string(a.outcome), maxCode))}
	}
	return nil
}

// readReason reads a reason: an object, or a text that is its message.
func readReason(raw json.RawMessage) (*evaluator.Reason, *Failure) {
	var message string
	if json.Unmarshal(raw, &message) == nil {
		return &evaluator.Reason{Message: child.Clip(message, maxMessage)}, nil
	}
	var r struct {
		Code, Layer, Unit, Message string
		Need, Have                 float64
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, &Failure{CodeBadAnswer, fmt.Sprintf(
			"reason is %s, want a text or an object with code, message and, if they mean something, layer, need, have (numbers) and unit",
			child.Clip(string(raw), maxExcerpt))}
	}
	return &evaluator.Reason{
		Code: child.Clip(r.Code, maxCode), Layer: child.Clip(r.Layer, maxExcerpt), Need: r.Need, Have: r.Have,
		Unit: child.Clip(r.Unit, maxCode), Message: child.Clip(r.Message, maxMessage),
	}, nil
}

// result turns the answer into values for the wanted metrics, in their order.
func (a *answer) result(want []evaluator.Metric) (evaluator.Result, *Failure) {
	if a.bad != nil {
		return evaluator.Result{}, a.bad
	}
	r := evaluator.Result{Outcome: a.outcome, Values: unmeasured(len(want)), Reason: a.reason}
	for i, m := range want {
		raw, ok := a.metrics[m.Name]
		if !ok || string(raw) == "null" || a.untouched(raw, m) {
			if a.outcome == evaluator.Measured && string(raw) == "null" {
				return r, &Failure{CodeMissingMetric, fmt.Sprintf("metric %q is null; answer infeasible or failed with a reason instead", m.Name)}
			}
			if a.outcome == evaluator.Measured {
				return r, &Failure{CodeMissingMetric, fmt.Sprintf("the answer has no metric %q%s%s", m.Name, a.named(), a.meant(m, want))}
			}
			continue
		}
		var f *Failure
		if r.Values[i], f = number("metric "+strconv.Quote(m.Name), raw); f != nil {
			if f.Code == CodeNotFinite {
				f.Message += "; answer infeasible or failed with a reason, and without the metric"
			}
			return r, f
		}
	}
	var f *Failure
	r.Extra, f = a.extras(want)
	return r, f
}

// extras collects, in the order of their names, the numbers of extra and the
// metrics that nobody asked for.
func (a *answer) extras(want []evaluator.Metric) ([]evaluator.Extra, *Failure) {
	named := map[string]json.RawMessage{}
	maps.Copy(named, a.extra)
	for name, raw := range a.metrics {
		if !slices.ContainsFunc(want, func(m evaluator.Metric) bool { return m.Name == name }) {
			named[name] = raw
		}
	}
	var extras []evaluator.Extra
	for _, name := range sortedKeys(named) {
		if string(named[name]) == "null" {
			continue
		}
		v, f := number("extra number "+strconv.Quote(child.Clip(name, maxCode)), named[name])
		switch {
		case f != nil && f.Code == CodeWrongType:
			f.Message += "; leave it out, or keep it in an artifact"
		case f != nil:
			f.Message += "; leave it out"
		}
		if f != nil {
			return nil, f
		}
		extras = append(extras, evaluator.Extra{Name: name, Value: v})
	}
	return extras, nil
}

// meant says which metric of the answer is probably the one that is missing: its name in
// the study, which has no unit, or a misspelt one.
func (a *answer) meant(m evaluator.Metric, want []evaluator.Metric) string {
	short := unit.Bare(m.Name, m.Unit)
	if short != m.Name && a.metrics[short] != nil {
		return fmt.Sprintf("; answer %q as %q, which has its unit", short, m.Name)
	}
	var others []string
	for _, name := range sortedKeys(a.metrics) {
		if !slices.ContainsFunc(want, func(m evaluator.Metric) bool { return m.Name == name }) {
			others = append(others, name)
		}
	}
	near := nearest.Name(m.Name, others)
	if near == "" {
		near = nearest.Name(short, others)
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; %q: did you mean %q?", near, m.Name)
}

func (a *answer) named() string {
	if len(a.metrics) == 0 {
		return ""
	}
	return ", only " + child.Clip(strings.Join(sortedKeys(a.metrics), ", "), maxExcerpt)
}

// number reads a finite JSON number.
func number(what string, raw json.RawMessage) (float64, *Failure) {
	text := string(raw)
	if v, err := strconv.ParseFloat(strings.Trim(text, `"`), 64); math.IsInf(v, 0) || math.IsNaN(v) && err == nil {
		return 0, &Failure{CodeNotFinite, fmt.Sprintf("%s is %s", what, child.Clip(strings.Trim(text, `"`), maxCode))}
	}
	var v float64
	if text == "null" || json.Unmarshal(raw, &v) != nil {
		write := ""
		if v, err := strconv.ParseFloat(strings.Trim(text, `"`), 64); err == nil {
			write = fmt.Sprintf(": write %v, without quotes", v)
		} else if text == "true" || text == "false" {
			write = ": write 1 or 0"
		}
		return 0, &Failure{CodeWrongType, fmt.Sprintf("%s is %s, want a number%s", what, child.Clip(text, maxExcerpt), write)}
	}
	if mantissa, _, _ := strings.Cut(strings.ToLower(text), "e"); v == 0 && strings.ContainsAny(mantissa, "123456789") {
		return 0, &Failure{CodeNotFinite, fmt.Sprintf("%s is %s, which is too small for a 64-bit number: answer 0 where it is nothing", what, child.Clip(text, maxCode))}
	}
	return v, nil
}

func unmeasured(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
