package study

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/fidelity"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// Machine is one run. It is used by one goroutine.
type Machine struct {
	cfg   Config
	spec  *events.Spec
	space space.Space
	judge *events.Judge
	legal func(space.Point) bool
	// features are what models see of a point; nil for nothing.
	features func(space.Point) []float64
	search   optimizer.Strategy
	// control is a second strategy that knows nothing of the sources: it is told
	// its own trials alone. known holds what it may be told without a new
	// evaluation; it stays empty without a control arm.
	control optimizer.Strategy
	known   space.Map[events.TrialResult]
	// shared are the batches of a fork that are to be taken over; nil before and after.
	shared []Shared
	// first are the designs that the study tries before any other.
	first []space.Point

	// identity is who measures; nil while nobody is chosen (binds: the first
	// answer chooses). refused holds, by batch, the answers of others.
	identity *events.Identity
	binds    bool
	refused  map[int]map[uint64]bool
	// lastRefused is the last one of them.
	lastRefused *events.BatchRefused

	state    State
	reason   string // why paused, stopping, or ended
	started  bool
	build    string // the last one that proposed
	trials   int    // budget, as extended
	commands map[string]bool

	batches []*batch  // every proposed batch, in order; told ones are emptied
	seen    space.Set // proposed designs
	next    int       // number of the next trial
	pending int       // batches without a result

	// noise is what the strategy was told, seen what all results say; both are nil
	// where every answer is taken at its word.
	noise, seenNoise *noise
	// early is nil where no evaluation is stopped early.
	early *earlyStop

	// drafted is the last draft; nil once it was folded.
	drafted *draft
	// scratch is the memory of one draft at a time.
	scratch struct {
		taken   space.Set
		pending []space.Point
	}

	told    int // strict: the prefix of batches that the strategy was told
	untold  int // no batch below it is untold
	stop    tracker
	spent   float64 // seconds of the evaluations that were told
	judged  int     // contiguous prefix of batches with a result
	view    tracker
	hash    *events.TrialHash
	counts  events.Counts
	lastSeq uint64

	improved        []events.StudyImproved // found, not yet said
	improvedThrough int                    // last trial that an improved event names
	failures        failures
	// Trials below the floor do not count towards the plateau: an extended study
	// starts to count anew. It is a trial number, so that a fold in another order
	// of results gives the same.
	plateauFloor int
	// voided are the trials that are measured anew: they count for nothing. stale:
	// the strategies were told some of them.
	voided map[int]bool
	stale  bool
	// removed: the run leaves the bus, and nothing follows.
	removed bool
	// restated are the trials that an improvement named since the last voiding; nil
	// when nothing has to be said again.
	restated  map[int]bool
	exhausted string // why the strategies have nothing more; "" while they have
	// lost holds, by batch, the work items that the queue gave up; republished
	// counts the pauses for a batch, and named is the last item that one told. held
	// are the batches that the run paused for since it was resumed.
	lost        map[int]map[uint64]string // why, by item
	republished map[int]int
	named       map[int]uint64
	held        map[int]bool
}

// batch is one proposed batch. After it was told, only what later asks need
// is kept.
type batch struct {
	index, first int
	designs      []events.Design
	points       []space.Point
	origins      []string
	thresholds   *events.Thresholds         // nil where no evaluation of it is stopped
	reused       map[int]events.TrialResult // by trial
	results      []events.TrialResult       // all trials, once there is a result
	judged       []events.Judgement         // of results
	seq          uint64
	done         bool // has a result
	told         bool // the strategy knows it
	counted      bool // the answer holds it
}

