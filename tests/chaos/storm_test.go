//go:build unix

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crashPoints are the places at which a service is made to kill itself, by the
// service that passes them.
func crashPoints() map[string][]string {
	return map[string][]string{
		"proposer":  {"proposed.before", "proposed.after", "work.before", "work.after"},
		"evaluator": {"result.before", "result.after"},
		"archiver":  {"rename.before", "rename.after", "manifest.before", "manifest.after"},
	}
}

const (
	// stuck is how long a study may stand still. The longest wait of the
	// design is far below: ackWait, after an evaluator died.
	stuck = 90 * time.Second
	// unreachable is the exit code of a service that finds no server when it
	// starts: its supervisor starts it again.
	unreachable = 7
	// interrupted is the exit code of a service that is told to stop before it
	// is connected.
	interrupted = 130
)

// storm kills the processes of a cluster, and counts the kills that hit work
// in flight.
type storm struct {
	*cluster
	rng  *rand.Rand
	want int // kills
	// act is what happens every few results.
	act func()

	run   string // that is disturbed now
	watch *watch

	signals map[string]int // counted kills by role
	points  map[string]int // counted kills by crash point
	idle    map[string]int // by role: hit nothing and do not count
	stops   int            // of the archiver, with a commit
	files   int            // most that a study was written in
	resumed int            // pauses because of a full stream
}

func newStorm(c *cluster, seed uint64, want int) *storm {
	s := &storm{cluster: c, rng: rand.New(rand.NewPCG(seed, 0)), want: want, signals: map[string]int{}, points: map[string]int{}, idle: map[string]int{}}
	c.point, c.between, s.act = s.arm, s.revive, s.disturb
	return s
}

func sum(counts map[string]int) (n int) {
	for _, k := range counts {
		n += k
	}
	return n
}

func (s *storm) kills() int { return sum(s.signals) + sum(s.points) }

// done reports whether there were enough kills, of everything.
func (s *storm) done() bool {
	if s.kills() < s.want || len(s.spared()) > 0 {
		return false
	}
	for _, points := range crashPoints() {
		if len(s.missing(points)) > 0 {
			return false
		}
	}
	return s.files > 1
}

// spared are the roles that a signal has not hit in one of ten kills.
func (s *storm) spared() []string {
	return slices.DeleteFunc([]string{"proposer", "evaluator", "archiver", "server"}, func(role string) bool {
		return s.signals[role] >= max(2, s.want/10)
	})
}

func (s *storm) missing(points []string) []string {
	return slices.DeleteFunc(slices.Clone(points), func(p string) bool { return s.points[p] > 0 })
}

// arm chooses where a process that starts will kill itself: at a point that
// was not hit yet, at any other one, or nowhere.
func (s *storm) arm(role string) string {
	all := crashPoints()[role]
	furthest := map[string]int{"proposer": 20, "evaluator": 8, "archiver": 1}[role]
	if left := s.missing(all); len(left) > 0 {
		all = left
	} else if s.rng.IntN(2) == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", all[s.rng.IntN(len(all))], 1+s.rng.IntN(furthest))
}

// round disturbs one run of the study from its start until it is on disk.
func (s *storm) round() outcome {
	s.t.Helper()
	s.run = s.submit()
	s.watch = s.cluster.watch(s.run)
	defer s.watch.close()
	next, hurry, last := s.rng.IntN(10), time.Duration(0), false
	for {
		s.resume()
		answered, ended, archived := s.watch.state()
		if ended && archived {
			break
		}
		if ended && !last {
			// The archiver is writing now: it may be hit once more.
			last = true
			s.strike("archiver")
		}
		if !ended && answered >= next || hurry > 0 {
			s.act()
			next = answered + 1 + s.rng.IntN(12)
		}
		hurry = 0
		if s.rng.IntN(10) == 0 { // one that hits the recovery from the last
			hurry = time.Duration(s.rng.IntN(100)) * time.Millisecond
		}
		s.wait(hurry)
	}
	var answer shown
	s.apollo(&answer, "study", "show", study, "--run", s.run)
	s.files = max(s.files, len(files(s.t, s.dir, s.run)))
	return read(s.t, s.dir, s.trials, answer)
}

// resume does what an operator does once a stream that was full has room again.
func (s *storm) resume() {
	s.t.Helper()
	if !s.watch.isPaused() {
		return
	}
	s.resumed++
	for end := time.Now().Add(2 * startPatience); s.watch.isPaused(); s.between() {
		if time.Now().After(end) {
			s.t.Fatalf("run %s was paused because of a full stream, and cannot be resumed\n%s", s.run, s.tails())
		}
		var answer struct{} // an answer that is lost is no matter: the log says it
		tryApollo(s.t, s.env(), &answer, "study", "resume", study, "--run", s.run)
		s.wait(100 * time.Millisecond)
	}
}

