package optimizer

import (
	"fmt"
	"strings"

	"apollo/internal/nearest"
)

// entry is one strategy that a study can name.
type entry struct {
	name string
	// configure reads the knobs from the JSON options of a study.
	configure func(options []byte) (Algorithm, error)
	// several: it searches several objectives with its default knobs. Start of
	// every other one refuses such a problem.
	several bool
	// early and late are the CPU time of a suggestion after 100 trials, and after
	// 400 and more, in milliseconds; 0 means microseconds. Measured with `apollo
	// bench --suite apollo --task mobilenetv2-6p8 --seeds 1` and 100, 400, 800 trials.
	early, late float64
}

// catalog lists the strategies by name. "default" is GP with its default knobs:
// docs/decisions/0007 says why. It takes no options, so that a better
// strategy can take the name.
func catalog() []entry {
	return []entry{
		{"default", configureDefault, true, 15, 95},
		{"evolution", configure[Evolution], false, 0, 0},
		{"explore", configure[Explore], true, 0, 0},
		{"ga", configure[GA], false, 0, 0},
		{"gp", configure[GP], true, 15, 95},
		{"gp-bandit", configure[GPBandit], false, 9, 40},
		{"mbo", configure[MBO], false, 26, 31},
		{"naas", configure[NAAS], false, 0, 0},
		{"nsga2", configure[NSGA2], true, 0, 0},
		{"p3bo", configure[P3BO], false, 12, 42},
		{"p3bo-adaptive", configure[P3BOAdaptive], false, 19, 50},
		{"random", configure[Random], true, 0, 0},
		{"sobol", configure[Sobol], true, 0, 0},
		{"tpe", configure[TPE], false, 0, 0},
	}
}

func configureDefault(options []byte) (Algorithm, error) {
	return GP{}, readOptions(options, &struct{}{})
}

// Names returns the names that New knows, in alphabetical order.
func Names() []string {
	var names []string
	for _, e := range catalog() {
		names = append(names, e.name)
	}
	return names
}

// MultiObjectiveNames returns the names of the strategies that search several
// objectives with their default knobs, in alphabetical order.
func MultiObjectiveNames() []string {
	var names []string
	for _, e := range catalog() {
		if e.several {
			names = append(names, e.name)
		}
	}
	return names
}

// SearchSeconds estimates the CPU time that the search itself takes in a study
// by the strategy called name, in seconds; 0 means too little to speak of.
func SearchSeconds(name string, trials, batch int) (seconds float64) {
	for _, e := range catalog() {
		if e.name != name {
			continue
		}
		// Models propose the first designs of a batch only.
		share := float64(min(batch, modelProposals)) / float64(batch)
		const early, late = 100, 400
		for n := range min(trials, late) {
			at := e.early * float64(n) / early
			if n > early {
				at = e.early + (e.late-e.early)*float64(n-early)/(late-early)
			}
			seconds += share * at / 1e3
		}
		seconds += share * e.late / 1e3 * float64(max(0, trials-late))
	}
	return seconds
}

// New returns the strategy called name with its knobs set from a JSON object:
// the keys are those of the strategy's fields (Evolution, GA, GP, …), and a
// missing one means the default. Empty options mean all defaults. The name
// "default" stands for the strategy that is best on the whole, now GP, and
// takes no options.
//
// The error of an unknown name lists the known ones and the nearest; that of
// options names the key that is unknown, of the wrong type or out of range.
func New(name string, options []byte) (Algorithm, error) {
	for _, e := range catalog() {
		if e.name != name {
			continue
		}
		a, err := e.configure(options)
		if err != nil {
			return nil, fmt.Errorf("algorithm %s: %w", name, err)
		}
		return a, nil
	}
	known := Names()
	return nil, fmt.Errorf("unknown algorithm %q%s: known are %s", name, suggestion(name, known), strings.Join(known, ", "))
}

// suggestion is ` (did you mean "x"?)` for the nearest name, or "" when none
// is near.
func suggestion(name string, known []string) string {
	if near := nearest.Name(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
