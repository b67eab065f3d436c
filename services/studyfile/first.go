package studyfile

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/internal/nearest"
)

// FirstNetwork is that of a first study which names none.
const FirstNetwork = "mobilenet_v2"

// First is what a first study is asked for. Templates and networks are named as the
// catalogue has them; a limit is written metric<=value or metric>=value.
type First struct {
	Name, Template, Objective string
	// Networks are FirstNetwork where there are none.
	Networks, Limits []string
}

// Text writes the study with a comment beside everything that can be changed.
func (v *First) Text(templates []string) (string, error) {
	if !events.IsName(v.Name) {
		return "", fmt.Errorf("name %q: want a name of 1 to 63 of a-z, 0-9 and \"-\"", v.Name)
	}
	if !slices.Contains(templates, v.Template) {
		hint := "there are " + strings.Join(templates, ", ")
		if near := nearest.Name(v.Template, templates); near != "" {
			hint = "did you mean " + near + "?"
		}
		return "", fmt.Errorf("there is no template %q: %s", v.Template, hint)
	}
	if len(v.Networks) == 0 {
		v.Networks = []string{FirstNetwork}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# A study for apollo run. docs/study-file.md has every field.
apiVersion: apollo/v1
kind: Study
metadata: {name: %s}
spec:
  seed: 1                  # the same seed tries the same designs
  space:
    template: %s
    # fix: {}              # parameters held at one level (apollo space show %[2]s)
    # restrict: {}         # parameters held to some levels
  workload:
    # search: one          # a design runs one network: of a list, or {family: NAME} of
    #                      # %[3]s
    networks:              # apollo workload ls; weight: makes one count more
`, v.Name, v.Template, strings.Join(workload.FamilyNames(), ", "))
	for _, n := range v.Networks {
		fmt.Fprintf(&b, "      - {name: %s}\n", n)
	}
	fmt.Fprintf(&b, "  objectives:\n    - {metric: %s, goal: minimize}\n", v.Objective)
	limits := "  constraints:             # also power, fps, edp; latency.worst: of the worst network\n"
	if len(v.Limits) == 0 {
		limits = "  # constraints:           # also power, fps, edp; latency.worst: of the worst network\n  #   - {metric: area, max: 6.8 mm2}\n"
	}
	b.WriteString(limits)
	for _, l := range v.Limits {
		metric, bound, max := strings.Cut(l, "<=")
		side := "max"
		if !max {
			if metric, bound, max = strings.Cut(l, ">="); !max {
				return "", fmt.Errorf("limit %q: want metric<=value or metric>=value, as in 'area<=6.8 mm2'", l)
			}
			side = "min"
		}
		fmt.Fprintf(&b, "    - {metric: %s, %s: %s}\n", strings.TrimSpace(metric), side, strings.TrimSpace(bound))
	}
	b.WriteString("  budget: {trials: 400}\n")
	return b.String(), nil
}
