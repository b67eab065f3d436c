package catalog

import (
	"crypto/sha256"
	"encoding/json"
	"runtime"
	"sync"
	"weak"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// Shared is the evaluators that a catalog has bound and that somebody still holds. Studies
// that ask the same of a template have one between them: it is most of what an idle run
// takes.
type Shared struct {
	mu    sync.Mutex // guards bound; held while one is bound, for whoever asks the same next
	bound map[[sha256.Size]byte]weak.Pointer[shared]
}

// shared is an evaluator that several may hold.
type shared struct {
	evaluator.Evaluator
	evaluator.Checker
}

// NewShared returns the sharing of no evaluator.
func NewShared() *Shared { return &Shared{bound: map[[sha256.Size]byte]weak.Pointer[shared]{}} }

// bind returns the evaluator of a study that somebody holds, or the one that make makes.
func (s *Shared) bind(spec *events.Spec, params []space.Param, make func() (evaluator.Evaluator, error)) (evaluator.Evaluator, error) {
	text, err := json.Marshal([]any{spec.Template, params, spec.Networks, spec.Search, spec.MapperGoal(), spec.Measured()})
	if err != nil {
		return make() // what has no text is nobody else's
	}
	key := sha256.Sum256(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if held := s.bound[key].Value(); held != nil {
		return held, nil
	}
	e, err := make()
	checker, ok := e.(evaluator.Checker)
	if err != nil || !ok {
		return e, err
	}
	one := &shared{e, checker}
	s.bound[key] = weak.Make(one)
	runtime.AddCleanup(one, s.drop, key)
	return one, nil
}

// drop forgets an evaluator that nobody holds, unless it was bound anew meanwhile.
func (s *Shared) drop(key [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound[key].Value() == nil {
		delete(s.bound, key)
	}
}

// Len returns how many evaluators are shared.
func (s *Shared) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bound)
}
