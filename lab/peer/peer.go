// Package peer makes a search strategy of any program that speaks JSON lines on
// its standard input and output, so that the bench drives other people's
// optimizers as it drives ours, under the same rules. docs/peers.md is the
// protocol.
package peer

import (
	"errors"
	"fmt"
	"io"
	"time"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/child"
	"apollo/services/external"
)

// Peer is a program as an algorithm. Every Start runs it anew.
type Peer struct {
	// Command starts the program, split into words like a shell command line
	// (external.Split) without a shell.
	Command string
	// Label is the origin of its proposals; "" means "peer".
	Label string
	// Objectives are what the program is told that it searches, in the order of
	// Problem.Objectives; none means objective_0 and so on, minimised.
	Objectives []Objective
	// Budget is how many trials there will be, Batch how many an ask is for; 0
	// means unknown, and 1.
	Budget, Batch int
	// Features names what Problem.Features gives, in order; missing names are
	// feature_0 and so on.
	Features []string
	// Checks is how many designs a trial may check for free; 0 means 10,000.
	Checks int
	// Timeout bounds the answer to an ask, checks included, on the clock; the
	// first also loads the program's libraries. 0 means 5 minutes: CPU time is
	// what is fair to bound, and this is for programs that hang.
	Timeout time.Duration
	// Dir is the working directory; "" means the current one.
	Dir string
	// Stderr receives what the program writes to standard error; nil means that
	// only the end is kept, for errors.
	Stderr io.Writer
}

// Objective is a number that the program searches for.
type Objective struct {
	// Name is the metric's.
	Name string `json:"name"`
	// Goal is "minimize" or "maximize".
	Goal string `json:"goal"`
}

var _ optimizer.Algorithm = Peer{}

const (
	defaultChecks  = 10_000
	defaultTimeout = 5 * time.Minute
	// maxLine is the longest line of a program: 10,000 checks of 30 parameters
	// with room to spare.
	maxLine = 64 << 20
	// grace is what a program has to end after "stop".
	grace = 2 * time.Second
)

// Failure says why a program cannot go on. It ends the search, which must not be
// scored.
type Failure struct {
	// Code is one of the Code constants.
	Code string
	// Message is one sentence for people, with the end of standard error.
	Message string
}

// Codes of failures.
const (
	// codeStart: the program could not be started.
	codeStart = "start_failed"
	// codeTimeout: no answer in time; the process group was killed.
	codeTimeout = "timeout"
	// codeDied: the program ended before it answered.
	codeDied = "died"
	// codeProtocol: the program said what the protocol does not know.
	codeProtocol = "protocol"
	// codeError: the program reported an error of its own.
	codeError = "error"
)

// Error returns the code and the message.
func (f *Failure) Error() string { return "peer: " + f.Code + ": " + f.Message }

// Start implements optimizer.Algorithm: it runs the program and tells it the
// problem. The strategy must be closed, also after an error of Ask. The error
// is for a command that is none, and a *Failure when it cannot be started.
func (c Peer) Start(problem optimizer.Problem) (optimizer.Strategy, error) {
	argv, err := external.Split(c.Command)
	if err != nil {
		return nil, err
	}
	if err := c.complete(&problem); err != nil {
		return nil, err
	}
	random, err := optimizer.Random{}.Start(problem)
	if err != nil {
		return nil, err
	}
	s := &Strategy{c: c, problem: problem, random: random, tried: map[space.Key]bool{}, open: map[space.Key]string{}}
	if s.process, err = child.Start(argv, child.Options{Dir: c.Dir, MaxLine: maxLine, Stderr: c.Stderr}); err != nil {
		return nil, &Failure{codeStart, err.Error()}
	}
	s.outbox = append(s.outbox, s.initLine())
	return s, nil
}

// complete fills in the defaults.
func (c *Peer) complete(p *optimizer.Problem) error {
	objectives := max(p.Objectives, 1)
	switch {
	case len(c.Objectives) == 0:
		for i := range objectives {
			c.Objectives = append(c.Objectives, Objective{fmt.Sprintf("objective_%d", i), "minimize"})
		}
	case len(c.Objectives) != objectives:
		return fmt.Errorf("peer: %d objectives are named, the problem has %d", len(c.Objectives), objectives)
	}
	if c.Checks < 0 || c.Budget < 0 || c.Batch < 0 {
		return errors.New("peer: checks, budget and batch must not be negative")
	}
	if p.Features != nil {
		n := len(p.Features(make(space.Point, p.Space.Len())))
		c.Features = append([]string(nil), c.Features[:min(n, len(c.Features))]...)
		for i := len(c.Features); i < n; i++ {
			c.Features = append(c.Features, fmt.Sprintf("feature_%d", i))
		}
	} else {
		c.Features = nil
	}
	if c.Label == "" {
		c.Label = "peer"
	}
	if c.Checks == 0 {
		c.Checks = defaultChecks
	}
	if c.Batch == 0 {
		c.Batch = 1
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return nil
}
