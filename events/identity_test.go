package events_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
)

func TestIdentityDecidesWhetherAnAnswerCounts(t *testing.T) {
	t.Parallel()
	two := &events.Identity{Version: "2", Program: strings.Repeat("a", 64)}
	cases := []struct {
		name     string
		asked    *events.Identity
		trials   []int
		version  string
		program  string
		run      string
		refused  bool
		problems int
	}{
		{name: "anybody", trials: []int{3}, version: "9", run: "r"},
		{name: "the one", asked: two, trials: []int{3}, version: "2", program: two.Program, run: "r"},
		{name: "another version", asked: two, trials: []int{3}, version: "3", program: two.Program, run: "r", refused: true},
		{name: "another program", asked: two, trials: []int{3}, version: "2", program: strings.Repeat("b", 64), run: "r", refused: true},
		{name: "no identity", asked: two, trials: []int{3}, run: "r", refused: true},
		{name: "an old client", asked: &events.Identity{}, trials: []int{3}, run: "r"},
		{name: "not the old client", asked: &events.Identity{}, trials: []int{3}, version: "2", run: "r", refused: true},
		{name: "nothing was measured", asked: two, trials: []int{}, run: "r"},
		{name: "an answer to something else", asked: two, trials: []int{3}, run: "other", problems: 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := events.Expected{Study: "s", Run: "r", Batch: 4, Trials: c.trials, Metrics: []string{"m"}, Identity: c.asked}
			answer := &events.BatchEvaluated{Study: "s", Run: c.run, Batch: 4, EvaluatorVersion: c.version, Program: c.program, Metrics: []string{"m"}}
			for _, n := range c.trials {
				answer.Trials = append(answer.Trials, events.TrialResult{Trial: n, Outcome: events.OutcomeMeasured, Values: events.Numbers{1}})
			}
			trials, problems := events.ValidateResult(want, answer)
			why := want.Refusal(answer)
			if (why != "") != c.refused || (trials == nil) != c.refused {
				t.Errorf("refusal %q, trials %v; want it refused: %v", why, trials, c.refused)
			}
			if n := len(problems); !c.refused && n != c.problems {
				t.Errorf("%d problems %q, want %d", n, problems, c.problems)
			}
			if c.refused && (len(problems) != 1 || problems[0] != why) {
				t.Errorf("problems %q, want the refusal %q", problems, why)
			}
			if got, want := want.Binds(answer), c.run == "r" && len(c.trials) > 0; got != want {
				t.Errorf("Binds() = %v, want %v", got, want)
			}
		})
	}
}

