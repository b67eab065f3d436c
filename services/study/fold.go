package study

import (
	"fmt"

	"apollo/events"
	"apollo/optimizer/space"
)

// Fold applies the next event of the run's log. Events that the run has seen
// already, and ones that say nothing about its state, change nothing. An error
// means that the log contradicts itself: the run cannot go on.
func (m *Machine) Fold(e events.Payload) error {
	switch e := e.(type) {
	case events.StudyAccepted:
		m.commands[e.Command] = true
		m.identity, m.binds = e.Pin(), e.Binds
	case events.StudyBound:
		if m.identity == nil {
			m.identity = &e.Identity
		}
	case events.BatchRefused:
		if m.refused[e.Batch] == nil {
			m.refused[e.Batch] = map[uint64]bool{}
		}
		m.refused[e.Batch][e.Sequence], m.lastRefused = true, &e
	case events.StudyStarted:
		m.started, m.build = true, e.Build
	case events.TrialsProposed:
		return m.foldProposed(&e)
	case events.StudyImproved:
		if m.restated != nil {
			m.restated[e.Best.Trial] = true
		}
		m.improvedThrough = max(m.improvedThrough, e.Best.Trial, e.Through)
		for len(m.improved) > 0 && max(m.improved[0].Best.Trial, m.improved[0].Through) <= m.improvedThrough {
			m.improved = m.improved[1:]
		}
	case events.StudyPaused:
		m.command(e.Command, Paused, e.Reason)
		if e.Batch != nil {
			m.republished[*e.Batch]++
			m.held[*e.Batch] = true
			m.named[*e.Batch] = max(m.named[*e.Batch], e.Item)
		}
	case events.StudyResumed:
		m.command(e.Command, Running, "")
		clear(m.held)
		m.failures.resume(m.next)
	case events.StudyExtended:
		m.foldExtended(&e)
	case events.StudyStopping:
		m.command(e.Command, Stopping, e.Reason)
	case events.StudyStopped:
		m.state, m.reason = Stopped, e.Reason
	case events.StudyCompleted:
		m.state, m.reason = Completed, e.Reason
	case events.StudyCancelled:
		m.command(e.Command, Cancelled, "")
	case events.StudyFailed:
		m.state, m.reason = Failed, e.Reason
	case events.StudyRemoved:
		m.removed = true
	}
	return nil
}

func (m *Machine) command(id string, state State, reason string) {
	if id != "" {
		m.commands[id] = true
	}
	m.state, m.reason = state, reason
}

func (m *Machine) foldExtended(e *events.StudyExtended) {
	state, reason := m.state, m.reason
	if state == Completed || state == Stopped || state == Stopping {
		state, reason = Running, ""
		m.plateauFloor, m.exhausted = m.next, ""
	}
	m.trials = max(m.trials, e.Trials)
	m.command(e.Command, state, reason)
}

// pointsOf returns the points of a proposed event. Those of the machine's own
// draft are known.
func (m *Machine) pointsOf(e *events.TrialsProposed) ([]space.Point, error) {
	d := m.drafted
	m.drafted = nil
	if d != nil && len(d.points) > 0 && len(e.Designs) == len(d.points) && &e.Designs[0] == &d.event.Designs[0] {
		return d.points, nil
	}
	return checkDesigns(m.space, e)
}

func (m *Machine) foldProposed(e *events.TrialsProposed) error {
	if e.Batch < len(m.batches) {
		return nil
	}
	if e.Batch != len(m.batches) || e.FirstTrial != m.next {
		return fmt.Errorf("the log proposes batch %d from trial %d, after batch %d that ended before trial %d",
			e.Batch, e.FirstTrial, len(m.batches)-1, m.next)
	}
	points, err := m.pointsOf(e)
	if err != nil {
		return err
	}
	b := &batch{index: e.Batch, first: e.FirstTrial, designs: e.Designs, points: points, origins: e.Origins, thresholds: e.EarlyStop}
	for _, r := range e.Reused {
		if b.reused == nil {
			b.reused = map[int]events.TrialResult{}
		}
		b.reused[r.Trial] = r
	}
	for _, p := range points {
		m.seen.Add(m.space.Key(p))
	}
	// In strict order this ask came after telling exactly the batches below
	// k-lag; tellThrough does that again when the results are there.
	m.batches = append(m.batches, b)
	m.next += len(points)
	if e.Added {
		m.trials += len(points)
	}
	m.foldVoids(e)
	if e.Command != "" {
		m.commands[e.Command] = true
	}
	m.pending++
	return nil
}
