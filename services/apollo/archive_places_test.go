package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/archiver/storage/storagetest"
)

// served is apollo up in this process, until stop. Its dashboard is at web.
type served struct {
	web  string
	stop func()
}

func (b *bucketed) up(args ...string) served {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, append([]string{"up", "--port", "0", "--web", "127.0.0.1:0"}, args...), nil, io.Discard, write)
		write.Close()
	}()
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		if _, at, found := strings.Cut(lines.Text(), "dashboard on "); found {
			go func() { _, _ = io.Copy(io.Discard, read) }()
			return served{at, func() { cancel(); <-ended }}
		}
	}
	b.t.Fatalf("apollo up ended with %d", <-ended)
	return served{}
}

func (b *bucketed) get(url string) string {
	b.t.Helper()
	r, err := http.Get(url)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		b.t.Errorf("GET %s: %s, %v\n%s", url, r.Status, err, body)
	}
	return string(body)
}

// whatDiffers takes out of what is said what no two runs of a command say alike:
// identities of runs, times, folders, and names of processes.
func whatDiffers(places ...string) func(string) string {
	noise := regexp.MustCompile(`\b[0-9a-f]{8}\b|\d{4}-\d\d-\d\d[T ][0-9:.]+Z?|\d\d:\d\d(:\d\d)?|127\.0\.0\.1:\d+|` +
		`\([0-9.]+/s\)|-?\b[0-9.]+ ?(µs|ms|s|min|h|KiB)\b|"(seconds|elapsed_s|start|end|worker|first|last)": ?("[^"]*"|[0-9.e+-]+)`)
	return func(s string) string {
		for _, p := range places {
			s = strings.ReplaceAll(s, p, "PLACE")
		}
		return noise.ReplaceAllString(regexp.MustCompile(" +").ReplaceAllString(s, " "), "~")
	}
}

// Every command that shows, measures again or goes on says of a log in a bucket what it
// says of one on disk, and the pages of the dashboard see it.
func TestCommandsInABucketAsOnDisk(t *testing.T) {
	storagetest.New(t)
	b := &bucketed{t, t.TempDir()}
	few := []string{"--set", "spec.budget.trials=24"}
	one, two, three := b.study("one", ""), b.study("two", "transfer: {sources: [{study: one}]}"), b.study("three", "transfer: {sources: [auto]}")
	served := [][]string{
		{"run", one, few[0], few[1]},
		{"study", "show", "one"},
		{"study", "show", "one", "-o", "json"},
		{"study", "verify", "one"},
		{"study", "fork", "one", "--at", "10", "--as", "forked", "--set", "spec.seed=5"},
		{"study", "verify", "forked"},
		{"study", "recheck", "one", "--evaluator", "edge", "--top", "3"},
		{"trial", "ls", "one", "-o", "csv"},
		{"transfer", "candidates", three},
		{"run", two, few[0], few[1]},
		{"transfer", "report", "two"},
		{"study", "verify", "two"},
		{"compare", "one", "two", "forked"},
		{"report", "two", "-o", "OUT"},
		{"study", "rm", "one", "--yes"},
		{"run", three, few[0], few[1]},
		{"transfer", "report", "three"},
		{"compare", "one", "three"},
	}
	alone := [][]string{{"archive", "rm", "--older-than", "1ns", "--dry-run", "-o", "wide"}, {"archive", "rm", "one", "--yes"}, {"transfer", "candidates", three}}
	said := map[string][]string{}
	for kind, place := range map[string]string{"disk": filepath.Join(b.dir, "disk"), "bucket": storagetest.Place("places")} {
		home := filepath.Join(b.dir, kind)
		flags := []string{"--data", home, "--archive", place}
		up := b.up(flags...)
		clean := whatDiffers(place, home, b.dir)
		for _, c := range served {
			var out string
			if i := slices.Index(c, "OUT"); i > 0 {
				c = slices.Clone(c)
				c[i] = filepath.Join(b.dir, "out.html")
				b.run(append(c, flags...)...)
				html, err := os.ReadFile(c[i])
				if err != nil {
					t.Fatal(err)
				}
				out = string(html)
			} else {
				out = b.run(append(slices.Clone(c), flags...)...)
			}
			said[kind] = append(said[kind], clean(out))
		}
		for path, want := range map[string]string{
			"/": "forked", "/studies/two": "Best latency", "/studies/two/trials/3": "pes_x", "/studies/three/transfer": "one",
			"/compare?study=two&study=forked": "forked", "/health": "All of 5 studies",
		} {
			if page := b.get(up.web + path); !strings.Contains(page, want) {
				t.Errorf("with the log in %s the page %s lacks %q:\n%s", place, path, want, page)
			}
		}
		up.stop()
		for _, c := range alone {
			said[kind] = append(said[kind], clean(b.run(append(slices.Clone(c), flags...)...)))
		}
	}
	for i, c := range append(served, alone...) {
		if diff := cmp.Diff(strings.Split(said["disk"][i], "\n"), strings.Split(said["bucket"][i], "\n")); diff != "" {
			t.Errorf("apollo %s says other things of a log in a bucket (+) than of one on disk (-):\n%s", strings.Join(c, " "), diff)
		}
	}
}