// What an earlier build wrote says nothing about identities: its work is for
// anybody, and its runs are pinned by the version of their template alone.
func TestEarlierEventsHaveNoIdentity(t *testing.T) {
	t.Parallel()
	decode := func(kind, data string) events.Payload {
		_, p, err := events.Decode([]byte(`{"specversion":"1.0","type":"` + kind + `","id":"x","source":"s","data":` + data + `}`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	work := decode("apollo.batch.requested.v1", `{"study":"s","run":"r","batch":0,"evaluator":"e","metrics":[],"timeout_seconds":1,"attempts":1,"parameters":[],"trials":[],"designs":[]}`).(events.BatchRequested)
	if work.Identity != nil {
		t.Errorf("earlier work asks for %v, want nobody", work.Identity)
	}
	answer := decode("apollo.batch.evaluated.v1", `{"study":"s","run":"r","batch":0,"evaluator":"e","metrics":[],"trials":[]}`).(events.BatchEvaluated)
	if got := answer.Identity(); got != (events.Identity{}) {
		t.Errorf("an earlier answer is of %v, want the empty identity", got)
	}
	accepted := decode("apollo.study.accepted.v1", `{"study":"s","run":"r","spec":{"evaluator":{"name":"edge","version":"7"}}}`).(events.StudyAccepted)
	if pin := accepted.Pin(); pin == nil || *pin != (events.Identity{Version: "7"}) || accepted.Binds {
		t.Errorf("an earlier run of a template is pinned to %v (binds: %v), want version 7", pin, accepted.Binds)
	}
	accepted = decode("apollo.study.accepted.v1", `{"study":"s","run":"r","spec":{"evaluator":{"name":"mine"}}}`).(events.StudyAccepted)
	if pin := accepted.Pin(); pin != nil || accepted.Binds {
		t.Errorf("an earlier run of a user's evaluator is pinned to %v (binds: %v), want it not to be", pin, accepted.Binds)
	}
	// An identity that says nothing is not the same as none.
	work.Identity = &events.Identity{}
	_, again, err := events.Decode(encode(t, work))
	if got := again.(events.BatchRequested).Identity; err != nil || got == nil || *got != (events.Identity{}) {
		t.Errorf("the empty identity reads as %v, %v", got, err)
	}
}

// Nobody is shown a password of a program's arguments, which counts for who
// measures all the same.
func TestSecretsOfAProgramAreNotShown(t *testing.T) {
	t.Parallel()
	with := func(password string) *events.Program {
		return &events.Program{
			Args: []string{"sim", "--db", "postgres://bob:" + password + "@db:5432/x?a=b", "https://example.com/a", "sh -c 'sim ftp://u:" + password + "@h'"},
			Path: "/bin/sim",
		}
	}
	one, other := with("s3cret"), with("0ther")
	shown, others := one.WithoutSecrets(), other.WithoutSecrets()
	want := []string{"sim", "--db", "postgres://…@db:5432/x?…", "https://example.com/a", "sh -c 'sim ftp://…@h'"}
	if diff := cmp.Diff(want, shown.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if one.Args[2] == shown.Args[2] || shown.Digest() != one.Digest() || shown.WithoutSecrets().Digest() != one.Digest() {
		t.Error("the digest of a program that is shown, want that of the program")
	}
	if others.Digest() == shown.Digest() {
		t.Error("two passwords have one digest")
	}
	if diff := cmp.Diff([]string{"a secret in its arguments, which is not shown"}, events.DiffPrograms(shown, others)); diff != "" {
		t.Errorf("the difference (-want +got):\n%s", diff)
	}
	plain := &events.Program{Args: []string{"sim", "a:b@c"}, Path: "/bin/sim"}
	if diff := cmp.Diff(plain, plain.WithoutSecrets()); diff != "" {
		t.Errorf("a program without secrets (-want +got):\n%s", diff)
	}
}

func TestProgramsDiffer(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	base := events.Program{Args: []string{"python3", "sim.py", "--fast"}, Path: "/usr/bin/python3", Files: []events.ProgramFile{{Arg: 1, SHA256: a}}}
	cases := map[string]struct {
		change func(p *events.Program)
		want   []string
	}{
		"nothing":      {func(*events.Program) {}, nil},
		"an edit":      {func(p *events.Program) { p.Files = []events.ProgramFile{{Arg: 1, SHA256: b}} }, []string{"the file sim.py: content aaaaaaaaaaaa…, now content bbbbbbbbbbbb…"}},
		"a lost file":  {func(p *events.Program) { p.Files = nil }, []string{"the file sim.py: content aaaaaaaaaaaa…, now no file"}},
		"an argument":  {func(p *events.Program) { p.Args = []string{"python3", "sim.py", "--slow"} }, []string{`argument 2: "--fast", now "--slow"`}},
		"one more":     {func(p *events.Program) { p.Args = append(p.Args, "x") }, []string{`argument 3: none, now "x"`}},
		"another path": {func(p *events.Program) { p.Path = "/opt/python3" }, []string{"the executable: /usr/bin/python3, now /opt/python3"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := base
			other.Args = append([]string(nil), base.Args...)
			c.change(&other)
			got := events.DiffPrograms(&base, &other)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("DiffPrograms() = %q, want %q", got, c.want)
			}
			if same := base.Digest() == other.Digest(); same != (c.want == nil) {
				t.Errorf("the digests are the same: %v", same)
			}
		})
	}
	if got := (*events.Program)(nil).Digest(); got != "" {
		t.Errorf("no program has the digest %q", got)
	}
}
