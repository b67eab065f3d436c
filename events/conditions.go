package events

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"apollo/events/rule"
	"apollo/optimizer/space"
)

// condition is the compiled When of a parameter.
type condition struct {
	compiledRule
	param int
	// first is the level of a parameter that means nothing.
	first space.Value
}

// ConditionID is the name by which reasons call the condition of a parameter:
// that of a rule "when-stripe".
func ConditionID(parameter string) string {
	id := "when-" + strings.Trim(strings.ReplaceAll(parameter, "_", "-"), "-")
	return strings.TrimRight(id[:min(len(id), maxConditionID)], "-")
}

// maxConditionID is the length of a DNS label.
const maxConditionID = 63

// CompileConditions checks the conditions of parameters, each by itself and all
// together: none may depend on itself, nor through others. The error is a
// *RuleError with the ConditionID.
func CompileConditions(params []Parameter) error {
	_, err := compileConditions(params)
	return err
}

// compileConditions returns the conditions so that each stands after those that
// it depends on.
func compileConditions(params []Parameter) ([]condition, error) {
	all := map[int]condition{}
	uses := map[int][]int{}
	for i, p := range params {
		if p.When == "" {
			continue
		}
		id := ConditionID(p.Name)
		compiled, used, err := compileUsing(params, Rule{ID: id, Expr: p.When}, false)
		if err != nil {
			return nil, err
		}
		if slices.Contains(used, i) {
			return nil, &RuleError{ID: id, Message: fmt.Sprintf("the parameter %q cannot depend on itself", p.Name)}
		}
		c := condition{compiledRule: compiled, param: i, first: firstLevel(&p)}
		c.broken.Message = fmt.Sprintf("rule %q does not hold: (%s) or %s == %s", id, p.When, p.Name, c.first)
		all[i], uses[i] = c, used
	}
	return sortConditions(params, all, uses)
}

func firstLevel(p *Parameter) (v space.Value) {
	if len(p.Labels) > 0 {
		v.Label = p.Labels[0]
	} else if len(p.Values) > 0 {
		v.Num = p.Values[0]
	}
	return v
}

func sortConditions(params []Parameter, all map[int]condition, uses map[int][]int) ([]condition, error) {
	var out []condition
	done := make([]bool, len(params))
	for len(out) < len(all) {
		before, stuck := len(out), -1
		for i := range params {
			c, conditional := all[i]
			if !conditional || done[i] {
				continue
			}
			waits := slices.ContainsFunc(uses[i], func(k int) bool { return params[k].When != "" && !done[k] })
			if waits {
				stuck = i
				continue
			}
			out, done[i] = append(out, c), true
		}
		if len(out) == before {
			name := params[stuck].Name
			return nil, &RuleError{ID: ConditionID(name), Message: fmt.Sprintf("the condition of %q depends on itself through those of other parameters", name)}
		}
	}
	return out, nil
}

// mark puts the mark of a parameter that means nothing over its level. It
// returns the condition that has no value, or whose parameter means nothing and
// is not at its first level.
func (s *ruleSet) mark(row []space.Value) (*compiledRule, rule.Verdict) {
	for i := range s.conditions {
		c := &s.conditions[i]
		switch v := c.test(row); {
		case v == rule.Yes:
			continue
		case v == rule.Unset:
			return &c.compiledRule, rule.Unset
		case row[c.param] != c.first:
			return &c.compiledRule, rule.No
		}
		row[c.param] = space.Value{Label: rule.IdleLabel}
	}
	return nil, rule.Yes
}

