package external_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/services/external"
)

// A pipe that is named as an artifact is left out; nobody waits for its writer.
// A link inside of the folder is a file.
func TestAPipeIsNoArtifact(t *testing.T) {
	t.Parallel()
	keep := t.TempDir()
	_, e := open(t, "pipe", external.Options{Keep: keep})
	var said []string
	r := question7()
	r.Progress = func(p evaluator.Progress) { said = append(said, p.Message) }
	wantDouble(t, ask(t, e, r), unlucky)
	if len(said) != 1 || !strings.Contains(said[0], "no regular file") {
		t.Errorf("said %q, want that the pipe is no regular file", said)
	}
	if got, want := files(t, keep), []string{"s/0badcafe/7/last.txt"}; !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

// What a program writes to standard error before a good answer stays as a file of
// the trial, for the last 200 trials of a worker; silence leaves nothing.
func TestStderrOfGoodTrialsStays(t *testing.T) {
	t.Parallel()
	keep := t.TempDir()
	_, e := open(t, "talks", external.Options{Keep: keep})
	for trial := range 203 {
		r := question7()
		r.Trial = trial
		if trial == 100 {
			r.Attempt = 2 // is silent
		}
		wantDouble(t, ask(t, e, r), unlucky)
	}
	got := files(t, keep)
	if len(got) != 200 || slices.Contains(got, "s/0badcafe/1/stderr.txt") || slices.Contains(got, "s/0badcafe/100/stderr.txt") {
		t.Errorf("%d files stay, want those of trials 2 to 202 without 100: %v", len(got), got)
	}
	text, err := os.ReadFile(filepath.Join(keep, "s/0badcafe/202/stderr.txt"))
	if err != nil || string(text) != "a warning\n" {
		t.Errorf("the last one has %q (%v), want its own line alone", text, err)
	}
}

// The notes of a failed attempt take the place of links that the program made.
func TestNotesFollowNoLinks(t *testing.T) {
	t.Parallel()
	keep, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, e := open(t, "links", external.Options{Keep: keep, Env: []string{"VICTIM=" + victim}})
	if r := ask(t, e, question7()); r.Outcome != evaluator.Failed {
		t.Fatalf("got %+v, want a failure", r)
	}
	if got, err := os.ReadFile(victim); err != nil || string(got) != "mine" {
		t.Errorf("the file outside has %q (%v), want it as it was", got, err)
	}
	for name, want := range map[string]string{"stderr.txt": "assertion failed", "reason.txt": external.CodeDied, "question.json": `"attempt":1`} {
		path := filepath.Join(keep, "s/0badcafe/7/failed-1", name)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is no regular file (%v)", name, err)
			continue
		}
		if got, err := os.ReadFile(path); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s has %q (%v), want %q in it", name, got, err, want)
		}
	}
}

// A design that ends a program which has checked it is evaluated once: the check
// was about the same design. Only a process that worked on others is replaced.
func TestACheckIsNoOlderWork(t *testing.T) {
	t.Parallel()
	b, e := open(t, "checksdie", external.Options{})
	died := func(want int) {
		t.Helper()
		lost := 0
		r := within(t, e, patience, unlucky, func(evaluator.Reason) { lost++ })
		if r.Outcome != evaluator.Failed || r.Reason.Code != external.CodeDied || lost != want {
			t.Errorf("got %+v (%+v) after %d lost processes, want %s after %d", r, r.Reason, lost, external.CodeDied, want)
		}
	}
	wantDouble(t, evaluate(t, e, 1), 1)
	died(1)
	died(0)
	died(0)
	if s := b.Stats(); s.Deaths != 3 {
		t.Errorf("Stats() = %+v, want three deaths", s)
	}
}

// The folder of a worker that was killed goes when the next one begins; that of
// one that lives stays.
func TestFoldersOfDeadWorkersAreRemoved(t *testing.T) {
	t.Parallel()
	keep := t.TempDir()
	_, first := open(t, "good", external.Options{Keep: keep})
	wantDouble(t, evaluate(t, first, 1), 1)
	living := scratchFolders(t, keep)
	dead := filepath.Join(keep, ".scratch-1")
	if err := os.MkdirAll(filepath.Join(dead, "4"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, second := open(t, "good", external.Options{Keep: keep})
	wantDouble(t, evaluate(t, second, 1), 1)
	now := scratchFolders(t, keep)
	if len(living) != 1 || len(now) != 2 || !slices.Contains(now, living[0]) || slices.Contains(now, dead) {
		t.Errorf("%v after %v, want that one and another, without %s", now, living, dead)
	}
	wantDouble(t, evaluate(t, first, 2), 2)
}

func scratchFolders(t *testing.T, keep string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(keep, ".scratch-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}
