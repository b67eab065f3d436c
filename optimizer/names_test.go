package optimizer

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestNamesAreSortedAndStart(t *testing.T) {
	t.Parallel()
	names := Names()
	if !slices.IsSorted(names) || !slices.Contains(names, "default") || !slices.Contains(names, "random") {
		t.Errorf("Names() = %v, want them sorted, with default and random", names)
	}
	for _, name := range names {
		for _, options := range []string{"", "  \n", "{}", " { } "} {
			a, err := New(name, []byte(options))
			if err != nil {
				t.Errorf("New(%q, %q): %v", name, options, err)
				continue
			}
			if got, err := start(t, a, Problem{Space: grid(t, 2, 3)}).Ask(0, 2, nil); err != nil || len(got) != 2 {
				t.Errorf("%s proposes %v, %v, want two designs", name, got, err)
			}
		}
	}
}

func TestNewReadsOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, options string
		want          Algorithm
	}{
		{"random", `{"maxChecks": 1000}`, Random{MaxChecks: 1000}},
		{"evolution", `{"population": 50, "sample": 10, "crossover": -1, "mutation": 2, "maxChecks": 7}`, Evolution{Population: 50, Sample: 10, Crossover: -1, Mutation: 2, MaxChecks: 7}},
		{"ga", `{"population":8,"initial":9,"tournament":2,"crossover":0.25,"mutation":1e0,"local":0.5}`, GA{Population: 8, Initial: 9, Tournament: 2, Crossover: 0.25, Mutation: 1, Local: 0.5}},
		{"gp", `{"initial": 5, "breed": -1, "limit": 50, "pool": 20}`, GP{Initial: 5, Breed: -1, Limit: 50, Pool: 20}},
		{"gp-bandit", `{"ucb": 1.5}`, GPBandit{UCB: 1.5}},
		{"tpe", `{"initial": 4, "candidates": 12, "good": 0.2}`, TPE{Initial: 4, Candidates: 12, Good: 0.2}},
		{"sobol", `{"maxChecks": 10}`, Sobol{MaxChecks: 10}},
		{"mbo", `{"initial": 9, "threshold": 0.5, "spread": -1, "generations": 3}`, MBO{Initial: 9, Threshold: 0.5, Spread: -1, Generations: 3}},
		{"explore", `{"initial": 5, "bins": 0.5, "walk": true}`, Explore{Initial: 5, Bins: 0.5, Walk: true}},
		{"naas", `{"population": 12, "step": 0.2, "maxChecks": 9}`, NAAS{Population: 12, Step: 0.2, MaxChecks: 9}},
		{"nsga2", `{"population": 40, "crossover": -1, "mutation": 2, "local": 0.5}`, NSGA2{Population: 40, Crossover: -1, Mutation: 2, Local: 0.5}},
		{"p3bo", `{"members": ["ga", "random"], "decay": 0.5, "temperature": 1, "floor": 0.1, "lead": 0.5, "initial": 4}`, P3BO{Members: []string{"ga", "random"}, Decay: 0.5, Temperature: 1, Floor: 0.1, Lead: 0.5, Initial: 4}},
		{"p3bo-adaptive", `{"generation": 2, "decay": 0.5}`, P3BOAdaptive{P3BO: P3BO{Decay: 0.5}, Generation: 2}},
		{"default", `{}`, GP{}},
	} {
		got, err := New(c.name, []byte(c.options))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("New(%q, %s) = %+v, %v, want %+v", c.name, c.options, got, err, c.want)
		}
	}
}

func TestNewExplainsMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, options, want string }{
		{"randon", "", `unknown algorithm "randon" (did you mean "random"?): known are ` + strings.Join(Names(), ", ")},
		{"Evolution", "", `unknown algorithm "Evolution" (did you mean "evolution"?)`},
		{"evo", "", `(did you mean "evolution"?)`},
		{"random-search", "", `(did you mean "random"?)`},
		{"bayes", "", `unknown algorithm "bayes": known are`},
		{"", "", `unknown algorithm "": known are`},
		{"ga", `{"populaton": 3}`, `algorithm ga: unknown option "populaton" (did you mean "population"?): known are population, initial, tournament, crossover, mutation, local, maxChecks`},
		{"ga", `{"Population": 3}`, `unknown option "Population" (did you mean "population"?)`},
		{"default", `{"population": 3}`, `algorithm default: unknown option "population": it takes none`},
		{"ga", `{"population": 3, "local": 0.1, "population": 4}`, "option population is set twice"},
		{"ga", `{"population": "many"}`, "option population is a string, but must be of type int"},
		{"ga", `{"population": 2.5}`, "option population is a number 2.5, but must be of type int"},
		{"ga", `{"local": true}`, "option local is a bool, but must be of type float64"},
		{"ga", `{"population": null}`, "option population is null: leave it out for the default"},
		{"naas", `{"population": 2000000000}`, "option population is 2000000000, but must be 4 to 65536"},
		{"naas", `{"population": 3}`, "option population is 3, but must be 4 to 65536"},
		{"ga", `{"population": 1}`, "algorithm ga: option population is 1, but must be at least 2"},
		{"gp", `{"limit": 9}`, "option limit is 9, but must be at least 10"},
		{"gp", `{"initial": -1}`, "option initial is -1, but must be at least 1"},
		{"gp", `{"pool": -1}`, "option pool is -1, but must be at least 1"},
		{"gp-bandit", `{"ucb": -1}`, "option ucb is -1, but must not be negative"},
		{"gp-bandit", `{"limit": 1}`, "option limit is 1, but must be at least 10"},
		{"gp-bandit", `{"pool": -1}`, "option pool is -1, but must be at least 1"},
		{"explore", `{"candidates": -1}`, "option candidates is -1, but must be 1 to 10000"},
		{"explore", `{"policy": 7}`, "option policy is a number, but must be of type optimizer.Policy"},
		{"explore", `{"policy": {}}`, `option policy: its schema is "", but must be "apollo.policy/v1"`},
		{"explore", `{"policy": {"schema": "apollo.policy/v1", "mean": [1]}}`, "it has 1 means and 0 scales, but must have 19 of each"},
		{"mbo", `{"threshold": 1}`, "option threshold is 1, but must be above 0 and below 1"},
		{"mbo", `{"initial": -1}`, "option initial is -1, but must be at least 1"},
		{"mbo", `{"generations": -1}`, "option generations is -1, but must be at least 1"},
		{"nsga2", `{"population": 3}`, "option population is 3, but must be at least 4"},
		{"nsga2", `{"local": 1.5}`, "option local is 1.5, but must be at most 1"},
		{"p3bo", `{"members": ["ga", "p3bo"]}`, `option members has "p3bo", which has members itself`},
		{"p3bo", `{"members": ["ga", "ga"]}`, `option members has "ga" twice`},
		{"p3bo", `{"members": ["gaa"]}`, `option members: unknown algorithm "gaa"`},
		{"p3bo", `{"decay": 2}`, "option decay is 2, but must be above 0 and at most 1"},
		{"p3bo", `{"temperature": -1}`, "option temperature is -1, but must not be negative"},
		{"p3bo", `{"floor": 2}`, "option floor is 2, but must be at most 1"},
		{"p3bo", `{"initial": -1}`, "option initial is -1, but must be at least 1"},
		{"p3bo-adaptive", `{"generation": -1}`, "option generation is -1, but must be at least 1"},
		{"tpe", `{"good": 1.5}`, "option good is 1.5, but must be above 0 and at most 1"},
		{"tpe", `{"initial": -1}`, "option initial is -1, but must be at least 1"},
		{"tpe", `{"candidates": -1}`, "option candidates is -1, but must be at least 1"},
		{"random", `{"maxChecks": -1}`, "option maxChecks is -1, but must not be negative"},
		{"random", `[]`, "options are not a JSON object"},
		{"random", `null`, "options are not a JSON object"},
		{"random", `7`, "options are not a JSON object"},
		{"random", `{`, "read options: "},
		{"random", `{"maxChecks"`, "read option"},
		{"random", `{"maxChecks": }`, "read option maxChecks: "},
		{"random", `{"maxChecks": 1`, "read options: "},
		{"random", `{} {}`, "options go on after the JSON object"},
		{"random", `{} x`, "options go on after the JSON object"},
	} {
		if a, err := New(c.name, []byte(c.options)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%q, %s) = %v, %v, want an error with %q", c.name, c.options, a, err, c.want)
		}
	}
}

func FuzzOptions(f *testing.F) {
	f.Add("ga", []byte(`{"population": 8, "local": 0.5}`))
	f.Add("evolution", []byte(`{"sample":3,"crossover":-1}`))
	f.Add("random", []byte(`{"maxChecks":1}{`))
	s := grid(f, 2, 3)
	f.Fuzz(func(t *testing.T, name string, options []byte) {
		a, err := New(name, options)
		if err != nil {
			return
		}
		// What New accepts, Start must accept too.
		if _, err := a.Start(Problem{Space: s}); err != nil {
			t.Errorf("New(%q, %q) accepts what Start refuses: %v", name, options, err)
		}
	})
}
