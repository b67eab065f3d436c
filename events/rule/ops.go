package rule

import (
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"apollo/optimizer/space"
)

func (c *compiler) binary(n *ast.BinaryNode) (operand, error) {
	if n.Operator == "in" {
		return c.membership(n)
	}
	l, err := c.compile(n.Left)
	if err != nil {
		return l, err
	}
	r, err := c.compile(n.Right)
	if err != nil {
		return r, err
	}
	o := operand{constant: l.constant && r.constant}
	switch {
	case l.number != nil && r.number != nil:
		o.number = arithmetic(n.Operator, l.number, r.number)
		if o.number == nil {
			o.test = compareNumbers(n.Operator, l.number, r.number)
		}
	case l.test != nil && r.test != nil:
		o.test = connect(n.Operator, l.test, r.test)
	case l.text != nil && r.text != nil:
		if err := c.checkLabels(n, l, r); err != nil {
			return o, err
		}
		o.test = compareTexts(n.Operator, l.text, r.text)
	default:
		return o, mistake(n, "%q has %s on its left and %s on its right", n.Operator, l.kind(), r.kind())
	}
	if o.number == nil && o.test == nil {
		return o, mistake(n, "%q does not apply to %s", n.Operator, l.kind())
	}
	return fold(o), nil
}

func arithmetic(op string, l, r number) number {
	switch op {
	case "+":
		return func(d []space.Value) float64 {
			x, y := l(d), r(d)
			return activeValue(x, y, x+y)
		}
	case "-":
		return func(d []space.Value) float64 {
			x, y := l(d), r(d)
			return activeValue(x, y, x-y)
		}
	case "*":
		return func(d []space.Value) float64 {
			x, y := l(d), r(d)
			return activeValue(x, y, x*y)
		}
	case "/":
		return func(d []space.Value) float64 {
			x, y := l(d), r(d)
			return activeValue(x, y, x/y)
		}
	case "%":
		return func(d []space.Value) float64 {
			x, y := l(d), r(d)
			return activeValue(x, y, math.Mod(x, y))
		}
	case "**", "^":
		return func(d []space.Value) float64 {
			// math.Pow(NaN, 0) is 1, which would hide a missing value.
			x, y := l(d), r(d)
			v := math.Pow(x, y)
			if x != x || y != y {
				v = math.NaN()
			}
			return activeValue(x, y, v)
		}
	}
	return nil
}

func compareNumbers(op string, l, r number) Test {
	holds := func(holds func(x, y float64) bool) Test {
		return func(d []space.Value) Verdict {
			x, y := l(d), r(d)
			switch {
			case x > math.MaxFloat64 || y > math.MaxFloat64:
				return idle
			case x != x || y != y:
				return Unset
			}
			return verdictOf(holds(x, y))
		}
	}
	switch op {
	case "==":
		return holds(func(x, y float64) bool { return x == y })
	case "!=":
		return holds(func(x, y float64) bool { return x != y })
	case "<":
		return holds(func(x, y float64) bool { return x < y })
	case "<=":
		return holds(func(x, y float64) bool { return x <= y })
	case ">":
		return holds(func(x, y float64) bool { return x > y })
	case ">=":
		return holds(func(x, y float64) bool { return x >= y })
	}
	return nil
}

func connect(op string, l, r Test) Test {
	switch op {
	case "and", "&&":
		return func(d []space.Value) Verdict {
			v := l(d)
			if v == Yes {
				return r(d)
			}
			if v != idle {
				return v
			}
			if w := r(d); w != Yes {
				return w // both sides must hold, and this one decides
			}
			return idle
		}
	case "or", "||":
		return func(d []space.Value) Verdict {
			v := l(d)
			if v == No {
				return r(d)
			}
			if v == idle && r(d) == Yes {
				return Yes
			}
			return v
		}
	case "==", "!=":
		equal := op == "=="
		return func(d []space.Value) Verdict {
			x, y := l(d), r(d)
			switch {
			case x == idle || y == idle:
				return idle
			case x == Unset || y == Unset:
				return Unset
			}
			return verdictOf((x == y) == equal)
		}
	}
	return nil
}

func compareTexts(op string, l, r text) Test {
	holds := func(holds func(x, y string) bool) Test {
		return func(d []space.Value) Verdict {
			x, y := l(d), r(d)
			if x == IdleLabel || y == IdleLabel {
				return idle
			}
			return verdictOf(holds(x, y))
		}
	}
	switch op {
	case "==":
		return holds(func(x, y string) bool { return x == y })
	case "!=":
		return holds(func(x, y string) bool { return x != y })
	case "contains":
		return holds(strings.Contains)
	case "startsWith":
		return holds(strings.HasPrefix)
	case "endsWith":
		return holds(strings.HasSuffix)
	}
	return nil
}

