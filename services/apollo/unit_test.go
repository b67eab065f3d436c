package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
)

func TestQuantity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0.00018268, "s", "182.7 us"},
		{1.5, "s", "1.5 s"},
		{0, "s", "0 s"},
		{5.89e-4, "J", "589 uJ"},
		{2e-14, "J", "0.02 pJ"},
		{262144, "B", "256 KiB"},
		{1536, "B", "1.5 KiB"},
		{100, "B", "100 B"},
		{25e9, "B/s", "25 GB/s"},
		{800e6, "Hz", "800 MHz"},
		{6.7, "mm2", "6.7 mm2"},
		{16384, "", "16,384"},
		{-16384, "", "-16,384"},
		{1024, "entries", "1024 entries"},
		{16384, "entries", "16,384 entries"},
		{0.25, "", "0.25"},
		{math.NaN(), "s", "-"},
	} {
		if got := cli.Quantity(test.value, test.unit); got != test.want {
			t.Errorf("quantity(%v, %q) = %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestBareDropsTheUnitOfAMetric(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"latency_s", "s", "latency"}, {"energy_j", "J", "energy"}, {"area_mm2", "mm2", "area"}, {"rate", "", "rate"},
	} {
		if got := cli.Bare(test[0], test[1]); got != test[2] {
			t.Errorf("bare(%q, %q) = %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

func TestSplitPattern(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"/logs/*.parquet", "/logs", "*.parquet"},
		{"/logs/a/**/x.parquet", "/logs/a", "**/x.parquet"},
		{"/one.parquet", "/", "one.parquet"},
		{"logs/one.parquet", "logs", "one.parquet"},
		{"*.parquet", ".", "*.parquet"},
		{"/logs/study=a/run=b/*.parquet", "/logs", "study=a/run=b/*.parquet"},
		{"one.parquet", ".", "one.parquet"},
	} {
		dir, below := splitPattern(test[0])
		if dir != test[1] || below != test[2] {
			t.Errorf("splitPattern(%q) = %q, %q, want %q, %q", test[0], dir, below, test[1], test[2])
		}
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{"spec.budget.trials=900", "spec.budget.trials=900"},
		{"a b", `"a b"`},
		{`$x"y`, `"\$x\"y"`},
		{"", `""`},
	} {
		if got := shellWord(test[0]); got != test[1] {
			t.Errorf("shellWord(%q) = %s, want %s", test[0], got, test[1])
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(cli.InterruptedBy(syscall.SIGINT))
	for _, test := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"usage", t.Context(), cli.Usagef("no"), cli.ExitUsage},
		{"wrapped", t.Context(), fmt.Errorf("open: %w", cli.Hinted(cli.ExitRejected, "", errors.New("no"))), cli.ExitRejected},
		{"unreachable", t.Context(), fmt.Errorf("connect: %w", events.ErrUnreachable), cli.ExitUnreachable},
		{"plain", t.Context(), errors.New("no"), cli.ExitError},
		{"interrupted", interrupted, context.Canceled, cli.ExitInterrupted},
		{"interrupted at a place", interrupted, cli.Hinted(cli.ExitUsage, "", fmt.Errorf("repairs: %w", context.Canceled)), cli.ExitInterrupted},
		{"interrupted after a mistake", interrupted, cli.Usagef("no"), cli.ExitUsage},
	} {
		if got, _ := cli.Classify(test.ctx, test.err); got != test.want {
			t.Errorf("%s: exit code %d, want %d", test.name, got, test.want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	spec := &events.Spec{
		Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		Metrics:    []events.Metric{{Name: "latency_s", Unit: "s"}},
	}
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := newProgress(&app{Terminal: &cli.Terminal{Console: cli.NewConsole(&out)}}, spec)
	p.now = func() time.Time { return now }
	tick := func(trials int, best *events.BestTrial) {
		p.tick(events.Progress{Study: "s", State: "running", Counts: events.Counts{Trials: trials, Feasible: trials / 4}, Budget: 1000, Best: best})
	}
	tick(0, nil)
	now = now.Add(time.Second)
	tick(50, nil) // too soon for a plain line
	now = now.Add(4 * time.Second)
	tick(100, &events.BestTrial{Metrics: map[string]float64{"latency_s": 0.0002}})
	now = now.Add(5 * time.Second)
	p.tick(events.Progress{Study: "s", State: "running", Counts: events.Counts{Trials: 150, Feasible: 30, Voided: 10, LowFidelity: 80}, Budget: 1000})
	want := "apollo: s: 0/1000 trials, - feasible\n" +
		"apollo: s: best latency 200 us, 100/1000 trials, 20/s, 25.0 % feasible, ETA 45s\n" +
		"apollo: s: 150/1000 trials, 15/s, 50.0 % feasible, ETA 56.7s\n"
	if got := out.String(); got != want {
		t.Errorf("progress = %q, want %q", got, want)
	}
}

func TestConsoleKeepsTheLiveLineBelowMessages(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := cli.NewConsole(&out)
	c.Show("live")
	c.Printf("apollo: message\n")
	c.Clear()
	want := "\r\x1b[Klive\r\x1b[Kapollo: message\nlive\r\x1b[K"
	if got := out.String(); got != want {
		t.Errorf("console wrote %q, want %q", got, want)
	}
}

func TestLineHandler(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := slog.New(&cli.LineHandler{Out: &out, Level: slog.LevelInfo}).With("study", "s")
	l.Debug("hidden")
	l.Info("started", "trial", 3)
	l.WithGroup("bus").Warn("bad", "error", errors.New("two words"))
	want := "apollo: started study=s trial=3\napollo: warn: bad study=s bus.error=\"two words\"\n"
	if got := out.String(); got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
}

func TestGainFollowsTheGoal(t *testing.T) {
	t.Parallel()
	spec := &events.Spec{
		Objectives:  []events.Objective{{Metric: "rate", Goal: "maximize"}},
		Constraints: []events.Constraint{{Metric: "yield", Min: new(0.5)}, {Metric: "fps", Max: new(60.0)}},
	}
	for _, test := range []struct {
		metric  string
		v, base float64
		want    string
	}{
		{"latency_s", 1, 2, "2.00x"},
		{"rate", 1, 2, "0.50x"},
		{"latency_s", 0, 2, "-"},
		// What the study limits, and what is better without being asked for.
		{"yield", 1, 2, "0.50x"},
		{"fps", 30, 60, "2.00x"},
		{"accuracy", 70, 72, "0.97x"},
		{"tops", 2, 1, "2.00x"},
	} {
		if got := gain(spec, events.Metric{Name: test.metric}, test.v, test.base); got != test.want {
			t.Errorf("gain(%s, %v, %v) = %s, want %s", test.metric, test.v, test.base, got, test.want)
		}
	}
}

func TestEveryCommandHasUsage(t *testing.T) {
	t.Parallel()
	for _, c := range commandsBelow((&app{Terminal: &cli.Terminal{}}).root()) {
		if c.Short == "" || !strings.Contains(c.Example, "  apollo ") {
			t.Errorf("%s has no usage with an example", c.CommandPath())
		}
	}
}

// commandsBelow lists all commands below c.
func commandsBelow(c *cobra.Command) []*cobra.Command {
	all := c.Commands()
	for _, sub := range c.Commands() {
		all = append(all, commandsBelow(sub)...)
	}
	return all
}

// What a model keeps beside it is a file in its folder: a pipe would wait for a
// writer that never comes.
func TestBesideAModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	read := beside(filepath.Join(dir, "m.onnx"))
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "a"), []byte("0123"), 0o600), syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := read("a", 1, 2); string(got) != "12" || err != nil {
		t.Errorf("two bytes: %q, %v", got, err)
	}
	for name, want := range map[string]string{"pipe": "no regular file", ".": "no regular file", "none": "no such file", "../a": "escapes"} {
		if _, err := read(name, 0, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
