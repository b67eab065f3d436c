package commands

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/lab/bench"
	"apollo/lab/peer"
	"apollo/lab/suite"
	"apollo/optimizer"
	"apollo/services/cli"
)

// benchWorkerCommand is how a comparison starts this binary again.
func (a *Lab) benchWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         "worker", Short: "Run searches for another process", Hidden: true, Args: cli.Exactly(0),
		Long: `Run one search per line of standard input, a job as JSON, and answer each with lines of
JSON on standard output. "apollo bench" starts these processes itself.`,
		Example: `  apollo bench worker < jobs.jsonl`,
		RunE: func(c *cobra.Command, _ []string) error {
			w := &bench.Worker{Suites: suite.All(), Peer: peerOf}
			return w.Serve(c.Context(), a.Stdin, a.Stdout)
		},
	}
}

// peerOf makes the algorithm of a job whose contender is a program.
func peerOf(job *bench.Job, task *bench.Task) (optimizer.Algorithm, error) {
	p := peer.Peer{Command: job.Command, Label: job.Label, Budget: job.Spec.Budget.Trials, Batch: job.Spec.Budget.Batch}
	for _, o := range job.Spec.Objectives {
		p.Objectives = append(p.Objectives, peer.Objective{Name: o.Metric, Goal: o.Goal})
	}
	// The names are in the order of study.Features.
	for _, f := range task.Features {
		p.Features = append(p.Features, f.Name)
	}
	for _, m := range job.Spec.Metrics {
		if m.Cheap && job.Spec.KnownConstraints != "hidden" {
			p.Features = append(p.Features, m.Name)
		}
	}
	return p, nil
}

func (a *Lab) bench(c *cobra.Command, flags *benchFlags) error {
	data := a.benchData(c)
	env, err := a.environment(c, flags)
	if err != nil {
		return err
	}
	plan, tasks, err := flags.plan(c.Context(), env)
	if err != nil {
		return err
	}
	build, err := a.build()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cells := plan.Cells()
	if len(cells) == 0 {
		return cli.Usagef("none of the tasks has the lane")
	}
	progress := &benchProgress{lab: a, began: time.Now()}
	r := &bench.Runner{
		Data: data, Build: build, Command: []string{self, "bench", "worker"}, Workers: flags.workers, Environment: env,
		CPULimit: flags.cpuLimit.Seconds(), Hang: flags.hang, AnyBuild: flags.anyBuild,
		Logger: a.Logger(c, 4), Report: progress.tick,
	}
	failures, err := r.Run(c.Context(), cells)
	a.Console.Clear()
	if cli.IsInterrupted(c.Context()) {
		return cli.Hinted(cli.ExitInterrupted, "the same command goes on; `apollo bench report --data "+data+"` shows what is there",
			fmt.Errorf("stopped with %s of %s searches done", cli.Count(progress.last.Cells), cli.Count(progress.last.All)))
	}
	if err != nil {
		return lockedHint(data, err)
	}
	wanted := map[string]bool{}
	for _, cell := range cells {
		wanted[cell.Study()+"/"+r.RunOf(cell)] = true
	}
	traces, err := a.traces(data, func(study, run string) bool { return wanted[study+"/"+run] })
	if err != nil {
		return err
	}
	report, err := a.newReport(c, tasks, traces, flags.options(plan))
	if err != nil {
		return firstFailure(err, failures)
	}
	report.Fail(failures)
	return a.printReport(report, flags)
}

// firstFailure says why there is nothing to report.
func firstFailure(err error, failures []bench.Failure) error {
	if len(failures) == 0 {
		return err
	}
	return fmt.Errorf("%w: all %d searches failed; the first, %s: %w", err, len(failures), failures[0].Cell.Study(), failures[0].Err)
}

func (flags *benchFlags) options(p *bench.Plan) bench.Options {
	o := bench.Options{Reference: flags.reference, Resamples: flags.resamples, Marks: flags.marks, Twins: flags.twins}
	for _, c := range p.Contenders {
		o.Order = append(o.Order, c.Label)
	}
	return o
}

// newReport computes a report, and says what it waits for.
func (a *Lab) newReport(c *cobra.Command, tasks []*bench.Task, traces []*bench.Trace, o bench.Options) (*bench.Report, error) {
	shown := time.Now()
	o.Asking = func(task string) {
		switch {
		case a.Quiet:
		case a.Console.Live:
			a.Console.Show("looking up the best design of " + task)
		case time.Since(shown) >= cli.PlainEvery:
			shown = time.Now()
			a.Say("looking up the best design of %s", task)
		}
	}
	defer a.Console.Clear()
	return bench.NewReport(c.Context(), tasks, traces, o)
}

func (a *Lab) traces(data string, wanted func(study, run string) bool) ([]*bench.Trace, error) {
	return bench.ReadTraces(data, wanted, func(err error) { a.Say("set aside: %v", err) })
}

// build names the code of this process: searches of another build may give
// other trials.
func (a *Lab) build() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	return a.Version + " " + hex.EncodeToString(h.Sum(nil))[:12], nil
}

// benchProgress shows how far a comparison is.
type benchProgress struct {
	lab   *Lab
	began time.Time
	shown time.Time
	last  bench.Progress
}

func (p *benchProgress) tick(t bench.Progress) {
	p.last = t
	if t.Failure != nil {
		p.lab.Say("%s failed: %v", t.Failure.Cell.Study(), t.Failure.Err)
	}
	now := time.Now()
	line := p.line(t, now.Sub(p.began))
	switch {
	case p.lab.Quiet:
	case p.lab.Console.Live:
		p.lab.Console.Show(line)
	case now.Sub(p.shown) >= cli.PlainEvery:
		p.shown = now
		p.lab.Say("%s", line)
	}
}

func (p *benchProgress) line(t bench.Progress, elapsed time.Duration) string {
	parts := []string{fmt.Sprintf("%s of %s searches", cli.Count(t.Cells), cli.Count(t.All))}
	if t.Known > 0 {
		parts = append(parts, cli.Count(t.Known)+" were done before")
	}
	if t.Failed > 0 {
		parts = append(parts, cli.Count(t.Failed)+" failed")
	}
	if t.Trials > 0 && t.Trials < t.TrialsAll {
		left := time.Duration(float64(elapsed) * float64(t.TrialsAll-t.Trials) / float64(t.Trials))
		parts = append(parts, "ETA "+cli.Duration(left))
	}
	return strings.Join(parts, ", ")
}
