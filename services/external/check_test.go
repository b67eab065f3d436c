package external_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"apollo/evaluator"
	"apollo/services/external"
)

func check(t *testing.T, mode string, o external.CheckOptions) external.Report {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	o.Env = append(o.Env, childMode+"="+mode, quickExit)
	return external.Check(t.Context(), self(t), o)
}

func verdicts(r external.Report, v external.Verdict) (names []string) {
	for _, f := range r.Findings {
		if f.Verdict == v {
			names = append(names, f.Check)
		}
	}
	return names
}

func render(t *testing.T, r external.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each misbehaviour fails the check that is about it, one that a study survives is a
// warning, and a program without any fails none.
func TestCheck(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct {
		fail []string
		warn []string
		skip []string
		text string // in the report
	}{
		"good":    {skip: []string{"infeasible"}, text: "double 2: 2 parameters, 1 metrics"},
		"chatty":  {skip: []string{"infeasible"}},
		"toobig":  {text: "are infeasible, each with its reason"},
		"mute":    {fail: []string{"infeasible"}, text: "has no reason"},
		"refuse":  {warn: []string{"measured"}, skip: []string{"infeasible"}, text: "licence server not reachable"},
		"die":     {fail: []string{"schema"}, skip: []string{"infeasible"}, text: "libsim.so: not found"},
		"garbage": {fail: []string{"schema"}, skip: []string{"infeasible"}, text: "Simulation finished"},
		"nan":     {fail: []string{"nan"}, skip: []string{"infeasible"}},
		"missing": {fail: []string{"schema"}, skip: []string{"infeasible"}},
		"text":    {fail: []string{"schema"}, skip: []string{"infeasible"}},
		"stale":   {fail: []string{"late"}, skip: []string{"infeasible"}, text: `had the id "0"`},
		"twice":   {fail: []string{"late"}, skip: []string{"infeasible"}},
		"drift":   {fail: []string{"determinism"}, skip: []string{"infeasible"}, text: "another answer from a new process"},
		"default": {fail: []string{"unknown"}, skip: []string{"infeasible"}, text: "was measured all the same"},
		"unruly":  {warn: []string{"garbage"}, skip: []string{"infeasible"}, text: "exit status 1"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := check(t, mode, external.CheckOptions{})
			text := render(t, r)
			if got := verdicts(r, external.Fail); !slices.Equal(got, want.fail) {
				t.Errorf("failed %v, want %v\n%s", got, want.fail, text)
			}
			if got := verdicts(r, external.Warn); !slices.Equal(got, want.warn) {
				t.Errorf("warned of %v, want %v\n%s", got, want.warn, text)
			}
			if got := verdicts(r, external.Skip); !slices.Equal(got, want.skip) {
				t.Errorf("skipped %v, want %v\n%s", got, want.skip, text)
			}
			if r.Failed() != len(want.fail) || !strings.Contains(text, want.text) {
				t.Errorf("Failed() = %d, want %d; want %q in\n%s", r.Failed(), len(want.fail), want.text, text)
			}
			for _, f := range r.Findings {
				if f.Message == "" || (f.Verdict == external.Fail || f.Verdict == external.Warn) && f.Advice == "" {
					t.Errorf("finding %+v explains nothing or gives no advice", f)
				}
			}
		})
	}
}

// What a program prints while it loads is taken for its answer: the check names the line.
func TestCheckOfWhatIsPrintedFirst(t *testing.T) {
	t.Parallel()
	r := check(t, "loads", external.CheckOptions{})
	text := strings.Join(strings.Fields(render(t, r)), " ")
	if !slices.Contains(verdicts(r, external.Fail), "describe") || !strings.Contains(text, "Loading the model ...") || !strings.Contains(text, "print all that is no answer to standard error") {
		t.Errorf("the report is\n%s", render(t, r))
	}
}

