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
	mu    sync.Mutex // guards what follows
	bound map[identity]weak.Pointer[shared]
	// binding holds those that are being bound, closed when they are: that may take
	// seconds, and who asks something else does not wait for it.
	binding map[identity]chan struct{}
}

// identity is all that an evaluator is bound to.
type identity [sha256.Size]byte

// shared is an evaluator that several may hold.
type shared struct {
	evaluator.Evaluator
	evaluator.Checker
}

// NewShared returns the sharing of no evaluator.
func NewShared() *Shared {
	return &Shared{bound: map[identity]weak.Pointer[shared]{}, binding: map[identity]chan struct{}{}}
}

// bind returns the evaluator of a study that somebody holds, or the one that make makes.
func (s *Shared) bind(spec *events.Spec, params []space.Param, make func() (evaluator.Evaluator, error)) (evaluator.Evaluator, error) {
	text, err := json.Marshal([]any{spec.Template, params, spec.Networks, spec.Search, spec.MapperGoal(), spec.Measured()})
	if err != nil {
		return make() // what has no text is nobody else's
	}
	key := identity(sha256.Sum256(text))
	if held := s.heldOrMine(key); held != nil {
		return held, nil
	}
	var one *shared
	defer func() { s.settle(key, one) }()
	e, err := make()
	checker, ok := e.(evaluator.Checker)
	if err != nil || !ok {
		return e, err
	}
	one = &shared{e, checker}
	runtime.AddCleanup(one, s.drop, key)
	return one, nil
}

// heldOrMine returns the evaluator that somebody holds, once nobody binds it any more; nil
// where the caller is to bind it, and to say so with settle.
func (s *Shared) heldOrMine(key identity) *shared {
	for {
		s.mu.Lock()
		held, busy := s.bound[key].Value(), s.binding[key]
		if held == nil && busy == nil {
			s.binding[key] = make(chan struct{})
		}
		s.mu.Unlock()
		if held != nil || busy == nil {
			return held
		}
		<-busy
	}
}

// settle ends the binding of an evaluator; nil is one that cannot be shared.
func (s *Shared) settle(key identity, one *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one != nil {
		s.bound[key] = weak.Make(one)
	}
	close(s.binding[key])
	delete(s.binding, key)
}

// drop forgets an evaluator that nobody holds, unless it was bound anew meanwhile.
func (s *Shared) drop(key identity) {
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
