package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/archive"
)

// Runner runs cells in parallel processes and keeps their trials in the log of
// a data directory. A cell that the log holds whole is not run again; one that
// was cut off starts anew, and gives the same trials.
type Runner struct {
	// Data is the data directory. One runner works in it at a time.
	Data string
	// Build names the code of this binary: its cells are told apart from those
	// of other builds by it.
	Build string
	// Command is the argv of a worker process.
	Command []string
	// Workers is the number of processes; at least 1.
	Workers     int
	Environment Environment
	// CPULimit is the most CPU time of one suggestion, in seconds; 0 means any.
	CPULimit float64
	// Hang is how long a worker may be silent before its cell fails.
	Hang time.Duration
	// AnyBuild takes finished cells of other builds instead of running them.
	AnyBuild bool
	Logger   *slog.Logger
	// Report is called, from one goroutine at a time, when a cell is done.
	Report func(Progress)

	runs map[string]string // by study: of this build, or the one that is taken instead
}

// RunOf returns the name of a cell's run in the log, once Run was called.
func (r *Runner) RunOf(c *Cell) string { return r.runs[c.Study()] }

// spec returns a cell's study with the runs of its sources.
func (r *Runner) spec(c *Cell) *events.Spec {
	spec := c.Spec(r.Build)
	for i, source := range c.Sources {
		spec.Transfer.Sources[i].Run = r.runs[source.Study()]
	}
	return spec
}

// Progress says how far a run is.
type Progress struct {
	// Cells are done, of All; Known of them were in the log before.
	Cells, All, Known, Failed int
	// Trials are done in this run, of TrialsAll.
	Trials, TrialsAll int
	// Failure is set when the cell that was just done failed.
	Failure *Failure
}

// Failure is a cell without a result.
type Failure struct {
	Cell *Cell
	Err  error
}

// state is what the workers of a run share.
type state struct {
	*Runner
	mu       sync.Mutex // guards all below, and the store
	store    *archiver.Store
	progress Progress
	failures []Failure
	failed   map[string]bool // studies
	// broken is why nothing can be kept any more.
	broken error
}

// Run runs the cells, and the sources that they need first. It returns the
// cells that failed; the error is for a log that cannot be written and for the
// end of ctx.
func (r *Runner) Run(ctx context.Context, cells []*Cell) (failures []Failure, err error) {
	store, err := archiver.Open(r.Data, archiver.Options{Logger: r.Logger})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s := &state{Runner: r, store: store, failed: map[string]bool{}}
	r.runs = map[string]string{}
	phases := phasesOf(cells)
	for i, phase := range phases {
		phases[i] = s.missing(phase)
	}
	r.Report(s.progress)
	for _, phase := range phases {
		if err := s.phase(ctx, phase); err != nil {
			return s.failures, err
		}
	}
	return s.failures, nil
}

// phasesOf returns the cells and their sources, each once, in phases: what a
// cell learns from is in an earlier one.
func phasesOf(cells []*Cell) [][]*Cell {
	depth, byName := map[string]int{}, map[string]*Cell{}
	var order []string
	var visit func(c *Cell) int
	visit = func(c *Cell) int {
		name := c.Study()
		if d, seen := depth[name]; seen {
			return d
		}
		d := 0
		for _, source := range c.Sources {
			d = max(d, 1+visit(source))
		}
		depth[name], byName[name] = d, c
		order = append(order, name)
		return d
	}
	for _, c := range cells {
		visit(c)
	}
	var phases [][]*Cell
	for _, name := range order {
		for len(phases) <= depth[name] {
			phases = append(phases, nil)
		}
		phases[depth[name]] = append(phases[depth[name]], byName[name])
	}
	return phases
}

// missing returns the cells that the log does not hold.
func (s *state) missing(cells []*Cell) []*Cell {
	var out []*Cell
	for _, c := range cells {
		s.progress.All++
		run, finished := s.find(c)
		s.runs[c.Study()] = run
		if finished {
			s.progress.Known++
			s.progress.Cells++
			continue
		}
		s.progress.TrialsAll += c.Trials
		out = append(out, c)
	}
	return out
}

