package events

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/expr-lang/expr/ast"

	"apollo/events/rule"
	"apollo/events/unit"
)

// counted is the unit in which a part of a rule counts. A rule sees every parameter as
// a number in its own unit, so that two in different units are compared as they stand:
// 1 KiB is 1 and 512 B are 512. Only that is refused. A product or a quotient is free,
// because its other part may convert or be of any kind: bytes a cycle, entries in
// thousands, energy an access. So is a comparison of two kinds, as of a clock with the
// bandwidth of a port of one byte.
type counted struct {
	unit unit.Unit
	text string // the part as it is written; "" for what is free
	size bool   // KiB, MiB and GiB, also times a number
}

// checkUnits finds parts of a rule that are compared or added and count in different
// units of one kind.
func checkUnits(n ast.Node, params []Parameter) *rule.Error {
	c := unitChecker{params: params}
	c.part(n)
	return c.found
}

type unitChecker struct {
	params []Parameter
	found  *rule.Error
}

func (c *unitChecker) part(n ast.Node) counted {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		i := slices.IndexFunc(c.params, func(p Parameter) bool { return p.Name == n.Value })
		if i < 0 {
			return counted{size: true, text: n.Value} // KiB, MiB, GiB
		}
		if u, ok := unit.Find(c.params[i].Unit); ok && u.Symbol != "" {
			return counted{unit: u, text: n.Value}
		}
	case *ast.UnaryNode:
		return c.part(n.Node)
	case *ast.ConditionalNode:
		for _, part := range []ast.Node{n.Cond, n.Exp1, n.Exp2} {
			c.part(part)
		}
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		return c.call(n, n.Callee.String(), n.Arguments)
	case *ast.BinaryNode:
		return c.binary(n)
	}
	return counted{}
}

func (c *unitChecker) call(n ast.Node, name string, args []ast.Node) counted {
	out := c.same(n, args...)
	if name == "log2" {
		return counted{}
	}
	return out
}

func (c *unitChecker) binary(n *ast.BinaryNode) counted {
	switch n.Operator {
	case "+", "-", "%":
		return c.same(n, n.Left, n.Right)
	case "==", "!=", "<", "<=", ">", ">=":
		if !zero(n.Left) && !zero(n.Right) { // zero is zero in every unit
			c.same(n, n.Left, n.Right)
		}
		return counted{}
	case "in":
		if list, ok := n.Right.(*ast.ArrayNode); ok {
			for _, one := range list.Nodes {
				c.same(n, n.Left, one)
			}
		}
		return counted{}
	}
	l, r := c.part(n.Left), c.part(n.Right)
	switch {
	case n.Operator != "*":
	case l.size && c.count(n.Right):
		return l
	case r.size && c.count(n.Left):
		return r
	}
	return counted{}
}

// count reports a number, or a parameter without unit: as many sizes are a size. It is
// none with a quotient in it, or a power below one: 1 / 1024 may convert.
func (c *unitChecker) count(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return true
	case *ast.IdentifierNode:
		return slices.ContainsFunc(c.params, func(p Parameter) bool { return p.Name == n.Value && p.Unit == "" && len(p.Labels) == 0 })
	case *ast.UnaryNode:
		return c.count(n.Node)
	case *ast.BinaryNode:
		_, negative := n.Right.(*ast.UnaryNode)
		power := (n.Operator == "**" || n.Operator == "^") && !negative
		return (n.Operator == "*" || power) && c.count(n.Left) && c.count(n.Right)
	}
	return false
}

func zero(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Value == 0
	case *ast.FloatNode:
		return n.Value == 0
	}
	return false
}

// same checks parts that must count in the same unit, and is that unit.
func (c *unitChecker) same(at ast.Node, nodes ...ast.Node) (out counted) {
	for _, n := range nodes {
		p := c.part(n)
		if p.text == "" || c.found != nil {
			continue
		}
		if out.text != "" {
			if message := apart(out, p); message != "" {
				c.found = &rule.Error{Column: at.Location().From + 1, Message: message}
			}
		}
		if out.text == "" || out.size {
			out = p
		}
	}
	return out
}

// apart says why two parts do not go together, "" where they may.
func apart(a, b counted) string {
	switch {
	case a.size && b.size:
		return ""
	case a.size:
		return apart(b, a)
	case b.size:
		if a.unit.Dimension != unit.Data && a.unit.Dimension != unit.Bandwidth || a.unit.Factor == 1 && a.unit.Exp == 0 {
			return ""
		}
		return fmt.Sprintf("a rule sees %s as a number in %s, and %s is a number of bytes: write the number of %[2]s alone", a.text, a.unit.Symbol, b.text)
	case a.unit.Dimension != b.unit.Dimension || a.unit.Symbol == b.unit.Symbol:
		return ""
	}
	ratio := unit.Quantity{Digits: "1", Unit: b.unit}.Rat(a.unit)
	factor := "* " + ratio.RatString()
	if ratio.Cmp(big.NewRat(1, 1)) < 0 {
		factor = "/ " + ratio.Inv(ratio).RatString()
	}
	return fmt.Sprintf("a rule sees %s as a number in %s and %s as one in %s: write %[3]s %[5]s, or give both parameters one unit", a.text, a.unit.Symbol, b.text, b.unit.Symbol, factor)
}