// New returns the machine of a run before its first event. The errors name
// what is wrong with the specification.
func New(cfg Config) (*Machine, error) {
	sp, err := cfg.Spec.Space()
	if err != nil {
		return nil, err
	}
	judge, err := events.NewJudge(cfg.Spec)
	if err != nil {
		return nil, err
	}
	m := &Machine{
		cfg: cfg, spec: cfg.Spec, space: sp, judge: judge,
		state: Running, trials: cfg.Spec.Budget.Trials, commands: map[string]bool{},
		hash: events.NewTrialHash(), improvedThrough: -1,
		stop: newTracker(cfg.Spec), view: newTracker(cfg.Spec), republished: map[int]int{}, named: map[int]uint64{}, held: map[int]bool{}, lost: map[int]map[uint64]string{},
		refused: map[int]map[uint64]bool{}, voided: map[int]bool{}, early: newEarlyStop(cfg.Spec),
	}
	m.plateauFloor, m.failures.floor = m.sharedTrials(), m.sharedTrials()
	if m.first, err = startPoints(cfg.Spec, sp); err != nil {
		return nil, err
	}
	m.legal = Legality(cfg.Spec, sp, judge, cfg.Checker)
	if m.features, err = Features(cfg.Spec, sp, cfg.Features, cfg.Checker); err != nil {
		return nil, err
	}
	if m.search, err = m.start(); err != nil {
		return nil, fmt.Errorf("algorithm %s: %w", cfg.Spec.Algorithm.Name, err)
	}
	if cfg.Spec.Transfer != nil && cfg.Spec.Transfer.Control > 0 {
		// Any fixed odd constant makes the control arm's random streams differ
		// from the search's.
		if m.control, err = cfg.Algorithm.Start(m.problem(cfg.Spec.Seed ^ 0x9e3779b97f4a7c15)); err != nil {
			return nil, fmt.Errorf("algorithm %s: %w", cfg.Spec.Algorithm.Name, err)
		}
	}
	if err := m.startNoise(); err != nil {
		return nil, err
	}
	for _, k := range cfg.Knowledge.Merged {
		r := &events.TrialResult{Trial: -1, Outcome: k.Outcome, Values: k.Values, Reason: k.Reason}
		m.search.Tell(observation(m.spec, judge.Judge(k.Design, r), k.Point, r))
	}
	return m, nil
}

func (m *Machine) startNoise() (err error) {
	p := m.problem(m.spec.Seed)
	if m.noise, err = newNoise(m.spec, p); err != nil {
		return err
	}
	if m.seenNoise, err = newNoise(m.spec, p); err != nil {
		return err
	}
	m.stop.noise, m.view.noise = m.noise, m.seenNoise
	return nil
}

// start starts the study's strategy, with what the sources know around it.
func (m *Machine) start() (optimizer.Strategy, error) {
	k, p := &m.cfg.Knowledge, m.problem(m.cfg.Spec.Seed)
	at := m.spec.FidelityColumn()
	if len(k.Tasks) == 0 && at < 0 {
		return m.cfg.Algorithm.Start(p)
	}
	p.Prior, p.Workload = k.Tasks, k.Workload
	a := transfer.Algorithm{Base: m.cfg.Algorithm}
	if t := m.cfg.Spec.Transfer; t != nil {
		a.Method, a.Seeds = t.Method, t.Seeds
		if t.Seeds == 0 {
			a.Seeds = -1
		}
	}
	if at >= 0 {
		return fidelity.Algorithm{Search: a, Parameter: at, Trials: func() int { return m.trials }}.Start(p)
	}
	return a.Start(p)
}

// Unordered returns which of the sources of k, "study/run" each, the search would drop
// because their values are in no order. It trains nothing, and the machine need not
// know k.
func (m *Machine) Unordered(k *Knowledge) (names []string, err error) {
	p := m.problem(m.cfg.Spec.Seed)
	p.Prior, p.Workload = k.Tasks, k.Workload
	dropped, err := transfer.Unordered(p)
	for _, i := range dropped {
		names = append(names, p.Prior[i].Name)
	}
	return names, err
}

