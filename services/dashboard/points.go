package dashboard

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/services/cli"
)

// maxPoints are drawn by a browser; of more every n-th is. Values have pointDigits more
// digits than all of their axis share: the page stays small.
const maxPoints, pointDigits = maxDots, 4

// PointsAnswer is the trials of a run as charts take them: a column per axis.
type PointsAnswer struct {
	Axes []PointAxis `json:"axes"`
	// Of is how many trials there are. Of more than 2,000 every n-th is here, and the best.
	// Values are rounded for a picture. Trials, Kinds and every row of Columns have the same
	// length.
	Of      int          `json:"of"`
	Trials  []int        `json:"trials"`
	Kinds   []string     `json:"kinds"`
	Columns [][]*float64 `json:"columns"` // null where there is no value; a parameter's is its level
}

// PointAxis is a metric with the scales that people read it in, the largest first, or a
// parameter with its levels.
type PointAxis struct {
	Name   string      `json:"name"`
	Short  string      `json:"short"`
	Unit   string      `json:"unit,omitempty"`
	Levels []string    `json:"levels,omitempty"`
	Scales []cli.Scale `json:"scales,omitempty"`
}

func (s *Server) apiPoints(w http.ResponseWriter, r *http.Request) {
	shot := s.shot(w, r)
	if shot == nil {
		return
	}
	if done := s.mayDraw(r); done != nil {
		a := shot.points()
		done()
		answer(w, r, a)
	}
}

func (s *snapshot) points() PointsAnswer {
	a := PointsAnswer{Of: len(s.kept), Axes: []PointAxis{}, Trials: []int{}, Kinds: []string{}, Columns: [][]*float64{}}
	for _, p := range s.spec.Parameters {
		axis := PointAxis{Name: p.Name, Short: p.Name, Unit: p.Unit, Levels: append([]string{}, p.Labels...)}
		for _, v := range p.Values {
			axis.Levels = append(axis.Levels, signs(cli.Quantity(v, p.Unit)))
		}
		a.Axes = append(a.Axes, axis)
	}
	for _, m := range s.spec.Metrics {
		axis := PointAxis{Name: m.Name, Short: m.Short(), Unit: m.Unit, Scales: cli.Scales(m.Unit)}
		for i := range axis.Scales {
			axis.Scales[i].Unit = unitSigns(axis.Scales[i].Unit)
		}
		a.Axes = append(a.Axes, axis)
	}
	for range a.Axes {
		a.Columns = append(a.Columns, []*float64{})
	}
	step := max(1, (len(s.kept)+maxPoints-1)/maxPoints)
	best := map[int]bool{}
	for _, b := range s.answer {
		best[b.Trial] = true
	}
	for i := range s.kept {
		t := &s.kept[i]
		if i%step != 0 && !best[t.trial] {
			continue
		}
		a.Trials, a.Kinds = append(a.Trials, t.trial), append(a.Kinds, t.kind)
		for k := range a.Axes {
			var cell *float64
			if v := s.coordinate(t, k); !math.IsNaN(v) {
				cell = &v
			}
			a.Columns[k] = append(a.Columns[k], cell)
		}
	}
	for k := range a.Columns {
		round(a.Columns[k])
	}
	return a
}

// round keeps pointDigits more digits of values than all of them share.
func round(column []*float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range column {
		if v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	digits := pointDigits
	if of := max(math.Abs(low), math.Abs(high)) / (high - low); of > 1 {
		const most = 17 // tell any two values apart
		digits = int(min(most, pointDigits+math.Floor(math.Log10(of))))
	}
	for _, v := range column {
		if v == nil {
			continue
		}
		if r, err := strconv.ParseFloat(strconv.FormatFloat(*v, 'g', digits, 64), 64); err == nil {
			*v = r
		}
	}
}

// coordinate is the place of a trial on an axis of PointsAnswer.
func (s *snapshot) coordinate(t *kept, axis int) float64 {
	if params := len(s.spec.Parameters); axis >= params {
		return t.value(axis - params)
	}
	if int(t.levels[axis]) >= s.params[axis].Len() {
		return math.NaN()
	}
	return float64(t.levels[axis])
}

// interval is what trials of the table must lie in, by a metric or by the levels of
// a parameter: "in=latency_s:0.0001:0.0002".
type interval struct {
	text, name string
	low, high  float64
}

// mostIntervals is how many intervals narrow a table.
const mostIntervals = 32

func readIntervals(words []string) (out []interval) {
	for _, text := range words[:min(len(words), mostIntervals)] {
		part := strings.Split(text, ":")
		if len(part) != 3 {
			continue
		}
		low, err := strconv.ParseFloat(part[1], 64)
		high, err2 := strconv.ParseFloat(part[2], 64)
		if err == nil && err2 == nil {
			out = append(out, interval{text, part[0], low, high})
		}
	}
	return out
}

// column finds the values of a name; false where the study has none.
func column(spec *events.Spec, name string) (value func(*kept) float64, known bool) {
	if i := spec.MetricIndex(name); i >= 0 {
		return func(t *kept) float64 { return t.value(i) }, true
	}
	for i, p := range spec.Parameters {
		if p.Name == name {
			return func(t *kept) float64 { return float64(t.levels[i]) }, true
		}
	}
	return nil, false
}

// describe says what an interval keeps.
func (n *interval) describe(spec *events.Spec) string {
	if i := spec.MetricIndex(n.name); i >= 0 {
		m := spec.Metrics[i]
		switch {
		case n.low <= -openEnd:
			return m.Short() + " at most " + amount(n.high, m.Unit)
		case n.high >= openEnd:
			return m.Short() + " at least " + amount(n.low, m.Unit)
		}
		return fmt.Sprintf("%s %s – %s", m.Short(), amount(n.low, m.Unit), amount(n.high, m.Unit))
	}
	for _, p := range spec.Parameters {
		low, high := int(math.Ceil(n.low)), int(math.Floor(n.high))
		if p.Name != n.name || low > high || low < 0 || high >= max(len(p.Values), len(p.Labels)) {
			continue
		}
		if len(p.Labels) > 0 {
			return p.Name + " " + p.Labels[low] + " – " + p.Labels[high]
		}
		return fmt.Sprintf("%s %s – %s", p.Name, signs(cli.Quantity(p.Values[low], p.Unit)), signs(cli.Quantity(p.Values[high], p.Unit)))
	}
	return n.text
}