// Programs that keep the checker waiting: the time-out here is what they fail.
func TestCheckTimeouts(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond
	for mode, want := range map[string][]string{
		"hang":    {"timeout"},
		"swapped": {"timeout", "late"},
		"family":  {"timeout", "end"},
		"deaf":    {"timeout", "end"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, env := socket(t)
			o := external.CheckOptions{Options: external.Options{Timeout: timeout, Startup: timeout, Grace: timeout, Env: []string{env}}, Params: params(), Metrics: task().Metrics}
			r := check(t, mode, o)
			for _, name := range want {
				if !slices.Contains(verdicts(r, external.Fail), name) {
					t.Errorf("the check %s did not fail:\n%s", name, render(t, r))
				}
			}
		})
	}
}

// A program that says that it is not deterministic is not held to it.
func TestCheckOfARandomProgram(t *testing.T) {
	t.Parallel()
	o := external.CheckOptions{Options: external.Options{Env: []string{"APOLLO_TEST_RANDOM=1"}}}
	r := check(t, "drift", o)
	if got := verdicts(r, external.Skip); r.Failed() != 0 || !slices.Contains(got, "determinism") {
		t.Errorf("skipped %v and failed %d, want determinism among them and 0\n%s", got, r.Failed(), render(t, r))
	}
}

// Without a description the caller's parameters and metrics are tested with.
func TestCheckWithoutADescription(t *testing.T) {
	t.Parallel()
	plain := external.Options{Env: []string{"APOLLO_TEST_PLAIN=1"}}
	r := check(t, "good", external.CheckOptions{Options: plain})
	if got := verdicts(r, external.Fail); !slices.Equal(got, []string{"space"}) {
		t.Errorf("failed %v, want space: nothing is known to try\n%s", got, render(t, r))
	}
	r = check(t, "good", external.CheckOptions{Options: plain, Params: params()})
	if got := verdicts(r, external.Skip); r.Failed() != 0 || !slices.Equal(got, []string{"describe", "units", "infeasible"}) {
		t.Errorf("skipped %v and failed %d, want describe, units, infeasible and 0\n%s", got, r.Failed(), render(t, r))
	}
	r = check(t, "good", external.CheckOptions{Options: plain, Params: params(), Metrics: []evaluator.Metric{{Name: "latency_s", Unit: "ms"}}})
	if got := verdicts(r, external.Fail); !slices.Equal(got, []string{"units"}) {
		t.Errorf("failed %v, want units\n%s", got, render(t, r))
	}
	r = check(t, "good", external.CheckOptions{Params: params()[:1], Metrics: task().Metrics})
	if got := verdicts(r, external.Fail); !slices.Equal(got, []string{"space"}) {
		t.Errorf("failed %v, want space: the study lacks a parameter\n%s", got, render(t, r))
	}
}

func TestCheckOfNoProgram(t *testing.T) {
	t.Parallel()
	r := external.Check(t.Context(), []string{"./no-such-program"}, external.CheckOptions{})
	if got := verdicts(r, external.Fail); !slices.Equal(got, []string{"start"}) || len(verdicts(r, external.Pass)) != 0 {
		t.Errorf("failed %v, want start alone\n%s", got, render(t, r))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := external.CheckOptions{Options: external.Options{Env: []string{childMode + "=good"}}}
	if r := external.Check(ctx, self(t), o); r.Failed() == 0 {
		t.Errorf("an interrupted check failed nothing\n%s", render(t, r))
	}
}

func python(t *testing.T) string {
	t.Helper()
	exe, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there: its examples are not tested")
	}
	return exe
}

func TestExampleProgram(t *testing.T) {
	t.Parallel()
	argv := []string{python(t), "../../examples/evaluator.py"}
	r := external.Check(t.Context(), argv, external.CheckOptions{Options: external.Options{Timeout: patience, Startup: patience}})
	if len(verdicts(r, external.Pass)) != len(r.Findings) {
		t.Errorf("the example does not pass every check:\n%s", render(t, r))
	}
}

