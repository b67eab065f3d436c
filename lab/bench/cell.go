package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
)

// Contender is an algorithm as a comparison means it.
type Contender struct {
	// Label is its name in tables, a DNS label: "default-nofeatures".
	Label string `json:"label"`
	// Name and Options are those of a study's algorithm. Name is "" for a peer.
	Name    string          `json:"name,omitempty"`
	Options json.RawMessage `json:"options,omitempty"`
	// Command starts a peer, a program that speaks the protocol of peers.
	Command string `json:"command,omitempty"`
	// NoFeatures withholds the derived features.
	NoFeatures bool `json:"no_features,omitempty"`
	// Alone withholds the sources of a task that has some; Method says how they
	// are used (events.Transfer).
	Alone  bool   `json:"alone,omitempty"`
	Method string `json:"method,omitempty"`
}

// Cell is one search: a task, lane, algorithm and seed.
type Cell struct {
	Suite string
	Task  *Task
	Lane  Lane
	By    Contender
	Seed  uint64
	// Trials is the budget, Batch the number of designs in one ask.
	Trials, Batch int
	// Sources are cells whose logs this one may learn from. They run first.
	Sources []*Cell
}

// The labels of a cell's study: they tell what the study is in a comparison to
// whoever reads the log.
const (
	labelSuite     = "suite"
	labelTask      = "task"
	labelFamily    = "family"
	labelSplit     = "split"
	labelLane      = "lane"
	labelAlgorithm = "algorithm"
	labelBuild     = "build"
)

// Study returns the name of the cell's study, a DNS label that is the same for
// the same cell. Names that would be too long end in a hash.
func (c *Cell) Study() string {
	name := strings.Join([]string{c.Suite, c.Task.Name, string(c.Lane), c.By.Label, "s" + strconv.FormatUint(c.Seed, 10)}, "-")
	if len(c.Sources) > 0 {
		var from []string
		for _, s := range c.Sources {
			from = append(from, s.Study())
		}
		name += "-from-" + digest([]byte(strings.Join(from, " ")), 8)
	}
	const longest = 63 // events.IsName
	if len(name) > longest {
		name = strings.TrimRight(name[:longest-9], "-") + "-" + digest([]byte(name), 8)
	}
	return name
}

// Spec returns the cell's study. build names the code that runs it.
func (c *Cell) Spec(build string) *events.Spec {
	s := *c.Task.Spec
	s.Study, s.Seed = c.Study(), c.Seed
	s.Labels = map[string]string{}
	maps.Copy(s.Labels, c.Task.Spec.Labels)
	maps.Copy(s.Labels, map[string]string{
		labelSuite: c.Suite, labelTask: c.Task.Name, labelFamily: c.Task.Family, labelSplit: string(c.Task.Split),
		labelLane: string(c.Lane), labelAlgorithm: c.By.Label, labelBuild: build,
	})
	s.Algorithm = events.Algorithm{Name: c.By.Name, Options: c.By.Options}
	if c.By.Command != "" {
		s.Algorithm.Name = c.By.Label
	}
	s.KnownConstraints = "checked"
	if c.Lane == Paper {
		s.KnownConstraints = "hidden"
	}
	// Lag 0: every batch is asked for after all before it were told.
	s.Budget = events.Budget{Trials: c.Trials, Batch: c.Batch, Parallelism: 1}
	s.Stop, s.Order, s.Duplicates, s.Transfer = events.Stop{}, "strict", "reuse", nil
	if len(c.Sources) > 0 {
		s.Transfer = &events.Transfer{Seeds: seeds, Method: c.By.Method}
		for _, source := range c.Sources {
			s.Transfer.Sources = append(s.Transfer.Sources, events.Source{Study: source.Study()})
		}
	}
	return &s
}

// seeds is the default of a study file.
const seeds = 10

// run returns the name of the cell's run, eight hex digits as every run's: those
// that it has whatever the build, and those that tell builds apart.
func (c *Cell) run(build string) (prefix, suffix string) {
	b, err := json.Marshal(struct {
		Spec *events.Spec
		By   Contender
	}{c.Spec(""), c.By})
	if err != nil {
		panic(fmt.Sprintf("bench: the study of %s has no JSON: %v", c.Study(), err)) // a suite gave a NaN
	}
	return digest(b, 4), digest([]byte(build), 4)
}

func digest(b []byte, digits int) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:digits]
}

// Plan says which cells a comparison has: every task in every lane, by every
// contender with every seed.
type Plan struct {
	Suite         string
	Tasks         []*Task
	Lanes         []Lane
	Contenders    []Contender
	FirstSeed     uint64
	Seeds         int
	Trials, Batch int
	// SourceTrials is the budget of the searches that others learn from, SourceBy their
	// strategy; without a name it is default.
	SourceTrials int
	SourceBy     Contender
}

// sources returns the cells that a cell may learn from.
func (p *Plan) sources(c *Cell) []*Cell {
	if c.By.Alone || c.By.Command != "" {
		return nil
	}
	by := p.SourceBy
	if by.Name == "" {
		by = Contender{Label: "default", Name: "default"}
	}
	var out []*Cell
	for _, o := range c.Task.From {
		out = append(out, &Cell{
			Suite: o.Suite, Task: o.Task, Lane: c.Lane, By: by, Seed: c.Seed, Trials: p.SourceTrials, Batch: c.Batch,
		})
	}
	return out
}

// Cells returns the cells seed by seed, so that a plan that is cut off leaves
// whole comparisons.
func (p *Plan) Cells() []*Cell {
	var cells []*Cell
	for i := range p.Seeds {
		for _, lane := range p.Lanes {
			for _, task := range p.Tasks {
				if lane == Paper && task.Baseline == nil {
					continue
				}
				for _, by := range p.Contenders {
					c := &Cell{
						Suite: p.Suite, Task: task, Lane: lane, By: by, Seed: p.FirstSeed + uint64(i), Trials: p.Trials, Batch: p.Batch,
					}
					c.Sources = p.sources(c)
					cells = append(cells, c)
				}
			}
		}
	}
	return cells
}

// Select returns the tasks of a split ("" means all) whose name fits one of the
// patterns (none means all). The error names a pattern that fits no task.
func Select(tasks []Task, split Split, patterns []string) ([]*Task, error) {
	used := make([]bool, len(patterns))
	var out []*Task
	for i := range tasks {
		fits := len(patterns) == 0
		for k, pattern := range patterns {
			ok, err := matchName(pattern, tasks[i].Name)
			if err != nil {
				return nil, err
			}
			used[k] = used[k] || ok
			fits = fits || ok
		}
		if fits && (split == "" && tasks[i].Split != Source || tasks[i].Split == split) {
			out = append(out, &tasks[i])
		}
	}
	if k := slices.Index(used, false); k >= 0 {
		var names []string
		for i := range tasks {
			names = append(names, tasks[i].Name)
		}
		return nil, fmt.Errorf("no task is called %q: there are %s", patterns[k], strings.Join(names, ", "))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("none of these tasks is in the split %q", split)
	}
	return out, nil
}
