package suite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// kernelsSuite is one task a table of the environment.
func kernelsSuite() bench.Suite {
	return bench.Suite{
		Name: "kernels",
		Doc: "Tables of measurements (CSV: parameters, value, valid), one task each; combinations that a table lacks are not legal, " +
			"invalid ones cost a trial, the optimum is the table's.",
		Lanes: []bench.Lane{bench.KnownArea, bench.AllKnown},
		Tasks: kernelsTasks,
	}
}

func kernelsTasks(env bench.Environment) ([]bench.Task, error) {
	var tasks []bench.Task
	for _, path := range env.Tables {
		t, err := openTable(path)
		if err != nil {
			return nil, err
		}
		task, err := t.task(tableName(path))
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", path, err)
		}
		if slices.ContainsFunc(tasks, func(o bench.Task) bool { return o.Name == task.Name }) {
			return nil, fmt.Errorf("table %s: another table is also called %s", path, task.Name)
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

// Tables lists the tables of a folder, .csv and .csv.gz, in alphabetical order.
// A folder that is not there has none.
func Tables(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, ".csv.gz") {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, nil
}

// startsOfATable is how many first designs a table is searched from. Chosen: few
// enough for an evening, and a single one is one path of a strategy that draws
// nothing at random before it has learnt something.
const startsOfATable = 10

// kernelsStartsSuite begins the searches of each table at other designs.
func kernelsStartsSuite() bench.Suite {
	return bench.Suite{
		Name: "kernels-starts",
		Doc: "The suite kernels, each table as ten tasks: the baseline, which searches with a model try first, is each time another of the table's " +
			"valid rows, drawn at random.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{"default", "gp-bandit", "tpe"},
		Trials: 60, Marks: []int{5, 10, 15, 20, 40, 60},
		Tasks: kernelsStartsTasks,
	}
}

func kernelsStartsTasks(env bench.Environment) ([]bench.Task, error) {
	tables, err := kernelsTasks(env)
	if err != nil {
		return nil, err
	}
	var out []bench.Task
	for i := range tables {
		t := &tables[i]
		from := t.Evaluator.(*lookup)
		rng := rand.New(rand.NewPCG(0, 0)) // the same for tables of the same rows
		for n := range startsOfATable {
			start := *t
			start.Name = fmt.Sprintf("%s-start-%d", t.Name, n+1)
			start.Baseline = from.draw(rng)
			out = append(out, start)
		}
	}
	return out, nil
}

func openTable(path string) (*table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	defer f.Close()
	t, err := readTable(f)
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", path, err)
	}
	return t, nil
}

// tableName makes a task's name, a DNS label, of a file's.
func tableName(path string) string {
	base := filepath.Base(path)
	base = strings.TrimSuffix(strings.TrimSuffix(base, ".gz"), ".csv")
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, strings.ToLower(base))
	if label = strings.Trim(label, "-"); label == "" {
		return "table"
	}
	return label
}

// listedMetric is the cheap metric that says whether a table has a design.
const listedMetric = "listed"

// task makes the task of a table. Tables that differ in what follows the last
// "-" of their names (a device) are one family. Defaults were chosen on those of
// dedispersion (docs/decisions/0007).
func (t *table) task(name string) (bench.Task, error) {
	sp, err := space.New(t.params...)
	if err != nil {
		return bench.Task{}, err
	}
	best := math.Inf(1)
	for _, v := range t.values {
		if !math.IsNaN(v) {
			best = min(best, v)
		}
	}
	if math.IsInf(best, 1) {
		return bench.Task{}, fmt.Errorf("%w: no row is valid", errNoAnswer)
	}
	family := name
	if cut := strings.LastIndexByte(name, '-'); cut > 0 {
		family = name[:cut]
	}
	one := 1.0
	spec := declared("table", t.params, []events.Metric{{Name: t.metric, Unit: t.unit}, {Name: listedMetric, Cheap: true}}, t.metric)
	// Two tables are two evaluators: what one measured is not true of the other.
	spec.Evaluator.Version = version + "-" + name
	spec.Constraints = []events.Constraint{{Metric: listedMetric, Min: &one}}
	return bench.Task{
		Name: name, Family: family, Split: split(family, "dedispersion"), Spec: spec,
		Evaluator: &lookup{space: sp, rows: t.index(sp), values: t.values},
		Known: func(context.Context) (bench.Known, error) {
			return bench.Known{Best: best, Proven: true, Source: "table"}, nil
		},
	}, nil
}

// index maps the points of the space to rows.
func (t *table) index(sp space.Space) map[uint64]int {
	rows := make(map[uint64]int, len(t.rows))
	for i, p := range t.rows {
		rows[sp.Index(p)] = i
	}
	return rows
}

// lookup evaluates designs by a table.
type lookup struct {
	space  space.Space
	rows   map[uint64]int
	values []float64 // NaN where the row is not valid
}

var (
	_ evaluator.Evaluator = (*lookup)(nil)
	_ evaluator.Checker   = (*lookup)(nil)
)

// draw returns a design that can be measured. The table must have one.
func (l *lookup) draw(rng *rand.Rand) events.Design {
	var p space.Point
	for {
		p = l.space.Draw(p, rng)
		if row, ok := l.rows[l.space.Index(p)]; ok && !math.IsNaN(l.values[row]) {
			return l.space.Values(p)
		}
	}
}

// find returns the row of a design.
func (l *lookup) find(design []space.Value) (int, bool) {
	var index uint64
	for i, v := range design {
		param := l.space.Param(i)
		level, ok := param.Level(v)
		if !ok {
			return 0, false
		}
		index = index*uint64(param.Len()) + uint64(level)
	}
	row, ok := l.rows[index]
	return row, ok
}

// Check implements evaluator.Checker: whether the table has the design.
func (l *lookup) Check(design []space.Value, dst []float64) {
	dst[0], dst[1] = math.NaN(), 0
	if _, ok := l.find(design); ok {
		dst[1] = 1
	}
}

// Evaluate implements evaluator.Evaluator.
func (l *lookup) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	if err := ctx.Err(); err != nil {
		return evaluator.Result{}, err
	}
	row, ok := l.find(r.Design)
	switch {
	case !ok:
		return infeasible("not_listed", "the table has no such row", math.NaN(), 0), nil
	case math.IsNaN(l.values[row]):
		return infeasible("invalid", "the table says that this configuration does not work", math.NaN(), 1), nil
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{l.values[row], 1}}, nil
}

func infeasible(code, message string, values ...float64) evaluator.Result {
	return evaluator.Result{
		Outcome: evaluator.Infeasible, Values: values,
		Reason: &evaluator.Reason{Code: code, Message: message},
	}
}
