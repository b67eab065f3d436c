package study

import "apollo/events"

// Identity returns who measures the run; nil while nobody is chosen.
func (m *Machine) Identity() *events.Identity { return m.identity }

// Binding returns the event that pins the run to who gave an answer, when it is
// the first one and the run has no identity yet; otherwise nil.
func (m *Machine) Binding(r *events.BatchEvaluated) events.Payload {
	if !m.binds || m.identity != nil || !m.open(r.Batch) {
		return nil
	}
	want := m.expected(m.batches[r.Batch])
	if !want.Binds(r) {
		return nil
	}
	return events.StudyBound{Study: m.spec.Study, Run: m.cfg.Run, Identity: r.Identity(), Batch: r.Batch, Worker: r.Worker}
}

// Refusal says why a stored answer does not count because of who gave it; ""
// for one that does. The event, for the answer with sequence seq, is nil when
// the log has it already.
func (m *Machine) Refusal(seq uint64, r *events.BatchEvaluated) (e events.Payload, why string) {
	if !m.open(r.Batch) {
		return nil, ""
	}
	want := m.expected(m.batches[r.Batch])
	if why = want.Refusal(r); why == "" || m.refused[r.Batch][seq] {
		return nil, why
	}
	return events.BatchRefused{
		Study: m.spec.Study, Run: m.cfg.Run, Batch: r.Batch, Sequence: seq,
		Asked: *m.identity, Answered: r.Identity(), Worker: r.Worker,
	}, why
}

// Refused returns how many answers to a batch were refused.
func (m *Machine) Refused(batch int) int { return len(m.refused[batch]) }

// open reports whether the batch waits for an answer.
func (m *Machine) open(batch int) bool { return m.Has(batch) && !m.batches[batch].done }

// OnlyOthers returns the last answer that was refused, where every batch that
// waits got more than one of those; nil where a batch may still be answered by
// who is asked.
func (m *Machine) OnlyOthers() *events.BatchRefused {
	waits := false
	for _, k := range m.Outstanding {
		if m.Refused(k) < 2 {
			return nil
		}
		waits = true
	}
	if !waits {
		return nil
	}
	return m.lastRefused
}
