package client

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync"

	"apollo/events"
)

// Batch is a proposed batch of a run with its answers.
type Batch struct {
	events.TrialsProposed
	// Answers[i] is that of Designs[i], nil while there is none; Known[i] says that
	// it was known when the batch was proposed.
	Answers []*events.TrialResult
	Known   []bool
	// Worker gave the other answers, and By is who measured; Stored is the message
	// that held them, without its data.
	Worker string
	By     events.Identity
	Stored events.Message
}

// ReadBatches reads the batches of a run that begin before a trial into memory: see
// Batches.
func ReadBatches(ctx context.Context, bus events.Bus, view *StudyView, before int) (batches []Batch, err error) {
	for b, err := range Batches(ctx, bus, view, before) {
		if err != nil {
			return nil, err
		}
		batches = append(batches, *b)
	}
	return batches, nil
}

// Batches yields the batches of a run that begin before a trial, in order, with their
// answers: the first one to each that the run takes. It applies the same checks as the
// proposer and the archiver, and holds the answers that came before those of earlier
// batches: as many as a run has in flight.
func Batches(ctx context.Context, bus events.Bus, view *StudyView, before int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		pairs, err := newPairing(ctx, bus, view)
		if err != nil {
			yield(nil, err)
			return
		}
		defer pairs.stop()
		for p, err := range readAhead(ctx, bus.Log(), events.StudySubject(view.Study, view.Run, "proposed"), decodeProposal) {
			if err != nil {
				yield(nil, fmt.Errorf("read the log: %w", err))
				return
			}
			if p.FirstTrial >= before {
				return
			}
			b, err := pairs.of(p)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// ReadRun is ReadStudy and Batches at once, for who wants both of a run with many trials:
// its log is read once. begin gets the run as it began, and returns who takes the batches.
// It is called anew, and they come again, where the run that is read is another one by then,
// or has been pinned to who measures it.
func ReadRun(ctx context.Context, bus events.Bus, name, run string, begin func(*StudyView) (func(*Batch), error)) (*StudyView, error) {
	// What the answers are checked by is known before the first proposal is read.
	filter := cmp.Or(run, "*")
	began, err := foldViews(bus.Log().Read(ctx, 0, events.StudySubject(name, filter, "accepted"), events.StudySubject(name, filter, "bound")))
	if err != nil {
		return nil, err
	}
	if len(began) > 0 && began[len(began)-1].Err == nil {
		head := began[len(began)-1]
		view, err := readOnce(ctx, bus, head, events.RunFilter(name, filter), begin)
		if err != nil || view.Run == head.Run && sameIdentity(view.Identity, head.Identity) {
			return view, err
		}
	}
	view, err := ReadStudy(ctx, bus.Log(), name, run)
	if err != nil {
		return nil, err
	}
	each, err := begin(view)
	if err != nil {
		return nil, err
	}
	for b, err := range Batches(ctx, bus, view, events.MaxTrials) {
		if err != nil {
			return nil, err
		}
		each(b)
	}
	return view, nil
}

func sameIdentity(a, b *events.Identity) bool { return a == b || a != nil && b != nil && *a == *b }

// readOnce folds the runs that a filter matches, and hands out the batches of one of them.
func readOnce(ctx context.Context, bus events.Bus, head *StudyView, filter string, begin func(*StudyView) (func(*Batch), error)) (*StudyView, error) {
	each, err := begin(head)
	if err != nil {
		return nil, err
	}
	pairs, err := newPairing(ctx, bus, head)
	if err != nil {
		return nil, err
	}
	defer pairs.stop()
	var runs views
	decode := func(m events.Message) (decodedEvent, error) {
		e := decodedEvent{Message: m}
		if _, of, _, _ := events.ParseStudySubject(m.Subject); of == head.Run {
			_, e.payload, e.err = events.Decode(m.Data)
		} else {
			_, e.payload, e.err = events.DecodeOutline(m.Data)
		}
		e.Data = nil // is in the payload, and would only stay in memory
		return e, nil
	}
	for e, err := range readAhead(ctx, bus.Log(), filter, decode) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		view := runs.of(e.Message)
		if view == nil {
			continue
		}
		view.foldDecoded(e.Message, e.payload, e.err)
		if p, ok := e.payload.(events.TrialsProposed); ok && view.Run == head.Run && view.Err == nil {
			b, err := pairs.of(&p)
			if err != nil {
				return nil, err
			}
			each(b)
		}
	}
	return runs.latest(head.Study)
}

// decodedEvent is an event of the log, without its data, or why it cannot be read.
type decodedEvent struct {
	events.Message
	payload events.Payload
	err     error
}

// pairing pairs the proposals of a run with the answers to them.
type pairing struct {
	view    *StudyView
	judge   *events.Judge
	results results
	stop    func()
}

// newPairing begins to read the answers of a run; stop ends that.
func newPairing(ctx context.Context, bus events.Bus, view *StudyView) (*pairing, error) {
	judge, err := events.NewJudge(view.Spec)
	if err != nil {
		return nil, err
	}
	filter := fmt.Sprintf("result.%s.%s.%s.*", view.Spec.Evaluator.Name, view.Study, view.Run)
	next, stop := iter.Pull2(readAhead(ctx, bus.Facts(), filter, decodeAnswer))
	return &pairing{view, judge, results{next: next, ahead: map[int][]answer{}}, stop}, nil
}

// of returns the next proposed batch with its answers.
func (r *pairing) of(p *events.TrialsProposed) (*Batch, error) {
	b := newBatch(p)
	// Trials that were measured elsewhere have no answer here: to look for one would read
	// all the others.
	for open := len(b.missing()); open > 0; {
		answer, more, err := r.results.of(p.Batch)
		if err != nil {
			return nil, fmt.Errorf("read the results: %w", err)
		}
		if !more {
			break
		}
		open -= b.fold(&answer, r.view, r.judge)
	}
	return b, nil
}

// readAheadOf is how many messages a reader decodes ahead of who waits for them: it bounds what
// is in memory.
const readAheadOf = 8

// readAhead reads and decodes messages in a goroutine of its own, a few ahead of who takes
// them: the two streams of a run cost about as much, and are read side by side.
func readAhead[T any](ctx context.Context, stored events.Reader, filter string, decode func(events.Message) (T, error)) iter.Seq2[T, error] {
	type item struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		limited, cancel := context.WithCancel(ctx)
		items := make(chan item, readAheadOf)
		var reading sync.WaitGroup
		defer reading.Wait()
		defer cancel()
		reading.Go(func() {
			defer close(items)
			for m, err := range stored.Read(limited, 0, filter) {
				var i item
				if i.err = err; err == nil {
					i.value, i.err = decode(m)
				}
				select {
				case items <- i:
				case <-limited.Done():
					return
				}
			}
		})
		for i := range items {
			if !yield(i.value, i.err) {
				return
			}
		}
		if err := ctx.Err(); err != nil { // the reader may have ended without a word
			var none T
			yield(none, err)
		}
	}
}

