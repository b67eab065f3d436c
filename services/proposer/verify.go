package proposer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"

	"apollo/events"
	"apollo/services/messages"
)

// Verified says how far a run's log is what its specification proposes.
type Verified struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	State string `json:"state"`
	// Trials are those of the log. Proposed were proposed again and are the same;
	// Asked were asked for by a user: no strategy proposed them.
	// Shared are those of the run that the study was forked from, and are the same
	// there; Unchecked are those of a run that is not there any more.
	Trials    int `json:"trials"`
	Proposed  int `json:"proposed_again"`
	Asked     int `json:"asked_for"`
	Shared    int `json:"shared,omitempty"`
	Unchecked int `json:"unchecked,omitempty"`
	// Hash is that of the trials; Ends counts the ends of the run whose answer was
	// compared.
	Hash string `json:"hash"`
	Ends int    `json:"ends"`
	// Build proposed the last trials, where the log says it.
	Build string `json:"build,omitempty"`
	// Difference is the first one; nil where there is none.
	Difference *Difference `json:"difference"`
}

// Difference is where a log is not what is proposed again.
type Difference struct {
	// Trial is the trial; -1 where it is the end of the run.
	Trial int `json:"trial"`
	// What is the parameter, or "design", "origin", "parents", "reused", "hash", …
	What string `json:"what"`
	// Logged is what the log says, Again what was found again.
	Logged string `json:"logged"`
	Again  string `json:"again"`
	// Build is the build of Apollo that proposed it, where that is not this one.
	Build string `json:"build,omitempty"`
}

func (d *Difference) Error() string {
	return fmt.Sprintf("trial %d, %s: %s in the log, %s proposed again", d.Trial, d.What, d.Logged, d.Again)
}

// Verify proposes the trials of a run again, as an owner that goes on with it
// does, and compares. It writes nothing. The errors say why it cannot be done: a
// source that is gone, another version of the model, a log with a hole.
func (p *Proposer) Verify(ctx context.Context, name, run string) (*Verified, error) {
	v := &verification{
		owner: &owner{proposer: p, key: messages.RunKey{Study: name, Run: run}, log: p.Logger.With("study", name, "run", run)},
		found: Verified{Study: name, Run: run},
	}
	defer v.owner.closeModels()
	err := v.pass(ctx)
	for errors.Is(err, errVoided) {
		v.from = v.owner.logSeq
		v.owner.machine, v.owner.logSeq = nil, 0
		err = v.pass(ctx)
	}
	if d, ok := errors.AsType[*Difference](err); ok {
		v.found.Difference, err = d, nil
	}
	if v.owner.machine != nil {
		state, _ := v.owner.machine.State()
		v.found.State, v.found.Build = string(state), v.owner.machine.Build()
	}
	return &v.found, err
}

// verification is a pass through a log and the answers beside it.
type verification struct {
	owner *owner
	found Verified
	// from is the last event that was compared before.
	from uint64
	// next reads the stored answers, and answer is one that was read and not told.
	next   func() (events.Message, error, bool)
	answer *events.Message
}

func (v *verification) pass(ctx context.Context) error {
	v.owner.verifies = func(seq uint64, e events.Payload) error {
		if seq <= v.from {
			return nil
		}
		return v.compare(ctx, e)
	}
	v.next, v.answer = nil, nil
	// The answers are asked for once the log has said who gives them.
	next, stop := iter.Pull2(func(yield func(events.Message, error) bool) {
		v.owner.proposer.Bus.Facts().Read(ctx, 0, v.owner.resultFilter())(yield)
	})
	defer stop()
	v.next = next
	if err := v.owner.refresh(ctx); err != nil {
		return err
	}
	if v.owner.machine == nil {
		return fmt.Errorf("the log of run %s holds no accepted event", v.owner.key.Run)
	}
	if v.owner.machine.Stale() {
		return errVoided
	}
	// What is not told to anybody yet is part of the hash.
	err := v.tellAll(math.MaxUint64)
	v.found.Hash = v.owner.machine.Summary().Hash
	return err
}

// tellAll adds the answers up to a sequence.
func (v *verification) tellAll(through uint64) error {
	for {
		if more, err := v.tell(through); err != nil || !more {
			return err
		}
	}
}

// tell adds the next answer, up to a sequence; it reports false where there is none.
func (v *verification) tell(through uint64) (more bool, err error) {
	if v.answer == nil {
		m, err, ok := v.next()
		if err != nil || !ok {
			return false, err
		}
		v.answer = &m
	}
	m := *v.answer
	if m.Seq > through {
		return false, nil
	}
	v.answer = nil
	result, known, _ := readResult(m)
	machine := v.owner.machine
	if !known || !machine.Has(result.Batch) {
		return true, nil // nobody told it either
	}
	if _, why := machine.Refusal(m.Seq, &result); why != "" {
		return true, nil
	}
	machine.Result(m.Seq, &result)
	return true, nil
}

// compare holds an event of the log against what the machine says.
func (v *verification) compare(ctx context.Context, e events.Payload) error {
	if v.owner.machine.Stale() {
		return errVoided
	}
	switch e := e.(type) {
	case events.TrialsProposed:
		return v.proposed(ctx, &e)
	case events.StudyCompleted:
		return v.ended(&e.Summary)
	case events.StudyStopped:
		return v.ended(&e.Summary)
	case events.StudyCancelled:
		return v.ended(&e.Summary)
	}
	return nil
}

