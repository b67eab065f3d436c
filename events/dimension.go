package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"apollo/events/rule"
	"apollo/events/unit"
)

// powers are the exponents of s, m, mm2, J, B, token and V in a dimension.
type powers [7]int

var symbols = [len(powers{})]string{"s", "m", "mm2", "J", "B", "token", "V"}

// dimension is what an expression comes to. A bare number in a product carries
// whatever unit makes the sum around it fit: 0.12 is per mm2 in "area * 0.12".
// What holds one is free.
type dimension struct {
	powers
	free bool
	// bare says that it is a number without unit, and nothing else.
	bare bool
}

func dimensionOf(u unit.Unit) dimension {
	return dimension{powers: map[unit.Dimension]powers{
		unit.Time: {1}, unit.Length: {0, 1}, unit.Area: {0, 0, 1}, unit.Energy: {0, 0, 0, 1}, unit.Data: {0, 0, 0, 0, 1},
		unit.Power: {-1, 0, 0, 1}, unit.EnergyDelay: {1, 0, 0, 1}, unit.Bandwidth: {-1, 0, 0, 0, 1}, unit.Frequency: {-1},
		unit.TokenRate: {-1, 0, 0, 0, 0, 1}, unit.TokenEnergy: {0, 0, 0, 1, 0, -1},
		unit.Voltage: {0, 0, 0, 0, 0, 0, 1}, unit.Current: {-1, 0, 0, 1, 0, 0, -1},
	}[u.Dimension]}
}

// String is "an area", or the unit of what has no name: "J s^-2".
func (d dimension) String() string {
	for u := range unit.All() {
		if dimensionOf(u).powers == d.powers {
			return u.Dimension.Phrase()
		}
	}
	var parts []string
	for i, p := range d.powers {
		switch {
		case p == 1:
			parts = append(parts, symbols[i])
		case p != 0:
			parts = append(parts, symbols[i]+"^"+strconv.Itoa(p))
		}
	}
	return "in " + strings.Join(parts, " ")
}

func (d dimension) plain() bool { return d.free || d.powers == powers{} }

func wrong(n ast.Node, format string, args ...any) *rule.Error {
	return &rule.Error{Column: n.Location().From + 1, Message: fmt.Sprintf(format, args...)}
}

// measureDimension returns the dimension of an expression that compiles.
func measureDimension(n ast.Node, of map[string]dimension) (dimension, *rule.Error) {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return dimension{bare: true}, nil
	case *ast.IdentifierNode:
		d, known := of[n.Value]
		return dimension{powers: d.powers, bare: !known}, nil // KiB, MiB, GiB
	case *ast.UnaryNode:
		return measureDimension(n.Node, of)
	case *ast.ConditionalNode:
		if _, err := measureDimension(n.Cond, of); err != nil {
			return dimension{}, err
		}
		return sameDimension(n, []ast.Node{n.Exp1, n.Exp2}, of)
	case *ast.BinaryNode:
		return binaryDimension(n, of)
	case *ast.BuiltinNode:
		return callDimension(n, n.Name, n.Arguments, of)
	case *ast.CallNode:
		return callDimension(n, n.Callee.String(), n.Arguments, of)
	case *ast.ArrayNode:
		return sameDimension(n, n.Nodes, of)
	}
	return dimension{}, nil // true, false and labels
}

func binaryDimension(n *ast.BinaryNode, of map[string]dimension) (dimension, *rule.Error) {
	l, err := measureDimension(n.Left, of)
	if err != nil {
		return l, err
	}
	switch n.Operator {
	case "*", "/":
		r, err := measureDimension(n.Right, of)
		sign := 1
		if n.Operator == "/" {
			sign = -1
		}
		out := dimension{bare: l.bare && r.bare, free: l.free || r.free || l.bare != r.bare}
		for i := range out.powers {
			out.powers[i] = l.powers[i] + sign*r.powers[i]
		}
		return out, err
	case "**", "^":
		r, err := measureDimension(n.Right, of)
		if err != nil {
			return r, err
		}
		if !r.bare && r.powers != (powers{}) {
			return r, wrong(n.Right, "an exponent is a plain number, this is %s: divide by a quantity first", r)
		}
		return powerDimension(n, l)
	case "and", "or", "&&", "||":
		return measureDimension(n.Right, of)
	case "+", "-", "%":
		return sameDimension(n, []ast.Node{n.Left, n.Right}, of)
	}
	_, err = sameDimension(n, []ast.Node{n.Left, n.Right}, of) // a comparison
	return dimension{}, err
}

// powerDimension is that of a power: its exponent is a whole number where the
// base has a unit.
func powerDimension(n *ast.BinaryNode, base dimension) (dimension, *rule.Error) {
	if base.bare || base.powers == (powers{}) {
		return base, nil
	}
	by, ok := wholeNumber(n.Right)
	if !ok || by < -mostPower || by > mostPower {
		return base, wrong(n, "%s has no such power: write a whole number from -%d to %[2]d as the exponent, or divide by a quantity first", base, mostPower)
	}
	for i := range base.powers {
		if base.powers[i] *= by; base.powers[i] > mostPower*mostPower || base.powers[i] < -mostPower*mostPower {
			return base, wrong(n, "the unit has the exponent %d", base.powers[i])
		}
	}
	return base, nil
}

// mostPower bounds an exponent, and its square what a unit comes to: no power
// overflows.
const mostPower = 8

func wholeNumber(n ast.Node) (int, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.UnaryNode:
		v, ok := wholeNumber(n.Node)
		if n.Operator == "-" {
			v = -v
		}
		return v, ok
	}
	return 0, false
}

// sameDimension is that of several operands, which must have the same one.
func sameDimension(at ast.Node, nodes []ast.Node, of map[string]dimension) (dimension, *rule.Error) {
	var out dimension
	for i, n := range nodes {
		d, err := measureDimension(n, of)
		switch {
		case err != nil:
			return d, err
		case i == 0:
			out = d
		case out.free:
			out = d
		case d.free || d.powers == out.powers:
			out.bare = out.bare && d.bare
		default:
			bare := ""
			if d.bare || out.bare {
				bare = "; write the number with its unit"
			}
			return d, wrong(at, "%s and %s do not go together%s", out, d, bare)
		}
	}
	return out, nil
}

func callDimension(at ast.Node, name string, args []ast.Node, of map[string]dimension) (dimension, *rule.Error) {
	d, err := sameDimension(at, args, of)
	if err == nil && slices.Contains([]string{"floor", "ceil", "round", "log2"}, name) && !d.plain() {
		return d, wrong(at, "%s takes a plain number, this is %s: divide by a quantity first", name, d)
	}
	return d, err
}
