//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/client"
)

// manyVariable is how many studies TestManyStudies runs at once.
const manyVariable = "APOLLO_MANY_STUDIES"

// longVariable is how many trials the study of TestLongStudy has.
const longVariable = "APOLLO_LONG_TRIALS"

// mostTrialBytes bounds what the proposer keeps of a trial.
const mostTrialBytes = 300

// mostEvaluator bounds the memory of an evaluator process, in MB, whatever it has
// measured.
const mostEvaluator = 300

// TestManyStudies runs many small studies at once, with one process of each role, and
// says what they took: all have to end, and the evaluator has to stay small.
func TestManyStudies(t *testing.T) {
	n := setting(t, manyVariable, os.Getenv(manyVariable), 0)
	if testing.Short() || n == 0 {
		t.Skipf("it runs real processes for minutes: ask with %s=1000, or `make many`", manyVariable)
	}
	c := oneOfEach(t)
	began := time.Now()
	for i := range n {
		name := fmt.Sprintf("many-%04d", i)
		request := events.StudyRequested{Study: json.RawMessage(fmt.Sprintf(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":%q},"spec":{
			"seed":%d,"space":{"template":"edge"},"workload":{"networks":[{"name":"mobilenet_v2"},{"name":"mobilenet_edgetpu"}]},
			"objectives":[{"metric":"latency","goal":"minimize"}],"algorithm":{"name":"evolution"},"budget":{"trials":40,"batch":4}}}`, name, i+1))}
		if err := client.Publish(t.Context(), c.bus, events.SubmitSubject(name), name, name, request, nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d studies are asked for after %.0f s", n, time.Since(began).Seconds())
	c.awaitEnds(n, began)
	var used []string
	for _, s := range []*child{c.nodes[0].child, c.services["proposer"], c.services["archiver"], c.services["evaluator"]} {
		mb, cpu := s.used(t)
		used = append(used, fmt.Sprintf("%s %d MB, %.0f s of CPU", s.name, mb, cpu))
		if s.role == "evaluator" && mb > mostEvaluator {
			t.Errorf("the evaluator took %d MB, at most %d are allowed", mb, mostEvaluator)
		}
	}
	t.Logf("%d studies of 40 trials have ended after %.0f s; at most: %s", n, time.Since(began).Seconds(), strings.Join(used, "; "))
}

// oneOfEach is a server and one process of each role.
func oneOfEach(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 0, 1)
	for _, role := range []string{"proposer", "archiver", "evaluator"} {
		s := &child{name: role, role: role, cmd: exec.Command(os.Getenv(binaryVariable), "serve", role)}
		spawn(t, c.logs(), s, c.env(), func(s *child) { c.exits <- s })
		c.services[role] = s
	}
	if err := c.bus.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLongStudy runs one study of very many trials, and says at each tenth what memory each
// process has: what grows with the trials is seen.
func TestLongStudy(t *testing.T) {
	trials := setting(t, longVariable, os.Getenv(longVariable), 0)
	if testing.Short() || trials == 0 {
		t.Skipf("it runs real processes for minutes: ask with %s=1000000, or `make long-study`", longVariable)
	}
	c := oneOfEach(t)
	began := time.Now()
	request := events.StudyRequested{Study: json.RawMessage(fmt.Sprintf(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"long"},"spec":{
		"seed":7,"space":{"template":"edge"},"workload":{"networks":[{"name":"mobilenet_v2"}]},"objectives":[{"metric":"latency","goal":"minimize"}],
		"algorithm":{"name":"random"},"order":"relaxed","budget":{"trials":%d,"batch":256,"parallelism":8}}}`, trials))}
	if err := client.Publish(t.Context(), c.bus, events.SubmitSubject("long"), "long", "long", request, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	moved := time.AfterFunc(stuck, cancel)
	defer moved.Stop()
	tenths, first, last := 0, 0, 0
	for m, err := range c.bus.Log().Follow(ctx, 0, events.RunFilter("long", "*"), events.RejectedSubject("long")) {
		if err != nil {
			t.Fatalf("nothing has moved for %s: %v\n%s", stuck, err, c.tails())
		}
		moved.Reset(stuck)
		_, payload, err := events.Decode(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		proposed, isBatch := payload.(events.TrialsProposed)
		_, ended := payload.(events.StudyCompleted)
		if !ended && (!isBatch || proposed.FirstTrial < (tenths+1)*trials/10) {
			continue
		}
		tenths++
		has := map[string]int{}
		for name, s := range c.services {
			has[name] = s.memory(t, "VmRSS")
		}
		if last = has["proposer"]; tenths == 1 {
			first = last
		}
		t.Logf("after %d trials and %.0f s: server %d MB, proposer %d, archiver %d, evaluator %d", tenths*trials/10, time.Since(began).Seconds(),
			c.nodes[0].child.memory(t, "VmRSS"), has["proposer"], has["archiver"], has["evaluator"])
		if ended {
			break
		}
	}
	if grown, most := (last-first)*1_000_000, mostTrialBytes*trials*9/10; grown > most {
		t.Errorf("the proposer grew by %d bytes in nine tenths of %d trials, at most %d are allowed", grown, trials, most)
	}
	if mb, _ := c.services["evaluator"].used(t); mb > mostEvaluator {
		t.Errorf("the evaluator took %d MB, at most %d are allowed", mb, mostEvaluator)
	}
}

// awaitEnds waits until that many studies have completed, and says at each tenth how far
// they are: what grows faster than their number is seen.
func (c *cluster) awaitEnds(n int, began time.Time) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	moved := time.AfterFunc(stuck, cancel)
	defer moved.Stop()
	completed := 0
	for m, err := range c.bus.Log().Follow(ctx, 0, events.RunFilter("*", "*"), events.RejectedSubject("*")) {
		if err != nil {
			c.t.Fatal(err)
		}
		moved.Reset(stuck)
		_, _, kind, _ := events.ParseStudySubject(m.Subject)
		switch {
		case kind == "completed":
			completed++
		case kind == "" || kind == "paused" || events.EndsRun(kind):
			c.t.Fatalf("%s, want all studies completed\n%s", m.Data, c.tails())
		default:
			continue
		}
		if completed%max(1, n/10) == 0 {
			_, cpu := c.services["proposer"].used(c.t)
			c.t.Logf("%d have ended after %.0f s, the proposer took %.0f s of CPU", completed, time.Since(began).Seconds(), cpu)
		}
		if completed == n {
			return
		}
	}
	c.t.Fatalf("%d studies have ended, and nothing has moved for %s\n%s", completed, stuck, c.tails())
}

// memory returns a row of a process's status in MB: VmHWM, the most that it had, or VmRSS,
// what it has.
func (c *child) memory(t *testing.T, row string) (mb int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), row+":")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb * 1024 / 1_000_000
}

// used returns the most memory that a process had, in MB, and the CPU time it took.
func (c *child) used(t *testing.T) (mb int, seconds float64) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", c.cmd.Process.Pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	const utime, ticks = 11, 100 // behind the name; USER_HZ
	for _, f := range strings.Fields(fields)[utime : utime+2] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		seconds += float64(n) / ticks
	}
	return c.memory(t, "VmHWM"), seconds
}