// wait returns when something has happened, or after hurry when that is not 0.
func (s *storm) wait(hurry time.Duration) {
	s.t.Helper()
	limit := stuck
	if hurry > 0 {
		limit = hurry
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.watch.changed:
	case c := <-s.exits:
		s.exited(c)
	case <-timer.C:
		if hurry == 0 {
			m, err := s.observe(s.run)
			s.t.Fatalf("nothing has moved for %s: %+v (%v)\n%s", stuck, m, err, s.tails())
		}
	}
}

// disturb kills somebody, or has the archiver write what it has: one that is
// killed all the time would only ever write a study at its end.
func (s *storm) disturb() {
	s.t.Helper()
	if s.rng.IntN(6) > 0 {
		s.strike(s.victim())
		return
	}
	c := s.anyOf("archiver")
	if c.stopped || c.ended() {
		return // a second signal would end it at once
	}
	c.stopped = true
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatalf("stop %s: %v", c.name, err)
	}
}

// victim chooses who is killed next: mostly one that was spared so far.
func (s *storm) victim() string {
	roles := s.spared()
	if len(roles) == 0 || s.rng.IntN(3) == 0 {
		roles = []string{"proposer", "evaluator", "archiver", "server"}
	}
	return roles[s.rng.IntN(len(roles))]
}

// strike kills a process of that role. It counts when it hit work in flight.
func (s *storm) strike(role string) {
	s.t.Helper()
	node := s.nodes[s.rng.IntN(len(s.nodes))]
	c := node.child
	if role != "server" {
		c = s.anyOf(role)
	}
	if c.ended() {
		return // it has killed itself already
	}
	c.killed = true
	if err := c.kill(); err != nil {
		s.t.Fatalf("kill %s: %v", c.name, err)
	}
	if role == "server" {
		s.start(node)
		s.awaitNode(node)
	}
	if s.inFlight(c) {
		s.signals[role]++
	} else {
		s.idle[role]++
	}
}

func (s *storm) anyOf(role string) *child {
	var names []string
	for name, c := range s.services {
		if c.role == role {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return s.services[names[s.rng.IntN(len(names))]]
}

// inFlight reports whether the death of c hit work: the run must not be over,
// and have moved since c started. For the proposer and the server, batches
// must wait for their answer; for the archiver, answers must wait for the
// disk; an evaluator must have had a batch in its hand.
func (s *storm) inFlight(c *child) bool {
	m, err := s.observe(s.run)
	if err != nil || m.answered <= c.since && c.role != "server" {
		return false
	}
	switch c.role {
	case "archiver":
		// Nobody touches the files now.
		return len(fileRows(s.t, s.dir, s.run)) < min(s.trials, m.answered*batch)
	case "evaluator":
		return !m.ended && s.inHand(c)
	}
	return !m.ended && m.proposed > m.answered
}

// inHand reports whether an evaluator died with a work item in its hand: it
// says what it takes and what it has answered, and has one slot.
func (s *storm) inHand(c *child) bool {
	taken, answered := 0, 0
	for line := range strings.SplitSeq(s.said(c), "\n") {
		switch {
		case strings.Contains(line, "work item taken"):
			taken++
		case strings.Contains(line, "work item answered"):
			answered++
		}
	}
	return taken > answered
}

// revive starts again who has ended.
func (s *storm) revive() {
	s.t.Helper()
	for len(s.exits) > 0 && s.watch != nil {
		s.exited(<-s.exits)
	}
}

// exited counts a process that killed itself, and starts it again.
func (s *storm) exited(c *child) {
	s.t.Helper()
	answered, _, _ := s.watch.state()
	switch {
	case c.killed:
	case c.stopped && c.endedBy(syscall.SIGTERM) || c.stopped && c.cmd.ProcessState.ExitCode() == 0:
		s.stops++
	case c.stopped && c.cmd.ProcessState.ExitCode() == interrupted: // it was still connecting: no stop
	case c.endedBy(syscall.SIGKILL) && c.point != "":
		// A crash point is only passed in the middle of an item.
		point, _, _ := strings.Cut(c.point, ":")
		s.points[point]++
	case c.cmd.ProcessState.ExitCode() == unreachable && (c.epoch != s.epoch || s.away()):
	default:
		s.t.Fatalf("%s ended by itself: %s\n%s", c.name, c.cmd.ProcessState, s.tail(c.name))
	}
	if c.role != "server" {
		s.serve(c.name, answered)
	}
}

// noLetters checks that nothing was given up.
func (s *storm) noLetters() {
	s.t.Helper()
	for m, err := range s.bus.Log().Read(s.t.Context(), 0, "dlq.>") {
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Errorf("dead letter on %s: %s", m.Subject, m.Data)
	}
}

// setting returns a number of the environment, or other when it is not set.
func setting(t *testing.T, name, text string, other int) int {
	t.Helper()
	if text == "" {
		return other
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n
}
