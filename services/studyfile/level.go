package studyfile

import (
	"fmt"
	"strings"

	"apollo/optimizer/space"
	"apollo/services/studyfile/unit"
)

// level reads a value that must be one of a parameter's levels.
func (r *report) level(n *node, p space.Param) (int, bool) {
	if p.Categorical() {
		return r.label(n, p)
	}
	u := unitOf(p.Unit)
	if hint := bareHint(n, p, u); hint != "" {
		r.add(n, codeMissingUnit, hint, "%q has no unit; parameter %q takes %s", n.text, p.Name, u.Dimension.Phrase())
		return 0, false
	}
	q, ok := r.number(n, u, p.Name)
	if !ok {
		return 0, false
	}
	i, ok := p.Level(space.Value{Num: q.In(u)})
	if !ok {
		r.add(n, codeNoLevel, levelHint(n.text, p), "parameter %q has no level %s", p.Name, n.text)
	}
	return i, ok
}

// bareHint guesses the unit of a number without one from the levels that it
// could mean.
func bareHint(n *node, p space.Param, u unit.Unit) string {
	q, err := unit.Parse(n.text)
	if err != nil || q.Unit.Symbol != "" || u.Symbol == "" {
		return ""
	}
	for _, c := range unit.All() {
		q.Unit = c
		if _, ok := p.Level(space.Value{Num: q.In(u)}); ok && c.Dimension == u.Dimension {
			return fmt.Sprintf("Did you mean %s?", unit.Format(q.In(u), u.Symbol))
		}
	}
	return ""
}

func (r *report) label(n *node, p space.Param) (int, bool) {
	if n.kind != stringKind {
		r.add(n, codeWrongType, oneOf(n.text, p.Labels), "parameter %q takes a label, not %s", p.Name, n.kind)
		return 0, false
	}
	i, ok := p.Level(space.Value{Label: n.text})
	if !ok || n.text == "" {
		r.add(n, codeNoLevel, oneOf(n.text, p.Labels), "parameter %q has no level %q", p.Name, clip(n.text))
		return 0, false
	}
	return i, true
}

// levelHint offers the power of two that a decimal prefix missed, and lists
// the levels.
func levelHint(text string, p space.Param) string {
	hint := "Levels: " + levelTexts(p) + "."
	q, err := unit.Parse(text)
	if err != nil || q.Unit.Exp == 0 || len(q.Unit.Symbol) < 2 {
		return hint
	}
	// kB is spelt with a small k, KiB with a large one.
	symbol := strings.ToUpper(q.Unit.Symbol[:1]) + "i" + q.Unit.Symbol[1:]
	u, ok := unit.Find(symbol)
	if !ok {
		return hint
	}
	binary := unit.Quantity{Digits: q.Digits, Unit: u}
	if _, is := p.Level(space.Value{Num: binary.In(unitOf(p.Unit))}); !is {
		return hint
	}
	return fmt.Sprintf("Did you mean %s? %s", binary, hint)
}

// levelTexts lists the levels as people write them, and cuts a long list.
func levelTexts(p space.Param) string {
	symbol := unitOf(p.Unit).Symbol
	var out []string
	for _, v := range p.Values[:min(len(p.Values), listed)] {
		out = append(out, unit.Format(v, symbol))
	}
	text := strings.Join(out, ", ")
	if len(p.Values) > listed {
		text += fmt.Sprintf(", … (%d in all)", len(p.Values))
	}
	return text
}
