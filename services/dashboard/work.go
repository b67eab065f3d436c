package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"apollo/services/cli"
	"apollo/services/draw"
)

// A timeline has so many equal parts of the time, and so many rows: the rest is one row.
const (
	timeParts   = 90
	mostWorkers = 12
)

// drawWork draws how many trials each worker answered over time; "" where nobody said
// when trials began.
func (s *snapshot) drawWork() template.HTML {
	low, high := int64(math.MaxInt64), int64(0)
	counts := map[string]int{}
	for i := range s.kept {
		if t := &s.kept[i]; t.began > 0 {
			low, high = min(low, t.began), max(high, t.ended())
			counts[t.worker]++
		}
	}
	if len(counts) == 0 || high <= low {
		return ""
	}
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	var others string
	if len(names) > mostWorkers {
		others = cli.Plural(len(names)-mostWorkers+1, "other")
		names = append(names[:mostWorkers-1], others)
	}
	at := map[string]int{}
	for i, name := range names {
		at[name] = i
	}
	trials, busy := make([][timeParts]int, len(names)), make([][timeParts]float64, len(names))
	part := float64(high-low) / timeParts
	for i := range s.kept {
		t := &s.kept[i]
		if t.began == 0 {
			continue
		}
		row, known := at[t.worker]
		if !known {
			row = at[others]
		}
		k := min(int(float64(t.ended()-low)/part), timeParts-1)
		trials[row][k]++
		busy[row][k] += float64(t.seconds)
	}
	first := time.UnixMicro(low).UTC()
	b := draw.Busy{Title: "Trials answered over time, by worker", Low: 0, High: float64(high-low) / 1e6}
	b.X.Text = func(v float64) string { return cli.Duration(time.Duration(v * float64(time.Second))) }
	for i, name := range names {
		row := draw.BusyRow{Name: cmp.Or(name, "no name")}
		for k := range timeParts {
			row.Amounts = append(row.Amounts, float64(trials[i][k]))
			when := first.Add(time.Duration(float64(k) * part * float64(time.Microsecond)))
			row.Texts = append(row.Texts, fmt.Sprintf("%s: %s, %s of work", when.Format(time.TimeOnly), cli.Plural(trials[i][k], "trial"), signs(cli.Quantity(busy[i][k], "s"))))
		}
		b.Rows = append(b.Rows, row)
	}
	return inline(b.Inline)
}

// ended is when a trial was answered, in µs since 1970.
func (t *kept) ended() int64 { return t.began + int64(float64(t.seconds)*1e6) }

// drawSlices draw the best feasible trial at each level of a parameter, and the range of
// the middle half of them.
func (s *snapshot) drawSlices() []template.HTML {
	maximize := s.objective().Goal == "maximize"
	metric := s.spec.MetricIndex(s.objective().Metric)
	var all []draw.Slice
	for i, p := range s.params {
		values := make([][]float64, p.Len())
		for k := range s.kept {
			t := &s.kept[k]
			if v := t.value(metric); t.kind == kindFeasible && !math.IsNaN(v) && int(t.levels[i]) < p.Len() {
				values[t.levels[i]] = append(values[t.levels[i]], v)
			}
		}
		one := draw.Slice{Name: p.Name, Here: -1, Y: s.sliceAxis()}
		for k, of := range values {
			v := p.Value(k)
			l := draw.SliceLevel{Name: levelText(v, p.Unit), Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
			if n := len(of); n > 0 {
				slices.Sort(of)
				l.Value, l.Low, l.High = of[0], of[n/4], of[(3*n)/4]
				if maximize {
					l.Value = of[n-1]
				}
			}
			one.Levels = append(one.Levels, l)
		}
		all = append(all, one)
	}
	return sliceDrawings(all)
}
