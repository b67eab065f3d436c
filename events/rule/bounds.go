package rule

import (
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// Interval holds all values that a number can have, both ends among them. An end
// that is infinite is not known.
type Interval struct{ Low, High float64 }

// Everything is the interval of a number of which nothing is known.
func Everything() Interval { return Interval{math.Inf(-1), math.Inf(1)} }

// Bounds encloses an expression, given what encloses each of its metrics. A
// value that is not finite is none, and not enclosed.
type Bounds func(row []Interval) Interval

// CompileBounds compiles the bounds of an expression that CompileNumber takes.
// Operations are carried out as the expression does, at the ends of the intervals:
// rounding never falls where what is rounded rises, so rounded values are
// enclosed too.
func CompileBounds(metrics []Variable, root ast.Node) Bounds {
	c := &compiler{params: metrics, named: "metric"}
	return c.bounds(root)
}

func (c *compiler) bounds(n ast.Node) Bounds {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if i := slices.IndexFunc(c.params, func(p Variable) bool { return p.Name == n.Value }); i >= 0 {
			return func(row []Interval) Interval { return row[i] }
		}
	case *ast.UnaryNode:
		x := c.bounds(n.Node)
		if n.Operator == "-" {
			return func(row []Interval) Interval { v := x(row); return Interval{-v.High, -v.Low} }
		}
		return x
	case *ast.BinaryNode:
		return boundsOf(n.Operator, c.bounds(n.Left), c.bounds(n.Right))
	case *ast.ConditionalNode:
		a, b := c.bounds(n.Exp1), c.bounds(n.Exp2)
		return func(row []Interval) Interval {
			x, y := a(row), b(row)
			return Interval{min(x.Low, y.Low), max(x.High, y.High)}
		}
	case *ast.BuiltinNode:
		return c.callBounds(n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.callBounds(callee.Value, n.Arguments)
		}
	}
	if o, err := c.compile(n); err == nil && o.constant && o.number != nil {
		v := o.number(nil)
		return func([]Interval) Interval { return Interval{v, v} }
	}
	return func([]Interval) Interval { return Everything() }
}

// Valueless reports whether an expression certainly has no finite value, given what
// encloses each of its metrics. It says no where that is not plain to see.
func Valueless(metrics []Variable, root ast.Node, row []Interval) bool {
	c := &compiler{params: metrics, named: "metric"}
	return c.valueless(root, row)
}

func (c *compiler) valueless(n ast.Node, row []Interval) bool {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return c.valueless(n.Node, row)
	case *ast.ConditionalNode:
		return c.valueless(n.Exp1, row) && c.valueless(n.Exp2, row)
	case *ast.BinaryNode:
		divides := n.Operator == "/" || n.Operator == "%"
		if divides && c.bounds(n.Right)(row) == (Interval{}) {
			return true
		}
		if divides || slices.Contains([]string{"+", "-", "*", "**", "^"}, n.Operator) {
			return c.valueless(n.Left, row) || c.valueless(n.Right, row)
		}
	}
	o, err := c.compile(n)
	if err != nil || !o.constant || o.number == nil {
		return false
	}
	v := o.number(nil)
	return math.IsNaN(v) || math.IsInf(v, 0)
}

func boundsOf(op string, l, r Bounds) Bounds {
	of := func(f func(x, y Interval) Interval) Bounds {
		return func(row []Interval) Interval { return f(l(row), r(row)).known() }
	}
	switch op {
	case "+":
		return of(func(x, y Interval) Interval { return Interval{x.Low + y.Low, x.High + y.High} })
	case "-":
		return of(func(x, y Interval) Interval { return Interval{x.Low - y.High, x.High - y.Low} })
	case "*":
		return of(func(x, y Interval) Interval {
			return corners(x, y, func(a, b float64) float64 { return a * b })
		})
	case "/":
		return of(func(x, y Interval) Interval {
			if y.Low < 0 && y.High > 0 {
				return Everything()
			}
			// Divisors come close to 0 from the side on which the others are.
			if y.Low == 0 {
				y.Low = 0
			}
			if y.High == 0 {
				y.High = math.Copysign(0, -1)
			}
			return corners(x, y, func(a, b float64) float64 { return a / b })
		})
	case "**", "^":
		return of(func(x, y Interval) Interval {
			if x.Low < 0 {
				return Everything()
			}
			return corners(x, y, math.Pow).loose()
		})
	}
	return func([]Interval) Interval { return Everything() }
}

// corners encloses an operation that rises or falls in each operand alone. Where a
// corner has no value (0 times infinity), the limits at the others enclose it with 0.
func corners(x, y Interval, f func(a, b float64) float64) Interval {
	out := Interval{math.Inf(1), math.Inf(-1)}
	for _, a := range [2]float64{x.Low, x.High} {
		for _, b := range [2]float64{y.Low, y.High} {
			v := f(a, b)
			if v != v {
				v = 0
			}
			out.Low, out.High = min(out.Low, v), max(out.High, v)
		}
	}
	return out
}

// known replaces ends that have no value.
func (v Interval) known() Interval {
	if v.Low != v.Low {
		v.Low = math.Inf(-1)
	}
	if v.High != v.High {
		v.High = math.Inf(1)
	}
	return v
}

// loose makes up for functions of which the library promises no rounding: their
// relative errors are below 1e-12.
func (v Interval) loose() Interval {
	const slack = 1e-9
	return Interval{v.Low - slack*math.Abs(v.Low), v.High + slack*math.Abs(v.High)}.known()
}

func (c *compiler) callBounds(name string, arguments []ast.Node) Bounds {
	var args []Bounds
	for _, a := range arguments {
		args = append(args, c.bounds(a))
	}
	rising := func(f func(float64) float64) Bounds {
		return func(row []Interval) Interval { v := args[0](row); return Interval{f(v.Low), f(v.High)} }
	}
	switch name {
	case "min", "max":
		pick := math.Min
		if name == "max" {
			pick = math.Max
		}
		return func(row []Interval) Interval {
			out := args[0](row)
			for _, a := range args[1:] {
				v := a(row)
				out = Interval{pick(out.Low, v.Low), pick(out.High, v.High)}
			}
			return out
		}
	case "abs":
		return func(row []Interval) Interval {
			v := args[0](row)
			least := max(0, v.Low, -v.High)
			return Interval{least, max(math.Abs(v.Low), math.Abs(v.High))}
		}
	case "floor":
		return rising(math.Floor)
	case "ceil":
		return rising(math.Ceil)
	case "round":
		return rising(math.Round)
	case "log2":
		return func(row []Interval) Interval {
			v := args[0](row)
			return Interval{math.Log2(max(v.Low, 0)), math.Log2(max(v.High, 0))}.loose()
		}
	}
	return func([]Interval) Interval { return Everything() }
}
