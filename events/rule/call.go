package rule

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"apollo/internal/nearest"
	"apollo/optimizer/space"
)

func (c *compiler) call(n ast.Node, name string, arguments []ast.Node) (operand, error) {
	functions := []string{"min", "max", "abs", "floor", "ceil", "round", "log2"}
	if !slices.Contains(functions, name) {
		return operand{}, mistake(n, "there is no function %q%s; there are %s", name, suggestion(name, functions), strings.Join(functions, ", "))
	}
	o := operand{constant: true}
	args := make([]number, len(arguments))
	for i, a := range arguments {
		x, err := c.compile(a)
		switch {
		case err != nil:
			return x, err
		case x.number == nil:
			return x, mistake(a, "%s takes numbers, this is %s", name, x.kind())
		}
		args[i], o.constant = x.number, o.constant && x.constant
	}
	variadic := name == "min" || name == "max"
	if len(args) == 0 || (len(args) != 1 && !variadic) {
		return o, mistake(n, "%s takes %s, here are %d", name, map[bool]string{true: "one or more numbers", false: "one number"}[variadic], len(args))
	}
	o.number = function(name, args)
	return fold(o), nil
}

func function(name string, args []number) number {
	x := args[0]
	switch name {
	case "min", "max":
		pick := math.Min
		if name == "max" {
			pick = math.Max
		}
		return func(d []space.Value) float64 {
			best := args[0](d)
			for _, a := range args[1:] {
				y := a(d)
				best = activeValue(best, y, pick(best, y))
			}
			return best
		}
	case "abs":
		return func(d []space.Value) float64 { return math.Abs(x(d)) }
	case "floor":
		return func(d []space.Value) float64 { return math.Floor(x(d)) }
	case "ceil":
		return func(d []space.Value) float64 { return math.Ceil(x(d)) }
	case "round":
		return func(d []space.Value) float64 { return math.Round(x(d)) }
	}
	return func(d []space.Value) float64 {
		y := x(d)
		return activeValue(y, y, math.Log2(y))
	}
}

// suggestion returns `, did you mean "x"` when a name is close to s, else "".
func suggestion(s string, names []string) string {
	if name := nearest.Name(s, names); name != "" {
		return fmt.Sprintf(", did you mean %q", name)
	}
	return ""
}
