package events

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"apollo/events/rule"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// formula is the expression of a metric. It is in the language of rules, over
// metrics by their short names and quantities with units: "energy / 1 mJ".
type formula struct {
	number rule.Number
	bounds rule.Bounds
	// constants are the quantities, in base units; they follow the metrics.
	constants []space.Value
	scale     float64 // of the metric's unit
	// valueless says that it has no value, whatever is measured.
	valueless bool
}

// compileFormula compiles the expression of a metric over those before it.
func compileFormula(before []Metric, m Metric) (f *formula, err *rule.Error) {
	text, quantities, err := lift(m.Expr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err.Message = dots(err.Message)
		}
	}()
	root, err := rule.Parse(text)
	if err != nil {
		return nil, err
	}
	own, ok := unit.Find(m.Unit)
	if !ok {
		return nil, &rule.Error{Message: fmt.Sprintf("there is no unit %q", Cut(m.Unit, MaxCodeBytes))}
	}
	f = &formula{scale: own.Scale()}
	vars, dims := make([]rule.Variable, 0, len(before)+len(quantities)), map[string]dimension{}
	for _, b := range before {
		u, _ := unit.Find(b.Unit)
		name := identifier(b.Short())
		vars, dims[name] = append(vars, rule.Variable{Name: name}), dimensionOf(u)
	}
	for i, q := range quantities {
		vars, dims[placeholder(i)] = append(vars, rule.Variable{Name: placeholder(i)}), dimensionOf(q.Unit)
		f.constants = append(f.constants, space.Value{Num: q.Base()})
	}
	number, used, err := rule.CompileNumber(vars, text)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(used, func(i int) bool { return i < len(before) }) {
		return nil, &rule.Error{Column: 1, Message: "the expression names no metric, so it is the same for every design"}
	}
	got, err := measureDimension(root, dims)
	if err != nil {
		return nil, err
	}
	if want := dimensionOf(own); !got.free && got.powers != want.powers {
		return nil, &rule.Error{Column: 1, Message: fmt.Sprintf("the expression is %s, the metric's unit is that of %s", got, want)}
	}
	f.number, f.bounds = number, rule.CompileBounds(vars, root)
	row := slices.Repeat([]rule.Interval{rule.Everything()}, len(before))
	for _, c := range f.constants {
		row = append(row, rule.Interval{Low: c.Num, High: c.Num})
	}
	f.valueless = rule.Valueless(vars, root, row)
	return f, nil
}

// value is the metric of a row, given in base units with the constants behind.
func (f *formula) value(row []space.Value) float64 {
	v := f.number(row) / f.scale
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// quantities matches a number with a unit, which ends where its word ends.
var quantities = sync.OnceValue(func() *regexp.Regexp {
	var symbols []string
	for u := range unit.All() {
		if u.Symbol != "%" { // the remainder, in an expression
			symbols = append(symbols, regexp.QuoteMeta(u.Symbol))
		}
	}
	// The longest first: of "GB/s" the regular expression would take "GB".
	slices.SortFunc(symbols, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile(`(^|[^\pL\pN_.])((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *(?:` + strings.Join(symbols, "|") + `))($|[^\pL\pN_])`)
})

// afterNumber matches a word right behind a number.
var afterNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(^|[^\pL\pN_.])(?:[0-9.]+[eE][+-]?[0-9]+|[0-9.]+) *(\pL[\pL\pN_]*)`)
})

// partOfNumber matches an exponent, and what follows the 0 of another base.
var partOfNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[eE][0-9]*|[xXbBoO][0-9a-fA-F_]+)$`)
})

// wordOperators may stand behind a number.
func wordOperators() []string {
	return []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith"}
}

// lift puts a name of the same width in the place of every quantity, so that
// columns stay what they are.
func lift(text string) (string, []unit.Quantity, *rule.Error) {
	var out strings.Builder
	var all []unit.Quantity
	for {
		at := quantities().FindStringSubmatchIndex(text)
		if at == nil {
			text = out.String() + text
			for _, at := range afterNumber().FindAllStringSubmatchIndex(text, -1) {
				word, digit := text[at[4]:at[5]], text[at[4]-1] != ' '
				if !slices.Contains(wordOperators(), word) && (!digit || !partOfNumber().MatchString(word)) {
					column := utf8.RuneCountInString(text[:at[4]]) + 1
					return "", nil, &rule.Error{Column: column, Message: fmt.Sprintf("there is no unit %q", word)}
				}
			}
			text, err := identifiers(text)
			return text, all, err
		}
		written := text[at[4]:at[5]]
		q, err := unit.Parse(written)
		name := placeholder(len(all))
		if err != nil || len(name) > len(written) {
			return "", nil, &rule.Error{Message: fmt.Sprintf("the quantity %q cannot be used here", written)}
		}
		all = append(all, q)
		out.WriteString(text[:at[4]] + name + strings.Repeat(" ", len(written)-len(name)))
		text = text[at[5]:]
	}
}

// dot stands for the one in the name of a network's metric, which the language of
// rules has no word for: a character of an identifier, as wide as a dot.
const dot = "$"

// identifier is the name of a metric in a lifted expression, dots its opposite.
func identifier(name string) string { return strings.ReplaceAll(name, ".", dot) }

func dots(text string) string { return strings.ReplaceAll(text, dot, ".") }

var dotted = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`([\pL_][\pL\pN_]*)\.([\pL\pN_]+)`) })

// identifiers gives the metrics of single networks names that rules can read.
func identifiers(text string) (string, *rule.Error) {
	if before, _, has := strings.Cut(text, dot); has {
		return "", &rule.Error{Column: utf8.RuneCountInString(before) + 1, Message: "an expression has no " + dot}
	}
	return dotted().ReplaceAllString(text, "${1}$$${2}"), nil
}

// placeholder is the name of a quantity: no metric's starts like it.
func placeholder(i int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if i < len(digits) {
		return "_" + digits[i:i+1]
	}
	return placeholder(i/len(digits)-1) + digits[i%len(digits):i%len(digits)+1]
}

// formulaNames are the names in an expression; nil for one that does not parse.
func formulaNames(expr string) []string {
	text, _, err := lift(expr)
	if err != nil {
		return nil
	}
	root, err := rule.Parse(text)
	if err != nil {
		return nil
	}
	var v namesIn
	ast.Walk(&root, &v)
	return v
}

// FormulaNames returns the names that an expression holds, of metrics by their short
// names; none for one that does not parse.
func FormulaNames(expr string) []string { return formulaNames(expr) }

// MetricInputs returns the names of those metrics that a computed one is an
// expression of.
func MetricInputs(before []Metric, m Metric) []string {
	names, inputs := formulaNames(m.Expr), []string(nil)
	for _, o := range before {
		if slices.Contains(names, o.Short()) {
			inputs = append(inputs, o.Name)
		}
	}
	return inputs
}

// ComputedFree reports whether a computed metric is known without an evaluation,
// because all that it names is.
func ComputedFree(before []Metric, m Metric) bool {
	inputs := MetricInputs(before, m)
	return !slices.ContainsFunc(before, func(o Metric) bool { return !o.Cheap && slices.Contains(inputs, o.Name) })
}

type namesIn []string

// Visit implements ast.Visitor.
func (v *namesIn) Visit(n *ast.Node) {
	if id, ok := (*n).(*ast.IdentifierNode); ok {
		*v = append(*v, dots(id.Value))
	}
}
