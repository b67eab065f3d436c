package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/external"
	"apollo/services/inspect"
)

// program is the one that a study file names as its evaluator, in the folder of
// the file. It serves that study's run alone.
type program struct {
	argv    []string
	dir     string
	what    *events.Program
	files   external.Contents
	backend *external.Backend // nil until it is open
}

// identify finds out which program the study file names; nothing is started.
func (r *runner) identify(ctx context.Context) error {
	if r.doc.Exec == "" {
		return nil
	}
	argv, err := external.Split(r.doc.Exec)
	if err != nil {
		return cli.Hinted(cli.ExitUsage, "", fmt.Errorf("spec.evaluator.exec: %w", err))
	}
	p := &program{argv: argv, dir: folder(r.file), files: external.Contents{Reading: r.app.sayReading}}
	if p.what, err = external.Identify(ctx, argv, p.dir, &p.files); err != nil {
		return err
	}
	r.program = p
	return nil
}

// openProgram starts the program, before the study is asked for or goes on: the
// request says who measures.
func (r *runner) openProgram(ctx context.Context, view *client.StudyView) error {
	p := r.program
	if p == nil {
		return nil
	}
	var err error
	p.backend, err = external.Open(ctx, p.argv, external.Options{
		Name: r.doc.Spec.Evaluator.Name, Slots: r.flags.evaluators, Dir: p.dir, Stderr: r.app.Console, Keep: r.app.artifacts(),
		Contents: &p.files, Startup: r.startup(view), Memory: int64(r.doc.MemoryBytes), Env: environment(r.doc.Env),
	})
	if err != nil {
		return err
	}
	r.app.saySlow(p.backend.Info())
	p.what = p.backend.Program()
	if err := r.fits(); err != nil {
		return err
	}
	if view == nil {
		return nil
	}
	return r.sameProgram(view, &events.Identity{Version: p.backend.Describe().Version, Program: p.what.Digest()})
}

// fits refuses a program whose description is of another study: each of its work
// items would be a dead letter.
func (r *runner) fits() error {
	spec := r.doc.Spec
	params := make([]space.Param, len(spec.Parameters))
	for i, p := range spec.Parameters {
		params[i] = space.Param{Name: p.Name, Unit: p.Unit}
	}
	task, err := inspect.Builtins().Task(params, spec.Networks, spec.Search, evaluator.MapperGoal(spec.MapperGoal()), spec.Measured())
	if err != nil {
		return nil //nolint:nilerr // networks that are nowhere yet: the proposer says so
	}
	if _, err := r.program.backend.New(task); err != nil {
		return cli.Hinted(cli.ExitRejected, "make the study file and what the program says of itself agree; `apollo evaluator init` writes a study that does", err)
	}
	return nil
}

// patience is how long a program may take to say its version where the run was
// begun by one that has a version: it is slow to start, or it is another one.
const patience = time.Minute

// startup is how long the program may take to describe itself.
func (r *runner) startup(view *client.StudyView) time.Duration {
	if s := r.doc.StartupSeconds; s > 0 {
		return time.Duration(s * float64(time.Second))
	}
	if view != nil && view.Identity != nil && view.Identity.Version != "" {
		return patience
	}
	return 0 // the default
}

// environment writes variables as a process takes them, by their names.
func environment(env map[string]string) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// saySlow warns of a program that did not describe itself in time: the next
// time it may, and is another evaluator then.
func (a *app) saySlow(info external.Info) {
	if info.Waited > 0 {
		a.Say("warn: the program did not answer describe within %s, so it has no version and no description: raise evaluator.startup of the study, or --startup; or answer sooner, or with an error at once", info.Waited)
	}
}

// sayReading says which file keeps a command waiting.
func (a *app) sayReading(name string) {
	a.Say("reading %s, an argument of the program: its content is part of who measures", name)
}

// closeProgram ends a program that no role has taken over.
func (r *runner) closeProgram() error {
	if r.program == nil || r.program.backend == nil {
		return nil
	}
	return r.program.backend.Close()
}

// sameProgram refuses to go on with a run that another program began: its
// trials would be those of two. identity is nil before the program is open.
func (r *runner) sameProgram(view *client.StudyView, identity *events.Identity) error {
	if view.State.Terminal() {
		return nil
	}
	differences := r.programDifferences(view, identity)
	if len(differences) == 0 {
		return nil
	}
	return cli.Hinted(cli.ExitRejected, "put it back as it was and run the same command again, or start anew with --fresh",
		fmt.Errorf("the program that measures study %s is not the one that began it: its trials would be those of two programs:\n  %s",
			view.Study, strings.Join(differences, "\n  ")))
}

// otherProgram says of a run that has ended that another program measured it.
func (r *runner) otherProgram(view *client.StudyView) string {
	differences := r.programDifferences(view, nil)
	if len(differences) == 0 {
		return ""
	}
	return "\nthe program is not the one that measured it:\n  " + strings.Join(differences, "\n  ")
}

// programDifferences says in what the program differs from the one that a run is measured
// by; the version only where the identity is known.
func (r *runner) programDifferences(view *client.StudyView, identity *events.Identity) (differences []string) {
	if r.program == nil || view.Identity == nil {
		return nil
	}
	switch {
	case view.Program != nil:
		differences = events.DiffPrograms(view.Program, r.program.what)
	case view.Identity.Program != r.program.what.Digest():
		differences = []string{fmt.Sprintf("the run is measured by %s, this program is %s", view.Identity, events.Identity{Program: r.program.what.Digest()})}
	}
	if len(differences) == 0 && identity != nil && identity.Version != view.Identity.Version {
		differences = []string{fmt.Sprintf("the version that it says: %s, now %s", versionText(view.Identity.Version), versionText(identity.Version))}
		if waited := r.program.backend.Info().Waited; waited > 0 {
			differences[0] += fmt.Sprintf(": it did not answer describe within %s", waited)
		}
	}
	return differences
}

func versionText(v string) string {
	if v == "" {
		return "none"
	}
	return fmt.Sprintf("%q", v)
}

// request is what the run asks the proposer for.
func (r *runner) request() events.StudyRequested {
	request := events.StudyRequested{Fresh: r.flags.fresh}
	if p := r.program; p != nil {
		request.EvaluatorVersion, request.Program = p.backend.Describe().Version, p.what
	}
	return request
}
