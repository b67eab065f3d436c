package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/study"
)

// manual is a study that a person, or a program of theirs, measures: with what
// drives it where no server runs.
type manual struct {
	app     *app
	session *session
	view    *client.StudyView
	ledger  *ledger
	drive   func()     // starts process
	process *roleGroup // nil where a server drives it
}

// openManual opens a study by its name, or by its file: then it begins unless it
// is there.
func (a *app) openManual(c *cobra.Command, name string) (m *manual, err error) {
	ctx := c.Context()
	r := &runner{app: a, command: c, file: name}
	want := forWriting
	if isStudyFile(name) {
		want = forMoment
		if r.doc, err = a.readStudy(name, nil); err != nil {
			return nil, err
		}
	}
	s, err := a.open(ctx, c, want)
	if err != nil {
		return nil, err
	}
	m = &manual{app: a, session: s}
	r.session = s
	if r.doc != nil {
		m.view, err = r.existing(ctx)
		name = r.doc.Spec.Study
	} else {
		m.view, err = s.study(ctx, name, "")
	}
	if err == nil {
		err = m.begin(ctx, c, r, name)
	}
	if err != nil {
		m.close(ctx)
		return nil, err
	}
	return m, nil
}

// isStudyFile tells a path from a name: names are DNS labels.
func isStudyFile(name string) bool {
	_, err := os.Stat(name)
	return name == "-" || filepath.Ext(name) != "" || err == nil && !events.IsName(name)
}

func (m *manual) begin(ctx context.Context, c *cobra.Command, r *runner, name string) (err error) {
	var spec *events.Spec
	if m.view != nil {
		spec = m.view.Spec
	} else {
		spec = r.doc.Spec
	}
	if !spec.Evaluator.Manual {
		return cli.Hinted(cli.ExitUsage, fmt.Sprintf("write `manual: true` in its evaluator to measure by hand; `apollo trial add %s` adds designs of your own to any study", name),
			fmt.Errorf("study %s is measured by the evaluator %s: nobody is asked by hand", name, spec.Evaluator.Name))
	}
	m.drive = func() { m.process = m.app.driveBriefly(ctx, c, m.session, name, folder(r.file)) }
	if m.view == nil {
		err = m.session.drivenBy(m.drive, func() (err error) {
			m.view, err = r.submit(ctx)
			return err
		})
	} else if m.session.server != nil && !m.view.State.Terminal() {
		m.drive()
	}
	if err != nil {
		return err
	}
	return m.read(ctx)
}

// close ends what drives the study here.
func (m *manual) close(ctx context.Context) {
	if m.process != nil {
		if err := m.process.stop(); err != nil {
			m.session.log.Warn("a service broke", "error", err)
		}
	}
	m.session.close(ctx)
}

func (m *manual) read(ctx context.Context) (err error) {
	if m.view, err = m.session.study(ctx, m.view.Study, m.view.Run); err != nil {
		return err
	}
	m.ledger, err = readLedger(ctx, m.session.bus, m.view)
	return err
}

// open returns the trials that wait to be told, in order.
func (m *manual) open() (out []*trial) {
	for i := range m.ledger.trials {
		if t := &m.ledger.trials[i]; t.result == nil {
			out = append(out, t)
		}
	}
	return out
}

// settled reports whether the study says nothing more until it is told something.
func (m *manual) settled() bool {
	open, b := m.open(), m.view.Spec.Budget
	switch {
	case m.view.State.Terminal() || m.view.State == study.Paused:
		return true
	case len(open) == 0:
		return false
	}
	next := m.ledger.trials[len(m.ledger.trials)-1].batch + 1
	behind := m.view.Spec.Order != "relaxed" && open[0].batch < next-b.Lag
	return m.view.State != study.Running || behind || len(open) >= b.Parallelism || m.view.Proposed >= m.view.Budget
}

// quietBefore is how long a study is waited for that could say more and does not:
// it may have reached its target, and ends when it is told the rest.
const quietBefore = 2 * time.Second

// settle waits until the study has as many open trials as wanted, or says nothing
// more until it is told something.
func (m *manual) settle(ctx context.Context, want int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	moved := make(chan error, 1)
	run := events.RunFilter(m.view.Study, m.view.Run) // m.view is read anew meanwhile
	go func() {
		for _, err := range m.session.bus.Log().Follow(ctx, 0, run) {
			select {
			case moved <- err:
			default: // it will look anyway
			}
		}
	}()
	quiet, silent, alone := time.NewTimer(quietBefore), time.NewTimer(client.SilentAfter), time.NewTimer(signOfLife)
	defer quiet.Stop()
	defer silent.Stop()
	defer alone.Stop()
	var broken <-chan struct{}
	if m.process != nil {
		broken = m.process.broken
	}
	for {
		if err := m.read(ctx); err != nil {
			return err
		}
		if m.settled() || want > 0 && len(m.open()) >= want {
			return nil
		}
		select {
		case err := <-moved:
			if err != nil {
				return err
			}
		case <-quiet.C:
			if len(m.open()) > 0 {
				return nil
			}
		case <-alone.C:
			if m.process == nil && !m.session.remote { // as in drivenBy
				m.drive()
				broken = m.process.broken
			}
		case <-silent.C:
			w := (&follower{app: m.app, session: m.session}).silence(ctx, m.view)
			m.app.sayWaiting(m.view.Study, &w)
		case <-broken:
			return errors.New("a service of this process broke: the log says why")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// end waits until the trials of a run that has ended are on disk, and says what
// was found.
func (m *manual) end(ctx context.Context) error {
	if !m.view.State.Terminal() {
		return nil
	}
	if err := m.archived(ctx); err != nil {
		return err
	}
	if m.view.Summary != nil {
		m.app.Say("%s has ended: %s, %s: %s", m.view.Study, endText(m.view), cli.Plural(m.view.Summary.Trials, "trial"), answerInBrief(m.view))
	}
	return nil
}

// archived waits until the trials are on disk, also where the process that was to write
// them was killed. A server that --nats names has them elsewhere.
func (m *manual) archived(ctx context.Context) error {
	if m.session.remote {
		return nil
	}
	wait := func() error { return (&follower{app: m.app, session: m.session}).archived(ctx, m.view) }
	if m.process != nil {
		return wait()
	}
	if final, err := finalOf(ctx, m.session, m.view); err != nil || final != nil {
		return err
	}
	return m.session.drivenBy(m.drive, wait)
}
