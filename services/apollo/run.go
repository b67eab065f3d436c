package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/studyfile"
	"apollo/services/transfer"
)

// runFlags are the flags of run.
type runFlags struct {
	sets       []string
	fresh      bool
	evaluators int
	picture    pictureFlag
	web        webFlags
}

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "run STUDY.yaml", Short: "Run a study and print its best design",
		Long: `Run a study from its file, with an embedded message server and all services in this
process, and print the best design. Everything is durable in --data: running the same
command again resumes an unfinished study, and prints the answer of a finished one.
With --nats, or while ` + "`apollo up`" + ` holds the data directory, the study runs there.
--web shows it live in a browser until it ends, at the address that is printed, which
--web=ADDRESS chooses. -o svg and png draw one picture of it, which --picture names.

A file with a matrix is a campaign: several studies, which run one after the other and are
shown together. Each learns from those before it.`,
		Example: "  apollo run examples/mobilenetv2-6p8.yaml --web\n  apollo run examples/mobilenetv2-6p8.yaml --set spec.budget.trials=20000 -o json",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.picture.check(a); err != nil {
				return err
			}
			if err := workerSlots("--evaluators", flags.evaluators); err != nil {
				return err
			}
			if err := flags.web.check(); err != nil {
				return err
			}
			a.workers = flags.evaluators
			doc, all, err := a.readStudies(args[0], flags.sets, false)
			switch {
			case err != nil:
				return err
			case all != nil:
				return a.runCampaign(c.Context(), c, all, flags)
			}
			r := &runner{app: a, command: c, file: args[0], doc: doc, flags: flags}
			return r.run(c.Context())
		},
	}
	registerRun(c, &flags)
	return c
}

// registerRun adds the flags of commands that run a study.
func registerRun(c *cobra.Command, flags *runFlags) {
	setFlag(c, &flags.sets)
	flags.picture.register(c, "best")
	c.Flags().BoolVar(&flags.fresh, "fresh", false, "start a new run although the study exists")
	c.Flags().IntVar(&flags.evaluators, "evaluators", runtime.NumCPU(), "`number` of evaluator workers")
	flags.web.registerAsked(c)
}

// runner runs one study to its end.
type runner struct {
	app     *app
	command *cobra.Command
	file    string
	doc     *studyfile.Document
	flags   runFlags
	// member: it is one of a campaign.
	member bool

	session *session
	process *roleGroup
	program *program // nil where the study file names none
	watch   stopwatch
	brought *transfer.Report
	// drawn is the answer as a picture, or undrawn says why there is none.
	drawn   drawing
	undrawn error
	// began is the last event of the log before the study was asked for, or resumed.
	began *uint64
}

func (r *runner) run(ctx context.Context) error {
	view, err := r.toEnd(ctx)
	if p, ok := errors.AsType[*pausedError](err); ok {
		return r.app.printPaused(ctx, p, r.watch, r.program != nil, r.draw)
	}
	if err != nil {
		return err
	}
	return r.app.printAnswer(ctx, view, r.watch, r.brought, r.draw)
}

// draw writes the answer as a picture.
func (r *runner) draw(w io.Writer, format string) error {
	if r.undrawn != nil {
		return r.undrawn
	}
	return r.drawn.Draw(w, format)
}

// readTrials reads what an answer says, or draws, of the trials themselves: of a run that
// has ended, or that paused itself.
func (r *runner) readTrials(ctx context.Context, view *client.StudyView, err error) error {
	if p, ok := errors.AsType[*pausedError](err); ok {
		view = p.view
	} else if err != nil {
		return nil // there is no answer
	}
	if view == nil || view.Spec == nil {
		return nil
	}
	if r.watch.fidelity, r.watch.cells, err = readUse(ctx, r.session.bus, view); err != nil || !r.app.drawn() {
		return err
	}
	l := newLedger(view)
	r.drawn, r.undrawn = r.flags.picture.of(r.app.galleryOf(ctx, l), l.stream(ctx, r.session.bus))
	return nil
}

// toEnd runs the study until it has ended; the error is a *pausedError when it
// paused itself.
func (r *runner) toEnd(ctx context.Context) (*client.StudyView, error) {
	view, err := r.attempt(ctx)
	for errors.Is(err, errLeft) {
		r.app.Say("the process that held %s has ended: going on here", r.app.Data)
		r.flags.fresh = false // the new run exists by now
		view, err = r.attempt(ctx)
	}
	if cli.IsInterrupted(ctx) {
		return nil, cli.Hinted(cli.ExitInterrupted, r.goOnHint(), context.Cause(ctx))
	}
	return view, err
}

