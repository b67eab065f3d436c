package studyfile

import (
	"errors"
	"fmt"
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
	if !n.scalar() {
		return 0, false // reported by check
	}
	if n.kind == boolKind {
		r.add(n, codeWrongType, "", "want %s, not %s", wanted(want), n.kind)
		return 0, false
	}
	if n.kind == numberKind && octal(strings.TrimLeft(n.text, "+-")) {
		r.add(n, codeWrongType, "Write it without the leading zero.", "%q is no decimal number", n.text)
		return 0, false
	}
	q, err := unit.Parse(n.text)
	switch {
	case errors.Is(err, unit.ErrUnknown):
		r.add(n, codeBadUnit, unknownUnitHint(n.text, want), "%q is no unit that a study knows", unit.Symbol(n.text))
		return 0, false
	case err != nil:
		r.add(n, codeWrongType, example(want), "%q is no quantity; %s takes %s", clip(n.text), who, wanted(want))
		return 0, false
	case q.Unit.Symbol == "" && want.Symbol != "":
		hint := fmt.Sprintf("Did you mean %s?", unit.Quantity{Digits: q.Digits, Unit: want})
		r.add(n, codeMissingUnit, hint, "%q has no unit; %s takes %s", n.text, who, wanted(want))
		return 0, false
	case q.Unit.Dimension != want.Dimension:
		r.add(n, codeDimension, dimensionHint(q, want), "%q is %s; %s takes %s", n.text, q.Unit.Dimension.Phrase(), who, wanted(want))
		return 0, false
	}
	return q.In(want), true
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