func (v *verification) proposed(ctx context.Context, e *events.TrialsProposed) error {
	v.found.Trials += len(e.Designs)
	same := &v.found.Proposed
	f := v.owner.spec.Fork
	shared := f != nil && e.FirstTrial < f.Trials
	if shared {
		same = &v.found.Shared
		err := v.owner.share(ctx)
		if errors.Is(err, errForkGone) {
			v.found.Unchecked += len(e.Designs)
			return nil
		}
		if err != nil {
			return err
		}
	}
	if e.Added && !shared {
		v.found.Asked += len(e.Designs)
		return nil
	}
	if v.owner.spec.Order == "relaxed" {
		if err := v.tellAll(e.ObservedThrough); err != nil {
			return err
		}
	}
	for {
		again, ready, err := v.owner.machine.Replay()
		switch {
		case err != nil:
			return v.differs(&Difference{Trial: e.FirstTrial, What: "design", Logged: "one", Again: err.Error()})
		case ready && again == nil:
			return v.differs(&Difference{Trial: e.FirstTrial, What: "design", Logged: "one", Again: "none: the space is exhausted"})
		case ready:
			if d := v.firstDifference(e, again); d != nil {
				return v.differs(d)
			}
			*same += len(e.Designs)
			return nil
		}
		more, err := v.tell(math.MaxUint64)
		if err != nil {
			return err
		}
		if !more {
			return fmt.Errorf("batch %d from trial %d was proposed, and an answer before it is not stored any more: the run cannot be proposed again beyond that", e.Batch, e.FirstTrial)
		}
	}
}

// differs adds to a difference which build proposed it.
func (v *verification) differs(d *Difference) error {
	if build := v.owner.machine.Build(); build != v.owner.proposer.Build {
		d.Build = build
	}
	return d
}

// firstDifference is the first one of two batches; nil for none.
func (v *verification) firstDifference(logged, again *events.TrialsProposed) *Difference {
	for i := range max(len(logged.Designs), len(again.Designs)) {
		trial := logged.FirstTrial + i
		if i >= len(logged.Designs) || i >= len(again.Designs) {
			return &Difference{Trial: trial, What: "designs of the batch", Logged: strconv.Itoa(len(logged.Designs)), Again: strconv.Itoa(len(again.Designs))}
		}
		for k, p := range v.owner.spec.Parameters {
			if k >= len(logged.Designs[i]) || logged.Designs[i][k] != again.Designs[i][k] {
				at := "none"
				if k < len(logged.Designs[i]) {
					at = logged.Designs[i][k].String()
				}
				return &Difference{Trial: trial, What: p.Name, Logged: at, Again: again.Designs[i][k].String()}
			}
		}
		if i < len(logged.Origins) && logged.Origins[i] != again.Origins[i] {
			return &Difference{Trial: trial, What: "origin", Logged: logged.Origins[i], Again: again.Origins[i]}
		}
		if a, b := parentsOf(logged, i), parentsOf(again, i); !slices.Equal(a, b) {
			return &Difference{Trial: trial, What: "parents", Logged: fmt.Sprint(a), Again: fmt.Sprint(b)}
		}
		a, b := reusedOf(logged, trial), reusedOf(again, trial)
		if a != b {
			return &Difference{Trial: trial, What: "answer that was known", Logged: a, Again: b}
		}
	}
	if a, b := thresholdsOf(logged), thresholdsOf(again); a != b {
		return &Difference{Trial: logged.FirstTrial, What: "thresholds of early stopping", Logged: a, Again: b}
	}
	return nil
}

func parentsOf(e *events.TrialsProposed, i int) []int {
	if i < len(e.Parents) {
		return e.Parents[i]
	}
	return nil
}

// thresholdsOf are those of a batch, for people.
func thresholdsOf(e *events.TrialsProposed) string {
	if e.EarlyStop == nil {
		return "none"
	}
	return fmt.Sprintf("%v at steps %v of %d trials", e.EarlyStop.Values, e.EarlyStop.Steps, e.EarlyStop.Trials)
}

// reusedOf is the answer of a trial that was known before, for people.
func reusedOf(e *events.TrialsProposed, trial int) string {
	i := slices.IndexFunc(e.Reused, func(r events.TrialResult) bool { return r.Trial == trial })
	if i < 0 {
		return "none"
	}
	return fmt.Sprintf("%s %v", e.Reused[i].Outcome, e.Reused[i].Values)
}

// ended holds the answer of a run that ended against its trials.
func (v *verification) ended(logged *events.Summary) error {
	if err := v.tellAll(logged.LastResult); err != nil {
		return err
	}
	again := v.owner.machine.Summary()
	v.found.Ends++
	for _, d := range []Difference{
		{What: "trials", Logged: strconv.Itoa(logged.Trials), Again: strconv.Itoa(again.Trials)},
		{What: "hash of the trials", Logged: logged.Hash, Again: again.Hash},
		{What: "best trial", Logged: bestOf(logged), Again: bestOf(&again)},
	} {
		if d.Logged != d.Again {
			d.Trial = -1
			return v.differs(&d)
		}
	}
	return nil
}

func bestOf(s *events.Summary) string {
	switch {
	case s.Best != nil:
		return strconv.Itoa(s.Best.Trial)
	case s.FrontSize > 0:
		return fmt.Sprintf("a front of %d", s.FrontSize)
	}
	return "none"
}