// attempt runs the study on one server, from opening it to closing it.
func (r *runner) attempt(ctx context.Context) (view *client.StudyView, err error) {
	r.process, r.program = nil, nil
	if err = r.identify(ctx); err != nil {
		return nil, err
	}
	if r.session, err = r.app.open(ctx, r.command, forRunning); err != nil {
		return nil, err
	}
	ctx, forget := r.watchHolder(ctx)
	defer forget()
	view, err = r.existing(ctx)
	switch {
	case err != nil:
	case view == nil || !view.State.Terminal():
		view, err = r.drive(ctx, view)
	case r.member && r.app.ForPeople():
		err = r.finish(ctx, view) // the table of all says it
	default:
		r.app.Say("%s has ended already, on %s; --fresh runs it anew%s", view.Study, view.Updated.Local().Format(time.DateTime), r.otherProgram(view))
		err = r.finish(ctx, view)
	}
	if err == nil && view != nil && view.Spec != nil { // a service that broke leaves none
		if r.brought, err = transferReport(ctx, r.session, view); err == nil {
			r.watch.failure, err = lastFailure(ctx, r.session.bus, view)
		}
	}
	if unread := r.readTrials(ctx, view, err); unread != nil {
		err = errors.Join(err, unread)
	}
	left := errors.Is(context.Cause(ctx), errLeft)
	if left && err != nil {
		err = errLeft
	}
	if r.process != nil {
		if stopErr := r.process.stopAfter(r.app.Logger(r.command, slog.LevelWarn)); !left {
			err = errors.Join(err, stopErr)
		}
	}
	if closeErr := r.closeProgram(); err == nil {
		err = closeErr
	}
	r.session.close(ctx)
	return view, err
}

func (r *runner) goOnHint() string {
	if r.session != nil && r.session.server == nil {
		return "the study goes on where the server runs it: `apollo study watch " + r.doc.Spec.Study + "` attaches again"
	}
	again := []string{"apollo"}
	for _, arg := range r.app.args {
		// --fresh would start anew instead.
		if arg != "--fresh" {
			again = append(again, shellWord(arg))
		}
	}
	return "the same command goes on where it stopped: " + strings.Join(again, " ")
}

// existing returns the run that the study has already, nil when a new one must
// start, or an error when the file or its program is no longer what it was.
func (r *runner) existing(ctx context.Context) (*client.StudyView, error) {
	view, err := r.known(ctx)
	if view == nil || err != nil {
		return nil, err
	}
	return view, r.sameProgram(view, nil)
}

// known is existing without a look at the program.
func (r *runner) known(ctx context.Context) (*client.StudyView, error) {
	if r.flags.fresh {
		return nil, nil
	}
	view, err := client.ReadStudy(ctx, r.session.bus.Log(), r.doc.Spec.Study, "")
	if errors.Is(err, client.ErrNoStudy) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	have := *view.Spec
	want := *r.doc.Spec
	// A budget that was extended is as good in the file as in the log.
	if want.Budget.Trials == view.Budget {
		want.Budget.Trials = have.Budget.Trials
	}
	// So are the workers that there were.
	if r.doc.AutoParallelism {
		want.Budget.Parallelism = have.Budget.Parallelism
	}
	if r.doc.AutoLag {
		want.Budget.Lag = have.Budget.Lag
	}
	if events.SpecSHA256(&have) != events.SpecSHA256(&want) {
		m := proposer.DifferentStudy(want.Study, &have, r.doc.Spec)
		return nil, cli.Hinted(cli.ExitRejected, strings.ReplaceAll(m.Hint, "ask with fresh", "use --fresh"), errors.New(m.Message))
	}
	return view, nil
}

// drive starts the study, or goes on with it, and waits until it has ended and
// its trials are on disk.
func (r *runner) drive(ctx context.Context, view *client.StudyView) (*client.StudyView, error) {
	if view != nil && view.PausedByArchiver() {
		return nil, r.paused(ctx, view, "")
	}
	if r.watch.began.IsZero() {
		r.watch.began = time.Now()
	}
	if err := r.openProgram(ctx, view); err != nil {
		return nil, err
	}
	if err := r.serveWeb(ctx); err != nil {
		return nil, err
	}
	if r.session.server != nil {
		if err := r.start(ctx, view, proposing|archiving); err != nil {
			return nil, err
		}
	}
	// A run that pauses itself at once, because what it paused for is still so, says that.
	info, err := r.session.bus.Log().Info(ctx, events.RunFilter("*", "*"))
	if err != nil {
		return nil, err
	}
	r.began = &info.Last
	switch {
	case view == nil:
		view, err = r.submit(ctx)
	case view.State == study.Paused:
		r.app.Say("%s was paused: going on with trial %s", view.Study, cli.Count(view.Proposed))
		err = r.app.control(ctx, r.session, view, &events.StudyControl{Verb: "resume"})
	default:
		r.app.Say("going on with %s, %s trials were proposed", view.Study, cli.Count(view.Proposed))
	}
	if err != nil {
		return nil, err
	}
	if r.session.server == nil {
		err = r.join(ctx, view)
	} else {
		err = r.start(ctx, view, evaluating)
	}
	if err != nil {
		return nil, err
	}
	return r.follow(ctx, view)
}

