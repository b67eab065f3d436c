// Package rule compiles the language of structural rules and conditions.
//
// A rule is written in the syntax of github.com/expr-lang/expr and is true for
// legal designs. It sees each numeric parameter as a number in the parameter's
// unit, each categorical one as its label, and the constants KiB, MiB and GiB.
// It may use
//
//	/ * + - % ** ^        numbers (all are 64-bit floats; % is the remainder)
//	== != < <= > >=       numbers; == and != also labels and booleans
//	in [a, b], in 1..8    membership; a range holds whole numbers
//	and or not && || !    booleans, from left to right, stopping early
//	c ? a : b             a choice
//	contains startsWith endsWith         labels
//	min max abs floor ceil round log2    functions of numbers
//
// and nothing else: no loops, variables, members or clocks, so the cost of a
// check is bounded by MaxNodes. An operation without a finite value
// (division by zero, overflow) makes a design not legal.
//
// Where a rule meets a parameter that means nothing (its condition does not hold) it is
// neither true nor false there: a comparison with it is open, "and" is false
// when one side is, "or" true when one side is, and what depends on nothing
// else is open. A rule that is open does not bind.
package rule

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"apollo/optimizer/space"
)

// Rules are parsed by expr-lang/expr and compiled here to closures over a
// design row. The library's own machine boxes every number on its stack; a
// check runs for every candidate of every ask, and closures allocate nothing.
// TestRulesAgreeWithExpr holds the two to the same answers.

const (
	// MaxLength bounds the text of an expression in bytes.
	MaxLength = 1000
	// MaxNodes bounds its syntax nodes: it has no loops, so that bounds the cost
	// of a check too.
	MaxNodes = 200
)

// Variable is what an expression can name: a number, or one of the labels.
type Variable struct {
	Name   string
	Labels []string
	// Open: there may be other labels.
	Open bool
}

// IdleLabel marks the value of a parameter that means nothing in a row; no label
// is it.
const IdleLabel = "\x00"

// Verdict is a boolean that may have no value (unset), or be open because a
// parameter means nothing (idle).
type Verdict uint8

// What an expression comes to.
const (
	No Verdict = iota
	Yes
	Unset
	idle
)

func verdictOf(b bool) Verdict {
	if b {
		return Yes
	}
	return No
}

// Test is an expression that is true or false for a design.
type Test func([]space.Value) Verdict

// A number without a value is NaN, one of a parameter that means nothing is
// +Inf: no other number is infinite. Such a text is IdleLabel.
type (
	number func([]space.Value) float64
	text   func([]space.Value) string
)

// operand is a compiled expression: exactly one of number, test and text is
// set. labels are the levels of a categorical parameter, constant says that no
// parameter is used.
type operand struct {
	number   number
	test     Test
	text     text
	constant bool
	// Those that the variable of a name can have, where it is one.
	name   string
	labels []string
}

func (o operand) kind() string {
	switch {
	case o.number != nil:
		return "a number"
	case o.test != nil:
		return "true or false"
	default:
		return "a label"
	}
}