func (m *Machine) problem(seed uint64) optimizer.Problem {
	p := optimizer.Problem{Space: m.space, Seed: seed, Legal: m.legal, Features: m.features, Objectives: len(m.spec.Objectives), Noisy: m.spec.Evaluator.Noise != nil}
	if p.Objectives > 1 {
		p.Reference = references(m.spec)
	}
	if at, err := m.space.Point(m.cfg.Baseline); err == nil {
		p.Baseline = at // none where the study took one of its levels away
	}
	if m.judge.Conditional() {
		p.Settle = func(at space.Point) { resetInactive(m.space, m.judge, at) }
	}
	return p
}

// State returns what the run is doing, and why where there is a reason.
func (m *Machine) State() (State, string) { return m.state, m.reason }

// Started reports whether the run's sources are pinned.
func (m *Machine) Started() bool { return m.started }

// Build is the build of Apollo that proposes as far as the log says; "" where it
// does not say it.
func (m *Machine) Build() string { return m.build }

// Knows reports whether a command with this id was already carried out.
func (m *Machine) Knows(command string) bool { return m.commands[command] }

// Progress returns the counts of the run for people who watch.
func (m *Machine) Progress() events.Progress {
	p := events.Progress{
		Study: m.spec.Study, Run: m.cfg.Run, State: string(m.state), Counts: m.counts, Budget: m.trials,
		InFlight: m.next - m.counts.Trials, Best: m.view.best,
	}
	if f := m.view.front; f != nil {
		p.FrontSize, p.Hypervolume = f.Len(), f.Hypervolume()
	}
	return p
}

// Held says why the run proposes nothing more although designs are left:
// events.IdleParallelism, events.IdleOrder with the batch that an ask waits for, or
// "" when it does.
func (m *Machine) Held() (code string, batch int) {
	switch {
	case m.state != Running || m.next >= m.trials || m.exhausted != "":
	case m.pending >= m.spec.Budget.Parallelism:
		return events.IdleParallelism, 0
	case m.spec.Order != "relaxed" && len(m.batches)-m.spec.Budget.Lag > m.judged:
		return events.IdleOrder, m.judged
	}
	return "", 0
}

// Summary returns the answer so far, over the contiguous prefix of batches
// with a result.
func (m *Machine) Summary() events.Summary {
	s := events.Summary{Counts: m.counts, Best: m.view.answer(), Hash: m.hash.String(), LastResult: m.lastSeq}
	if m.seenNoise != nil {
		s.Noise = m.seenNoise.report()
	}
	if f := m.view.front; f != nil {
		s.Front, s.FrontSize, s.Hypervolume, s.Reference = f.Brief(m.cfg.frontRoom()), f.Len(), f.Hypervolume(), f.Reference()
	}
	return s
}

// Outstanding yields the batches that have no result yet, in order, each with
// its work item's key: that stays the same when the item is published again,
// unless the queue gave the item up. While the run is paused for that, the batch has no
// item: it would be given up again before anybody could mend the cause.
func (m *Machine) Outstanding(yield func(id string, batch int) bool) {
	if m.state == Cancelled || m.state == Failed {
		return
	}
	for k := m.judged; k < len(m.batches); k++ {
		if m.batches[k].done || m.state == Paused && m.held[k] {
			continue
		}
		if !yield(m.workID(k), k) {
			return
		}
	}
}

func (m *Machine) workID(k int) string {
	id := "work." + m.spec.Study + "." + m.cfg.Run + "." + strconv.Itoa(k)
	if n := m.republished[k]; n > 0 {
		id += fmt.Sprintf(".%d", n)
	}
	if n := m.Refused(k); n > 0 {
		id += fmt.Sprintf(".refused%d", n)
	}
	return id
}

