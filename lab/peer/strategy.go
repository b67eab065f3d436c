package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/child"
)

// Strategy is a running program. Unlike other strategies it cannot repeat an
// ask: what was suggested is gone, so a search is not resumed in the middle.
type Strategy struct {
	c       Peer
	problem optimizer.Problem
	process *child.Process
	// random proposes in place of a program that has nothing acceptable.
	random optimizer.Strategy
	tried  map[space.Key]bool   // told points, by key
	open   map[space.Key]string // suggested and not told: the program's id
	// outbox holds lines that go out with the next ask.
	outbox [][]byte
	news   []toldLine // the tell that goes out with the next ask
	failed error
	closed bool
	stats  Stats
}

// Stats counts what a program did.
type Stats struct {
	// Checks are designs that were checked for free, Refused those beyond the
	// cap.
	Checks, Refused int
	// Illegal, Duplicate and Moved are suggestions that broke a free check, that
	// were tried before, and whose numbers were no levels.
	Illegal, Duplicate, Moved int
	// Replaced are trials of random designs in place of suggestions.
	Replaced int
}

var _ optimizer.Strategy = (*Strategy)(nil)

// maxRejections is how many suggestions in one ask may be refused before a
// random design is tried in their place. Chosen: a program that checks first
// needs none, one that does not gets a fair number of tries.
const maxRejections = 20

// Stats returns the counts so far.
func (s *Strategy) Stats() Stats { return s.stats }

// Close says "stop", gives the program 2 s to end, and kills what is left. It
// may be called again.
func (s *Strategy) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.failed == nil {
		_ = s.process.SetWriteDeadline(time.Now().Add(grace))
		_ = s.process.Write([]byte(`{"op":"stop"}` + "\n"))
	}
	s.process.Stop(grace)
	return nil
}

// Tell implements optimizer.Strategy: the program hears it before the next ask.
func (s *Strategy) Tell(obs ...optimizer.Observation) {
	for i := range obs {
		o := &obs[i]
		key, ok := s.problem.Space.KeyOf(o.Point)
		if !ok || s.tried[key] {
			continue
		}
		s.tried[key] = true
		s.random.Tell(*o)
		s.news = append(s.news, s.told(o, s.open[key]))
		delete(s.open, key)
	}
}

// Ask implements optimizer.Strategy. A program that fails fails every later ask
// with the same error, a *Failure.
func (s *Strategy) Ask(at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
	switch {
	case s.closed:
		return nil, errors.New("peer: it is closed")
	case n < 1:
		return nil, fmt.Errorf("ask for %d designs: at least 1 is needed", n)
	case s.failed != nil:
		return nil, s.failed
	}
	a := &ask{s: s, n: n, left: n * s.c.Checks, taken: map[space.Key]bool{}}
	for _, p := range pending {
		if key, ok := s.problem.Space.KeyOf(p); ok {
			a.taken[key] = true
		}
	}
	if err := a.run(); err != nil {
		s.fail(err)
		return nil, s.failed
	}
	return a.complete(at, pending)
}

// fail ends the program and remembers why.
func (s *Strategy) fail(err error) {
	if f, ok := errors.AsType[*Failure](err); ok && f.Code == codeProtocol {
		_ = s.process.SetWriteDeadline(time.Now().Add(grace))
		_ = s.process.Write(line(errorLine{"error", f.Message}))
		s.process.Stop(grace)
	} else {
		s.process.Discard()
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		f.Message += s.process.Note()
	}
	s.failed = err
}

// send writes lines, and hear reads one, both before the deadline that Ask set.
func (s *Strategy) send(lines ...[]byte) error {
	for _, l := range lines {
		if err := s.process.Write(l); err != nil {
			return s.broken(err)
		}
	}
	return nil
}

func (s *Strategy) receive() (*received, error) {
	text, err := s.process.ReadLine()
	if err != nil {
		return nil, s.broken(err)
	}
	h := &received{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, protocol("the line %q is not a JSON object of the protocol (%v)", child.Clip(string(text), excerpt), err)
	}
	return h, nil
}

// excerpt is how much of a line is quoted, in bytes.
const excerpt = 200

func protocol(format string, args ...any) error {
	return &Failure{codeProtocol, fmt.Sprintf(format, args...)}
}

// broken says what an error of reading or writing means.
func (s *Strategy) broken(err error) error {
	switch {
	case errors.Is(err, child.ErrTooLong):
		return protocol("a line has more than %d bytes", maxLine)
	case errors.Is(err, os.ErrDeadlineExceeded) && !s.process.Exited():
		return &Failure{codeTimeout, fmt.Sprintf("no answer within %s", s.c.Timeout)}
	}
	timer := time.NewTimer(child.Drain)
	defer timer.Stop()
	select {
	case <-s.process.Done():
		return &Failure{codeDied, fmt.Sprintf("the program ended (%s) before it answered", s.process.State())}
	case <-timer.C:
		return &Failure{codeDied, "the program closed its standard output before it answered"}
	}
}

// timeout bounds the next answer.
func (s *Strategy) timeout() {
	end := time.Now().Add(s.c.Timeout)
	_ = s.process.SetReadDeadline(end)
	_ = s.process.SetWriteDeadline(end)
}
