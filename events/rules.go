package events

import (
	"fmt"

	"apollo/optimizer/space"
)

type ruleSet struct{}

func compileRules(spec *Spec) (*ruleSet, error) {
	if len(spec.Rules) > 0 {
		return nil, fmt.Errorf("rule %q: not yet", spec.Rules[0].ID)
	}
	return &ruleSet{}, nil
}

func (*ruleSet) check([]space.Value) *Reason { return nil }
