package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Table holds the curves of a comparison.
type Table struct {
	// Algorithms and Tasks are names, for errors and reports.
	Algorithms []string
	Tasks      []string
	// Curves are by algorithm, task and seed. All algorithms have the same
	// seeds in a task, in the same order.
	Curves [][][]Curve
	// Trials is the budget.
	Trials int
	// Marks are the numbers of trials at which regrets and ranks are compared.
	Marks []int
	// Tolerances are regrets to be reached.
	Tolerances []float64
	// Reference is the index of the algorithm that Change compares with; -1 for
	// none.
	Reference int
}

// Check returns an error that names what does not fit together.
func (t *Table) Check() error {
	if len(t.Algorithms) == 0 || len(t.Tasks) == 0 || t.Trials < 1 {
		return errors.New("a comparison needs an algorithm, a task and a trial")
	}
	if len(t.Curves) != len(t.Algorithms) {
		return fmt.Errorf("curves of %d algorithms, want %d", len(t.Curves), len(t.Algorithms))
	}
	for a, byTask := range t.Curves {
		if len(byTask) != len(t.Tasks) {
			return fmt.Errorf("%s: curves of %d tasks, want %d", t.Algorithms[a], len(byTask), len(t.Tasks))
		}
		for k, curves := range byTask {
			if len(curves) == 0 || len(curves) != len(t.Curves[0][k]) {
				return fmt.Errorf("%s on %s: %d seeds, want %d", t.Algorithms[a], t.Tasks[k], len(curves), len(t.Curves[0][k]))
			}
		}
	}
	for _, m := range t.Marks {
		if m < 1 || m > t.Trials {
			return fmt.Errorf("mark %d is not within the budget of %d trials", m, t.Trials)
		}
	}
	return nil
}

// Pair is how one algorithm does against another.
type Pair struct {
	// LogEfficiency is the median over the tasks of the logarithm (base e) of
	// the reference's trials over the algorithm's: above 0 the algorithm needs
	// fewer. NaN where the reference found nothing feasible, or nothing better
	// than in its first trial.
	LogEfficiency float64
	// WinRate is the share of cells in which the algorithm ended with less
	// regret than the reference; ties count half.
	WinRate float64
}

// Figures are the statistics of a table.
type Figures struct {
	// Regret and Rank are by algorithm and mark: the median regret over all
	// cells, and the mean over all cells of the rank among the algorithms, 1
	// for the best, ties shared.
	Regret, Rank [][]float64
	// Pairs are by algorithm and reference.
	Pairs [][]Pair
	// Within is by algorithm and tolerance: the share of cells that reached it.
	Within [][]float64
	// Change is by algorithm and mark: how much larger the algorithm's median of
	// 1 + regret is than the reference's, relative to that; -0.1 is a design
	// whose value is 10 % better. Seeds are drawn for both together. Of several
	// tasks it is the median. It is empty where there is no reference.
	Change [][]float64
}

// selection is the seeds to use of each task; a seed may come more than once.
type selection [][]int

// all returns every seed once.
func (t *Table) all() selection {
	sel := make(selection, len(t.Tasks))
	for k := range sel {
		for s := range t.Curves[0][k] {
			sel[k] = append(sel[k], s)
		}
	}
	return sel
}

// prepared is a table with what every resample needs.
type prepared struct {
	*Table
	// changes are by algorithm and task: the trials at which the curve of some
	// seed changes.
	changes [][][]int
}

func prepare(t *Table) *prepared {
	p := &prepared{Table: t}
	for _, byTask := range t.Curves {
		row := make([][]int, len(byTask))
		for k, curves := range byTask {
			row[k] = changesOf(curves, t.Trials)
		}
		p.changes = append(p.changes, row)
	}
	return p
}

func changesOf(curves []Curve, trials int) []int {
	out := []int{1}
	for n := 2; n <= trials; n++ {
		if slices.ContainsFunc(curves, func(c Curve) bool { return c.At(n) != c.At(n-1) }) {
			out = append(out, n)
		}
	}
	return out
}

// median is the median curve of an algorithm on a task.
func (p *prepared) median(a, k int, seeds []int) steps {
	var out steps
	buffer := make([]float64, 0, len(seeds))
	curves := p.Curves[a][k]
	for _, n := range p.changes[a][k] {
		buffer = buffer[:0]
		for _, s := range seeds {
			buffer = append(buffer, curves[s].At(n))
		}
		slices.Sort(buffer)
		if v := quantileSorted(buffer, 0.5); len(out) == 0 || v != out[len(out)-1].value {
			out = append(out, step{n, v})
		}
	}
	return out
}

// figures computes the statistics over a selection of seeds.
func (p *prepared) figures(sel selection) *Figures {
	n := len(p.Algorithms)
	f := &Figures{Regret: matrix(n, len(p.Marks)), Rank: matrix(n, len(p.Marks)), Within: matrix(n, len(p.Tolerances))}
	cells := 0
	for k := range sel {
		cells += len(sel[k])
	}
	column := make([]float64, 0, cells)
	for a := range n {
		for m, mark := range p.Marks {
			column = column[:0]
			for k, seeds := range sel {
				for _, s := range seeds {
					column = append(column, p.Curves[a][k][s].At(mark))
				}
			}
			f.Regret[a][m] = Median(column)
		}
		for i, tolerance := range p.Tolerances {
			for k, seeds := range sel {
				for _, s := range seeds {
					if p.Curves[a][k][s].At(p.Trials) <= tolerance {
						f.Within[a][i] += 1 / float64(cells)
					}
				}
			}
		}
	}
	p.rank(f, sel, cells)
	p.change(f, sel)
	f.Pairs = p.pairs(sel, cells)
	return f
}

