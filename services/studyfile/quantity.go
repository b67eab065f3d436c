package studyfile

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"apollo/events/unit"
	"apollo/optimizer/space"
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

// quantity reads a number of a field. How long something may take is written in more
// ways than what is measured.
func (f *field) quantity(r *report, n *node, who string) (float64, bool) {
	if f.dimension == unit.Time && n.kind == stringKind {
		if q, err := unit.ParseDuration(n.text); err == nil && q.Unit.Symbol != "" && !math.IsInf(q.Base(), 0) {
			return q.Base(), true
		}
	}
	return r.quantity(n, f.unit(), who)
}

// written reads a quantity of want's dimension, as it is written.
func (r *report) written(n *node, want unit.Unit, who string) (unit.Quantity, bool) {
	q, err := unit.Parse(n.text)
	if err == nil && (n.kind == numberKind && !octal(n.text) || n.kind == stringKind) && q.Unit.Dimension == want.Dimension &&
		(q.Unit.Symbol != "" || want.Symbol == "") && !math.IsInf(q.In(want), 0) {
		return q, true
	}
	if n.scalar() { // another kind has been reported by check
		r.wrong(n, q, err, want, who)
	}
	return unit.Quantity{Digits: "0", Unit: want}, false
}

// wrong says what is wrong with a quantity.
func (r *report) wrong(n *node, q unit.Quantity, err error, want unit.Unit, who string) {
	wanted := want.Dimension.Phrase()
	if want.Symbol == "%" {
		wanted = "a percentage"
	}
	hint := "Remove the unit."
	if want.Symbol != "" {
		hint = fmt.Sprintf("Units of %s: %s.", want.Dimension, strings.Join(symbolsOf(want.Dimension), ", "))
	}
	switch {
	case n.kind == boolKind:
		r.addMistake(n, codeWrongType, "", "want %s, not %s", wanted, n.kind)
	case n.kind == numberKind && octal(n.text):
		r.addMistake(n, codeWrongType, "Write it without the leading zero.", "%q is no decimal number", n.text)
	case errors.Is(err, unit.ErrUnknown):
		if guess := unit.Guess(unit.Symbol(n.text)); guess != "" {
			hint = fmt.Sprintf("Did you mean %s?", guess)
		}
		r.addMistake(n, codeBadUnit, hint, "%q is no unit that a study knows", unit.Symbol(n.text))
	case errors.Is(err, unit.ErrRange) || err == nil && math.IsInf(q.In(want), 0):
		r.addMistake(n, codeOutOfRange, "", "%q is too large or too near to 0 for a 64-bit float", clip(n.text))
	case err != nil:
		if hint = ""; want.Symbol != "" {
			hint = fmt.Sprintf("Write a number with its unit: 1.5 %s.", want.Symbol)
		}
		r.addMistake(n, codeWrongType, hint, "%q is no quantity; %s takes %s", clip(n.text), who, wanted)
	case q.Unit.Symbol == "":
		hint = fmt.Sprintf("Did you mean %s?", unit.Quantity{Digits: q.Digits, Unit: want})
		r.addMistake(n, codeMissingUnit, hint, "%q has no unit; %s takes %s", n.text, who, wanted)
	default:
		// A square or a rate may have been forgotten, or be one too many.
		s := q.Unit.Symbol
		for _, guess := range []string{s + "2", s + "/s", strings.TrimSuffix(s, "/s"), strings.TrimSuffix(s, "2")} {
			if u, ok := unit.Find(guess); ok && guess != "" && u.Dimension == want.Dimension {
				hint = fmt.Sprintf("Did you mean %s %s?", q.Digits, guess)
			}
		}
		r.addMistake(n, codeDimension, hint, "%q is %s; %s takes %s", n.text, q.Unit.Dimension.Phrase(), who, wanted)
	}
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
		r.addMistake(n, codeWrongType, hint, "%q is text; %s takes a plain number", clip(n.text), who)
		return unit.Quantity{}, false
	}
	q, ok := r.written(n, want, who)
	if ok && !faithful(q.Rat(want)) {
		r.addMistake(n, codeOutOfRange, "", "%s", inexact(q.Rat(want)))
		ok = false
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

func clip(s string) string { return unit.Clip(s, 40) }

// symbolsOf lists the units of a dimension, all for "".
func symbolsOf(d unit.Dimension) (symbols []string) {
	for u := range unit.All() {
		if d == "" || u.Dimension == d {
			symbols = append(symbols, u.Symbol)
		}
	}
	return symbols
}

// level reads a value that must be one of a parameter's levels.
func (r *report) level(n *node, p space.Param) (int, bool) {
	u := unitOf(p.Unit)
	if p.Categorical() {
		i, ok := p.Level(space.Value{Label: n.str()})
		switch {
		case n.kind != stringKind:
			r.addMistake(n, codeWrongType, oneOf(n.text, p.Labels), "parameter %q takes a label, not %s", p.Name, n.kind)
		case !ok || n.text == "":
			r.addMistake(n, codeNoLevel, oneOf(n.text, p.Labels), "parameter %q has no level %q", p.Name, clip(n.text))
		}
		return i, ok && n.str() != ""
	}
	bare, err := unit.Parse(n.text)
	if err == nil && bare.Unit.Symbol == "" && u.Symbol != "" {
		// Its unit is the one in which it is a level.
		for bare.Unit = range unit.All() {
			if _, ok := p.Level(space.Value{Num: bare.In(u)}); ok && bare.Unit.Dimension == u.Dimension {
				r.addMistake(n, codeMissingUnit, fmt.Sprintf("Did you mean %s?", unit.Format(bare.In(u), u.Symbol)), "%q has no unit; parameter %q takes %s", n.text, p.Name, u.Dimension.Phrase())
				return 0, false
			}
		}
	}
	q, ok := r.number(n, u, p.Name)
	if !ok {
		return 0, false
	}
	i, ok := p.Level(space.Value{Num: q.In(u)})
	if !ok {
		r.addMistake(n, codeNoLevel, levelHint(q, p), "parameter %q has no level %s", p.Name, n.text)
	}
	return i, ok
}

// levelHint offers the power of two that a decimal prefix missed, and lists
// the levels.
func levelHint(q unit.Quantity, p space.Param) string {
	u := unitOf(p.Unit)
	hint := "Levels: " + enumerate(len(p.Values), func(i int) string { return unit.Format(p.Values[i], u.Symbol) }) + "."
	if s := q.Unit.Symbol; q.Unit.Exp != 0 && len(s) > 1 {
		// kB is spelt with a small k, KiB with a large one.
		binary, ok := unit.Find(strings.ToUpper(s[:1]) + "i" + s[1:])
		q.Unit = binary
		if _, is := p.Level(space.Value{Num: q.In(u)}); ok && is {
			return fmt.Sprintf("Did you mean %s? %s", q, hint)
		}
	}
	return hint
}

// listed is how many names a hint lists.
const listed = 24

// enumerate joins names, and cuts a long list.
func enumerate(n int, name func(int) string) string {
	var out []string
	for i := range min(n, listed) {
		out = append(out, name(i))
	}
	if n > listed {
		out = append(out, fmt.Sprintf("… (%d in all)", n))
	}
	return strings.Join(out, ", ")
}