// checkLabels refuses a comparison with a label that the parameter does not
// have: it would be the same for every design, which nobody means.
func (c *compiler) checkLabels(n *ast.BinaryNode, l, r operand) error {
	if !c.strict || n.Operator != "==" && n.Operator != "!=" && n.Operator != "in" {
		return nil
	}
	if l.labels == nil {
		l, r = r, l
	}
	if l.labels == nil || !r.constant {
		return nil
	}
	if s := r.text(nil); !slices.Contains(l.labels, s) {
		return mistake(n, "%s has no level %q%s; it has %s", l.name, s, suggestion(s, l.labels), strings.Join(l.labels, ", "))
	}
	return nil
}

func (c *compiler) membership(n *ast.BinaryNode) (operand, error) {
	x, err := c.compile(n.Left)
	if err != nil {
		return x, err
	}
	switch set := n.Right.(type) {
	case *ast.ArrayNode:
		return c.inList(n, x, set)
	case *ast.BinaryNode:
		if set.Operator == ".." {
			return c.inRange(n, x, set)
		}
	}
	return x, mistake(n, "\"in\" takes a list, [1, 2], or a range, 1..8, on its right")
}

func (c *compiler) inList(n *ast.BinaryNode, x operand, list *ast.ArrayNode) (operand, error) {
	o := operand{constant: x.constant}
	var numbers []number
	var texts []text
	labels := map[string]bool{} // of the texts that are constants
	for _, e := range list.Nodes {
		y, err := c.compile(e)
		if err != nil {
			return y, err
		}
		o.constant = o.constant && y.constant
		switch {
		case x.number != nil && y.number != nil:
			numbers = append(numbers, y.number)
		case x.text != nil && y.text != nil:
			if err := c.checkLabels(n, x, y); err != nil {
				return o, err
			}
			if texts = append(texts, y.text); y.constant {
				labels[y.text(nil)] = true
			}
		default:
			return o, mistake(e, "the list holds %s, on the left of \"in\" is %s", y.kind(), x.kind())
		}
	}
	switch {
	case x.number != nil:
		o.test = numberInList(x.number, numbers)
	case x.text != nil:
		if len(labels) == len(texts) && !labels[IdleLabel] {
			o.test = textInSet(x.text, labels)
		} else {
			o.test = textInList(x.text, texts)
		}
	default:
		return o, mistake(n, "\"in\" does not apply to %s", x.kind())
	}
	return o, nil
}

func numberInList(x number, list []number) Test {
	return func(d []space.Value) Verdict {
		v, found := x(d), No
		switch {
		case v > math.MaxFloat64:
			return idle
		case v != v:
			return Unset
		}
		for _, y := range list {
			switch w := y(d); {
			case w != w:
				return Unset
			case w == v:
				found = Yes
			case w > math.MaxFloat64 && found == No:
				found = idle
			}
		}
		return found
	}
}

// textInSet is textInList for constants: conditions may name a hundred labels.
func textInSet(x text, set map[string]bool) Test {
	return func(d []space.Value) Verdict {
		switch v := x(d); {
		case v == IdleLabel:
			return idle
		case set[v]:
			return Yes
		}
		return No
	}
}

func textInList(x text, list []text) Test {
	return func(d []space.Value) Verdict {
		v, found := x(d), No
		if v == IdleLabel {
			return idle
		}
		for _, y := range list {
			switch y(d) {
			case v:
				return Yes
			case IdleLabel:
				found = idle
			}
		}
		return found
	}
}

func (c *compiler) inRange(n *ast.BinaryNode, x operand, bounds *ast.BinaryNode) (operand, error) {
	lo, err := c.compile(bounds.Left)
	if err != nil {
		return lo, err
	}
	hi, err := c.compile(bounds.Right)
	if err != nil {
		return hi, err
	}
	o := operand{constant: x.constant && lo.constant && hi.constant}
	if x.number == nil || lo.number == nil || hi.number == nil {
		return o, mistake(n, "a range holds numbers, here are %s in %s..%s", x.kind(), lo.kind(), hi.kind())
	}
	o.test = func(d []space.Value) Verdict {
		v, from, to := x.number(d), lo.number(d), hi.number(d)
		switch {
		case v > math.MaxFloat64 || from > math.MaxFloat64 || to > math.MaxFloat64:
			return idle
		case v != v || from != from || to != to:
			return Unset
		}
		return verdictOf(v == math.Trunc(v) && from <= v && v <= to)
	}
	return o, nil
}