// Work returns the work item of an outstanding batch. It has no designs when
// all of them are known already.
func (m *Machine) Work(k int) *events.BatchRequested {
	e, b := m.spec.Evaluator, m.batches[k]
	w := &events.BatchRequested{
		Study: m.spec.Study, Run: m.cfg.Run, Batch: k, Evaluator: e.Name, Identity: m.identity,
		Template: m.spec.Template, Networks: m.spec.Networks, Search: m.spec.Search, MapperGoal: m.spec.MapperGoal(), Metrics: m.spec.Measured(),
		TimeoutSeconds: e.TimeoutSeconds, Attempts: e.Attempts, Seed: m.spec.Seed, Limits: m.spec.MeasuredConstraints(), Deterministic: e.Deterministic,
		Trials: b.sent(), Designs: make([]events.Design, 0, len(b.designs)),
	}
	if s := m.spec.EarlyStop; s != nil {
		w.EarlyStop = &events.Stopping{Metric: s.Metric, Maximize: m.spec.Objectives[0].Goal == "maximize", Thresholds: b.thresholds}
	}
	for _, p := range m.spec.Parameters {
		w.Parameters = append(w.Parameters, events.Column{Name: p.Name, Unit: p.Unit})
	}
	for _, trial := range w.Trials {
		w.Designs = append(w.Designs, b.designs[trial-b.first])
	}
	return w
}

// sent returns the trials of the batch that need an evaluation.
func (b *batch) sent() []int {
	trials := make([]int, 0, len(b.designs))
	for i := range b.designs {
		if _, known := b.reused[b.first+i]; !known {
			trials = append(trials, b.first+i)
		}
	}
	return trials
}

// repeats reports whether the answer of a trial is that of another one of the run.
func (b *batch) repeats(trial int) bool {
	_, known := b.reused[trial]
	_, shared := events.OriginBeforeFork(b.origins[trial-b.first])
	return known && !shared
}

// expected returns what the answer to a batch must hold.
func (m *Machine) expected(b *batch) events.Expected {
	want := events.Expected{Study: m.spec.Study, Run: m.cfg.Run, Batch: b.index, Trials: b.sent(), Identity: m.identity, Derive: m.judge.Deriver(), Reports: m.spec.EarlyStop != nil, Stops: b.thresholds != nil}
	for _, metric := range m.spec.Measured() {
		want.Metrics = append(want.Metrics, metric.Name)
	}
	return want
}

// Has reports whether the batch was proposed, as far as the log was folded.
func (m *Machine) Has(batch int) bool { return batch >= 0 && batch < len(m.batches) }

// Waits reports whether a batch was proposed and has no answer.
func (m *Machine) Waits(batch int) bool { return m.Has(batch) && !m.batches[batch].done }

// Result adds the stored answer of a batch; seq is its sequence. It returns
// the problems that made trials fail, for the dead-letter copy. A second
// answer, one for a batch that was never proposed, and one of another identity
// than the run's (see Refusal) change nothing.
func (m *Machine) Result(seq uint64, r *events.BatchEvaluated) []string {
	if !m.Has(r.Batch) || m.batches[r.Batch].done {
		return nil
	}
	b := m.batches[r.Batch]
	cleaned, problems := events.ValidateResult(m.expected(b), r)
	if cleaned == nil {
		return problems
	}
	b.results = cleaned
	if len(b.reused) > 0 {
		b.results = make([]events.TrialResult, len(b.designs))
		for i := range b.results {
			if known, ok := b.reused[b.first+i]; ok {
				b.results[i] = known
				continue
			}
			b.results[i] = cleaned[0]
			cleaned = cleaned[1:]
		}
	}
	b.judged = make([]events.Judgement, len(b.results))
	for i := range b.results {
		b.judged[i] = m.judge.Judge(b.designs[i], &b.results[i])
	}
	b.done, b.seq = true, seq
	m.pending--
	m.lastSeq = max(m.lastSeq, seq)
	if m.spec.Order == "relaxed" {
		m.tell(b)
	}
	for m.judged < len(m.batches) && m.batches[m.judged].done {
		m.count(m.batches[m.judged])
		m.judged++
	}
	return problems
}

// Lost notes that the queue gave up a work item (its sequence there): the run
// pauses, and publishes the batch anew when it is resumed.
func (m *Machine) Lost(batch int, item uint64, why string) {
	if m.lost[batch] == nil {
		m.lost[batch] = map[uint64]string{}
	}
	m.lost[batch][item] = why
}