// Error is a mistake at a column, in characters from 1.
type Error struct {
	Column  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Compile compiles a boolean expression over the parameters.
// It also returns the parameters that are used, by position.
func Compile(params []Variable, source string, strict bool) (Test, []int, *Error) {
	c := &compiler{params: params, strict: strict, named: "parameter"}
	return c.test(source, "a rule", "the rule", "design")
}

// CompileChoice compiles a boolean expression that chooses among rows by their columns.
func CompileChoice(columns []Variable, source string) (Test, *Error) {
	c := &compiler{params: columns, strict: true, named: "column"}
	t, _, err := c.test(source, "the expression", "the expression", "row")
	return t, err
}

// test compiles what is true or false; errors call any such a kind, this one it, and what it
// is asked of row.
func (c *compiler) test(source, kind, it, row string) (Test, []int, *Error) {
	o, err := c.source(source)
	switch {
	case err != nil:
		return nil, nil, err
	case o.test == nil:
		return nil, nil, &Error{1, fmt.Sprintf("%s must be true or false, this is %s", kind, o.kind())}
	case o.constant:
		return nil, nil, &Error{1, fmt.Sprintf("%s names no %s, so it is the same for every %s", it, c.named, row)}
	}
	return o.test, c.used, nil
}

// Number is an expression that is a number for a row; NaN where it has none.
type Number func([]space.Value) float64

// CompileNumber compiles a numeric expression over metrics.
// It also returns the metrics that are used, by position.
func CompileNumber(metrics []Variable, source string) (Number, []int, *Error) {
	c := &compiler{params: metrics, named: "metric"}
	o, err := c.source(source)
	switch {
	case err != nil:
		return nil, nil, err
	case o.number == nil:
		return nil, nil, &Error{1, fmt.Sprintf("a metric must be a number, this is %s", o.kind())}
	case o.constant:
		return nil, nil, &Error{1, "the expression names no metric, so it is the same for every design"}
	}
	return Number(o.number), c.used, nil
}

// source compiles a text.
func (c *compiler) source(source string) (operand, *Error) {
	root, err := Parse(source)
	if err != nil {
		return operand{}, err
	}
	o, failed := c.compile(root)
	at, _ := errors.AsType[*Error](failed)
	return o, at
}

// Parse reads an expression within the limits of rules.
func Parse(source string) (ast.Node, *Error) {
	switch {
	case strings.TrimSpace(source) == "":
		return nil, &Error{0, "the expression is empty"}
	case len(source) > MaxLength:
		return nil, &Error{0, fmt.Sprintf("the expression has %d bytes, at most %d are allowed", len(source), MaxLength)}
	}
	return parseExpression(source)
}

func parseExpression(source string) (root ast.Node, failed *Error) {
	// The parser is a library that reads users' text: a panic in it must stay
	// an error of that text.
	defer func() {
		if r := recover(); r != nil {
			root, failed = nil, &Error{0, "the expression cannot be parsed"}
		}
	}()
	tree, err := parser.ParseWithConfig(source, &conf.Config{MaxNodes: MaxNodes})
	if err == nil {
		return tree.Node, nil
	}
	var at *file.Error
	if !errors.As(err, &at) {
		return nil, &Error{0, err.Error()}
	}
	if strings.Contains(at.Message, "maximum allowed nodes") {
		return nil, &Error{0, fmt.Sprintf("the expression has more than %d parts", MaxNodes)}
	}
	return nil, &Error{at.From + 1, plain(at.Message, source)}
}

// plain says what the parser met as it is written, without the parser's names.
func plain(message, source string) string {
	if message == "unexpected token EOF" {
		return "the expression ends before it is complete: a number, a name or a \")\" is missing at its end"
	}
	if _, written, ok := strings.Cut(message, "(\""); ok && strings.HasPrefix(message, "unexpected token ") {
		switch written = strings.TrimSuffix(written, "\")"); written {
		case "=":
			return "\"=\" compares nothing: write =="
		case "KiB", "MiB", "GiB":
			return written + " is a number: write 2 * " + written
		}
		return "unexpected \"" + written + "\": one operator stands between every two numbers or names, as in a * 2 + b"
	}
	if start, ok := strings.CutPrefix(message, "bad number syntax: "); ok {
		start = strings.Trim(start, "\"") // up to the first letter that is wrong
		_, rest, _ := strings.Cut(source, start)
		end := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if end < 0 {
			end = len(rest)
		}
		written := start + rest[:end]
		for _, size := range []string{"KiB", "MiB", "GiB"} {
			if number, ok := strings.CutSuffix(written, size); ok {
				return size + " is a number: write " + number + " * " + size
			}
		}
		return "\"" + written + "\" is no number: numbers are written without a unit, in that of the parameter or metric"
	}
	return message
}

// compiler turns syntax into closures. It knows the node types of rules
// and refuses all others.
type compiler struct {
	params []Variable
	strict bool   // labels must exist
	named  string // what a variable is, for messages
	used   []int  // by the expression so far
}

func mistake(n ast.Node, format string, args ...any) error {
	return &Error{n.Location().From + 1, fmt.Sprintf(format, args...)}
}

func (c *compiler) compile(n ast.Node) (operand, error) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constant(float64(n.Value)), nil
	case *ast.FloatNode:
		return constant(n.Value), nil
	case *ast.BoolNode:
		v := verdictOf(n.Value)
		return operand{test: func([]space.Value) Verdict { return v }, constant: true}, nil
	case *ast.StringNode:
		s := n.Value
		return operand{text: func([]space.Value) string { return s }, constant: true}, nil
	case *ast.IdentifierNode:
		return c.name(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.choice(n)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return operand{}, mistake(n, "only functions can be called")
		}
		return c.call(n, callee.Value, n.Arguments)
	case nil:
		return operand{}, &Error{0, "the expression is incomplete"}
	}
	return operand{}, mistake(n, "an expression is made of %ss, numbers and operators; %s is not possible here", c.named, describeNode(n))
}

func describeNode(n ast.Node) string {
	switch n.(type) {
	case *ast.ArrayNode:
		return "a list outside of \"in\""
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		return "a variable or a sequence"
	case *ast.MemberNode, *ast.SliceNode, *ast.ChainNode:
		return "a member or index"
	case *ast.NilNode:
		return "nil"
	}
	return "this construct"
}

