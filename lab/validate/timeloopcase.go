package validate

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"apollo/evaluator/model"
)

// caseFile is the part of Timeloop's input that a comparison needs.
type caseFile struct {
	Architecture struct {
		Subtree []struct {
			Local []struct {
				Name  string `yaml:"name"`
				Class string `yaml:"class"`
			} `yaml:"local"`
		} `yaml:"subtree"`
	} `yaml:"architecture"`
	Mapping []struct {
		Target      string   `yaml:"target"`
		Type        string   `yaml:"type"`
		Factors     string   `yaml:"factors"`
		Permutation string   `yaml:"permutation"`
		Bypass      []string `yaml:"bypass"`
	} `yaml:"mapping"`
}

// timeloopCases compares Timeloop's own model exercises.
func timeloopCases(t *table) ([]Row, error) {
	c := newCounts()
	cycles, macs := agreement{metric: "cycles"}, agreement{metric: "MACs"}
	var x *nest
	var levels map[string]int
	var r model.Result
	last := ""
	for i := range t.rows {
		l := t.line(i)
		if name := l.text("case"); name != last {
			last = name
			var err error
			if x, levels, err = readCase(t.folder, name); err != nil {
				return nil, t.bad(i, fmt.Errorf("case %s: %w", name, err))
			}
			r = model.Eval(&x.problem, &x.arch, &x.mapping)
			theirCycles, theirMACs, err := caseTotals(t.folder, name)
			if err != nil {
				return nil, t.bad(i, fmt.Errorf("case %s: %w", name, err))
			}
			cycles.compare(name, theirCycles, r.ComputeCycles)
			macs.compare(name, theirMACs, r.MACs)
		}
		level, ok := levels[l.text("level")]
		o, err := operandNamed(l.text("tensor"))
		if !ok || err != nil {
			return nil, t.bad(i, fmt.Errorf("level %q or tensor %q is unknown", l.text("level"), l.text("tensor")))
		}
		c.compare(fmt.Sprintf("%s %s %s", last, l.text("level"), o), x, &r, level, o, theirs{
			capacity: l.int("utilized_capacity"), reads: l.int("scalar_reads_per_inst"),
			fills: l.int("scalar_fills_per_inst"), updates: l.int("scalar_updates_per_inst"),
		})
		if l.err != nil {
			return nil, l.err
		}
	}
	rows := append([]Row{macs.row(1), cycles.row(1)}, c.rows()...)
	return rows, nil
}

const caseFolder = "timeloop_cases/"

// readCase reads the memories and the mapping of a case.
func readCase(folder fs.FS, name string) (*nest, map[string]int, error) {
	data, err := fs.ReadFile(folder, caseFolder+name+".input.yaml")
	if err != nil {
		return nil, nil, err
	}
	var f caseFile
	if err := yaml.Unmarshal(data, &f); err != nil {
		return nil, nil, fmt.Errorf("read the input: %w", err)
	}
	levels := map[string]int{}
	for _, s := range f.Architecture.Subtree {
		for _, m := range s.Local {
			if !strings.Contains(m.Class, "mac") {
				levels[bareName(m.Name)] = len(levels)
			}
		}
	}
	if len(levels) < 1 || len(levels) > model.MaxLevels {
		return nil, nil, fmt.Errorf("there are %d memories, want 1 to %d", len(levels), model.MaxLevels)
	}
	x := newNest(len(levels))
	for _, m := range f.Mapping {
		i, ok := levels[bareName(m.Target)]
		if !ok {
			return nil, nil, fmt.Errorf("the mapping names %q, which is no memory", m.Target)
		}
		if err := x.apply(i, m.Type, m.Factors, m.Permutation, m.Bypass); err != nil {
			return nil, nil, err
		}
	}
	x.cover()
	return x, levels, nil
}

// apply adds one entry of a mapping to a level.
func (x *nest) apply(level int, kind, of, permutation string, bypass []string) error {
	l := &x.mapping.Loops[level]
	switch kind {
	case "temporal":
		if err := factors(of, &l.Temporal); err != nil {
			return err
		}
		return order(permutation, &l.Order)
	case "spatial":
		return factors(of, &l.Spatial)
	}
	for _, name := range bypass {
		o, err := operandNamed(name)
		if err != nil {
			return err
		}
		l.Bypass[o] = true
	}
	return nil
}

// bareName cuts the number of instances from "GlobalBuffer[1..16]".
func bareName(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name
}

// caseTotals reads cycles and MACs from the tool's statistics.
func caseTotals(folder fs.FS, name string) (cycles, macs int64, err error) {
	data, err := fs.ReadFile(folder, caseFolder+name+".stats.txt")
	if err != nil {
		return 0, 0, err
	}
	cyclesLine := regexp.MustCompile(`(?m)^Cycles: (\d+)`)
	macsLine := regexp.MustCompile(`(?m)(?:Computes|Total scalar computes|Actual Computes)[^:=\n]*[:=] *(\d+)`)
	for _, want := range []struct {
		re *regexp.Regexp
		v  *int64
	}{{cyclesLine, &cycles}, {macsLine, &macs}} {
		m := want.re.FindSubmatch(data)
		if m == nil {
			return 0, 0, fmt.Errorf("the statistics have no line like %q", want.re)
		}
		if *want.v, err = strconv.ParseInt(string(m[1]), 10, 64); err != nil {
			return 0, 0, err
		}
	}
	return cycles, macs, nil
}
