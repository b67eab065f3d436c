package events_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/expr-lang/expr"

	"apollo/events"
	"apollo/optimizer/space"
)

// ruleParams is a space with two numbers and a label.
func ruleParams() []events.Parameter {
	return []events.Parameter{
		{Name: "pes_x", Values: []float64{0, 1, 2, 4, 8}},
		{Name: "pe_memory", Unit: "B", Values: []float64{0.5, 65536, 1 << 20}},
		{Name: "dataflow", Labels: []string{"weight", "output"}},
	}
}

func ruleJudge(t testing.TB, rules ...events.Rule) *events.Judge {
	t.Helper()
	j, err := events.NewJudge(&events.Spec{Parameters: ruleParams(), Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func row(x, mem float64, flow string) []space.Value {
	return []space.Value{{Num: x}, {Num: mem}, {Label: flow}}
}

func TestRulesDecide(t *testing.T) {
	t.Parallel()
	const broken, unset = "does not hold", "has no value"
	tests := []struct {
		expr string
		x    float64
		mem  float64
		want string // "" is legal
	}{
		{"pes_x * pe_memory <= 1 * MiB", 4, 65536, ""},
		{"pes_x * pe_memory <= 1 * MiB", 4, 1 << 20, broken},
		{"pe_memory == 64 * KiB and pe_memory < 1 * GiB", 1, 65536, ""},
		{"pe_memory / pes_x >= 1", 0, 1, unset},
		{"pes_x % 2 == 0", 4, 1, ""},
		{"pes_x % 2 == 0", 1, 1, broken},
		{"7 % pes_x == 0", 0, 1, unset},
		{"pes_x == 0 or pe_memory / pes_x >= 1", 0, 1, ""},
		{"pe_memory / pes_x >= 1 or pes_x == 0", 0, 1, unset},
		{"pes_x != 0 && pe_memory / pes_x >= 1", 0, 1, broken},
		{"not (pes_x / pes_x == 1)", 0, 1, unset},
		{"(pes_x / pes_x == 1) == true", 0, 1, unset},
		{"1 / (1 / pes_x) == 0", 0, 1, unset},
		{"(1 / pes_x) ** 0 == 1", 0, 1, unset},
		{"1e300 * 1e300 * pes_x > 0", 1, 1, unset},
		{"max(1 / pes_x, 1) >= 1", 0, 1, unset},
		{"2 ** pes_x == 16", 4, 1, ""},
		{"2 ^ 3 ^ pes_x == 8", 1, 1, ""},
		{"-2 ** 2 == -4 and pes_x > 0", 1, 1, ""},
		{"1 < pes_x <= 4", 4, 1, ""},
		{"1 < pes_x <= 4", 8, 1, broken},
		{"pes_x in [1, 2, 4]", 4, 1, ""},
		{"pes_x not in [1, 2, 4]", 4, 1, broken},
		{"pes_x in [1 / pes_x]", 0, 1, unset},
		{"pes_x in 1..4", 4, 1, ""},
		{"pe_memory in 0..1", 4, 0.5, broken},
		{"min(pes_x, 2, 3) == 2 and max(pes_x, 2) == 4", 4, 1, ""},
		{"floor(pe_memory) == 0 and ceil(pe_memory) == 1 and round(pe_memory) == 1 and abs(-pe_memory) == 0.5", 4, 0.5, ""},
		{"log2(pe_memory) == 16", 1, 65536, ""},
		{"log2(pes_x) >= 0", 0, 1, unset},
		{"pes_x > 2 ? pe_memory >= 64 * KiB : true", 4, 0.5, broken},
		{"if pes_x > 2 { pe_memory >= 64 * KiB } else { true }", 2, 0.5, ""},
		{"(pes_x > 2 ? 1 : 0) == 1", 4, 1, ""},
		{"pes_x | max(3) == 4", 4, 1, ""},
		{`dataflow == "weight"`, 4, 1, ""},
		{`dataflow != "weight"`, 4, 1, broken},
		{`dataflow in ["output", "weight"]`, 4, 1, ""},
		{`dataflow startsWith "w" and dataflow endsWith "t" and dataflow contains "eigh"`, 4, 1, ""},
		{"!(pes_x > 4) && (pes_x > 2) != false", 4, 1, ""},
	}
	for _, test := range tests {
		t.Run(test.expr, func(t *testing.T) {
			t.Parallel()
			j := ruleJudge(t, events.Rule{ID: "r", Expr: test.expr})
			got := j.Rules(row(test.x, test.mem, "weight"))
			if ok := j.RulesOK(row(test.x, test.mem, "weight")); ok != (got == nil) {
				t.Errorf("RulesOK() = %t, Rules() = %v", ok, got)
			}
			if test.want == "" {
				if got != nil {
					t.Errorf("Rules() = %q, want legal", got.Message)
				}
				return
			}
			if got == nil || got.Code != events.ReasonRule || !strings.Contains(got.Message, test.want) || !strings.Contains(got.Message, test.expr) {
				t.Errorf("Rules() = %+v, want a reason that says %q and the expression", got, test.want)
			}
		})
	}
}

func TestRulesOnForeignDesigns(t *testing.T) {
	t.Parallel()
	j := ruleJudge(t, events.Rule{ID: "r", Expr: `pes_x >= 0 and dataflow == "weight"`})
	for name, d := range map[string][]space.Value{
		"empty": nil, "short": row(1, 1, "weight")[:1], "long": append(row(1, 1, "weight"), space.Value{}),
		"a label for a number": {{Label: "x"}, {Num: 1}, {Label: "weight"}},
		"a number for a label": {{Num: 1}, {Num: 1}, {Num: 1}},
	} {
		if r := j.Rules(d); r == nil || j.RulesOK(d) {
			t.Errorf("%s: Rules() = %v, want a reason", name, r)
		}
	}
}

func TestCompileRuleSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr   string
		column int
		want   string
	}{
		{"", 0, "the expression is empty"},
		{"  ", 0, "the expression is empty"},
		{"pes_x +", 7, "the expression ends before it is complete: "},
		{"pes_x * / 2", 9, `unexpected "/"`},
		{"pes_x < pes_z", 9, `there is no parameter "pes_z", did you mean "pes_x"`},
		{"pe_memory <= 64 * Mib", 19, `did you mean "MiB"`},
		{"pes_x * 2", 1, "a rule must be true or false, this is a number"},
		{"1 < 2", 1, "names no parameter"},
		{"pes_x and true", 7, `"and" has a number on its left and true or false on its right`},
		{`pes_x == "weight"`, 7, `"==" has a number on its left and a label on its right`},
		{`dataflow == "wieght"`, 10, `no level "wieght", did you mean "weight"`},
		{`dataflow in ["weight", "x"]`, 10, `no level "x"`},
		{`dataflow < "x"`, 10, `"<" does not apply to a label`},
		{`(pes_x > 1) < true`, 13, `does not apply to true or false`},
		{"not pes_x", 1, `"not" does not apply to a number`},
		{`-dataflow == 1`, 1, `"-" does not apply to a label`},
		{"sqrt(pes_x) > 1", 1, `there is no function "sqrt"`},
		{"flor(pes_x) > 1", 1, `did you mean "floor"`},
		{"floor(pes_x, 2) > 1", 1, "floor takes one number, here are 2"},
		{"max() > pes_x", 1, "max takes one or more numbers, here are 0"},
		{"floor(dataflow) > 1", 7, "floor takes numbers, this is a label"},
		{"pes_x in 3", 7, "takes a list"},
		{`pes_x in ["a"]`, 11, "the list holds a label"},
		{`(pes_x > 1) in [true]`, 17, "the list holds true or false"},
		{`dataflow in 1..2`, 10, "a range holds numbers"},
		{"[1, 2] == pes_x", 1, "a list outside"},
		{"let y = pes_x; y > 1", 5, "a variable"},
		{"pes_x.y > 1", 7, "a member"},
		{"all([1], # > 0) and pes_x > 1", 1, `there is no function "all"`},
		{"pes_x ?? 1 > 0", 0, ""},
		{"nil == pes_x", 1, "nil is not possible"},
		{"pes_x ? true : false", 1, "a condition must be true or false"},
		{"pes_x > 1 ? 1 : true", 7, "both choices"},
		{`dataflow matches "("`, 10, `"matches" does not apply to a label`},
		{strings.Repeat("(", 600), 0, ""},
		{strings.Repeat("pes_x+", 150) + "1>0", 0, "more than 200 parts"},
		{strings.Repeat(" ", 1000) + "pes_x > 1", 0, "at most 1000 are allowed"},
		{"pes_x > \x00\xff", 0, ""},
		{"pes_x > 99999999999999999999", 0, ""},
	}
	for _, test := range tests {
		t.Run(test.expr, func(t *testing.T) {
			t.Parallel()
			err := events.CompileRule(ruleParams(), events.Rule{ID: "on-chip", Expr: test.expr})
			at, ok := errors.AsType[*events.RuleError](err)
			if !ok || at.ID != "on-chip" || !strings.Contains(at.Error(), `rule "on-chip"`) {
				t.Fatalf("CompileRule() = %v, want a RuleError of the rule", err)
			}
			if test.want != "" && (at.Column != test.column || !strings.Contains(at.Message, test.want)) {
				t.Errorf("column %d: %s; want column %d: %s", at.Column, at.Message, test.column, test.want)
			}
		})
	}
}

func TestNewJudgeRefusesRules(t *testing.T) {
	t.Parallel()
	many := make([]events.Rule, events.MaxRules+1)
	for i := range many {
		many[i] = events.Rule{ID: strconv.Itoa(i), Expr: "pes_x > 1"}
	}
	twice := []events.Rule{{ID: "a", Expr: "pes_x > 1"}, {ID: "a", Expr: "pes_x > 2"}}
	for want, rules := range map[string][]events.Rule{"at most 64": many, "two rules have this id": twice} {
		if _, err := events.NewJudge(&events.Spec{Parameters: ruleParams(), Rules: rules}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewJudge() = %v, want %q", err, want)
		}
	}
}

// expression draws a boolean expression in the syntax that rules share with
// expr-lang/expr. The remainder is left out: the library has it for integers
// only, rules have it for all numbers.
func expression(rng *rand.Rand, depth int) string {
	var num func(int) string
	num = func(depth int) string {
		if depth == 0 || rng.IntN(4) == 0 {
			return [...]string{"pes_x", "pe_memory", "3", "0.25", "MiB", "-2"}[rng.IntN(6)]
		}
		a, b := num(depth-1), num(depth-1)
		switch op := rng.IntN(7); op {
		case 4:
			return fmt.Sprintf("max(%s, %s)", a, b)
		case 5:
			return fmt.Sprintf("(%s ? %s : %s)", expression(rng, depth-1), a, b)
		case 6:
			return fmt.Sprintf("%s(%s)", [...]string{"abs", "floor", "ceil", "round"}[rng.IntN(4)], a)
		default:
			return fmt.Sprintf("(%s %c %s)", a, "+-*/"[op], b)
		}
	}
	if depth == 0 {
		return "(pes_x <= pe_memory)"
	}
	switch rng.IntN(6) {
	case 0:
		return fmt.Sprintf("(%s and %s)", expression(rng, depth-1), expression(rng, depth-1))
	case 1:
		return fmt.Sprintf("(%s || not %s)", expression(rng, depth-1), expression(rng, depth-1))
	case 2:
		return fmt.Sprintf("(%s in [1, 2, %s])", num(depth-1), num(depth-1))
	case 3:
		return `(dataflow ` + [...]string{`== "weight"`, `!= "output"`, `in ["output"]`, `contains "put"`}[rng.IntN(4)] + ")"
	default:
		return fmt.Sprintf("(%s %s %s)", num(depth), [...]string{"<", "<=", ">", ">=", "==", "!="}[rng.IntN(6)], num(depth))
	}
}

// Rules are compiled by this package and parsed by expr-lang/expr; where both
// have an answer it is the same one.
func TestRulesAgreeWithExpr(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	compared := 0
	for range 2000 {
		source := expression(rng, 3) + " and pes_x >= 0"
		if len(source) > events.MaxRuleLength {
			continue
		}
		env := map[string]any{"pes_x": 0.0, "pe_memory": 0.0, "dataflow": "", "MiB": float64(1 << 20)}
		program, err := expr.Compile(source, expr.Env(env), expr.AsBool())
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		j := ruleJudge(t, events.Rule{ID: "r", Expr: source})
		for range 4 {
			p := ruleParams()
			x, mem, flow := p[0].Values[rng.IntN(5)], p[1].Values[rng.IntN(3)], p[2].Labels[rng.IntN(2)]
			env["pes_x"], env["pe_memory"], env["dataflow"] = x, mem, flow
			want, err := expr.Run(program, env)
			if err != nil {
				t.Fatalf("%s: %v", source, err)
			}
			reason := j.Rules(row(x, mem, flow))
			if reason != nil && strings.Contains(reason.Message, "has no value") {
				continue
			}
			compared++
			if got := reason == nil; got != want {
				t.Errorf("%s at %v, %v, %s = %t, want %t", source, x, mem, flow, got, want)
			}
		}
	}
	if compared < 4000 {
		t.Errorf("only %d of 8000 answers could be compared", compared)
	}
}

func TestRulesAllocateNothing(t *testing.T) {
	j := ruleJudge(t, events.Rule{ID: "r", Expr: `pes_x * pe_memory <= 64 * MiB and (pes_x in [1, 2, 4] or dataflow == "weight")`})
	d := row(4, 65536, "weight")
	if n := testing.AllocsPerRun(100, func() { j.RulesOK(d); j.Rules(d) }); n != 0 {
		t.Errorf("a legal design costs %v allocations, want 0", n)
	}
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{"pes_x * pe_memory <= 64 * MiB", `dataflow in ["weight"] ? pes_x > 1 : true`, "pes_x in 1..4", "all([1], # > 0)", "1 <pes_x< 3 ?: 1"} {
		f.Add(s, 4.0, 65536.0)
	}
	f.Fuzz(func(t *testing.T, source string, x, mem float64) {
		rule := events.Rule{ID: "r", Expr: source}
		if err := events.CompileRule(ruleParams(), rule); err != nil {
			at, ok := errors.AsType[*events.RuleError](err)
			if !ok || at.Column < 0 || at.Column > len(source)+1 || at.Message == "" {
				t.Fatalf("CompileRule(%q) = %#v", source, err)
			}
			return
		}
		j := ruleJudge(t, rule)
		d := row(x, mem, "weight")
		first, again := j.Rules(d), j.Rules(d)
		if (first == nil) != (again == nil) || (first == nil) != j.RulesOK(d) {
			t.Errorf("%q is not a function of the design", source)
		}
	})
}

func BenchmarkRule(b *testing.B) {
	j := ruleJudge(b, events.Rule{ID: "on-chip", Expr: "pes_x * pes_x * pe_memory <= 64 * MiB"})
	d := row(4, 65536, "weight")
	b.ReportAllocs()
	for b.Loop() {
		if j.Rules(d) != nil {
			b.Fatal("not legal")
		}
	}
}

// A rule sees numbers in the units of their parameters: two units of one kind are
// refused where they meet as they stand, and what may well be right is not.
func TestRulesCountInOneUnit(t *testing.T) {
	t.Parallel()
	params := []events.Parameter{
		{Name: "b", Unit: "B", Values: []float64{512, 1024}},
		{Name: "k", Unit: "KiB", Values: []float64{1, 2}},
		{Name: "k2", Unit: "KiB", Values: []float64{1, 2}},
		{Name: "s", Unit: "ns", Values: []float64{1, 2}},
		{Name: "w", Unit: "GB/s", Values: []float64{1, 2}},
		{Name: "clk", Unit: "MHz", Values: []float64{100, 200}},
		{Name: "rate", Unit: "token/s", Values: []float64{100, 200}},
		{Name: "area", Unit: "mm2", Values: []float64{1, 2}},
		{Name: "um", Unit: "um2", Values: []float64{1, 2}},
		{Name: "power", Unit: "mW", Values: []float64{1, 2}},
		{Name: "energy", Unit: "pJ", Values: []float64{1, 2}},
		{Name: "n", Values: []float64{1, 2}},
		{Name: "f", Labels: []string{"ws", "os"}},
	}
	for expr, want := range map[string]string{
		"b <= k":                 "write k * 1024",
		"k <= b":                 "write b / 1024",
		"-b >= -k":               "write k * 1024",
		"b + k <= 4096":          "write k * 1024",
		"max(b, k) <= 4096":      "write k * 1024",
		"b in [512, k]":          "write k * 1024",
		"f == \"ws\" or b == k":  "write k * 1024",
		"um <= area":             "write area * 1000000",
		"k <= 2 * KiB":           "write the number of KiB alone",
		"k <= 2 ** 4 * KiB":      "write the number of KiB alone",
		"k >= -1 * KiB":          "write the number of KiB alone",
		"k <= n * KiB":           "write the number of KiB alone",
		"k <= 2 * KiB * n":       "write the number of KiB alone",
		"k <= n * 4 * KiB - 1":   "write the number of KiB alone",
		"w <= 2 * GiB":           "write the number of GB/s alone",
		"n = 2":                  "write ==",
		"b <= 2 KiB":             "write 2 * KiB",
		"b <= 16KiB":             "column 8: KiB is a number: write 16 * KiB",
		"b <= 16KiB and k <= 3":  "write 16 * KiB",
		"b <= 1.5MiB":            "write 1.5 * MiB",
		"s <= 2ms":               "\"2ms\" is no number",
		"b <= 2 * KiB":           "",
		"b <= k * 1024":          "",
		"b <= k * KiB":           "",
		"k <= 16 * MiB / KiB":    "",
		"k <= 16 * MiB / 1024":   "",
		"k <= 1 / 1024 * MiB":    "",
		"k <= 2 ** -10 * MiB":    "",
		"k + k2 <= 3":            "",
		"min(b, k) > 0":          "",
		"4 in [b, k]":            "",
		"n * n <= b":             "",
		"n * b <= k":             "", // n may count in thousands
		"n * b <= 64 * KiB":      "",
		"n * clk <= w":           "", // bytes a cycle
		"n * clk <= rate":        "", // tokens a cycle
		"clk <= rate":            "",
		"clk <= w * 1000":        "",
		"s * clk <= 1000 * n":    "",
		"b / w <= s":             "",
		"n * area <= area":       "",
		"power * s <= energy":    "",
		"energy * n <= power":    "", // accesses a second
		"power <= area":          "",
		"b / k >= 512":           "",
		"(b + b) / 2 <= 3 * KiB": "",
		"(n > 1 ? b : k) > 1":    "",
	} {
		err := events.CompileRule(params, events.Rule{ID: "r", Expr: expr})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}