func constant(f float64) operand {
	f = finite(f)
	return operand{number: func([]space.Value) float64 { return f }, constant: true}
}

// finite returns f, or NaN when it is infinite: an infinity must not turn into
// an ordinary number again further up (1/inf).
func finite(f float64) float64 {
	if f-f != 0 {
		return math.NaN()
	}
	return f
}

// open is the number of a parameter that means nothing.
var open = math.Inf(1)

// activeValue is the value v of an operation on x and y.
func activeValue(x, y, v float64) float64 {
	if x > math.MaxFloat64 || y > math.MaxFloat64 {
		return open
	}
	return finite(v)
}

func (c *compiler) name(n *ast.IdentifierNode) (operand, error) {
	names := make([]string, 0, len(c.params)+3)
	for i, p := range c.params {
		if p.Name != n.Value {
			names = append(names, p.Name)
			continue
		}
		c.used = append(c.used, i)
		if len(p.Labels) > 0 {
			known := p.Labels
			if p.Open {
				known = nil
			}
			return operand{name: p.Name, labels: known, text: func(d []space.Value) string { return d[i].Label }}, nil
		}
		return operand{number: func(d []space.Value) float64 {
			switch d[i].Label {
			case "":
				return finite(d[i].Num)
			case IdleLabel:
				return open
			}
			return math.NaN()
		}}, nil
	}
	switch n.Value {
	case "KiB":
		return constant(1 << 10), nil
	case "MiB":
		return constant(1 << 20), nil
	case "GiB":
		return constant(1 << 30), nil
	}
	names = append(names, "KiB", "MiB", "GiB")
	return operand{}, mistake(n, "there is no %s %q%s", c.named, n.Value, oneOf(n.Value, names))
}

func (c *compiler) unary(n *ast.UnaryNode) (operand, error) {
	x, err := c.compile(n.Node)
	if err != nil {
		return x, err
	}
	switch {
	case n.Operator == "+" && x.number != nil:
		return x, nil
	case n.Operator == "-" && x.number != nil:
		f := x.number
		return fold(operand{number: func(d []space.Value) float64 { x := f(d); return activeValue(x, x, -x) }, constant: x.constant}), nil
	case (n.Operator == "not" || n.Operator == "!") && x.test != nil:
		t := x.test
		return operand{constant: x.constant, test: func(d []space.Value) Verdict {
			switch t(d) {
			case Yes:
				return No
			case No:
				return Yes
			case idle:
				return idle
			}
			return Unset
		}}, nil
	}
	return operand{}, mistake(n, "%q does not apply to %s", n.Operator, x.kind())
}

// fold evaluates an expression of constants once.
func fold(o operand) operand {
	if o.constant && o.number != nil {
		return constant(o.number(nil))
	}
	return o
}

func (c *compiler) choice(n *ast.ConditionalNode) (operand, error) {
	cond, err := c.compile(n.Cond)
	if err != nil {
		return cond, err
	}
	a, err := c.compile(n.Exp1)
	if err != nil {
		return a, err
	}
	b, err := c.compile(n.Exp2)
	if err != nil {
		return b, err
	}
	o := operand{constant: cond.constant && a.constant && b.constant}
	if a.labels != nil && b.labels != nil {
		o.labels = slices.Concat(a.labels, b.labels)
	}
	t := cond.test
	switch {
	case t == nil:
		return o, mistake(n.Cond, "a condition must be true or false, this is %s", cond.kind())
	case a.number != nil && b.number != nil:
		o.number = func(d []space.Value) float64 {
			switch t(d) {
			case Yes:
				return a.number(d)
			case No:
				return b.number(d)
			case idle:
				return open
			}
			return math.NaN()
		}
	case a.test != nil && b.test != nil:
		o.test = func(d []space.Value) Verdict {
			switch t(d) {
			case Yes:
				return a.test(d)
			case No:
				return b.test(d)
			case idle:
				return idle
			}
			return Unset
		}
	default:
		return o, mistake(n.Cond, "both choices must be numbers, or both true or false; they are %s and %s", a.kind(), b.kind())
	}
	return o, nil
}

// oneOf suggests a name, or lists them.
func oneOf(s string, names []string) string {
	if near := suggestion(s, names); near != "" {
		return near
	}
	const most = 12
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "KiB" || n == "MiB" || n == "GiB" || strings.HasPrefix(n, "_") })
	if len(names) == 0 {
		return ""
	}
	more := ""
	if len(names) > most {
		names, more = names[:most], " and others"
	}
	return "; there are " + strings.Join(names, ", ") + more
}
