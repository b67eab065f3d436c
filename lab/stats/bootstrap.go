package stats

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// Confidence is the level of every interval.
const Confidence = 0.95

// Interval is a figure with its bootstrap interval. Low and High are NaN where
// there is none: with fewer than three seeds nothing can be said of new ones.
type Interval struct{ Value, Low, High float64 }

// Excludes reports whether the interval is there, holds the figure, which the
// median of a few medians may miss, and lies on one side of x.
func (i Interval) Excludes(x float64) bool {
	return i.Low <= i.Value && i.Value <= i.High && (i.Low > x || i.High < x)
}

// PairSummary is Pair with intervals.
type PairSummary struct {
	LogEfficiency, WinRate Interval
	// Censored says that the log-efficiency is at most its value.
	Censored bool
}

// Summary is Figures with intervals.
type Summary struct {
	Regret, Rank, Within, Change [][]Interval
	Pairs                        [][]PairSummary
}

// fewestSeeds is the smallest number of seeds that is resampled.
const fewestSeeds = 3

// Summarize computes the figures of a table, and their intervals from the
// given number of resamples. The same table and seed give the same numbers.
// The error is Check's.
func (t *Table) Summarize(resamples int, seed uint64) (*Summary, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	p := prepare(t)
	all := t.all()
	center := p.figures(all)
	for _, seeds := range all {
		if len(seeds) < fewestSeeds {
			resamples = 0
		}
	}
	drawn := make([]*Figures, resamples)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < resamples; i += workers {
				drawn[i] = p.figures(resample(all, rand.New(rand.NewPCG(seed, uint64(i)))))
			}
		})
	}
	wg.Wait()
	return summarize(center, drawn, t.Censored()), nil
}

// MedianInterval is the median of one value a seed with its bootstrap interval; the same
// values give the same interval.
func MedianInterval(values []float64) Interval {
	const resamples = 1000
	i := Interval{Value: Median(values), Low: math.NaN(), High: math.NaN()}
	if len(values) < fewestSeeds {
		return i
	}
	medians, drawn := make([]float64, resamples), make([]float64, len(values))
	for k := range medians {
		rng := rand.New(rand.NewPCG(1, uint64(k)))
		for j := range drawn {
			drawn[j] = values[rng.IntN(len(values))]
		}
		medians[k] = Median(drawn)
	}
	const tail = (1 - Confidence) / 2
	i.Low, i.High = Quantile(medians, tail), Quantile(medians, 1-tail)
	return i
}

// resample draws as many seeds of each task, with replacement.
func resample(all selection, rng *rand.Rand) selection {
	out := make(selection, len(all))
	for k, seeds := range all {
		out[k] = make([]int, len(seeds))
		for i := range out[k] {
			out[k][i] = seeds[rng.IntN(len(seeds))]
		}
	}
	return out
}

func summarize(center *Figures, drawn []*Figures, censored [][]bool) *Summary {
	column := make([]float64, 0, len(drawn))
	interval := func(get func(*Figures) float64) Interval {
		column = column[:0]
		for _, f := range drawn {
			if v := get(f); !math.IsNaN(v) {
				column = append(column, v)
			}
		}
		out := Interval{get(center), math.NaN(), math.NaN()}
		if len(column) == len(drawn) && len(drawn) > 0 {
			slices.Sort(column)
			out.Low = quantileSorted(column, (1-Confidence)/2)
			out.High = quantileSorted(column, (1+Confidence)/2)
		}
		return out
	}
	table := func(of func(*Figures) [][]float64) [][]Interval {
		out := make([][]Interval, len(of(center)))
		for a, row := range of(center) {
			out[a] = make([]Interval, len(row))
			for m := range row {
				out[a][m] = interval(func(f *Figures) float64 { return of(f)[a][m] })
			}
		}
		return out
	}
	s := &Summary{
		Regret: table(func(f *Figures) [][]float64 { return f.Regret }),
		Rank:   table(func(f *Figures) [][]float64 { return f.Rank }),
		Within: table(func(f *Figures) [][]float64 { return f.Within }),
		Change: table(func(f *Figures) [][]float64 { return f.Change }),
	}
	for a, row := range center.Pairs {
		pairs := make([]PairSummary, len(row))
		for b := range row {
			pairs[b] = PairSummary{
				LogEfficiency: interval(func(f *Figures) float64 { return f.Pairs[a][b].LogEfficiency }),
				WinRate:       interval(func(f *Figures) float64 { return f.Pairs[a][b].WinRate }),
				Censored:      censored[a][b],
			}
		}
		s.Pairs = append(s.Pairs, pairs)
	}
	return s
}
