package study

import (
	"errors"
	"fmt"
	"slices"

	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// Next returns the next event that the run's owner has to append, or nil when
// there is nothing to say until a result, a command or another owner's event
// arrives. It may be called again without appending: it returns the same.
// An error means that the strategy or the log is broken; the run has failed.
func (m *Machine) Next() (events.Payload, error) {
	if m.stale {
		return nil, nil
	}
	if e := m.restate(); e != nil && !m.state.Terminal() {
		return *e, nil
	}
	if len(m.improved) > 0 && !m.state.Terminal() {
		return m.improved[0], nil
	}
	if limit := m.spec.Evaluator.MaxFailures; m.state == Running && limit > 0 && m.failures.unforeseen >= limit {
		return events.StudyPaused{
			Study: m.spec.Study, Run: m.cfg.Run,
			Reason: m.failures.reason(),
		}, nil
	}
	if k, item, lost := m.lostBatch(); lost && (m.state == Running || m.state == Stopping || m.state == Paused) {
		return events.StudyPaused{
			Study: m.spec.Study, Run: m.cfg.Run, Batch: &k, Item: item, Already: m.state == Paused && len(m.held) > 0,
			Reason: fmt.Sprintf("no evaluator could answer batch %d: %s: see the dead letters (`apollo dlq ls --study %s`), mend the cause and resume",
				k, events.Cut(m.lost[k][item], events.MaxReasonBytes/2), m.spec.Study),
		}, nil
	}
	switch m.state {
	case Stopping:
		if m.pending == 0 {
			return events.StudyStopped{Study: m.spec.Study, Run: m.cfg.Run, Reason: m.reason, Summary: m.Summary()}, nil
		}
	case Running:
		return m.advance()
	}
	return nil, nil
}

// advance proposes the next batch, or completes the run.
func (m *Machine) advance() (events.Payload, error) {
	k := len(m.batches)
	if !m.tellThrough(k) {
		return nil, nil
	}
	reason := ""
	if !m.sharing() { // nothing is decided over before the study's own trials
		m.shared, reason = nil, m.stop.reached(m.plateauFloor)
	}
	switch {
	case reason != "":
	case m.next >= m.trials, m.spentAll():
		reason = "budget"
	case m.exhausted != "":
		reason = m.exhausted
	default:
		if m.pending >= m.cfg.parallelism() {
			return nil, nil
		}
		e, err := m.propose(k)
		if e != nil || err != nil {
			return e, err
		}
		reason = m.exhausted
	}
	if m.pending > 0 {
		return nil, nil
	}
	return events.StudyCompleted{Study: m.spec.Study, Run: m.cfg.Run, Reason: reason, Summary: m.Summary()}, nil
}

// spentAll reports whether the evaluations that were told took all the time that
// the study gives them. One that was extended in trials has the same time.
func (m *Machine) spentAll() bool {
	most := m.spec.Budget.EvaluatorSeconds
	return most > 0 && m.spent >= most
}

// tellThrough tells the strategy what an ask for batch k may know, and reports
// whether all of that has arrived.
func (m *Machine) tellThrough(k int) bool {
	if m.spec.Order == "relaxed" {
		return true
	}
	for m.told < k-m.spec.Budget.Lag {
		if m.told >= m.judged {
			return false
		}
		m.tell(m.batches[m.told])
		m.told++
	}
	return true
}

// propose asks for batch k. It returns nil when the space is exhausted.
func (m *Machine) propose(k int) (events.Payload, error) {
	if m.sharing() {
		return m.share(k)
	}
	n := min(m.spec.Budget.Batch, m.trials-m.next)
	d := m.newDraft(n)
	d.pending = m.pendingPoints(n)
	d.event = events.TrialsProposed{Study: m.spec.Study, Run: m.cfg.Run, Batch: k, FirstTrial: m.next, Told: m.told}
	if m.spec.Order == "relaxed" {
		d.event.Told, d.event.ObservedThrough = 0, m.lastSeq
	}
	if m.early != nil {
		d.event.EarlyStop = m.early.thresholds()
	}
	d.fromStart(n)
	d.fromSources(n)
	if m.noise != nil {
		d.measureAgain(n)
	}
	if m.control != nil {
		share := m.spec.Transfer.Control
		due := int(share*float64(m.next+n)) - int(share*float64(m.next))
		if err := d.ask(m.control, controlPrefix, min(due, n-d.len())); err != nil {
			return nil, err
		}
	}
	if err := d.ask(m.search, "", n-d.len()); err != nil {
		return nil, err
	}
	if d.len() == 0 && m.noise != nil && m.spec.Evaluator.Noise.Repeats == 0 && d.exhausted != "" {
		d.fewDesigns(n)
	}
	if d.len() == 0 && d.exhausted == "gave_up" {
		d.lastResort(n)
	}
	if d.len() == 0 {
		m.exhausted = d.exhausted
		return nil, nil
	}
	d.dropNoParents()
	return d.event, nil
}

// dropNoParents leaves the parents out of a batch that has none.
func (d *draft) dropNoParents() {
	if !slices.ContainsFunc(d.event.Parents, func(p []int) bool { return len(p) > 0 }) {
		d.event.Parents = nil
	}
}

// pendingPoints returns the designs that are proposed and not told, in order,
// with room for n more. The next call writes into the same memory.
func (m *Machine) pendingPoints(n int) []space.Point {
	m.scratch.pending = m.scratch.pending[:0]
	for _, b := range m.batches[m.firstUntold():] {
		if !b.told {
			m.scratch.pending = append(m.scratch.pending, b.points...)
		}
	}
	m.scratch.pending = slices.Grow(m.scratch.pending, n)
	return m.scratch.pending
}

// firstUntold returns the first batch that the strategy was not told.
func (m *Machine) firstUntold() int {
	for m.untold < len(m.batches) && m.batches[m.untold].told {
		m.untold++
	}
	return m.untold
}

// draft is a batch that is being put together.
type draft struct {
	machine *Machine
	event   events.TrialsProposed
	taken   *space.Set
	pending []space.Point
	// values holds the rows of the event's designs, points the same designs.
	values []space.Value
	points []space.Point
	// exhausted says why the strategies have nothing more: "exhausted", or
	// "gave_up" in a space too large to be searched as a whole.
	exhausted string
}

// newDraft begins a batch of about n designs.
func (m *Machine) newDraft(n int) *draft {
	m.scratch.taken.Clear()
	m.drafted = &draft{
		machine: m, taken: &m.scratch.taken,
		values: make([]space.Value, 0, n*m.space.Len()), points: make([]space.Point, 0, n),
	}
	return m.drafted
}

func (d *draft) len() int { return len(d.event.Designs) }

// appendIfNew appends a design unless the run has it already.
func (d *draft) appendIfNew(p space.Point, origin string, parents []int) (trial int, ok bool) {
	m := d.machine
	key := m.space.Key(p)
	if m.seen.Has(key) || d.taken.Has(key) {
		return 0, false
	}
	return d.append(key, p, origin, parents), true
}

// append adds a design and returns its trial.
func (d *draft) append(key space.Key, p space.Point, origin string, parents []int) int {
	m := d.machine
	d.taken.Add(key)
	trial := d.event.FirstTrial + d.len()
	start := len(d.values)
	d.values = m.space.AppendValues(d.values, p)
	d.event.Designs = append(d.event.Designs, d.values[start:len(d.values):len(d.values)])
	d.event.Origins = append(d.event.Origins, events.Cut(origin, events.MaxOriginBytes))
	d.event.Parents = append(d.event.Parents, parents)
	d.pending, d.points = append(d.pending, p), append(d.points, p)
	return trial
}

// fromSources adds the best that the sources measured and the run has not
// tried, as reused trials.
func (d *draft) fromSources(n int) {
	for _, known := range d.machine.cfg.Knowledge.Best {
		if d.len() == n {
			return
		}
		if trial, ok := d.appendIfNew(known.Point, optimizer.ReuseOrigin+":"+known.From, nil); ok {
			answer := events.TrialResult{Trial: trial, Outcome: known.Outcome, Values: known.Values, Reason: known.Reason}
			d.event.Reused = append(d.event.Reused, answer.Reusable())
		}
	}
}

// controlPrefix starts the origins of the control arm.
const controlPrefix = "control/"

// again adds a design of the control arm that the run has measured already: the
// answer is known, and the arm must not miss it.
func (d *draft) again(p space.Point, origin string) bool {
	m := d.machine
	key := m.space.Key(p)
	known, told := m.known.Get(key)
	if !told || d.taken.Has(key) {
		return false
	}
	known.Trial = d.append(key, p, origin, nil)
	d.event.Reused = append(d.event.Reused, known.Reusable())
	return true
}

// ask adds up to n designs of a strategy. An exhausted space adds nothing.
func (d *draft) ask(s optimizer.Strategy, prefix string, n int) error {
	if n <= 0 {
		return nil
	}
	m := d.machine
	at := uint64(d.event.FirstTrial + d.len())
	proposals, err := s.Ask(at, n, d.unknown())
	switch {
	case errors.Is(err, optimizer.ErrExhausted):
		d.exhausted = "exhausted"
		return nil
	case errors.Is(err, optimizer.ErrGaveUp):
		d.exhausted = "gave_up"
		return nil
	}
	if err != nil {
		return fmt.Errorf("algorithm %s: ask at trial %d: %w", m.spec.Algorithm.Name, at, err)
	}
	added := 0
	for _, p := range proposals {
		if !m.space.Contains(p.Point) {
			return fmt.Errorf("algorithm %s: ask at trial %d: point %v is not in the space", m.spec.Algorithm.Name, at, p.Point)
		}
		origin := prefix + p.Origin
		if _, ok := d.appendIfNew(p.Point, origin, p.Parents); ok || prefix == controlPrefix && d.again(p.Point, origin) {
			added++
		}
	}
	if added == 0 {
		return fmt.Errorf("algorithm %s: ask at trial %d: all %d proposals were tried before", m.spec.Algorithm.Name, at, len(proposals))
	}
	return nil
}
