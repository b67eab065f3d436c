package events

import (
	"fmt"

	"apollo/events/rule"
	"apollo/optimizer/space"
)

// RuleError says what is wrong with a structural rule, and where.
type RuleError struct {
	// ID is the rule's.
	ID string
	// Column of the mistake in the expression, in characters from 1; 0 when
	// the whole rule is meant.
	Column int
	// Message is one sentence without the rule's name.
	Message string
}

// Error implements error.
func (e *RuleError) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("rule %q: %s", e.ID, e.Message)
	}
	return fmt.Sprintf("rule %q, column %d: %s", e.ID, e.Column, e.Message)
}

// CompileRule checks a structural rule against the parameters of a space
// without keeping the result. The error is a *RuleError. A comparison with a
// label that the parameter does not have is one, and so is one of two units:
// params are those before the study narrows them.
//
// The language is that of package rule; a rule sees each parameter in its unit.
func CompileRule(params []Parameter, r Rule) error {
	if _, _, err := compileUsing(params, r, true); err != nil {
		return err
	}
	root, err := rule.Parse(r.Expr)
	if err == nil {
		err = checkUnits(root, params)
	}
	if err != nil {
		return &RuleError{ID: r.ID, Column: err.Column, Message: err.Message}
	}
	return nil
}

// compiledRule is a compiled structural rule.
type compiledRule struct {
	test          rule.Test
	broken, unset Reason
}

// ruleSet holds the rules and conditions of a study. It is immutable.
type ruleSet struct {
	params     int
	conditions []condition // each after those that it depends on
	rules      []compiledRule
}

func compileRules(spec *Spec) (*ruleSet, error) {
	s := &ruleSet{params: len(spec.Parameters)}
	if len(spec.Rules) > MaxRules {
		return nil, fmt.Errorf("the study has %d rules, at most %d are allowed", len(spec.Rules), MaxRules)
	}
	seen := map[string]bool{}
	for _, r := range spec.Rules {
		if seen[r.ID] {
			return nil, &RuleError{ID: r.ID, Message: "two rules have this id"}
		}
		seen[r.ID] = true
		compiled, _, err := compileUsing(spec.Parameters, r, false)
		if err != nil {
			return nil, err
		}
		s.rules = append(s.rules, compiled)
	}
	var err error
	s.conditions, err = compileConditions(spec.Parameters)
	return s, err
}

// compileUsing compiles a rule, and says which parameters it uses. strict
// refuses labels that a parameter does not have.
func compileUsing(params []Parameter, r Rule, strict bool) (compiledRule, []int, error) {
	t, used, err := rule.Compile(variables(params), r.Expr, strict)
	if err != nil {
		return compiledRule{}, nil, &RuleError{ID: r.ID, Column: err.Column, Message: err.Message}
	}
	return compiledRule{
		test:   t,
		broken: Reason{Code: ReasonRule, Message: fmt.Sprintf("rule %q does not hold: %s", r.ID, r.Expr)},
		unset: Reason{Code: ReasonRule, Message: fmt.Sprintf(
			"rule %q has no value for this design (a division by zero or a number out of range): %s", r.ID, r.Expr)},
	}, used, nil
}

// check returns why the design breaks a condition or a rule, or nil. The reason
// is the caller's.
func (s *ruleSet) check(design []space.Value) *Reason {
	if s.empty() {
		return nil
	}
	if len(design) != s.params {
		return &Reason{Code: ReasonRule, Message: fmt.Sprintf(
			"the design has %d values, the space %d parameters", len(design), s.params)}
	}
	r, verdict := s.first(design)
	switch {
	case r == nil:
		return nil
	case verdict == rule.Unset:
		reason := r.unset
		return &reason
	}
	reason := r.broken
	return &reason
}

// ok is check without a reason and without an allocation.
func (s *ruleSet) ok(design []space.Value) bool {
	if s.empty() {
		return true
	}
	if len(design) != s.params {
		return false
	}
	r, _ := s.first(design)
	return r == nil
}

// broken counts the rules that a design breaks whose inactive parameters are at
// their first level.
func (s *ruleSet) broken(design []space.Value) (n int) {
	if len(s.conditions) > 0 {
		row := rows.Get().(*[]space.Value)
		defer rows.Put(row)
		*row = append((*row)[:0], design...)
		design = *row
		s.mark(design)
	}
	for i := range s.rules {
		if v := s.rules[i].test(design); v == rule.No || v == rule.Unset {
			n++
		}
	}
	return n
}

func (s *ruleSet) empty() bool { return len(s.rules)+len(s.conditions) == 0 }

// first returns the first condition or rule that the design breaks, and what it
// came to; nil when all hold or do not bind.
func (s *ruleSet) first(design []space.Value) (*compiledRule, rule.Verdict) {
	if len(s.conditions) > 0 {
		row := rows.Get().(*[]space.Value)
		defer rows.Put(row)
		*row = append((*row)[:0], design...)
		design = *row
		if r, v := s.mark(design); r != nil {
			return r, v
		}
	}
	for i := range s.rules {
		r := &s.rules[i]
		if v := r.test(design); v == rule.No || v == rule.Unset {
			return r, v
		}
	}
	return nil, rule.Yes
}

// variables are what expressions see of parameters.
func variables(params []Parameter) []rule.Variable {
	vars := make([]rule.Variable, len(params))
	for i, p := range params {
		vars[i] = rule.Variable{Name: p.Name, Labels: p.Labels}
	}
	return vars
}
