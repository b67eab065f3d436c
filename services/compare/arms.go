package compare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"apollo/services/cli"
)

// Confidence is what the interval of a median has, where there are studies enough: six.
const Confidence = 0.95

// Arm is the studies that differ in their seeds alone: one search, several times.
type Arm struct {
	Name string `json:"name"`
	// Studies are those of it, by their names in the comparison.
	Studies []string `json:"studies"`
	// Curve is the median of the values so far after a number of trials, where it changes, as
	// far as all of them have gone; it begins when half of them have one.
	Curve []Point `json:"curve"`
	// Best is the median of their best values, or of their hypervolumes; null where half
	// of them have none.
	Best *Spread `json:"best" jsonschema:"nullable"`
	// ToLevel is the median of the trials that they needed to reach Level; null where half
	// of them did not.
	ToLevel *Spread `json:"trials_to_level" jsonschema:"nullable"`
	// Won is how many of the pairs with a study of another arm it won, with as many trials
	// as both have; a draw is half a win.
	Won   float64 `json:"won"`
	Pairs int     `json:"pairs"`
}

// Spread is a median with an interval for that of all seeds: two of the values, by their
// order, which hold it with the confidence, whatever the values are distributed like.
type Spread struct {
	Median float64 `json:"median"`
	// Low and High are null where there is one study, and where that end is a study that
	// has no value.
	Low  *float64 `json:"low" jsonschema:"nullable"`
	High *float64 `json:"high" jsonschema:"nullable"`
	// Confidence is 0.95 or more with six studies or more. With fewer the interval is all
	// of the values, and its confidence is less.
	Confidence float64 `json:"confidence"`
}

// findArms groups the studies by what they are but for their seeds.
func (r *Report) findArms(studies []*Study) {
	at, seeds := map[string]int{}, map[armSeed]bool{}
	for i, c := range studies {
		key := armKey(c)
		for seed := (armSeed{key, c.Spec.Seed}); seeds[seed]; seed.key = key {
			key += "again" // a seed that is there twice tells nothing new
		}
		seeds[armSeed{key, c.Spec.Seed}] = true
		if _, known := at[key]; !known {
			at[key] = len(r.Arms)
			r.Arms = append(r.Arms, Arm{})
		}
		a := &r.Arms[at[key]]
		a.Studies = append(a.Studies, c.name)
		r.Studies[i].Arm = at[key]
	}
	r.nameArms()
	for i := range r.Arms {
		a := &r.Arms[i]
		var best, trials []float64
		for k := range r.Studies {
			if s := &r.Studies[k]; s.Arm == i {
				best, trials = append(best, r.score(s.Value)), append(trials, countScore(s.TrialsToLevel))
			}
		}
		a.Best, a.ToLevel = r.turned(spreadOf(best)), spreadOf(trials)
		a.Curve = r.medianCurve(i)
		r.duel(i)
	}
}

// medianCurve is the median of the curves of an arm.
func (r *Report) medianCurve(arm int) []Point {
	var of []*StudyReport
	var changes []int
	last := math.MaxInt
	for i := range r.Studies {
		if s := &r.Studies[i]; s.Arm == arm {
			of, last = append(of, s), min(last, s.Trials)
			for _, p := range s.Curve {
				changes = append(changes, p.Trials)
			}
		}
	}
	slices.Sort(changes)
	curve := []Point{}
	for _, trials := range slices.Compact(changes) {
		if trials > last {
			break
		}
		var scores []float64
		for _, s := range of {
			scores = append(scores, r.score(s.after(trials)))
		}
		if median := spreadOf(scores); median != nil {
			v := r.shown(median.Median)
			if n := len(curve); n == 0 || curve[n-1].Value != v {
				curve = append(curve, Point{trials, v})
			}
		}
	}
	return curve
}

// armSeed is a seed of an arm.
type armSeed struct {
	key  string
	seed uint64
}

// armKey is what studies of an arm have in common.
func armKey(c *Study) string {
	bare := c.Spec.WithoutNotes()
	bare.Study, bare.Seed = "", 0
	b, err := json.Marshal(bare)
	if err != nil {
		return c.name
	}
	return string(b)
}

// nameArms names each arm after what its studies' names begin with: without the digits at
// its end, or with those of whole numbers where two arms would be one, or after the first study.
func (r *Report) nameArms() {
	seen := map[string]int{}
	for _, a := range r.Arms {
		seen[armName(a.Studies, false)]++
	}
	taken := map[string]bool{}
	for i := range r.Arms {
		a := &r.Arms[i]
		a.Name = armName(a.Studies, false)
		if seen[a.Name] > 1 {
			a.Name = armName(a.Studies, true)
		}
		if taken[a.Name] {
			a.Name = a.Studies[0]
		}
		taken[a.Name] = true
	}
}

const digits = "0123456789"

