package studyfile_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/services/studyfile"
)

// mistake is a study with something wrong: a change of a good one.
type mistake struct {
	name string
	// src is the study; old is replaced by new in it.
	src, old, new string
	sets          []string
	published     bool
}

func mistakes() []mistake {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	return []mistake{
		{name: "empty file", src: ""},
		{name: "only a comment", src: "# nothing\n"},
		{name: "not a mapping", src: "- a\n- b\n"},
		{name: "not UTF-8", src: "apiVersion: apollo/v1\nkind: St\xffdy\n"},
		{name: "control character", src: "apiVersion: apollo/v1\nkind: \x1b[2JStudy\n"},
		{name: "too large", src: "# " + strings.Repeat("x", 1<<20)},
		{name: "too deep", src: "a: " + deep + "\n"},
		{name: "too deep in blocks", src: deepBlocks(40)},
		{name: "too many keys", src: strings.Repeat("a:\n", 5000)},
		{name: "too much YAML", src: "a: " + strings.Repeat("x", 256<<10)},
		{name: "more than a hundred mistakes", src: full, old: "cores: [4, 1, 2]", new: "cores: [" + strings.Repeat("3, ", 200) + "3]"},
		{name: "several documents", src: small + "---\n" + small},
		{name: "tab", src: small, old: "  space", new: "\tspace"},
		{name: "unclosed list", src: small, old: "[{name: net_a}]", new: "[{name: net_a}"},
		{name: "bad indentation", src: small, old: "  workload", new: "     workload"},
		{name: "anchor and alias", src: small, old: "space: {template: toy}", new: "space: &s {template: toy}\n  stop: *s"},
		{name: "tag and merge", src: small, old: "space: {template: toy}", new: "space: {template: !!str toy, <<: {a: b}}"},
		{name: "duplicate keys", src: small, old: "  space:", new: "  seed: 1\n  seed: 2\n  space:"},
		{name: "CRLF", src: strings.ReplaceAll(full, "\n", "\r\n"), old: "6.8 mm2", new: "6.8 mm"},
		{name: "wide characters", src: full, old: "owner: asha", new: "owner: \"名前 é\", owner: b"},
		{name: "long line", src: full, old: "owner: asha", new: "owner: " + strings.Repeat("x", 200) + ", 1: {}"},
		{name: "everything missing", src: "apiVersion: apollo/v1\n"},
		{name: "empty sections", src: "apiVersion: apollo/v1\nkind: Study\nmetadata:\nspec:\n"},
		{name: "unknown fields", src: full, old: "seed:", new: "sede: 1\n  zzzzzzzz: {a: 1}\n  seed:"},
		{name: "wrong version", src: full, old: "apollo/v1", new: "apollo/v2"},
		{name: "name is no label", src: full, old: "name: full", new: "name: My_Study.v2"},
		{name: "name is a number", src: full, old: "name: full", new: "name: 12"},
		{name: "seed", src: full, old: "seed: 18446744073709551615", new: "seed: 18446744073709551616"},
		{name: "long text", src: full, old: "owner: asha", new: "owner: " + strings.Repeat("é", 129) + ", " + strings.Repeat("k", 257) + ": a"},
		{name: "seed with a leading zero", src: full, old: "seed: 18446744073709551615", new: "seed: 010"},
		{name: "space is empty", src: small, old: "{template: toy}", new: "{rules: []}"},
		{name: "no space", src: small, old: "template: toy", new: ""},
		{name: "start", src: full, old: "  objectives:", new: "  start:\n    - {cores: 4, memory: 512 KiB}\n    - {cores: 3, memory: 1 MB, flow: os}\n    - 7\n    - {cores: 4, memory: 512 KiB}\n  objectives:"},
		{name: "start is not legal", src: small, old: "  objectives:", new: "  start: [{cores: 4}, {cores: 8, memory: 2 MiB}, {cores: 4}]\n  constraints: [{metric: area, max: 5 mm2}]\n  objectives:"},
		{name: "start says too little", src: own, old: "  objectives:", new: "  start: [{}]\n  objectives:"},
		{name: "a budget below none", src: small, old: "  objectives:", new: "  budget: {trials: -5}\n  objectives:"},
		{name: "more start than trials", src: small, old: "  objectives:", new: "  start: [{cores: 4}, {cores: 2}]\n  budget: {trials: 1}\n  objectives:"},
		{name: "computed metrics", src: small, old: "  objectives:", new: `  metrics:
    - {name: a1, expr: "area + energy"}
    - {name: a2, expr: latency / 1 mx}
    - {name: a3, unit: W, expr: "energy * latency"}
    - {name: a4}
    - {name: power, unit: s}
    - {name: area, expr: "area / 1 mm2"}
    - {name: tops}
    - {name: tops, expr: "area / 1 mm2"}
    - {name: latency_s, expr: "area / 1 mm2"}
  objectives:`},
		{name: "computed metrics that are known", src: small, old: "latency, goal: minimize", new: "edpp, goal: minimize}, {metric: fps, goal: maximize, target: 3 ms"},
		{name: "computed metrics of your own evaluator", src: own, old: "metric: latency, max: 0.02 s", new: "metric: power, max: 2 W"},
		{name: "template and parameters", src: small, old: "template: toy", new: "template: toy, parameters: [{name: a, values: [1]}]"},
		{name: "unknown template", src: small, old: "template: toy", new: "template: tpo"},
		{name: "no such level", src: full, old: "restrict: {", new: "restrict: {memory: [1 MB, 3 MiB, 512], "},
		{name: "not a parameter", src: full, old: "restrict: {", new: "restrict: {memroy: [1 MiB], io_bandwidth: [5 GB/s], "},
		{name: "label level", src: full, old: "dataflow: [os]", new: "dataflow: [rs, 1, os, os]"},
		{name: "restrict to nothing", src: full, old: "dataflow: [os]", new: "dataflow: []"},
		{name: "fix takes one", src: full, old: "fix: {io_bandwidth: 25 GB/s}", new: "fix: {io_bandwidth: [25 GB/s], cores: 1.5, memory: 2 GB/s}"},
		{name: "rule syntax", src: full, old: "cores * memory <= 4 * MiB", new: "cores * <= memory"},
		{name: "rule name", src: full, old: "cores * memory <= 4 * MiB", new: "cores * memmory <= 4 * MiB"},
		{name: "rule type", src: full, old: "cores * memory <= 4 * MiB", new: "cores + 1"},
		{name: "rule in a block", src: small, old: "space: {template: toy}", new: "space:\n    template: toy\n    rules:\n      - id: a\n        expr: |\n          cores <=\n          mem\n"},
		{name: "rule ids", src: full, old: "rules: [", new: "rules: [{id: on-chip, expr: cores > 0}, {id: A b, expr: cores > 0}, "},
		{name: "no workload", src: small, old: "  workload: {networks: [{name: net_a}]}\n", new: ""},
		{name: "unknown network", src: small, old: "net_a", new: "net-a"},
		{name: "network twice", src: full, old: "{name: net_b, weight: 0.5}", new: "{name: net_a, weight: -1}"},
		{name: "metric with its unit", src: full, old: "metric: latency", new: "metric: latency_s"},
		{name: "unknown metric", src: full, old: "metric: latency", new: "metric: latnecy"},
		{name: "objective twice", src: small, old: "objectives: [", new: "objectives: [{metric: latency, goal: maximize}, "},
		{name: "five objectives", src: own, old: "objectives: [{metric: ", new: "objectives: [{metric: a, goal: minimize}, {metric: b, goal: minimize}, {metric: c, goal: minimize}, {metric: d, goal: minimize}, {metric: "},
		{name: "strategy for one objective", src: small, old: "objectives: [", new: "algorithm: {name: evolution}\n  objectives: [{metric: area, goal: minimize}, "},
		{name: "reference of one objective", src: full, old: "target: 1.5 ms", new: "reference: 1.5 ms"},
		{name: "reference of a wrong unit", src: small, old: "objectives: [", new: "objectives: [{metric: area, goal: minimize, reference: 3 mm}, "},
		{name: "target behind the reference", src: small, old: "objectives: [", new: "objectives: [{metric: area, goal: minimize, reference: 3 mm2, target: 4 mm2}, "},
		{name: "target behind the constraint", src: small, old: "objectives: [", new: "constraints: [{metric: area, min: 4 mm2}]\n  objectives: [{metric: area, goal: maximize, target: 3 mm2}, "},
		{name: "goal", src: full, old: "goal: minimize", new: "goal: min"},
		{name: "length for area", src: full, old: "6.8 mm2", new: "6.8 mm"},
		{name: "area without unit", src: full, old: "6.8 mm2", new: "6.8"},
		{name: "unknown unit", src: full, old: "6.8 mm2", new: "6.8 sqmm"},
		{name: "unit in another case", src: full, old: "6.8 mm2", new: "6.8 MM2"},
		{name: "not a quantity", src: full, old: "6.8 mm2", new: "small"},
		{name: "list for a value", src: full, old: "6.8 mm2", new: "[6.8 mm2]"},
		{name: "infinite", src: full, old: "6.8 mm2", new: ".inf"},
		{name: "too large a number", src: full, old: "6.8 mm2", new: "1e999 mm2"},
		{name: "min above max", src: full, old: "min: 0 J", new: "min: 2 mJ"},
		{name: "bound twice", src: full, old: "constraints: [", new: "constraints: [{metric: area, max: 7 mm2}, {metric: latency}, "},
		{name: "negative area", src: full, old: "6.8 mm2", new: "-6.8 mm2"},
		{name: "target out of reach", src: full, old: "constraints: [", new: "constraints: [{metric: latency, min: 2 ms}, "},
		{name: "unknown algorithm", src: full, old: "name: evolution", new: "name: evolve"},
		{name: "algorithm options", src: full, old: "population: 50, rate: .5, flag: true, list: [1, a, null]", new: "population: -1"},
		{name: "options are a list", src: full, old: "{population: 50, rate: .5, flag: true, list: [1, a, null]}", new: "[1]"},
		{name: "sources", src: full, old: "{study: third,", new: "{study: full}, {study: other}, {run: 12345678}, {study: a, parquet: b}, {parquet: \"[\"}, {study: third, run: \"12\"}, {study: third,"},
		{name: "source auto", src: full, old: "auto]", new: "auto, auto, aut, 5]"},
		{name: "transfer method", src: full, old: "method: rgpe", new: "method: rpge"},
		{name: "seeding without seeds", src: full, old: "seeds: 5, method: rgpe", new: "seeds: 0, method: seed"},
		{name: "control", src: full, old: "control: 10%", new: "control: 10"},
		{name: "published paths", src: `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"p"},"spec":{"space":{"template":"toy"},"workload":{"networks":[{"name":"net_a"}]},"objectives":[{"metric":"latency","goal":"minimize"}],"transfer":{"sources":[{"parquet":"/etc/*"}]}}}`, published: true},
		{name: "published YAML", src: strings.Replace(small, "kind: Study", "kind: Sutdy", 1), published: true},
		{name: "JSON", src: "{\n\t\"apiVersion\": \"apollo/v1\",\n\t\"kind\": \"Study\", \"kind\": \"Study\",\n\t\"metadata\": {\"name\": \"j\\u0041\"},\n\t\"spec\": {\"space\": {\"template\": \"toy\"}, \"budget\": {\"trials\": 1.5}}\n}"},
		{name: "broken JSON", src: "{\"apiVersion\": \"apollo/v1\",\n \"kind\" \"Study\"}", published: true},
		{name: "cut JSON", src: "{\"apiVersion\": [", published: true},
		{name: "two JSON values", src: "{\"apiVersion\": \"apollo/v1\"} {}", published: true},
		{name: "deep JSON", src: "{\"a\": " + deep + "}", published: true},
		{name: "timeout", src: full, old: "timeout: 90s", new: "timeout: 90"},
		{name: "timeout of nothing", src: full, old: "timeout: 90s", new: "timeout: 0 s"},
		{name: "timeout in words", src: full, old: "timeout: 90s", new: "timeout: 90 sec"},
		{name: "evaluator facts", src: full, old: "attempts: 2,", new: "attempts: 2, deterministic: false, metrics: [{name: latency, unit: s}],"},
		{name: "exec of a built-in evaluator", src: full, old: "attempts: 2,", new: "attempts: 2, exec: ./mine,"},
		{name: "exec of nothing", src: own, old: "name: mine,", new: "name: mine, exec: \"\","},
		{name: "published exec", src: `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"p"},"spec":{"space":{"parameters":[{"name":"a","values":[1]}]},"objectives":[{"metric":"x","goal":"minimize"}],"evaluator":{"name":"mine","exec":"rm -rf /","metrics":[{"name":"x"}]}}}`, published: true},
		{name: "quoted number", src: full, old: "trials: 100", new: "trials: \"100\""},
		{name: "repeats without noise", src: own, old: "name: mine", new: "name: mine, repeats: 2, reference: 10"},
		{name: "repeats of a deterministic one", src: own, old: "name: mine", new: "name: mine, deterministic: true, repeats: 2"},
		{name: "reference of every trial", src: own, old: "name: mine", new: "name: mine, deterministic: false, reference: 1"},
		{name: "early stop of a template", src: full, old: "  objectives:", new: "  earlyStop: {}\n  objectives:"},
		{name: "early stop with noise", src: own, old: "name: mine", new: "name: mine, deterministic: false", sets: []string{"spec.earlyStop.after=3"}},
		{name: "early stop by another rule", src: own, sets: []string{"spec.earlyStop.rule=mean", "spec.earlyStop.after=0", "spec.earlyStop.warmup=-1"}},
		{name: "early stop by an unknown metric", src: own, sets: []string{"spec.earlyStop.metric=skore"}},
		{name: "early stop by what is no objective", src: own, old: "  objectives:", new: "  metrics: [{name: double, expr: score * 2}]\n  earlyStop: {metric: double}\n  objectives:"},
		{name: "early stop by another measured metric", src: own, sets: []string{"spec.earlyStop.metric=latency"}},
		{name: "early stop of a computed objective", src: own, old: "  objectives:", new: "  metrics: [{name: double, expr: score * 2}]\n  earlyStop: {metric: score}\n  objectives:", sets: []string{"spec.objectives.0.metric=double"}},
		{name: "fidelity of a template", src: full, old: "  objectives:", new: "  fidelity: {parameter: pes_x}\n  objectives:"},
		{name: "fidelity without a parameter", src: own, old: "  objectives:", new: "  fidelity: {}\n  objectives:"},
		{name: "fidelity of an unknown parameter", src: own, sets: []string{"spec.fidelity.parameter=trase"}},
		{name: "fidelity of a parameter with one value", src: own, old: "values: [4, 1, 2]", new: "values: [4]", sets: []string{"spec.fidelity.parameter=tile"}},
		{name: "fidelity that does not always count", src: own, old: "values: [4, 1, 2]", new: "values: [4, 1, 2], when: \"dataflow == 'ws'\"", sets: []string{"spec.fidelity.parameter=tile"}},
		{name: "fidelity with what does not go with it", src: own, sets: []string{"spec.fidelity.parameter=tile", "spec.evaluator.deterministic=false", "spec.transfer={sources: [{study: old}], control: 0.2}"}},
		{name: "fidelity that another parameter depends on", src: own, old: "values: [4, 1, 2]", new: "values: [4, 1, 2], when: banks > 1", sets: []string{"spec.fidelity.parameter=banks"}},
		{name: "fidelity without a legal design at its last value", src: own, sets: []string{"spec.fidelity.parameter=tile", "spec.space.rules=[{id: small, expr: tile < 4}]"}},
		{name: "fidelity with less than a round", src: own, sets: []string{"spec.fidelity.parameter=tile", "spec.budget.trials=27"}},
		{name: "fidelity and early stop", src: own, sets: []string{"spec.fidelity.parameter=tile", "spec.earlyStop.after=3"}},
		{name: "fidelity with several objectives", src: own, sets: []string{"spec.fidelity.parameter=tile", "spec.objectives=[{metric: accuracy, goal: maximize}, {metric: latency, goal: minimize}]"}},
		{name: "fidelity of the network", src: small, old: "networks: [", new: "search: one, networks: [{name: net_b}, ", sets: []string{"spec.fidelity.parameter=network", "spec.evaluator={name: mine, metrics: [{name: latency, unit: s}]}"}},
		{name: "early stop by hand", src: own, old: "name: mine", new: "name: mine, manual: true", sets: []string{"spec.earlyStop.after=3"}},
		{name: "quoted boolean", src: own, old: "name: mine", new: "name: mine, deterministic: yes"},
		{name: "no trials", src: full, old: "trials: 100", new: "trials: 0"},
		{name: "too many trials", src: full, old: "trials: 100", new: "trials: 100000000"},
		{name: "fraction of a trial", src: full, old: "trials: 100", new: "trials: 99.5"},
		{name: "scientific trials", src: full, old: "trials: 100", new: "trials: 1e2"},
		{name: "batch above trials", src: full, old: "batch: 8", new: "batch: 128"},
		{name: "batch above the evaluator's", src: full, old: "trials: 100, batch: 8", new: "trials: 100, batch: 65"},
		{name: "plateau", src: full, old: "improvement: 0.1%", new: "improvement: 1 ms"},
		{name: "order", src: full, old: "order: relaxed", new: "order: loose"},
		{name: "own evaluator is missing", src: own, old: "  evaluator: {name: mine, metrics: [{name: latency, unit: ms}, {name: accuracy, unit: \"%\"}, {name: score}]}\n", new: ""},
		{name: "own evaluator lacks", src: own, old: "{name: mine, metrics: [{name: latency, unit: ms}, {name: accuracy, unit: \"%\"}, {name: score}]}", new: "{attempts: 2}"},
		{name: "own metrics", src: own, old: "{name: score}", new: "{name: score}, {name: score}, {name: Speed}, {name: power_w, unit: W}, {name: x, unit: parsec}"},
		{name: "percent without sign", src: own, old: "99.5%", new: "99.5"},
		{name: "own parameter names", src: own, old: "name: tile", new: "name: max"},
		{name: "own parameter twice", src: own, old: "name: tile", new: "name: buffer"},
		{name: "own levels", src: own, old: "values: [4, 1, 2]", new: "values: [4, 4, ws]"},
		{name: "own labels", src: own, old: "values: [ws, os]", new: "values: [ws, ws, 3, true]"},
		{name: "own level units", src: own, old: "[64 KiB, 1 MiB]", new: "[64, 1 ms]"},
		{name: "own unit", src: own, old: "unit: Hz", new: "unit: hz"},
		{name: "own levels twice", src: own, old: "min: 0.6, max: 0.9", new: "values: [1], min: 0.6, max: 0.9"},
		{name: "own without levels", src: own, old: ", values: [4, 1, 2]", new: ""},
		{name: "own range", src: own, old: "min: 0.6, max: 0.9, step: 0.1", new: "min: 0.9, max: 0.6, step: 0.1"},
		{name: "own range without end", src: own, old: "min: 0.6, max: 0.9, step: 0.1", new: "min: 0.6"},
		{name: "own range too fine", src: own, old: "step: 0.1", new: "step: 0.0000001"},
		{name: "own range without a step", src: own, old: "min: 0.6, max: 0.9, step: 0.1", new: "min: 0.6, max: 1.1"},
		{name: "own labels like numbers", src: own, old: "values: [ws, os]", new: "values: [4x4, 8b, 4B, 0x10, 2024-01-01, 1/2, .nan, -.inf, a:b]"},
		{name: "own evaluator with the name of a template", src: own, old: "name: mine", new: "name: toy"},
		{name: "own step of nothing", src: own, old: "step: 0.1", new: "step: 0"},
		{name: "own step without unit", src: own, old: ", step: 300 MHz", new: ""},
		{name: "own log2", src: own, old: "min: 1, max: 20, scale: log2", new: "min: 0, max: 20, scale: log2"},
		{name: "own log2 with a step", src: own, old: "min: 1, max: 20, scale: log2", new: "min: 1, max: 20, step: 2, scale: log2"},
		{name: "own log without steps", src: own, old: "min: 1, max: 20, scale: log2", new: "min: 1, max: 20, scale: log"},
		{name: "own steps", src: own, old: "min: 0.6, max: 0.9, step: 0.1", new: "min: 0.6, max: 0.9, step: 0.1, steps: 4"},
		{name: "own steps of nothing", src: own, old: "min: 0.6, max: 0.9, step: 0.1", new: "min: 0.9, max: 0.9, steps: 1"},
		{name: "own log from 0", src: own, old: "min: 1, max: 20, scale: log2", new: "min: 0, max: 20, steps: 4, scale: log"},
		{name: "own log2 with steps", src: own, old: "min: 1, max: 20, scale: log2", new: "min: 1, max: 20, steps: 4, scale: log2"},
		{name: "a condition on itself", src: own, old: "values: [4, 1, 2]", new: "values: [4, 1, 2], when: tile > 1"},
		{name: "conditions in a circle", src: own, old: "values: [4, 1, 2]", new: "values: [4, 1, 2], when: banks > 1", sets: []string{"spec.space.parameters[4].when=tile > 1"}},
		{name: "a condition that is none", src: own, old: "values: [4, 1, 2]", new: "values: [4, 1, 2], when: dataflow == 'xs'"},
		{name: "a condition on nothing", src: own, old: "values: [4, 1, 2]", new: "values: [4, 1, 2], when: cores"},
		{name: "a condition and its rule", src: own, old: "values: [4, 1, 2]", new: "values: [4, 1, 2], when: banks > 1", sets: []string{"spec.space.rules=[{id: when-tile, expr: tile > 1}]"}},
		{name: "no legal design by a rule", src: full, old: "cores * memory <= 4 * MiB", new: "cores * memory <= 4 * KiB"},
		{name: "no legal design by area", src: small, old: "  objectives", new: "  constraints: [{metric: area, max: 0.5 mm2}]\n  objectives"},
		{name: "no legal design in a large space", src: own, old: "- {name: tile, values: [4, 1, 2]}", new: "- {name: tile, min: 1, max: 60000}", sets: []string{"spec.space.rules=[{id: never, expr: tile > 1 and tile < 2}]"}},
		{name: "flags", src: full, sets: []string{
			"spec.budget.lag=x", "spec.foo.bar=1", "spec.constraints[9].max=1 s", "nope", "spec.evaluator.timeout=3 sec", "spec.budget.trials=",
			"a..b=1", "spec.constraints[x].max=1", "spec.seed.x=1", "spec.budget={trials: 1", "spec.constraints[0].max=\"6.8 mm\"", "spec.seed=\x1b[0m",
		}},
	}
}

func deepBlocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// rendered parses a wrong study and returns what a user sees.
func rendered(t *testing.T, m mistake) (string, *studyfile.Error) {
	t.Helper()
	src := strings.Replace(m.src, m.old, m.new, 1)
	if m.old != "" && src == m.src {
		t.Errorf("%s: the study has no %q", m.name, m.old)
	}
	_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), studyfile.Options{Sets: m.sets, Published: m.published})
	e, ok := errors.AsType[*studyfile.Error](err)
	if !ok {
		t.Errorf("%s: Parse() error = %v, want an *Error", m.name, err)
		return "", nil
	}
	var b strings.Builder
	if err := e.Render(&b, false); err != nil {
		t.Error(err)
	}
	return b.String(), e
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	seen := map[string]bool{}
	for _, m := range mistakes() {
		text, e := rendered(t, m)
		fmt.Fprintf(&got, "== %s\n%s\n", m.name, text)
		if e == nil {
			continue
		}
		for _, x := range e.Mistakes {
			seen[x.Code] = true
			if x.Message == "" || x.Code == "" || strings.HasSuffix(x.Message, ".") {
				t.Errorf("%s: mistake %+v needs a code and a message without a full stop", m.name, x)
			}
		}
	}
	const file = "testdata/mistakes.golden"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the messages differ (-want +got):\n%s", diff)
	}
	page, err := os.ReadFile("../../docs/study-file.md")
	if err != nil {
		t.Fatal(err)
	}
	_, listed, _ := strings.Cut(string(page), "## Codes of mistakes")
	for code := range strings.FieldsSeq(listed) {
		if code = strings.Trim(code, "`"); !seen[code] {
			t.Errorf("the code %q is documented, but no case above gives it", code)
		}
		delete(seen, code)
	}
	for code := range seen {
		t.Errorf("the code %q is not in docs/study-file.md", code)
	}
}