func decodeProposal(m events.Message) (*events.TrialsProposed, error) {
	_, p, err := events.DecodeAs[events.TrialsProposed](m.Data)
	if err != nil {
		err = fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err)
	}
	return &p, err
}

// answer is a stored result.
type answer struct {
	events.Message
	events.BatchEvaluated
}

// decodeAnswer takes what does not decode for an answer that says nothing: it fails its
// trials, as it does for the proposer.
func decodeAnswer(m events.Message) (answer, error) {
	_, r, _ := events.DecodeAs[events.BatchEvaluated](m.Data)
	m.Data = nil // is in r, and would only stay in memory
	return answer{m, r}, nil
}

// results hands out the stored results of a run, batch by batch.
type results struct {
	next func() (answer, error, bool)
	// ahead are those that were read before their batch's turn, done is the last batch
	// that had its.
	ahead map[int][]answer
	done  int
}

// of returns the next result of a batch; false when there is no other one.
func (r *results) of(batch int) (a answer, more bool, err error) {
	if batch != r.done {
		delete(r.ahead, r.done)
		r.done = batch
	}
	if list := r.ahead[batch]; len(list) > 0 {
		r.ahead[batch] = list[1:]
		return list[0], true, nil
	}
	for {
		a, err, more = r.next()
		if err != nil || !more {
			return a, false, err
		}
		switch of, ok := events.BatchOfSubject(a.Subject); {
		case !ok || of < batch: // its turn is over
		case of == batch:
			return a, true, nil
		default:
			r.ahead[of] = append(r.ahead[of], a)
		}
	}
}

func newBatch(p *events.TrialsProposed) *Batch {
	b := &Batch{TrialsProposed: *p, Answers: make([]*events.TrialResult, len(p.Designs)), Known: make([]bool, len(p.Designs))}
	for i := range p.Reused {
		if at := p.Reused[i].Trial - p.FirstTrial; at >= 0 && at < len(b.Answers) {
			b.Answers[at], b.Known[at] = &p.Reused[i], true
		}
	}
	return b
}

// missing are the trials of the batch that have no answer.
func (b *Batch) missing() []int {
	trials := []int{}
	for i := range b.Answers {
		if b.Answers[i] == nil {
			trials = append(trials, b.FirstTrial+i)
		}
	}
	return trials
}

// fold adds a stored answer, and returns how many trials it answers.
func (b *Batch) fold(a *answer, view *StudyView, judge *events.Judge) (answered int) {
	a.Batch = b.Batch
	want := events.ExpectedOf(&events.BatchRequested{
		Study: b.Study, Run: b.Run, Batch: b.Batch, Evaluator: view.Spec.Evaluator.Name, Metrics: view.Spec.Measured(), Trials: b.missing(),
	})
	want.Identity, want.Derive, want.Reports, want.Stops = view.Identity, judge.Deriver(), view.Spec.EarlyStop != nil, b.EarlyStop != nil
	trials, _ := events.ValidateResult(want, &a.BatchEvaluated)
	for i := range trials {
		at := trials[i].Trial - b.FirstTrial
		if at >= 0 && at < len(b.Answers) && b.Answers[at] == nil {
			b.Answers[at], answered = &trials[i], answered+1
			b.Worker, b.By, b.Stored = a.Worker, a.Identity(), a.Message
		}
	}
	return answered
}