// Designs counts the designs of a space, each once: what means nothing in one has one level.
// Where conditions depend on more combinations of levels than it looks at, it counts all.
func Designs(params []Parameter) (n uint64, err error) {
	whole, err := (&Spec{Parameters: params}).Space()
	if err != nil {
		return 0, err
	}
	var used []int
	for i := range params {
		if params[i].When != "" {
			_, on, err := compileUsing(params, Rule{ID: ConditionID(params[i].Name), Expr: params[i].When}, false)
			if err != nil {
				return 0, err
			}
			used = append(used, on...)
		}
	}
	judge, err := NewJudge(&Spec{Parameters: params})
	if err != nil || len(used) == 0 || !whole.Countable() {
		return whole.Size(), err
	}
	rows, err := combinations(params, used)
	if err != nil || rows == nil {
		return whole.Size(), err
	}
	for row := range rows {
		if !judge.ConditionsOK(row) {
			continue // another name of a design
		}
		count, still := uint64(1), slices.Clone(used)
		judge.Inactive(row, func(k int) { still = append(still, k) })
		for k := range params {
			if !slices.Contains(still, k) {
				count *= uint64(whole.Param(k).Len())
			}
		}
		n += count
	}
	return n, nil
}

// NeverCounts reports whether the condition of a parameter holds in no design, and the
// parameters that it depends on; false where there are too many combinations to look at.
func NeverCounts(params []Parameter, at int) (never bool, on []int, err error) {
	if params[at].When == "" {
		return false, nil, nil
	}
	c, on, err := compileUsing(params, Rule{ID: ConditionID(params[at].Name), Expr: params[at].When}, false)
	if err != nil {
		return false, nil, err
	}
	slices.Sort(on)
	on = slices.Compact(on)
	rows, err := combinations(params, on)
	if err != nil || rows == nil {
		return false, on, err
	}
	for row := range rows {
		if c.test(row) == rule.Yes {
			return false, on, nil
		}
	}
	return true, on, nil
}

// combinations lists the levels of some parameters, each with each, in designs whose other
// parameters are at their first level; nil where they are too many to look at. The rows
// are one.
func combinations(params []Parameter, on []int) (iter.Seq[[]space.Value], error) {
	const most = 1 << 14
	on = slices.Compact(slices.Sorted(slices.Values(on)))
	used := make([]space.Param, len(on))
	for i, k := range on {
		used[i] = space.Param{Name: params[k].Name, Values: params[k].Values, Labels: params[k].Labels}
	}
	some, err := space.New(used...)
	if err != nil || !some.Countable() || some.Size() > most {
		return nil, err
	}
	return func(yield func([]space.Value) bool) {
		row := make([]space.Value, len(params))
		for i := range params {
			row[i] = firstLevel(&params[i])
		}
		for i := range some.Size() {
			for k, v := range some.Values(some.At(i)) {
				row[on[k]] = v
			}
			if !yield(row) {
				return
			}
		}
	}, nil
}

// ConditionsOK reports whether all that means nothing in a design is at its first
// level. It allocates nothing.
func (j *Judge) ConditionsOK(design []space.Value) bool {
	only := ruleSet{params: j.rules.params, conditions: j.rules.conditions}
	return only.ok(design)
}

// Conditional reports whether a parameter may mean nothing.
func (j *Judge) Conditional() bool { return len(j.rules.conditions) > 0 }

// Inactive calls yield for each parameter that means nothing in a design.
func (j *Judge) Inactive(design []space.Value, yield func(param int)) {
	if len(design) != j.rules.params {
		return
	}
	row := slices.Clone(design)
	for i := range j.rules.conditions {
		if c := &j.rules.conditions[i]; c.test(row) != rule.Yes {
			row[c.param] = space.Value{Label: rule.IdleLabel}
			yield(c.param)
		}
	}
}

// Settle puts what means nothing in a design to its first level.
func (j *Judge) Settle(design []space.Value) {
	j.Inactive(design, func(param int) {
		at := slices.IndexFunc(j.rules.conditions, func(c condition) bool { return c.param == param })
		design[param] = j.rules.conditions[at].first
	})
}

// rows lends the rows that are marked: a check allocates nothing.
var rows = sync.Pool{New: func() any { return new([]space.Value) }}
