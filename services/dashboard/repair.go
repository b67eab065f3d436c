package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
	// repairTime is how long a page waits for repairs; those that come later are told.
	repairTime = time.Second
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
	turn chan struct{} // who has its token looks for a repair
	tell func()        // that there is one more

	mu      sync.Mutex // guards all below
	found   map[string]repair
	example map[string]int
	looking chan struct{} // closed when all examples were looked at; nil while nobody does
}

func newRepairs(tell func()) *repairs {
	return &repairs{turn: make(chan struct{}, 1), tell: tell, found: map[string]repair{}, example: map[string]int{}}
}

func (k *repairs) of(levels []int) (found repair, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, known = k.found[fmt.Sprint(levels)]
	return found, known
}

func (k *repairs) remember(levels []int, found repair) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.found) >= mostFound {
		clear(k.found)
	}
	k.found[fmt.Sprint(levels)] = found
}

// repairOf returns the smallest repair of a design that is not feasible: looked for once,
// whoever asks. A request may evaluate only while it looks, so that who waits for its turn
// keeps nobody from another page.
func (s *Server) repairOf(r *http.Request, shot *snapshot, levels []int) (repair, error) {
	known := shot.repairs
	if found, there := known.of(levels); there {
		return found, nil
	}
	select {
	case known.turn <- struct{}{}:
		defer func() { <-known.turn }()
	case <-r.Context().Done():
		return repair{}, r.Context().Err()
	}
	if found, there := known.of(levels); there { // by who had the turn before
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
	known.remember(levels, found)
	return found, nil
}

// exampleOf is the trial of a cause whose repair is shown: the first that was the last of
// its cause when somebody asked, as long as it is kept and fails.
func (k *repairs) exampleOf(shot *snapshot, cause *Tallied) *kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, there := k.example[cause.Code]; there {
		if t := shot.trial(n); t != nil && (t.cause == cause.Code || cause.Code == otherKinds && t.cause != "") {
			return t
		}
	}
	k.example[cause.Code] = cause.Last
	return shot.trial(cause.Last)
}

// repairRows adds the smallest repair of an example to each of the first causes, where a
// template of this build measures the study, and returns how many are still looked for: a
// page does not wait for them, and is told of each.
func (s *Server) repairRows(r *http.Request, shot *snapshot, causes []tallyRow) (left int) {
	if !inspect.Known(shot.spec) {
		return 0
	}
	causes = causes[:min(len(causes), mostRepairs)]
	examples := make([][]int, len(causes))
	for i := range causes {
		if t := shot.repairs.exampleOf(shot, &causes[i].Tallied); t != nil && t.kind != kindFailed && t.kind != kindStopped {
			examples[i], _ = shot.changed(t, nil)
			causes[i].Example = t.trial
		}
	}
	limit := time.NewTimer(repairTime)
	defer limit.Stop()
	select {
	case <-s.lookForAll(r, shot, examples):
	case <-limit.C:
	case <-r.Context().Done():
	}
	for i, levels := range examples {
		if levels == nil {
			continue
		}
		found, known := shot.repairs.of(levels)
		if causes[i].Repair = found.text; !known {
			left++
		}
	}
	return left
}

// lookForAll has the smallest repairs of designs looked for, unless that is going on. The
// channel that it returns is closed when that is over.
func (s *Server) lookForAll(r *http.Request, shot *snapshot, designs [][]int) <-chan struct{} {
	known := shot.repairs
	done := make(chan struct{})
	if !slices.ContainsFunc(designs, func(levels []int) bool { _, there := known.of(levels); return levels != nil && !there }) {
		close(done)
		return done
	}
	r = r.Clone(s.ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.looking != nil {
		return known.looking
	}
	known.looking = done
	s.reading.Go(func() {
		defer func() {
			known.mu.Lock()
			known.looking = nil
			known.mu.Unlock()
			close(done)
		}()
		for _, levels := range designs {
			if _, there := known.of(levels); levels == nil || there {
				continue
			}
			if _, err := s.repairOf(r, shot, levels); r.Context().Err() != nil {
				return
			} else if err != nil {
				known.remember(levels, repair{}) // it is none of the space: there is nothing to say
			}
			known.tell()
		}
	})
	return done
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
	steps, whole, err := subject.SmallestRepair(ctx, subject.Point(design), mostLooks)
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
		parts = append(parts, step.Param.Name+" "+levelText(step.From, step.Param.Unit)+" → "+levelText(step.To, step.Param.Unit))
		out.words = append(out.words, levelWord+step.Param.Name, strconv.Itoa(level))
	}
	if out.text = strings.Join(parts, " and "); !whole {
		out.text += " (" + some + ")"
	}
	return out
}
