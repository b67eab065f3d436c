package peer

import (
	"errors"
	"math"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// ask is one ask under way.
type ask struct {
	s          *Strategy
	n          int
	left       int                // free checks
	rejections int                // suggestions that were refused
	taken      map[space.Key]bool // pending and accepted points
	out        []optimizer.Proposal
}

// run talks with the program until there are enough proposals, or it has used
// up its tries. The error is a *Failure.
func (a *ask) run() error {
	s := a.s
	s.timeout() // one for the whole ask: checks take the program's time
	lines := s.outbox
	if len(s.news) > 0 {
		lines = append(lines, line(tellLine{"tell", s.news}))
	}
	s.outbox, s.news = nil, nil
	if err := s.send(append(lines, line(askLine{"ask", a.n}))...); err != nil {
		return err
	}
	for {
		h, err := s.receive()
		if err != nil {
			return err
		}
		var answer []byte
		switch h.Op {
		case "check":
			answer = a.check(h.Designs)
		case "suggest":
			refused, err := a.suggested(h.Trials)
			if err != nil {
				return err
			}
			if len(refused) == 0 || len(a.out) == a.n || a.rejections >= maxRejections*a.n {
				return nil
			}
			answer = append(line(rejectedLine{"rejected", refused}), line(askLine{"ask", a.n - len(a.out)})...)
		case "error":
			return &Failure{codeError, h.Message}
		default:
			return protocol("the operation %q is none of check, suggest and error", h.Op)
		}
		if err := s.send(answer); err != nil {
			return err
		}
	}
}

// check answers which designs are legal, as far as the cap goes.
func (a *ask) check(designs [][]any) []byte {
	s := a.s
	l := checkedLine{Op: "checked", Legal: make([]*bool, len(designs)), Features: make([][]*float64, len(designs))}
	for i, design := range designs {
		if a.left == 0 {
			s.stats.Refused += len(designs) - i
			break
		}
		a.left--
		s.stats.Checks++
		p, ok := s.exact(design)
		legal := ok && (s.problem.Legal == nil || s.problem.Legal(p))
		l.Legal[i] = &legal
		if ok && s.problem.Features != nil {
			l.Features[i] = nullable(s.problem.Features(p))
		}
	}
	l.Left = a.left
	return line(l)
}

// nullable turns what JSON lacks into null.
func nullable(values []float64) []*float64 {
	out := make([]*float64, len(values))
	for i := range values {
		if !math.IsNaN(values[i]) && !math.IsInf(values[i], 0) {
			out[i] = &values[i]
		}
	}
	return out
}

// suggested takes what is acceptable and returns what is not.
func (a *ask) suggested(trials []suggestedDesign) ([]rejectedItem, error) {
	s := a.s
	var refused []rejectedItem
	for _, t := range trials {
		if len(a.out) == a.n {
			break
		}
		p, err := s.point(t.Params)
		if err != nil {
			return nil, protocol("suggestion %q: %v", t.ID, err)
		}
		if s.moved(t.Params, p) {
			s.stats.Moved++
		}
		key := s.problem.Space.Key(p)
		switch {
		case s.tried[key] || a.taken[key]:
			s.stats.Duplicate++
			refused = append(refused, rejectedItem{t.ID, "duplicate"})
		case s.problem.Legal != nil && !s.problem.Legal(p):
			s.stats.Illegal++
			refused = append(refused, rejectedItem{t.ID, "illegal"})
		default:
			a.taken[key] = true
			s.open[key] = t.ID
			a.out = append(a.out, optimizer.Proposal{Point: p, Origin: s.c.Label})
		}
	}
	a.rejections += len(refused)
	return refused, nil
}

// moved reports whether a number is not the level that was taken for it.
func (s *Strategy) moved(params map[string]any, p space.Point) bool {
	for i, v := range s.problem.Space.Values(p) {
		if got, ok := params[s.problem.Space.Param(i).Name].(float64); ok && got != v.Num {
			return true
		}
	}
	return false
}

// complete adds one random design where the program gave none: an ask answers
// with at least one.
func (a *ask) complete(at uint64, pending []space.Point) ([]optimizer.Proposal, error) {
	if len(a.out) > 0 {
		return a.out, nil
	}
	proposals, err := a.s.random.Ask(at, 1, pending)
	if err != nil {
		if !errors.Is(err, optimizer.ErrExhausted) && !errors.Is(err, optimizer.ErrGaveUp) {
			a.s.fail(err)
		}
		return nil, err
	}
	a.s.stats.Replaced += len(proposals)
	for i := range proposals {
		proposals[i].Origin = a.s.c.Label + "/random"
	}
	return proposals, nil
}