// lostBatch returns a batch that waits for an answer that cannot come, and the
// last of its items that was given up. An item that a pause has named is not
// lost anew: the letters about it may be gone by now, or still be there. Logs
// of earlier versions name no items; their pauses are counted.
func (m *Machine) lostBatch() (batch int, item uint64, lost bool) {
	for k := m.judged; k < len(m.batches); k++ {
		if m.batches[k].done || len(m.lost[k]) == 0 {
			continue
		}
		last := slices.Max(slices.Collect(maps.Keys(m.lost[k])))
		if last > m.named[k] && (m.named[k] > 0 || len(m.lost[k]) > m.republished[k]) {
			return k, last, true
		}
	}
	return 0, 0, false
}

// count folds the next batch of the contiguous prefix into the run's answer.
func (m *Machine) count(b *batch) {
	for i := range b.results {
		r := &b.results[i]
		m.hash.Add(r.Trial, b.designs[i], r.Outcome, r.Values)
		voided := m.voided[r.Trial]
		m.counts.Add(r.Outcome, b.judged[i].Feasible, voided, !m.spec.Full(b.designs[i]))
		if voided {
			continue
		}
		m.failures.count(m.space, b.points[i], r)
		if m.seenNoise != nil {
			m.seenNoise.tell(observation(m.spec, b.judged[i], b.points[i], r), b.designs[i], r.Values)
		}
		if !b.judged[i].Feasible {
			m.view.other(r.Trial, b.designs[i])
			continue
		}
		if better := m.view.feasible(r.Trial, b.designs[i], r.Values); better != nil && r.Trial > m.improvedThrough {
			m.improved = append(m.improved, m.improvement(better, r.Trial))
		}
	}
	b.counted = true
	m.release(b)
}

// improvement says that a trial is the best so far, or joined the front.
func (m *Machine) improvement(better *events.BestTrial, through int) events.StudyImproved {
	e := events.StudyImproved{Study: m.spec.Study, Run: m.cfg.Run, Best: *better}
	if through != better.Trial {
		e.Through = through
	}
	if f := m.view.front; f != nil {
		e.FrontSize, e.Hypervolume, e.Reference = f.Len(), f.Hypervolume(), f.Reference()
	}
	return e
}

// tell gives the strategies a batch's results, and the stop conditions.
func (m *Machine) tell(b *batch) {
	if b.told {
		return
	}
	told := make([]optimizer.Observation, 0, len(b.results))
	for i := range b.results {
		m.spent += b.results[i].Seconds
		if m.voided[b.results[i].Trial] {
			continue
		}
		r := &b.results[i]
		o := observation(m.spec, b.judged[i], b.points[i], r)
		if r.Outcome == events.OutcomeStopped {
			o = m.early.observe(o, r)
		} else if m.early != nil && !b.repeats(r.Trial) {
			m.early.tell(b.judged[i].Feasible, r)
		}
		o.Origin, _ = events.OriginBeforeFork(b.origins[i])
		if m.noise != nil {
			o = m.noise.tell(o, b.designs[i], b.results[i].Values)
		}
		told = append(told, o)
		if m.control != nil {
			m.known.Put(m.space.Key(o.Point), b.results[i])
			if strings.HasPrefix(o.Origin, controlPrefix) {
				m.control.Tell(o)
			}
		}
		if !b.judged[i].Feasible {
			m.stop.other(o.Trial, b.designs[i])
			continue
		}
		m.stop.feasible(o.Trial, b.designs[i], b.results[i].Values)
	}
	m.search.Tell(told...)
	b.told = true
	m.release(b)
}

// release drops what nobody reads again once a batch is counted and told, so
// that a long run's memory stays small.
func (m *Machine) release(b *batch) {
	if b.told && b.counted {
		*b = batch{index: b.index, first: b.first, seq: b.seq, done: true, told: true, counted: true}
	}
}