// finish has the files of an ended run written, when the process that ran it was
// killed before it had.
func (r *runner) finish(ctx context.Context, view *client.StudyView) error {
	final, err := finalOf(ctx, r.session, view)
	if err != nil || final != nil {
		return err
	}
	if r.session.server != nil {
		if err := r.start(ctx, view, archiving); err != nil {
			return err
		}
	}
	return (&follower{app: r.app, session: r.session}).archived(ctx, view)
}

func (r *runner) submit(ctx context.Context) (*client.StudyView, error) {
	accepted, err := r.app.submit(ctx, r.session, r.doc, r.request(), "")
	if err != nil {
		// A command that was killed may have left its request, which was accepted
		// in the meantime: this is that study.
		if view, missing := r.existing(ctx); missing == nil && view != nil {
			return view, nil
		}
		return nil, err
	}
	return r.session.study(ctx, accepted.Study, accepted.Run)
}

// follow waits for the end of the run, or for a service of this process to
// break.
func (r *runner) follow(ctx context.Context, view *client.StudyView) (*client.StudyView, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if r.process != nil {
		go guard(ctx, cancel, r.process.broken)
	}
	if err := r.countBefore(ctx, view); err != nil {
		return nil, err
	}
	f := &follower{app: r.app, session: r.session, progress: newProgress(r.app, view.Spec), paused: r.paused, after: r.began}
	ended, err := f.wait(ctx, view)
	if err == nil {
		err = f.archived(ctx, ended)
	}
	if errors.Is(context.Cause(ctx), errBroken) {
		err = nil // stop says what broke
	}
	return ended, err
}

// What ends the waiting: a service of this process broke, or the process that
// held the data directory has ended.
var (
	errBroken = errors.New("a service broke")
	errLeft   = errors.New("the server of another process has gone")
)

// holderCheck is how often a run on another process's server looks whether
// that process is still there. A look takes microseconds.
const holderCheck = 200 * time.Millisecond

// guard ends the waiting when a service of this process broke.
func guard(ctx context.Context, cancel context.CancelCauseFunc, broken <-chan struct{}) {
	select {
	case <-broken:
		cancel(errBroken)
	case <-ctx.Done():
	}
}

// watchHolder returns a context that ends with errLeft when the process is gone
// whose server this run uses.
func (r *runner) watchHolder(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if r.session.server == nil && !r.session.remote {
		go func() {
			look := time.NewTicker(holderCheck)
			defer look.Stop()
			for {
				select {
				case <-look.C:
				case <-ctx.Done():
					return
				}
				// A third process may have taken the directory in between: its
				// server has another address.
				if url, _, there := natsbus.Attach(r.app.Data); !there || url != r.session.url {
					cancel(errLeft)
					return
				}
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// countBefore notes how many trials an earlier process finished.
func (r *runner) countBefore(ctx context.Context, view *client.StudyView) error {
	if view.Proposed == 0 {
		return nil
	}
	t, err := readTally(ctx, r.session.bus, view)
	if err != nil {
		return err
	}
	r.watch.trials = t.counts().Trials
	return nil
}

// pausedError ends the waiting for a study that paused itself: nobody here can
// mend what it paused for.
type pausedError struct {
	// view is the run as it is, with the answer so far.
	view *client.StudyView
}

func (e *pausedError) Error() string {
	return fmt.Sprintf("study %s paused itself: %s", e.view.Study, e.view.Reason)
}

// paused says what a pause means.
func (r *runner) paused(ctx context.Context, view *client.StudyView, command string) error {
	now, err := soFar(ctx, r.session, view)
	if err != nil {
		return err
	}
	if command != "" && !strings.HasPrefix(command, events.ArchivePause) {
		r.app.Say("%s is paused, best so far: %s: `apollo study resume %s` goes on", view.Study, answerInBrief(now), view.Study)
		return nil
	}
	return &pausedError{now}
}