// find returns the name of a cell's run, and whether the log holds it whole.
func (s *state) find(c *Cell) (run string, finished bool) {
	prefix, suffix := c.run(s.Build)
	study := c.Study()
	whole := func(run string) bool {
		state, _ := s.store.Closed(study, run)
		return state == archiver.StateCompleted
	}
	run = prefix + suffix
	if whole(run) || !s.AnyBuild {
		return run, whole(run)
	}
	folders, err := os.ReadDir(filepath.Join(s.Data, "trials", "current", "study="+study))
	if err != nil {
		return run, false // no run of the study was ever kept
	}
	for _, folder := range folders {
		other, ok := strings.CutPrefix(folder.Name(), "run=")
		if ok && strings.HasPrefix(other, prefix) && whole(other) {
			return other, true
		}
	}
	return run, false
}

// phase runs cells that do not depend on each other.
func (s *state) phase(ctx context.Context, cells []*Cell) error {
	next := make(chan *Cell)
	var wg sync.WaitGroup
	for range min(s.Workers, len(cells)) {
		wg.Go(func() { s.work(ctx, next) })
	}
	for _, c := range cells {
		if ctx.Err() != nil || s.isBroken() {
			break
		}
		next <- c
	}
	close(next)
	wg.Wait()
	if s.broken != nil {
		return s.broken
	}
	return context.Cause(ctx)
}

func (s *state) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken != nil
}

// work runs cells in one process after the other; a process that dies takes
// its cell with it, and the next cell gets a new one.
func (s *state) work(ctx context.Context, next <-chan *Cell) {
	var process *child
	for c := range next {
		if ctx.Err() != nil {
			continue
		}
		var batches []Batch
		err := s.lacks(c)
		if err == nil && process == nil {
			process, err = startChild(ctx, s.Command)
		}
		if err == nil {
			batches, err = process.do(s.job(c), s.Hang)
		}
		if errors.Is(err, errGone) {
			process = nil
		}
		if ctx.Err() == nil {
			s.done(c, batches, err)
		}
	}
	if process != nil {
		process.end()
	}
}

// lacks returns the error of a cell whose sources failed.
func (s *state) lacks(c *Cell) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, source := range c.Sources {
		if name := source.Study(); s.failed[name] {
			return fmt.Errorf("its source %s failed", name)
		}
	}
	return nil
}

func (s *state) job(c *Cell) *Job {
	return &Job{
		Suite: c.Suite, Task: c.Task.Name, Lane: c.Lane, Environment: s.Environment, Contender: c.By,
		Run: s.runs[c.Study()], Spec: s.spec(c), Data: s.Data, CPULimit: s.CPULimit,
	}
}

// done keeps the trials of a cell, or notes why there are none.
func (s *state) done(c *Cell, batches []Batch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		if s.broken = errors.Join(s.broken, s.keep(c, batches)); s.broken != nil {
			return
		}
	}
	s.progress.Cells++
	s.progress.Trials += c.Trials
	s.progress.Failure = nil
	if err != nil {
		s.failed[c.Study()] = true
		s.failures = append(s.failures, Failure{c, err})
		s.progress.Failed++
		s.progress.Failure = &s.failures[len(s.failures)-1]
	}
	s.Report(s.progress)
}

// keep writes a whole cell into the log, durably.
func (s *state) keep(c *Cell, batches []Batch) error {
	study, run, spec := c.Study(), s.RunOf(c), s.spec(c)
	if err := s.store.Begin(archiver.Run{Spec: spec, ID: run, Accepted: time.Now().UTC()}); err != nil {
		return err
	}
	rows, err := archive.Rows(spec, run)
	if err != nil {
		return err
	}
	for i := range batches {
		if _, err := s.store.Append(rows(&batches[i].Proposed, &batches[i].Evaluated)...); err != nil {
			return err
		}
	}
	if err := s.store.Commit(s.store.Position()); err != nil {
		return err
	}
	if err := s.store.CloseRun(study, run, archiver.StateCompleted); err != nil {
		return err
	}
	s.store.End(study, run)
	return nil
}
