package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"apollo/archiver"
	"apollo/archiver/storage/storagetest"
	"apollo/events"
)

const bucketStudy = `apiVersion: apollo/v1
kind: Study
metadata: {name: NAME}
spec:
  seed: 3
  space: {template: edge}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  constraints: [{metric: area, max: 6.8 mm2}]
  algorithm: {name: evolution}
  budget: {trials: 96, batch: 8}
  TRANSFER
`

// run runs apollo in this process.
func (b *bucketed) run(args ...string) string {
	b.t.Helper()
	var out, errs bytes.Buffer
	if code := Main(b.t.Context(), args, strings.NewReader(""), &out, &errs); code != 0 {
		b.t.Fatalf("apollo %s: exit %d\n%s%s", strings.Join(args, " "), code, &out, &errs)
	}
	return out.String()
}

type bucketed struct {
	t   *testing.T
	dir string
}

func (b *bucketed) study(name, transfer string) string {
	path := filepath.Join(b.dir, name+".yaml")
	text := strings.NewReplacer("NAME", name, "TRANSFER", transfer).Replace(bucketStudy)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b *bucketed) source(place, study string) archiver.Source {
	b.t.Helper()
	files, err := archiver.Files(place)
	if err != nil {
		b.t.Fatal(err)
	}
	src, err := archiver.LoadSource(files, events.Source{Study: study})
	if err != nil {
		b.t.Fatal(err)
	}
	return src
}

// TestLogInABucket: a study whose log is in a bucket, a process that is killed
// at requests to it, and another machine that learns from it.
func TestLogInABucket(t *testing.T) {
	server := storagetest.New(t)
	b := &bucketed{t, t.TempDir()}
	home := func(name string) string { return filepath.Join(b.dir, name) }
	place := storagetest.Place("team/a")
	one := b.study("one", "")
	b.run("run", one, "--data", home("quiet"), "--quiet")
	want := b.source(home("quiet"), "one").SHA256

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	kills, kinds := 0, map[string]int{}
	// Every kill is at a later request than the one before: of the lease, of the
	// manifest, of part files. Odd ones are carried out without an answer.
	for at := 1; ; at++ {
		c := exec.Command(self, "run", one, "--data", home("killed"), "--archive", place, "--quiet")
		c.Args[0] = "apollo" // what testscript.Main looks at
		var said bytes.Buffer
		c.Stderr = &said
		var once sync.Once
		seen, died := 0, make(chan struct{})
		var mu sync.Mutex // guards seen
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		server.Watch(func(r *http.Request) bool {
			mu.Lock()
			seen++
			hit := seen == at
			mu.Unlock()
			if !hit {
				return true
			}
			once.Do(func() {
				kills++
				kinds[r.Method]++
				_ = c.Process.Kill() // it may have ended
				<-died
			})
			return at%2 == 1
		})
		err := c.Wait()
		close(died)
		server.Watch(nil)
		server.Pass(time.Minute)
		if err == nil {
			break
		}
		if c.ProcessState.ExitCode() != -1 {
			t.Fatalf("apollo run: %v\n%s", err, &said)
		}
		if at > 400 {
			t.Fatal("the study never ends")
		}
	}
	src := b.source(place, "one")
	if src.SHA256 != want || len(src.Trials) != 96 {
		t.Errorf("%d trials with the hash %s, want 96 with %s", len(src.Trials), src.SHA256, want)
	}
	t.Logf("%d kills at requests %v, lost rows: %d", kills, kinds, 96-len(src.Trials))

	// Another machine: nothing but the bucket is shared.
	two := b.study("two", "transfer: {sources: [{study: one}]}")
	if out := b.run("run", two, "--data", home("other"), "--archive", place); !strings.Contains(out, "('"+place+"/trials/current/study=two/run=") {
		t.Errorf("apollo run has no query of the log in the bucket:\n%s", out)
	}
	if n := len(b.source(place, "two").Trials); n != 96 {
		t.Errorf("the second study has %d trials in the bucket, want 96", n)
	}
	auto := b.study("three", "transfer: {sources: [auto]}")
	if out := b.run("transfer", "candidates", auto, "--data", home("third"), "--archive", place); !strings.Contains(out, "one") || !strings.Contains(out, "two") {
		t.Errorf("transfer ls does not name the studies of the bucket:\n%s", out)
	}
	if out := b.run("study", "show", "two", "--data", home("other"), "--archive", place); !strings.Contains(out, place+"/trials/current/study=two/run=") {
		t.Errorf("study show does not say where the log is:\n%s", out)
	}
	// And by URL, from a study file.
	four := b.study("four", "transfer: {sources: [{parquet: \""+place+"/trials/current/study=one/*/*.parquet\"}]}")
	b.run("run", four, "--data", home("fourth"), "--quiet")

	// Every command that reads or removes does so in the bucket.
	other := []string{"--data", home("other"), "--archive", place}
	if out := b.run(append([]string{"archive", "rm", "--older-than", "1ns", "--dry-run", "-o", "jsonl"}, other...)...); !strings.Contains(out, "study two, which is on the bus, transfers from it") || !strings.Contains(out, `"kept":"it is on the bus`) {
		t.Errorf("archive rm does not see the bucket, or takes what is on the bus:\n%s", out)
	}
	var out, errs bytes.Buffer
	if code := Main(t.Context(), []string{"study", "rm", "two", "--yes", "--data", home("other")}, nil, &out, &errs); code == 0 || !strings.Contains(errs.String(), "there is no trial log in "+home("other")) {
		t.Errorf("study rm without the bucket: exit code %d\n%s", code, &errs)
	}
	b.run(append([]string{"study", "rm", "two", "--yes"}, other...)...)
	errs.Reset()
	if code := Main(t.Context(), append([]string{"study", "show", "two"}, other...), nil, &out, &errs); code == 0 || !strings.Contains(errs.String(), "its trials are in the trial log in "+place+" alone") {
		t.Errorf("study show of what only the bucket has: exit code %d\n%s", code, &errs)
	}
	pattern := place + "/trials/current/study=one/*/*.parquet"
	if out := b.run(append([]string{"compare", "two", pattern, "-o", "json"}, other...)...); strings.Count(out, `"trials": 96`) != 2 {
		t.Errorf("compare of a study and a pattern in the bucket:\n%s", out)
	}
	b.run(append([]string{"archive", "rm", "two", "--yes"}, other...)...)
	if files := b.files(place, "two"); len(files) != 0 {
		t.Errorf("files of the manifest after archive rm: %v", files)
	}
}

// files are the studies of a place that the manifest has files of, but for others.
func (b *bucketed) files(place, study string) (found []archiver.EndedRun) {
	b.t.Helper()
	files, err := archiver.Files(place)
	if err != nil {
		b.t.Fatal(err)
	}
	ended, err := archiver.EndedRuns(files)
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.DeleteFunc(ended, func(r archiver.EndedRun) bool { return r.Study != study })
}