// A worker that is bad in one slot alone is named; in every other one it is good.
func TestCheckNamesTheBadSlot(t *testing.T) {
	t.Parallel()
	const program = `
while read -r line; do
  id=${line##*\"id\":\"}; id=${id%%\"*}
  case $line in
  *'"op":"describe"'*)
    printf '{"id":"%s","name":"card","version":"1","parameters":[{"name":"x","values":[1,2,3]}],"metrics":[{"name":"time_s","unit":"s"}]}\n' "$id" ;;
  *)
    if [ "$DEVICE" = "$BAD" ] && [ "$HOW" = fails ]; then printf '{"id":"%s","outcome":"measured"}\n' "$id"; continue; fi
    if [ "$DEVICE" = "$BAD" ] && [ "$HOW" = differs ]; then printf '{"id":"%s","metrics":{"time_s":7}}\n' "$id"; continue; fi
    printf '{"id":"%s","metrics":{"time_s":1}}\n' "$id" ;;
  esac
done`
	for _, c := range []struct {
		name, how, bad string
		slots          int
		verdict        external.Verdict
		text           string
	}{
		{"all good", "fails", "card9", 3, external.Pass, "3 processes at the same time: each answers 3 of the designs as before"},
		{"one fails", "fails", "card2", 3, external.Fail, "slot 2 of 3, from 0: the design x=1, which was answered before"},
		{"one differs", "differs", "card1", 3, external.Fail, "slot 1 of 3, from 0: the design x=1 got another answer: measured time_s=7, before measured time_s=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, quick := range []bool{false, true} {
				o := external.CheckOptions{Quick: quick, Options: external.Options{Timeout: patience, Slots: c.slots, Env: []string{"DEVICE=card{slot}", "BAD=" + c.bad, "HOW=" + c.how}}}
				r := external.Check(t.Context(), []string{"sh", "-c", program}, o)
				i := slices.IndexFunc(r.Findings, func(f external.Finding) bool { return f.Check == "slots" })
				if i < 0 || r.Findings[i].Verdict != c.verdict || !strings.Contains(r.Findings[i].Message, c.text) {
					t.Errorf("quick %t: want slots to %s with %q\n%s", quick, c.verdict, c.text, render(t, r))
				}
			}
		})
	}
}

// A command can have a virtual environment, or a container, of its own in each slot.
func TestCommandOfASlot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for slot, value := range []string{"1", "1", "7"} {
		bin := filepath.Join(dir, "venv-"+strconv.Itoa(slot))
		program := "#!/bin/sh\nwhile read -r line; do\n  id=${line##*\\\"id\\\":\\\"}; id=${id%%\\\"*}\n" +
			"  case $line in\n  *describe*) printf '{\"id\":\"%s\",\"name\":\"v\",\"version\":\"1\",\"parameters\":[{\"name\":\"x\",\"values\":[1,2]}],\"metrics\":[{\"name\":\"time_s\",\"unit\":\"s\"}]}\\n' $id ;;\n" +
			"  *) printf '{\"id\":\"%s\",\"metrics\":{\"time_s\":" + value + "}}\\n' $id ;;\n  esac\ndone\n"
		if err := errors.Join(os.Mkdir(bin, 0o755), os.WriteFile(filepath.Join(bin, "run"), []byte(program), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for slots, want := range map[int]string{
		2: "2 processes at the same time",
		3: "slot 2 of 3, from 0: the design x=1 got another answer: measured time_s=7, before measured time_s=1",
		4: "slot 2 of 4, from 0", // and slot 3 has none
	} {
		r := external.Check(t.Context(), []string{"./venv-{slot}/run", "--card", "{slot}"}, external.CheckOptions{
			Quick: true, Options: external.Options{Dir: dir, Timeout: patience, Slots: slots},
		})
		i := slices.IndexFunc(r.Findings, func(f external.Finding) bool { return f.Check == "slots" })
		if i < 0 || !strings.Contains(r.Findings[i].Message, want) {
			t.Errorf("%d slots: want %q\n%s", slots, want, render(t, r))
		}
		if r.Command[0] != "./venv-{slot}/run" {
			t.Errorf("the report is of %q, want the command as it was written", r.Command)
		}
	}
	b, err := external.Open(t.Context(), []string{"./venv-{slot}/run", "{slot}"}, external.Options{Dir: dir, Slots: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if p := b.Program(); p.Args[1] != "{slot}" || filepath.Base(filepath.Dir(p.Path)) != "venv-0" || len(p.Files) != 1 {
		t.Errorf("the program is %+v, want its words as they were written and the file of slot 0", p)
	}
}
