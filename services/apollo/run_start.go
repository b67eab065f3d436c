package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/archive"
	"apollo/services/client"
	"apollo/services/inspect"
)

// part is a set of the services that a run can need.
type part uint8

const (
	proposing part = 1 << iota
	evaluating
	archiving
)

// start starts services of this process for the run.
func (r *runner) start(ctx context.Context, view *client.StudyView, parts part) error {
	a, s, spec := r.app, r.session, r.doc.Spec
	logger := a.Logger(r.command, slog.LevelWarn)
	fail, err := failpoint()
	if err != nil {
		return err
	}
	var first, last []role
	if parts&proposing != 0 {
		p := a.proposer(r.command, s)
		p.Programs = a.programsIn(folder(r.file))
		notices := ownNotices()
		notices.Local = r.flags.web.private()
		p.Webhooks = notices.Check
		p.Only, p.Local, p.Logger, p.Failpoint = spec.Study, true, logger.With("service", "proposer"), fail
		first = append(first, role{"proposer", p.Run})
		last = append(last, notifyRole(s, notices, logger))
	}
	if parts&evaluating != 0 {
		r.sayWithoutWork()
		first = append(first, r.evaluators(view, logger, fail)...)
	}
	if parts&archiving != 0 {
		// On another process's server that process may write the log, or only read.
		archiver := archive.Archiver{Bus: s.bus, Standby: s.server == nil, Dir: a.archive(), Worker: workerName(), Logger: logger.With("service", "archiver"), Tracer: s.tracer, Failpoint: fail}
		last = append(last, role{"archiver", archiver.Run})
	}
	r.add(ctx, first, last)
	return nil
}

// add starts roles beside those of the run that are there already.
func (r *runner) add(ctx context.Context, first, last []role) {
	if r.process == nil {
		r.process = startRoles(ctx, nil, nil)
	}
	r.process.start(first, last) //nolint:contextcheck // the roles live until stop
}

// serveWeb serves the dashboard beside the run, where it is asked for.
func (r *runner) serveWeb(ctx context.Context) error {
	if r.flags.web.address == "" {
		return nil
	}
	alone := ""
	if r.session.server != nil {
		alone = r.doc.Spec.Study // nobody else is on this bus
	}
	page, err := r.app.webRole(ctx, r.app.Logger(r.command, slog.LevelWarn), r.session, &r.flags.web, alone)
	if err != nil {
		return err
	}
	r.add(ctx, nil, []role{page})
	return nil
}

// sayWithoutWork says that more evaluators were asked for than get work at a time. A
// short run is over before anybody sees them idle.
func (r *runner) sayWithoutWork() {
	n := r.doc.Spec.Budget.Parallelism
	if asked := r.flags.evaluators; r.command.Flags().Changed("evaluators") && n < asked && !r.doc.Spec.Evaluator.Manual {
		r.app.Say("%d of the %d evaluators get work: spec.budget.parallelism is %[1]d. `--set spec.budget.parallelism=%[2]d` gives it to all, in a new run", n, asked)
	}
}

// evaluators are those of the study: the built-in one, or the program that the
// study file names, which serves this run alone. A study with an evaluator from
// elsewhere waits for it.
func (r *runner) evaluators(view *client.StudyView, logger *slog.Logger, fail func(string) error) []role {
	spec := r.doc.Spec
	if spec.Evaluator.Manual {
		r.app.Say("%s is measured by hand: `apollo trial ask %[1]s --data %[2]s` shows designs, `apollo trial tell %[1]s --data %[2]s` takes what was measured", spec.Study, shellWord(r.app.Data))
		return nil
	}
	if p := r.program; p != nil {
		e := newEvaluator(r.session, spec.Evaluator.Name, r.flags.evaluators, logger, fail)
		e.OnlyStudy, e.OnlyRun = view.Study, view.Run
		measure := programRole(e, p.backend)
		p.backend = nil // the role closes it
		return []role{measure}
	}
	for _, t := range inspect.Builtins().Templates {
		if t.Backend.Describe().Name == spec.Evaluator.Name {
			return []role{evaluatorRole(r.session, spec.Evaluator.Name, r.flags.evaluators, logger, fail)}
		}
	}
	r.app.Say("waiting for the evaluator %s: `apollo evaluator run --name %s --exec … --data %s`", spec.Evaluator.Name, spec.Evaluator.Name, r.app.Data)
	return nil
}

// signOfLife is how long a run on another process's server waits for that
// process to drive it. It takes milliseconds where somebody does.
const signOfLife = 2 * time.Second

// join runs the study on the server of another process: `apollo up` drives it,
// another `apollo run` does not, because that drives its own study alone.
func (r *runner) join(ctx context.Context, view *client.StudyView) error {
	switch {
	case !r.session.remote && !r.alive(ctx, view):
		r.app.Say("another study runs on %s: this one joins its server", r.app.Data)
		return r.start(ctx, view, proposing|evaluating|archiving)
	case r.doc.Exec != "":
		return r.start(ctx, view, evaluating)
	}
	return nil
}

// alive reports whether somebody drives the run.
func (r *runner) alive(ctx context.Context, view *client.StudyView) bool {
	ctx, cancel := context.WithTimeout(ctx, signOfLife)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	seen := make(chan bool, 2)
	looking.Go(func() {
		for _, err := range r.session.bus.Notices(ctx, events.ProgressSubject(view.Study, view.Run)) {
			if err == nil {
				seen <- true
			}
			return
		}
	})
	looking.Go(func() {
		for m, err := range r.session.bus.Log().Follow(ctx, 0, events.RunFilter(view.Study, view.Run)) {
			_, _, kind, _ := events.ParseStudySubject(m.Subject)
			if err == nil && kind != "accepted" && (view.Proposed == 0 || m.Time.After(view.Updated)) {
				seen <- true
				return
			}
		}
	})
	select {
	case <-seen:
		return true
	case <-ctx.Done():
		return false
	}
}