func matrix(rows, columns int) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, columns)
	}
	return out
}

// rank fills in the mean ranks.
func (p *prepared) rank(f *Figures, sel selection, cells int) {
	n := len(p.Algorithms)
	values := make([]float64, n)
	for m, mark := range p.Marks {
		for k, seeds := range sel {
			for _, s := range seeds {
				for a := range n {
					values[a] = p.Curves[a][k][s].At(mark)
				}
				for a := range n {
					f.Rank[a][m] += rankOf(values, a) / float64(cells)
				}
			}
		}
	}
}

// rankOf is 1 plus the number of smaller values plus half of the equal others.
func rankOf(values []float64, a int) float64 {
	rank := 1.0
	for b, v := range values {
		switch {
		case b == a:
		case v < values[a]:
			rank++
		case v == values[a]:
			rank += 0.5
		}
	}
	return rank
}

// change fills in the changes of the medians.
func (p *prepared) change(f *Figures, sel selection) {
	f.Change = make([][]float64, len(p.Algorithms))
	if p.Reference < 0 {
		return
	}
	byTask := make([]float64, len(sel))
	for a := range f.Change {
		f.Change[a] = make([]float64, len(p.Marks))
		for m, mark := range p.Marks {
			for k, seeds := range sel {
				byTask[k] = relative(p.medianAt(a, k, seeds, mark), p.medianAt(p.Reference, k, seeds, mark))
			}
			f.Change[a][m] = Median(byTask)
		}
	}
}

// medianAt is the median regret of an algorithm on a task after n trials.
func (p *prepared) medianAt(a, k int, seeds []int, n int) float64 {
	values := make([]float64, len(seeds))
	for i, s := range seeds {
		values[i] = p.Curves[a][k][s].At(n)
	}
	return Median(values)
}

// relative is how much larger 1 + a is than 1 + b. What found nothing feasible
// is infinitely worse than what did, and -1 is the other way round.
func relative(a, b float64) float64 {
	switch {
	case a == b:
		return 0
	case math.IsInf(b, 1):
		return -1
	}
	return (1+a)/(1+b) - 1
}

func (p *prepared) pairs(sel selection, cells int) [][]Pair {
	n := len(p.Algorithms)
	curves := make([][]steps, n)
	for a := range n {
		curves[a] = make([]steps, len(sel))
		for k, seeds := range sel {
			curves[a][k] = p.median(a, k, seeds)
		}
	}
	out := make([][]Pair, n)
	logs := make([]float64, 0, len(sel))
	for a := range n {
		out[a] = make([]Pair, n)
		for b := range n {
			logs = logs[:0]
			for k := range sel {
				if v, _ := logEfficiency(curves[b][k], curves[a][k], p.Trials); !math.IsNaN(v) {
					logs = append(logs, v)
				}
			}
			out[a][b] = Pair{Median(logs), p.winRate(a, b, sel, cells)}
		}
	}
	return out
}

func (p *prepared) winRate(a, b int, sel selection, cells int) float64 {
	wins := 0.0
	for k, seeds := range sel {
		for _, s := range seeds {
			x, y := p.Curves[a][k][s].At(p.Trials), p.Curves[b][k][s].At(p.Trials)
			switch {
			case x < y:
				wins++
			case x == y:
				wins += 0.5
			}
		}
	}
	return wins / float64(cells)
}

// Censored reports, for each pair, whether the log-efficiency is only known to
// be at most its value: the algorithm did not reach half of the reference's
// levels on half of the tasks.
func (t *Table) Censored() [][]bool {
	p := prepare(t)
	sel := t.all()
	n := len(t.Algorithms)
	out := make([][]bool, n)
	for a := range n {
		out[a] = make([]bool, n)
		for b := range n {
			out[a][b] = p.censored(a, b, sel)
		}
	}
	return out
}

func (p *prepared) censored(a, b int, sel selection) bool {
	type task struct {
		value    float64
		censored bool
	}
	var tasks []task
	var logs []float64
	for k, seeds := range sel {
		v, c := logEfficiency(p.median(b, k, seeds), p.median(a, k, seeds), p.Trials)
		if !math.IsNaN(v) {
			tasks, logs = append(tasks, task{v, c}), append(logs, v)
		}
	}
	middle := Median(logs)
	return slices.ContainsFunc(tasks, func(t task) bool { return t.censored && t.value >= middle })
}

// Profile returns the share of an algorithm's cells whose regret is at most
// tolerance after each trial, and the median number of trials until then, +Inf
// when fewer than half of the cells came so far.
func (t *Table) Profile(a int, tolerance float64) (share []float64, trials float64) {
	share = make([]float64, t.Trials)
	var all []float64
	for _, curves := range t.Curves[a] {
		for _, c := range curves {
			n, ok := c.Reach(tolerance)
			if !ok {
				all = append(all, math.Inf(1))
				continue
			}
			all = append(all, float64(n))
			for i := n - 1; i < len(share); i++ {
				share[i]++
			}
		}
	}
	for i := range share {
		share[i] /= float64(len(all))
	}
	return share, Median(all)
}
