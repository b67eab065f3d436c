package external_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"apollo/evaluator"
	"apollo/services/external"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestWhatCountsForTheIdentityOfAProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("sim.sh"), "one")
	write(t, in("config.json"), "{}")
	write(t, in("library.sh"), "one")
	write(t, in("sh"), "a file with the name of a program that is found elsewhere")
	if err := os.Mkdir(in("results"), 0o755); err != nil {
		t.Fatal(err)
	}
	digest := func(argv ...string) string {
		t.Helper()
		p, err := external.Identify(t.Context(), argv, dir, &external.Contents{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest()
	}
	argv := []string{"sh", "sim.sh", "config.json", "results", "x y"}
	p, err := external.Identify(t.Context(), argv, dir, &external.Contents{})
	if err != nil {
		t.Fatal(err)
	}
	var files []int
	for _, f := range p.Files {
		files = append(files, f.Arg)
	}
	if !slices.Equal(files, []int{1, 2}) || !filepath.IsAbs(p.Path) || filepath.Base(p.Path) != "sh" || filepath.Dir(p.Path) == dir {
		t.Errorf("files %v, path %s; want the arguments 1 and 2, and where sh is found", files, p.Path)
	}
	before := digest(argv...)
	write(t, in("library.sh"), "two")
	write(t, in("sh"), "two")
	if digest(argv...) != before {
		t.Error("a file that is no argument counts")
	}
	// The same content again is the same program, whenever it was written.
	write(t, in("sim.sh"), "one")
	if digest(argv...) != before {
		t.Error("a file that was written anew with its content counts")
	}
	for what, other := range map[string]string{
		"another order of arguments": digest("sh", "config.json", "sim.sh", "results", "x y"),
		"other words":                digest("sh", "sim.sh", "config.json", "results", "x", "y"),
		"an absolute path":           digest("sh", in("sim.sh"), "config.json", "results", "x y"),
		"another executable":         digest("cat", "sim.sh", "config.json", "results", "x y"),
	} {
		if other == before {
			t.Errorf("%s is the same program", what)
		}
	}
	write(t, in("config.json"), "{ }")
	if digest(argv...) == before {
		t.Error("an edited argument does not count")
	}
	own := digest("./sim.sh")
	write(t, in("sim.sh"), "two")
	if digest("./sim.sh") == own {
		t.Error("an edited executable does not count")
	}
}

// A program that was edited measures nothing more for the study that began
// with it, however its processes come and go.
func TestAnEditedProgramMeasuresNothingMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "sim.sh")
	const script = `read -r line
id=${line##*\"id\":\"}; id=${id%%%%\"*}
printf '{"id":"%%s","metrics":{"latency_s":%d}}\n' "$id"
`
	write(t, name, fmt.Sprintf(script, 1))
	b, err := external.Open(t.Context(), []string{"sh", "sim.sh"}, external.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	e, err := b.New(task())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := evaluate(t, e, 1); len(r.Values) != 1 || r.Values[0] != 1 {
			t.Fatalf("the program answers %+v, want 1", r)
		}
	}
	opened := b.Program().Digest()
	write(t, name, fmt.Sprintf(script, 2))
	for range 3 {
		// A process that was started before may still answer as it was.
		r, err := e.Evaluate(t.Context(), request(1))
		if err == nil && (len(r.Values) != 1 || r.Values[0] != 1) || err != nil && !errors.Is(err, evaluator.ErrChanged) {
			t.Errorf("an edited program: %+v, %v; want %v", r, err, evaluator.ErrChanged)
		}
	}
	if _, err := e.Evaluate(t.Context(), request(1)); !errors.Is(err, evaluator.ErrChanged) {
		t.Errorf("an edited program: %v; want %v", err, evaluator.ErrChanged)
	}
	if b.Program().Digest() != opened {
		t.Error("the backend takes the edited program for its own")
	}
	write(t, name, fmt.Sprintf(script, 1))
	if r := evaluate(t, e, 1); len(r.Values) != 1 || r.Values[0] != 1 {
		t.Errorf("put back: %+v, want 1", r)
	}
}

// Who waits for a large argument to be read can end it, and it is read once by
// all who share what is known.
func TestALargeArgumentIsReadOnceAndCanBeLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "large.bin")
	large := make([]byte, 9<<20)
	write(t, name, string(large))
	argv := []string{"sh", "-c", "exit 1", "large.bin"}
	var c external.Contents
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := external.Identify(ended, argv, dir, &c); !errors.Is(err, context.Canceled) {
		t.Fatalf("Identify() of who went away: %v, want %v", err, context.Canceled)
	}
	before, err := external.Identify(t.Context(), argv, dir, &c)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	// Other content of the same size and time: whoever reads it again sees that.
	large[0]++
	write(t, name, string(large))
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	b, err := external.Open(t.Context(), argv, external.Options{Dir: dir, Contents: &c})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Program().Digest() != before.Digest() {
		t.Error("the file was read again")
	}
}

// A program that is too slow to describe itself says for how long it was waited for.
func TestASlowDescriptionIsToldFromNone(t *testing.T) {
	t.Parallel()
	open := func(script string) external.Info {
		b, err := external.Open(t.Context(), []string{"sh", "-c", script}, external.Options{Startup: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		return b.Info()
	}
	if info := open("read -r line; read -r never"); info.Described || info.Waited != 50*time.Millisecond || info.Note != "it did not answer describe within 50ms" {
		t.Errorf("a slow one: %+v", info)
	}
	if info := open("exit"); info.Described || info.Waited != 0 {
		t.Errorf("one that ends: %+v", info)
	}
}
