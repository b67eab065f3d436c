package study

import (
	"fmt"

	"apollo/events"
)

// Shared is a batch of the run that a study was forked from, with the answers to
// all of its trials. Trials, batches, parents and what they void keep their numbers.
type Shared struct {
	events.TrialsProposed
	Answers []events.TrialResult
}

// LacksShared reports whether the machine needs the batches of the run that the study
// was forked from before it can propose more: Share gives them.
func (m *Machine) LacksShared() bool { return m.sharing() && m.shared == nil }

// Share gives the machine the batches that begin with the trials of Spec.Fork, in
// order, with an answer to each of those.
func (m *Machine) Share(batches []Shared) { m.shared = batches }

// sharing reports whether trials of the fork are still to be taken over.
func (m *Machine) sharing() bool { return m.spec.Fork != nil && m.next < m.spec.Fork.Trials }

// sharedTrials is the number of trials that are not this study's own.
func (m *Machine) sharedTrials() int {
	if m.spec.Fork == nil {
		return 0
	}
	return m.spec.Fork.Trials
}

// errSharing refuses to put trials between those that are taken over.
func (m *Machine) errSharing() error {
	return fmt.Errorf("study %s still takes over the trials of study %s, %d of %d so far: ask again when it has them", m.spec.Study, m.spec.Fork.Study, m.next, m.spec.Fork.Trials)
}

// share takes over the next batch of the run that the study was forked from. The
// batches are the same ones, so that whoever asks afterwards asks as that run did.
func (m *Machine) share(k int) (events.Payload, error) {
	if k >= len(m.shared) || m.shared[k].FirstTrial != m.next {
		return nil, fmt.Errorf("the fork shares %d trials, and study %s, run %s, has no batch %d that begins with trial %d",
			m.spec.Fork.Trials, m.spec.Fork.Study, m.spec.Fork.Run, k, m.next)
	}
	from := &m.shared[k]
	n := min(len(from.Designs), m.spec.Fork.Trials-m.next)
	d := m.newDraft(n)
	// Never added: all that is shared is part of the budget of the fork.
	d.event = events.TrialsProposed{Study: m.spec.Study, Run: m.cfg.Run, Batch: k, FirstTrial: m.next, Told: m.told}
	if m.spec.Order == "relaxed" {
		d.event.Told, d.event.ObservedThrough = 0, m.lastSeq
	}
	for i := range n {
		p, err := m.space.Point(from.Designs[i])
		if err != nil {
			return nil, fmt.Errorf("trial %d of the fork: %w", m.next+i, err)
		}
		origin, parents := "", []int(nil)
		if i < len(from.Origins) {
			origin = from.Origins[i]
		}
		if i < len(from.Parents) {
			parents = from.Parents[i]
		}
		d.append(m.space.Key(p), p, events.ForkOrigin(origin), parents)
		// Without its time: it was spent by the other run.
		answer := events.TrialResult{Trial: m.next + i, Outcome: from.Answers[i].Outcome, Values: from.Answers[i].Values, Reason: from.Answers[i].Reason, Intermediate: from.Answers[i].Intermediate}
		d.event.Reused = append(d.event.Reused, answer.Reusable())
		if i < len(from.Voids) {
			d.event.Voids = append(d.event.Voids, from.Voids[i])
		}
	}
	d.dropNoParents()
	return d.event, nil
}
