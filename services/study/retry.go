package study

import (
	"fmt"
	"slices"

	"apollo/events"
)

// Stale reports whether the log voids trials that the strategies were told: the
// machine is to be made anew from the log and the results. It says nothing more.
func (m *Machine) Stale() bool { return m.stale }

// Retry carries out a request to measure trials anew, a batch at a time, as add
// does for designs. The machine does not keep the designs of what it has told:
// designs gives those of the trials that the request names. It is asked for what is
// not refused; its error is not the request's, and is returned as read.
func (m *Machine) Retry(c *events.StudyControl, designs func() (map[int]events.Design, error)) (e events.Payload, refusal, read error) {
	left, e, refusal := m.toVoid(c)
	if e != nil || refusal != nil || len(left) == 0 {
		return e, refusal, nil
	}
	known, err := designs()
	if err != nil {
		return nil, nil, err
	}
	n := min(len(left), m.spec.Budget.Batch)
	d := m.newDraft(n)
	d.event = events.TrialsProposed{Study: m.spec.Study, Run: m.cfg.Run, Batch: len(m.batches), FirstTrial: m.next, Told: m.told, Added: true}
	if m.spec.Order == "relaxed" {
		d.event.Told, d.event.ObservedThrough = 0, m.lastSeq
	}
	for _, t := range left[:n] {
		p, err := m.space.Point(known[t])
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w", t, err), nil
		}
		d.append(m.space.Key(p), p, events.RetryOrigin(t), []int{t})
		d.event.Voids = append(d.event.Voids, t)
	}
	if n == len(left) {
		d.event.Command = c.ID
	}
	return d.event, nil, nil
}

// toVoid returns the trials that a request still has to void, or the event that opens
// an ended run for them, or why it is refused. All are nil where it is carried out.
func (m *Machine) toVoid(c *events.StudyControl) (left []int, open events.Payload, refusal error) {
	switch {
	case m.removed:
		return nil, nil, m.errRemoved()
	case m.commands[c.ID]:
		return nil, nil, nil
	case m.state != Running && m.state != Paused && m.state != Completed && m.state != Stopped:
		return nil, nil, fmt.Errorf("study %s is %s: it measures nothing anew", m.spec.Study, m.state)
	case m.sharing():
		return nil, nil, m.errSharing()
	case len(c.Retry) == 0 || len(c.Retry) > events.MaxAdded:
		return nil, nil, fmt.Errorf("%d trials are to be measured anew: want 1 to %d in one request", len(c.Retry), events.MaxAdded)
	}
	for _, t := range c.Retry {
		if err := m.canVoid(t); err != nil {
			return nil, nil, err
		}
		if !m.voided[t] && !slices.Contains(left, t) {
			left = append(left, t)
		}
	}
	switch {
	case len(left) == 0:
		return nil, nil, fmt.Errorf("what is asked for is measured anew already (trials: %d)", len(c.Retry))
	case m.trials+len(left) > m.cfg.maxTrials():
		return nil, nil, m.tooMany(m.trials + len(left))
	case m.state == Completed || m.state == Stopped:
		return nil, events.StudyExtended{Study: m.spec.Study, Run: m.cfg.Run, Trials: m.trials}, nil
	}
	return left, nil, nil
}

// canVoid says why a trial cannot be measured anew.
func (m *Machine) canVoid(trial int) error {
	if trial < 0 || trial >= m.next {
		return fmt.Errorf("the study has no trial %d: it has %d so far, from 0", trial, m.next)
	}
	if b := m.batchOf(trial); !b.done {
		return fmt.Errorf("trial %d has no answer yet: it is being measured", trial)
	}
	return nil
}

// batchOf returns the batch of a trial that was proposed.
func (m *Machine) batchOf(trial int) *batch {
	i, found := slices.BinarySearchFunc(m.batches, trial, func(b *batch, t int) int { return b.first - t })
	if !found {
		i--
	}
	return m.batches[i]
}

// foldVoids notes the trials that a batch measures anew.
func (m *Machine) foldVoids(e *events.TrialsProposed) {
	for _, t := range e.Voids {
		if t < 0 || t >= e.FirstTrial || m.voided[t] {
			continue
		}
		m.voided[t], m.restated = true, map[int]bool{}
		m.stale = m.stale || m.batchOf(t).done
	}
}

// restate returns what the log must say again after a voiding: the best that is
// left, or the front, as far as it was known before.
func (m *Machine) restate() *events.StudyImproved {
	if m.restated == nil {
		return nil
	}
	var best []events.BestTrial
	if f := m.view.front; f != nil {
		best = f.Trials()
	} else if b := m.view.answer(); b != nil {
		best = []events.BestTrial{*b}
	}
	for i := range best {
		if t := best[i].Trial; t <= m.improvedThrough && !m.restated[t] {
			e := m.improvement(&best[i], t)
			return &e
		}
	}
	m.restated = nil
	return nil
}
