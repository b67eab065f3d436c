//go:build unix

package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/client"
)

// machinesVariable is how many trials TestTwoMachines measures.
const machinesVariable = "APOLLO_MACHINES_TRIALS"

// rough is a program that crashes, hangs, fails and refuses, by the design and the attempt.
const rough = `while read -r line; do
  id=${line##*\"id\":\"}; id=${id%%\"*}
  case $line in *'"op":"describe"'*)
    printf '{"id":"%s","name":"rough","version":"1","metrics":[{"name":"cost","unit":"1"}],"deterministic":true}\n' "$id"; continue ;;
  esac
  x=${line##*\"x\":}; x=${x%%[!0-9]*}
  attempt=${line##*\"attempt\":}; attempt=${attempt%%[!0-9]*}
  sleep 0.1
  case $((x % 16)) in
  1) kill -9 $$ ;;
  2) sleep 1000 ;;
  3) printf '{"id":"%s","outcome":"failed","reason":{"code":"licence","message":"the licence server is away"}}\n' "$id"; continue ;;
  4) printf '{"id":"%s","outcome":"infeasible","reason":{"code":"heat"}}\n' "$id"; continue ;;
  5) [ "$attempt" != 1 ] || kill -9 $$ ;;
  6) [ "$attempt" != 1 ] || sleep 1000 ;;
  7) printf 'no answer\n'; continue ;;
  esac
  printf '{"id":"%s","metrics":{"cost":%s}}\n' "$id" $((x + 1))
done
`

// roughly is what has to become of a design, with the code of its reason.
func roughly(x int) string {
	switch x % 16 {
	case 1:
		return "failed child_died"
	case 2:
		return "failed timeout"
	case 3:
		return "failed licence"
	case 4:
		return "infeasible heat"
	case 7:
		return "failed bad_answer"
	}
	return "measured"
}

// TestTwoMachines has a program that crashes and hangs measure a study on two workers of four
// slots, each with folders of its own as on two machines, and kills or freezes one of them again
// and again. No trial may be lost or doubled, and each that failed says why.
func TestTwoMachines(t *testing.T) {
	trials := setting(t, machinesVariable, os.Getenv(machinesVariable), 0)
	if testing.Short() || trials == 0 {
		t.Skipf("it runs real processes for minutes: ask with %s=120, or `make machines`", machinesVariable)
	}
	seed := setting(t, seedVariable, os.Getenv(seedVariable), 1)
	rng := rand.New(rand.NewPCG(uint64(seed), 2))
	c := newCluster(t, trials, 1)
	for _, role := range []string{"proposer", "archiver"} {
		c.serve(role, 0)
	}
	start := func(machine string) {
		dir := filepath.Join(c.dir, machine)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "rough.sh"), []byte(rough), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Getenv(binaryVariable), "evaluator", "run", "--name", "rough", "--exec", "sh rough.sh", "--slots", "4")
		cmd.Dir = dir
		s := &child{name: machine, role: "evaluator", cmd: cmd}
		spawn(t, c.logs(), s, append(c.env(), "TMPDIR="+dir, "APOLLO_DATA="+filepath.Join(dir, "data")), func(s *child) { c.exits <- s })
		c.services[machine] = s
	}
	machines := []string{"alpha", "beta"}
	for _, m := range machines {
		start(m)
	}
	if err := c.bus.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	var levels []int
	for x := range 2 * trials {
		levels = append(levels, x)
	}
	text, err := json.Marshal(levels)
	if err != nil {
		t.Fatal(err)
	}
	request := events.StudyRequested{Study: json.RawMessage(fmt.Sprintf(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"rough"},"spec":{
		"space":{"parameters":[{"name":"x","values":%s}]},"objectives":[{"metric":"cost","goal":"minimize"}],"algorithm":{"name":"random"},
		"evaluator":{"name":"rough","timeout":"5 s","attempts":2,"maxFailures":%d,"metrics":[{"name":"cost"}]},
		"budget":{"trials":%d,"parallelism":8}}}`, text, trials, trials))}
	if err := client.Publish(t.Context(), c.bus, events.SubmitSubject("rough"), "rough", "rough", request, nil); err != nil {
		t.Fatal(err)
	}
	began, kills, freezes := time.Now(), 0, 0
	for state := ""; state != "completed"; {
		for _, m := range machines {
			if c.services[m].ended() {
				t.Fatalf("%s has ended\n%s", m, c.tails())
			}
		}
		m := machines[rng.IntN(2)]
		time.Sleep(time.Duration(1000+rng.IntN(2000)) * time.Millisecond)
		if rng.IntN(4) == 0 {
			freezes++
			group := -c.services[m].cmd.Process.Pid
			if err := syscall.Kill(group, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * ackWait) // its work goes to the other one
			if err := syscall.Kill(group, syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		} else {
			kills++
			if err := c.services[m].kill(); err != nil {
				t.Fatal(err)
			}
			start(m)
		}
		var s shown
		c.apollo(&s, "study", "show", "rough")
		if state = s.State; time.Since(began) > time.Duration(trials)*10*time.Second {
			t.Fatalf("%d of %d trials after %v\n%s", s.Trials, trials, time.Since(began), c.tails())
		}
	}
	var all []struct {
		Trial    int
		Outcome  string
		Design   struct{ X int }
		Metrics  map[string]float64
		Reason   *events.Reason
		Attempts int
	}
	c.apollo(&all, "trial", "ls", "rough")
	if len(all) != trials {
		t.Errorf("%d trials, want %d", len(all), trials)
	}
	became, again := map[string]int{}, 0
	tried := map[int]bool{}
	for _, trial := range all {
		got := trial.Outcome
		if trial.Reason != nil {
			got += " " + trial.Reason.Code
		}
		if want := roughly(trial.Design.X); got != want {
			t.Errorf("trial %d of x = %d is %s, want %s", trial.Trial, trial.Design.X, got, want)
		}
		if trial.Outcome == events.OutcomeMeasured && trial.Metrics["cost"] != float64(trial.Design.X+1) {
			t.Errorf("trial %d of x = %d has the cost %v", trial.Trial, trial.Design.X, trial.Metrics["cost"])
		}
		if tried[trial.Design.X] {
			t.Errorf("x = %d was tried twice", trial.Design.X)
		}
		tried[trial.Design.X] = true
		became[got]++
		if trial.Attempts > 1 {
			again++
		}
	}
	t.Logf("seed %d: %d trials in %.0f s with %d kills and %d freezes of two workers of 4 slots; %d took more than one attempt", seed, len(all), time.Since(began).Seconds(), kills, freezes, again)
	for _, what := range slices.Sorted(maps.Keys(became)) {
		t.Logf("%4d %s", became[what], what)
	}
}
