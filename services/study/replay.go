package study

import "apollo/events"

// Replay returns what the run proposes next, in whatever state it is: the batch
// that the log must hold now, where the log is right. It is nil where the strategy
// has nothing more. ready is false while an answer is missing that the ask may know.
func (m *Machine) Replay() (e *events.TrialsProposed, ready bool, err error) {
	if !m.tellThrough(len(m.batches)) {
		return nil, false, nil
	}
	p, err := m.propose(len(m.batches))
	if proposed, ok := p.(events.TrialsProposed); ok {
		e = &proposed
	}
	return e, true, err
}
