package studyfile

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"apollo/services/studyfile/unit"
)

// unitOf returns the unit with the given symbol. An unknown one, which only a
// template can bring, is taken as a count: its numbers are written bare.
func unitOf(symbol string) unit.Unit {
	u, ok := unit.Find(symbol)
	if !ok {
		return unit.Unit{Dimension: unit.Dimensionless, Factor: 1}
	}
	return u
}

// quantity reads a number in the unit want. who takes it, for the messages:
// `metric "area"`.
func (r *report) quantity(n *node, want unit.Unit, who string) (float64, bool) {
	q, ok := r.written(n, want, who)
	return q.In(want), ok
}

// written reads a quantity of want's dimension, as it is written.
func (r *report) written(n *node, want unit.Unit, who string) (unit.Quantity, bool) {
	none := unit.Quantity{Digits: "0", Unit: want}
	if !n.scalar() {
		return none, false // reported by check
	}
	if n.kind == boolKind {
		r.add(n, codeWrongType, "", "want %s, not %s", wanted(want), n.kind)
		return none, false
	}
	if n.kind == numberKind && octal(strings.TrimLeft(n.text, "+-")) {
		r.add(n, codeWrongType, "Write it without the leading zero.", "%q is no decimal number", n.text)
		return none, false
	}
	q, err := unit.Parse(n.text)
	switch {
	case errors.Is(err, unit.ErrUnknown):
		r.add(n, codeBadUnit, unknownUnitHint(n.text, want), "%q is no unit that a study knows", unit.Symbol(n.text))
		return none, false
	case errors.Is(err, unit.ErrRange) || err == nil && math.IsInf(q.In(want), 0):
		r.add(n, codeOutOfRange, "", "%q is too large or too near to 0 for a 64-bit float", clip(n.text))
		return none, false
	case err != nil:
		r.add(n, codeWrongType, example(want), "%q is no quantity; %s takes %s", clip(n.text), who, wanted(want))
		return none, false
	case q.Unit.Symbol == "" && want.Symbol != "":
		hint := fmt.Sprintf("Did you mean %s?", unit.Quantity{Digits: q.Digits, Unit: want})
		r.add(n, codeMissingUnit, hint, "%q has no unit; %s takes %s", n.text, who, wanted(want))
		return none, false
	case q.Unit.Dimension != want.Dimension:
		r.add(n, codeDimension, dimensionHint(q, want), "%q is %s; %s takes %s", n.text, q.Unit.Dimension.Phrase(), who, wanted(want))
		return none, false
	}
	return q, true
}

// number reads a number of a parameter's levels. Text in quotes is a label
// unless the parameter has a unit, and a whole number must be one that float64
// holds: a design with its neighbour would not be what was written.
func (r *report) number(n *node, want unit.Unit, name string) (unit.Quantity, bool) {
	who := fmt.Sprintf("parameter %q", name)
	if want.Symbol == "" && n.kind == stringKind && !n.plain {
		hint := ""
		if q, err := unit.Parse(n.text); err == nil {
			hint = fmt.Sprintf("Write %s without quotes.", q)
		}
		r.add(n, codeWrongType, hint, "%q is text; %s takes a plain number", clip(n.text), who)
		return unit.Quantity{}, false
	}
	q, ok := r.written(n, want, who)
	if ok && !faithful(q.Rat(want)) {
		r.add(n, codeOutOfRange, "", "%s", inexact(q.Rat(want)))
		return q, false
	}
	return q, ok
}

// faithful reports whether the float64 next to v means v: any number with a
// fraction, and of whole numbers those that it holds, or that it is written as.
func faithful(v *big.Rat) bool {
	if !v.IsInt() {
		return true
	}
	f, exact := v.Float64()
	return exact || shortest(f).Cmp(v) == 0
}

// shortest is the decimal number as which f is written.
func shortest(f float64) *big.Rat {
	v, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	return v
}

func inexact(v *big.Rat) string {
	return fmt.Sprintf("%s is no level: levels are 64-bit floats, which hold every whole number only up to 2^53 = 9007199254740992", v.RatString())
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// wanted says what kind of value a unit asks for.
func wanted(want unit.Unit) string {
	switch want.Symbol {
	case "":
		return "a plain number"
	case "%":
		return "a percentage"
	}
	return want.Dimension.Phrase()
}

func example(want unit.Unit) string {
	if want.Symbol == "" {
		return ""
	}
	return fmt.Sprintf("Write a number with its unit: 1.5 %s.", want.Symbol)
}

func unknownUnitHint(text string, want unit.Unit) string {
	if guess := unit.Guess(unit.Symbol(text)); guess != "" {
		return fmt.Sprintf("Did you mean %s?", guess)
	}
	return unitsHint(want)
}

// unitsHint lists the units of a dimension.
func unitsHint(want unit.Unit) string {
	if want.Symbol == "" {
		return "Remove the unit."
	}
	var symbols []string
	for _, u := range unit.All() {
		if u.Dimension == want.Dimension {
			symbols = append(symbols, u.Symbol)
		}
	}
	return fmt.Sprintf("Units of %s: %s.", want.Dimension, strings.Join(symbols, ", "))
}

// dimensionHint guesses the unit that was meant from the one that was
// written: a square that was forgotten, a rate that was not.
func dimensionHint(q unit.Quantity, want unit.Unit) string {
	s := q.Unit.Symbol
	for _, guess := range []string{s + "2", s + "/s", strings.TrimSuffix(s, "/s"), strings.TrimSuffix(s, "2")} {
		if u, ok := unit.Find(guess); ok && guess != "" && u.Dimension == want.Dimension {
			return fmt.Sprintf("Did you mean %s %s?", q.Digits, guess)
		}
	}
	return unitsHint(want)
}