// armName is what the names of studies begin with, or that of the first.
func armName(names []string, numbered bool) string {
	common := names[0]
	for _, name := range names[1:] {
		for !strings.HasPrefix(name, common) {
			common = common[:len(common)-1]
		}
	}
	if len(names) == 1 {
		return common
	}
	within := slices.ContainsFunc(names, func(name string) bool {
		return strings.IndexAny(name[len(common):], digits) == 0
	})
	switch {
	case !numbered:
		common = strings.TrimRight(common, "-_./"+digits)
	case within: // a number: what is common of it says nothing
		common = strings.TrimRight(common, digits)
	}
	return cmp.Or(strings.TrimRight(common, "-_./"), names[0])
}

// score is a value that is smaller where it is better; +Inf for none.
func (r *Report) score(v *float64) float64 {
	if v == nil {
		return math.Inf(1)
	}
	return r.shown(*v)
}

func countScore(n *int) float64 {
	if n == nil {
		return math.Inf(1)
	}
	return float64(*n)
}

// turned is a spread of scores as one of the numbers that people know.
func (r *Report) turned(s *Spread) *Spread {
	if s == nil || r.shown(1) > 0 {
		return s
	}
	minus := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		return new(-*v)
	}
	return &Spread{-s.Median, minus(s.High), minus(s.Low), s.Confidence}
}

// spreadOf is the median of values with its interval: the k-th smallest and the k-th
// largest hold the median of all with 1 - 2 P(B < k), where B counts heads of as many fair
// coins as there are values. nil where the median is none.
func spreadOf(values []float64) *Spread {
	n := len(values)
	slices.Sort(values)
	median := (values[(n-1)/2] + values[n/2]) / 2
	if math.IsInf(median, 1) {
		return nil
	}
	s := &Spread{Median: median}
	if n == 1 {
		return s
	}
	k, below, term := 0, 0.0, math.Pow(0.5, float64(n)) // below is P(B < k), term P(B = k)
	for k+1 <= n/2 && (k == 0 || 1-2*(below+term) >= Confidence) {
		below += term
		k++
		term *= float64(n-k+1) / float64(k)
	}
	s.Confidence = 1 - 2*below
	finite := func(v float64) *float64 {
		if math.IsInf(v, 1) {
			return nil
		}
		return &v
	}
	s.Low, s.High = finite(values[k-1]), finite(values[n-k])
	return s
}

// duel counts the pairs of an arm's studies with those of others.
func (r *Report) duel(arm int) {
	a := &r.Arms[arm]
	for i := range r.Studies {
		for k := range r.Studies {
			own, other := &r.Studies[i], &r.Studies[k]
			if own.Arm != arm || other.Arm == arm {
				continue
			}
			trials := min(own.Trials, other.Trials)
			a.Pairs++
			switch c := cmp.Compare(r.score(own.after(trials)), r.score(other.after(trials))); {
			case c < 0:
				a.Won++
			case c == 0:
				a.Won += 0.5
			}
		}
	}
}

// after is the value after a number of trials; nil for none.
func (s *StudyReport) after(trials int) (v *float64) {
	for i := range s.Curve {
		if s.Curve[i].Trials <= trials {
			v = &s.Curve[i].Value
		}
	}
	return v
}

// Repeated reports whether an arm has several studies.
func (r *Report) Repeated() bool {
	return slices.ContainsFunc(r.Arms, func(a Arm) bool { return len(a.Studies) > 1 })
}

// SpreadText is a median with its interval for people; value writes one number.
func SpreadText(s *Spread, value func(float64) string) (median, interval string) {
	if s == nil {
		return "-", "-"
	}
	median, interval = value(s.Median), "-"
	if s.Confidence > 0 {
		end := func(v *float64) string {
			if v == nil {
				return "none"
			}
			return value(*v)
		}
		interval = end(s.Low) + " to " + end(s.High)
	}
	return median, interval
}

// ConfidenceText is the confidence of an arm's intervals.
func (a *Arm) ConfidenceText() string {
	if a.Best == nil || a.Best.Confidence == 0 {
		return "-"
	}
	return cli.Percent(a.Best.Confidence)
}

// WonText is how many pairs an arm won.
func (a *Arm) WonText() string {
	if a.Pairs == 0 {
		return "-"
	}
	return fmt.Sprintf("%s of %s", cli.Significant(a.Won), cli.Count(a.Pairs))
}

// TrialsText writes a median of trials.
func TrialsText(v float64) string {
	if v != math.Trunc(v) {
		return fmt.Sprintf("%.1f", v)
	}
	return cli.Count(int(v))
}

// armsText prints the arms where one has several studies.
func (r *Report) armsText(w io.Writer, p cli.Paint) {
	if !r.Repeated() {
		return
	}
	fmt.Fprintln(w)
	g := &cli.Grid{Header: []string{"ARM", ">SEEDS", ">BEST", ">INTERVAL", ">TO REACH", ">INTERVAL", ">SURE", ">WON"}}
	for i := range r.Arms {
		a := &r.Arms[i]
		best, within := SpreadText(a.Best, func(v float64) string { return r.ValueText(&v) })
		trials, between := SpreadText(a.ToLevel, TrialsText)
		g.Add(a.Name, cli.Count(len(a.Studies)), best, within, trials, between, a.ConfidenceText(), a.WonText())
	}
	g.Text(w, p)
	fmt.Fprintln(w, "\narm: studies that differ in their seeds alone; medians, with intervals that hold that of all seeds as surely as is said")
}
