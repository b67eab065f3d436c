package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/cli"
)

// progress shows how far a run is: one live line on a terminal, otherwise a
// line from time to time.
type progress struct {
	app   *app
	spec  *events.Spec
	now   func() time.Time
	first events.Progress // the first tick that was seen
	began time.Time
	last  time.Time // of the last plain line
	rate  float64   // trials per second since the first tick
	waits string    // the code of the cause that was said last
	idle  string    // the code of why workers are idle, as it was said last
}

func newProgress(a *app, spec *events.Spec) *progress {
	return &progress{app: a, spec: spec, now: time.Now}
}

// tick shows the latest state.
func (p *progress) tick(t events.Progress) {
	now := p.now()
	if p.began.IsZero() {
		p.began, p.first = now, t
	}
	if seconds := now.Sub(p.began).Seconds(); seconds > 0 {
		p.rate = float64(t.Trials-p.first.Trials) / seconds
	}
	p.wait(t)
	switch {
	case p.app.Quiet:
	case p.app.Console.Live:
		p.app.Console.Show(p.line(t))
	case now.Sub(p.last) >= cli.PlainEvery:
		p.last = now
		p.app.Say("%s", p.line(t))
	}
}

// wait tells what the run waits for, once for every change.
func (p *progress) wait(t events.Progress) {
	code := ""
	if t.Waiting != nil {
		code = t.Waiting.Code
	}
	if code != p.waits {
		p.waits = code
		p.app.sayWaiting(t.Study, t.Waiting)
	}
	if t.Idle != nil && t.Idle.Code != p.idle {
		p.idle = t.Idle.Code
		p.app.Say("%s (%s)\napollo: hint: %s", t.Idle.Message, t.Idle.Code, t.Idle.Hint)
	}
}

// line is the state in one line: the answer so far first, which a narrow terminal
// shows.
func (p *progress) line(t events.Progress) string {
	var parts []string
	if t.Best != nil {
		parts = append(parts, "best "+bestText(p.spec, t.Best))
	}
	if t.FrontSize > 0 {
		parts = append(parts, frontText(p.spec, t.FrontSize, t.Hypervolume))
	}
	parts = append(parts, fmt.Sprintf("%s/%s trials", cli.Count(t.Trials), cli.Count(t.Budget)))
	if t.State != "running" {
		parts = append(parts, t.State)
	}
	if p.rate > 0 {
		parts = append(parts, cli.Significant(p.rate)+"/s")
	}
	parts = append(parts, cli.Share(t.Feasible, t.Trials-t.Voided-t.LowFidelity)+" feasible")
	if t.Waiting != nil {
		return t.Study + ": " + strings.Join(append(parts, waitsLine(t.Waiting)), ", ")
	}
	if p.rate > 0 && t.Budget > t.Trials && t.State == "running" {
		left := time.Duration(float64(t.Budget-t.Trials) / p.rate * float64(time.Second))
		parts = append(parts, "ETA "+cli.Duration(left))
	}
	return t.Study + ": " + strings.Join(parts, ", ")
}

// measuring tells how many of the designs that an answer compares are measured, where
// that takes long. It is safe for concurrent use.
type measuring struct {
	app *app
	ctx context.Context //nolint:containedctx // lives as long as the one call that it counts for
	of  int

	mu   sync.Mutex
	done int
	said time.Time
}

func (a *app) measuring(ctx context.Context, of int) *measuring {
	return &measuring{app: a, ctx: ctx, of: of, said: time.Now()}
}

// next counts a design that is about to be measured; its error is why the context ended.
func (m *measuring) next() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	every := cli.PlainEvery
	if m.app.Console.Live {
		every = liveEvery
	}
	if now := time.Now(); !m.app.Quiet && now.Sub(m.said) >= every {
		m.said = now
		line := fmt.Sprintf("%s of %s measured", cli.Count(m.done), cli.Plural(m.of, "design"))
		if m.app.Console.Live {
			m.app.Console.Show(line)
		} else {
			m.app.Say("%s", line)
		}
	}
	m.done++
	return context.Cause(m.ctx)
}

// skip takes designs out of the total that need no measurement after all.
func (m *measuring) skip(designs int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of -= designs
}

// liveEvery is the time between live lines of what is counted by thousands.
const liveEvery = 100 * time.Millisecond

// end removes the live line.
func (m *measuring) end() { m.app.Console.Clear() }
