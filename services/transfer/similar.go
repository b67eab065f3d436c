package transfer

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"apollo/archiver"
	"apollo/events"
)

const (
	// maxFound is how many studies the archive's search chooses; chosen: seeds
	// of more sources than that would use up a short study.
	maxFound = 5
	// minTrials is the smallest study that is worth learning from; chosen: it
	// is the number of trials that strategies start with.
	minTrials = 10
	// minShared is the share of this study's free parameters that a source must
	// know; chosen: with fewer its designs are mostly filled in.
	minShared = 0.5
	// otherEvaluator is what a source is worth less when another evaluator or
	// version measured it; chosen.
	otherEvaluator = 0.5
)

// Ranked is a study of the archive as a source of another one.
type Ranked struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	// Score is the order: 1 for the same measurement, towards 0 with fewer
	// shared parameters and less similar networks. It is 0 where Chosen is
	// false for a reason that is no matter of degree.
	Score float64 `json:"score"`
	// Chosen: it is one of the best few.
	Chosen bool `json:"chosen"`
	// Why says in words what speaks for it, or what against it.
	Why string `json:"why"`

	accepted int64
}

// Rank orders the studies of an archive by their similarity to the target,
// most similar first, ties to the later one, and chooses the first few. named
// are studies that are sources already.
func (l *Learner) Rank(studies []archiver.LoggedStudy, named map[string]bool) []Ranked {
	out := make([]Ranked, 0, len(studies))
	for i := range studies {
		s := &studies[i]
		r := Ranked{Study: s.Study, Run: s.Run, accepted: s.Accepted.UnixMicro()}
		if against := l.against(s, named); against != "" {
			r.Why = against
		} else {
			r.Score, r.Why = l.similarity(s.Spec)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.accepted, a.accepted), cmp.Compare(a.Study, b.Study))
	})
	for i := range out[:min(len(out), maxFound)] {
		out[i].Chosen = out[i].Score > 0
	}
	for i := range out {
		if out[i].Score > 0 && !out[i].Chosen {
			out[i].Why = fmt.Sprintf("%d are more similar (%s)", maxFound, out[i].Why)
		}
	}
	return out
}

// against says why a study cannot be a source, or "".
func (l *Learner) against(s *archiver.LoggedStudy, named map[string]bool) string {
	switch {
	case s.Study == l.target.Spec.Study:
		return "it is this study"
	case named[s.Study]:
		return "the study names it already"
	case s.Err != nil:
		return s.Err.Error()
	case s.Trials < minTrials:
		return fmt.Sprintf("it has %d trials, fewer than %d", s.Trials, minTrials)
	}
	m, err := l.match(columnsOf(s.Spec))
	if err != nil {
		return err.Error()
	}
	if _, err := l.use(m, s.Spec); err != nil {
		return err.Error()
	}
	if known, free := l.shared(m); float64(known) < minShared*float64(free) {
		return fmt.Sprintf("it knows %d of %d parameters", known, free)
	}
	return ""
}

// shared counts this study's free parameters, and those that a source knows.
func (l *Learner) shared(m *mapping) (known, free int) {
	for i, c := range m.params {
		if l.space.Param(i).Len() < 2 {
			continue
		}
		free++
		if c.index >= 0 {
			known++
		}
	}
	return known, free
}

func columnsOf(spec *events.Spec) *archiver.Columns { return archiver.Source{Spec: spec}.Log().Columns }

// similarity scores a study that fits, and says why.
func (l *Learner) similarity(source *events.Spec) (float64, string) {
	m, err := l.match(columnsOf(source))
	if err != nil {
		return 0, err.Error() // against has matched it before
	}
	known, free := l.shared(m)
	score := float64(known) / math.Max(float64(free), 1)
	why := []string{fmt.Sprintf("%d of %d parameters", known, free)}
	spec := l.target.Spec
	switch a, b := l.Features(source), l.workload; {
	case sameNetworks(source.Networks, spec.Networks) && source.Search == spec.Search && len(spec.Networks) > 0:
		why = append([]string{"the same networks"}, why...)
	case a != nil && b != nil:
		similar := workloadSimilarity(a, b)
		score *= similar
		why = append(why, fmt.Sprintf("networks %.0f %% similar", 100*similar))
	case len(spec.Networks) > 0 || len(source.Networks) > 0:
		score *= otherEvaluator
		why = append(why, "other networks")
	}
	if source.Evaluator.Name != spec.Evaluator.Name || source.Evaluator.Version != spec.Evaluator.Version {
		score *= otherEvaluator
		why = append(why, "evaluator "+strings.TrimSpace(source.Evaluator.Name+" "+source.Evaluator.Version))
	}
	return score, strings.Join(why, ", ")
}

// Distance says how far another study is from the target as one to learn from: 0 is the
// same problem. It grows by 1 towards a study that has none of the parameters or other
// networks (see Rank), and by the logarithm of the ratio of each limit; by 1 for a limit
// that only one has.
func (l *Learner) Distance(from *events.Spec) float64 {
	score, _ := l.similarity(from)
	d := 1 - score
	mine, theirs := limitsOf(l.target.Spec), limitsOf(from)
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		a, b := mine[name], theirs[name]
		if _, both := theirs[name]; !both || a*b <= 0 {
			d += btof(!both || a != b)
			continue
		}
		d += math.Abs(math.Log(a / b))
	}
	for name := range theirs {
		if _, both := mine[name]; !both {
			d++
		}
	}
	return d
}

func btof(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// limitsOf are a study's limits by metric and side.
func limitsOf(spec *events.Spec) map[string]float64 {
	limits := map[string]float64{}
	for _, c := range spec.Constraints {
		if c.Max != nil {
			limits["max "+c.Metric] = *c.Max
		}
		if c.Min != nil {
			limits["min "+c.Metric] = *c.Min
		}
	}
	return limits
}

// Course is the order in which studies are run that learn from each other, and from
// which earlier ones each learns, nearest first.
type Course struct {
	Order []int
	From  [][]int
}

// Plan orders studies: the first one first, and then always the one that is nearest to
// any that was before it; ties go to the earlier one. Each learns from the nearest of
// those before it, as many as a search of the archive takes. Studies of different
// chains do not learn from each other.
func Plan(chains []string, distance func(study, from int) float64) Course {
	c := Course{From: make([][]int, len(chains))}
	near := make([]float64, len(chains))
	for i := range near {
		near[i] = math.Inf(1)
	}
	done := make([]bool, len(chains))
	for range chains {
		next := -1
		for i := range chains {
			if !done[i] && (next < 0 || near[i] < near[next]) {
				next = i
			}
		}
		var before []int
		for _, i := range c.Order {
			if chains[i] == chains[next] {
				before = append(before, i)
			}
		}
		slices.SortStableFunc(before, func(a, b int) int { return cmp.Compare(distance(next, a), distance(next, b)) })
		c.From[next] = before[:min(len(before), maxFound)]
		c.Order, done[next] = append(c.Order, next), true
		for i := range chains {
			if !done[i] && chains[i] == chains[next] {
				near[i] = min(near[i], distance(i, next))
			}
		}
	}
	return c
}