// TestEveryMistakeAtOnce: mistakes in different parts do not hide each other.
func TestEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	src := full
	changes := [][3]string{
		{"name: full", "name: Full", "/metadata/name"},
		{"fix: {io_bandwidth: 25 GB/s}", "fix: {io_bandwidth: 25}", "/spec/space/fix/io_bandwidth"},
		{"dataflow: [os]", "dataflow: [xs]", "/spec/space/restrict/dataflow/0"},
		{"4 * MiB", "4 * MIB", "/spec/space/rules/0/expr"},
		{"name: net_b", "name: net_z", "/spec/workload/networks/1/name"},
		{"1.5 ms", "1.5 mm", "/spec/objectives/0/target"},
		{"6.8 mm2", "6.8", "/spec/constraints/0/max"},
		{"min: 0 J", "min: 3 J", "/spec/constraints/1/min"},
		{"name: evolution", "name: evo", "/spec/algorithm/name"},
		{"run: 0a1b2c3d", "run: 0a", "/spec/transfer/sources/1/run"},
		{"attempts: 2", "attempts: 0", "/spec/evaluator/attempts"},
		{"batch: 8", "batch: 101", "/spec/budget/batch"},
		{"trials: 50", "trails: 50", "/spec/stop/plateau/trails"},
		{"order: relaxed", "order: none", "/spec/order"},
	}
	for _, c := range changes {
		src = strings.Replace(src, c[0], c[1], 1)
	}
	_, e := rendered(t, mistake{name: "all", src: src})
	var pointers []string
	for _, m := range e.Mistakes {
		pointers = append(pointers, m.Pointer)
		if m.Line == 0 || m.Column == 0 {
			t.Errorf("mistake %+v has no position", m)
		}
	}
	for _, c := range changes {
		if !slices.Contains(pointers, c[2]) && c[2] != "/spec/constraints/1/min" {
			t.Errorf("the mistake %q at %s is not reported; reported: %q", c[1], c[2], pointers)
		}
	}
	if len(e.Mistakes) > len(changes)+3 {
		t.Errorf("%d mistakes for %d changes: follow-up noise\n%v", len(e.Mistakes), len(changes), e)
	}
}

// After a hundred mistakes the rest of the document is not read: what reads by
// meaning must not look for it.
func TestHopelessDocument(t *testing.T) {
	t.Parallel()
	var labels strings.Builder
	for i := range 120 {
		fmt.Fprintf(&labels, ", k%d: [a]", i)
	}
	for _, src := range []string{small, full, own} {
		src = strings.Replace(src, ", labels: {owner: asha}", "", 1)
		src = strings.Replace(src, "metadata: {", "metadata: {labels: {x: y"+labels.String()+"}, ", 1)
		_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), studyfile.Options{})
		if e, ok := errors.AsType[*studyfile.Error](err); !ok || len(e.Mistakes) != 100 {
			t.Errorf("%v, want a hundred mistakes", err)
		}
	}
}
