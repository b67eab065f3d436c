package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"apollo/optimizer/space"
	"apollo/services/inspect"
)

// Bounds on the smallest repairs of a run. A repair takes an evaluation of each change by
// a level, then of each pair, as far as mostLooks goes: some seconds on spatial, which has
// 77 changes and 1,029 pairs; the other templates have 130 of both at most.
const (
	mostLooks   = 300
	mostRepairs = 12  // causes whose repair is looked for
	mostFound   = 256 // designs whose repair is remembered
)

// repair says what makes a design feasible, and the address of the design after it; words
// is empty where nothing was found.
type repair struct {
	text  string
	words []string
}

// repairs remembers the smallest repairs of a run's designs, and the trial of each cause
// that is its example: later ones take no new evaluations.
type repairs struct {
	turn    chan struct{} // a token guards all below; who has it may wait to evaluate
	found   map[string]repair
	example map[string]int
}

func newRepairs() *repairs {
	return &repairs{turn: make(chan struct{}, 1), found: map[string]repair{}, example: map[string]int{}}
}

// repairOf returns the smallest repair of a design that is not feasible: looked for once,
// whoever asks. A request may evaluate only while it looks, so that who waits for its turn
// keeps nobody from another page.
func (s *Server) repairOf(r *http.Request, shot *snapshot, levels []int) (repair, error) {
	known := shot.repairs
	select {
	case known.turn <- struct{}{}:
		defer func() { <-known.turn }()
	case <-r.Context().Done():
		return repair{}, r.Context().Err()
	}
	key := fmt.Sprint(levels)
	if found, there := known.found[key]; there {
		return found, nil
	}
	if !s.admit(r) {
		return repair{}, r.Context().Err()
	}
	defer s.leave()
	found, err := shot.smallestRepair(r.Context(), levels)
	if err != nil {
		return repair{}, err
	}
	if len(known.found) >= mostFound {
		clear(known.found)
	}
	known.found[key] = found
	return found, nil
}

// exampleOf is the trial of a cause whose repair is shown: the first that was the last of
// its cause when somebody asked, as long as it is kept and fails.
func (s *Server) exampleOf(r *http.Request, shot *snapshot, cause *Tallied) *kept {
	known := shot.repairs
	select {
	case known.turn <- struct{}{}:
		defer func() { <-known.turn }()
	case <-r.Context().Done():
		return nil
	}
	if n, there := known.example[cause.Code]; there {
		if t := shot.trial(n); t != nil && (t.cause == cause.Code || cause.Code == otherKinds && t.cause != "") {
			return t
		}
	}
	known.example[cause.Code] = cause.Last
	return shot.trial(cause.Last)
}

// repairRows adds the smallest repair of an example to each of the first causes, where a
// template of this build measures the study.
func (s *Server) repairRows(r *http.Request, shot *snapshot, causes []tallyRow) {
	if !inspect.Known(shot.spec) {
		return
	}
	for i := range causes[:min(len(causes), mostRepairs)] {
		t := s.exampleOf(r, shot, &causes[i].Tallied)
		if t == nil || t.kind == kindFailed {
			continue
		}
		levels, _ := shot.changed(t, nil)
		found, err := s.repairOf(r, shot, levels)
		if r.Context().Err() != nil {
			return
		}
		if err == nil {
			causes[i].Repair, causes[i].Example = found.text, t.trial
		}
	}
}

// smallestRepair looks for the smallest repair of a design.
func (s *snapshot) smallestRepair(ctx context.Context, levels []int) (repair, error) {
	design, known := s.designOf(levels)
	if !known {
		return repair{}, fmt.Errorf("the design has a value that the study's space does not have")
	}
	subject, err := inspect.Of(s.spec)
	if err != nil {
		return repair{}, err
	}
	// The levels are those of the study, in the order of the template.
	params := slices.Clone(subject.Template.Template().Params)
	for i := range params {
		if k := slices.IndexFunc(s.params, func(p space.Param) bool { return p.Name == params[i].Name }); k >= 0 {
			params[i] = s.params[k]
		}
	}
	steps, whole, err := subject.SmallestRepair(ctx, params, subject.Point(design), mostLooks)
	if err != nil {
		return repair{}, err
	}
	return s.repairText(steps, whole), nil
}

// repairText says steps, and whether there may be better ones.
func (s *snapshot) repairText(steps []inspect.Step, whole bool) (out repair) {
	const some = "not every pair of changes was looked at"
	switch {
	case len(steps) == 0 && whole:
		return repair{text: "none of one or two parameters by one level"}
	case len(steps) == 0:
		return repair{text: "none found by one level: " + some}
	}
	var parts []string
	for _, step := range steps {
		k := slices.IndexFunc(s.params, func(p space.Param) bool { return p.Name == step.Param.Name })
		level, on := step.Param.Level(step.To)
		if k < 0 || !on {
			continue
		}
		parts = append(parts, step.Param.Name+" "+levelText(step.From.Label, step.From.Num, step.Param.Unit)+" → "+levelText(step.To.Label, step.To.Num, step.Param.Unit))
		out.words = append(out.words, levelWord+step.Param.Name, strconv.Itoa(level))
	}
	if out.text = strings.Join(parts, " and "); !whole {
		out.text += " (" + some + ")"
	}
	return out
}
