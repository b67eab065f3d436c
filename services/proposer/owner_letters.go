package proposer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"apollo/events"
)

// letterFilters match the dead letters about work of a study that can never be answered.
func letterFilters(study string) []string {
	return []string{events.DeadLetterSubject("evaluator", study), events.DeadLetterSubject(events.QueueService, study)}
}

// readLetters takes down the dead letters that it has not read yet.
func (o *owner) readLetters(ctx context.Context) error {
	for m, err := range o.proposer.Bus.Log().Read(ctx, o.nextLetter, letterFilters(o.key.Study)...) {
		if err != nil {
			return fmt.Errorf("read the dead letters: %w", err)
		}
		o.noteDeadLetter(ctx, m)
		o.nextLetter = m.Seq + 1
	}
	return nil
}

// readFirstLetters takes down the dead letters that are there. What was given up before
// this owner came must not be published anew.
func (o *owner) readFirstLetters(ctx context.Context) error {
	if o.nextLetter = 0; o.brief {
		return nil
	}
	err := o.retry(ctx, "read the dead letters", o.readLetters)
	o.before = maps.Clone(o.letters)
	return err
}

// hearOfLetters takes down those that came; what cannot be read is read later.
func (o *owner) hearOfLetters(ctx context.Context) {
	if o.brief {
		return
	}
	err := o.readLetters(ctx)
	if o.unread = err != nil; o.unread {
		o.log.Debug("read the dead letters", "error", err)
	}
}

// wasGivenUp reports whether a work item that a letter is about from before this owner was
// published before it, which its id tells: the server remembers the sequence of the first
// one. The item is published where it was not. Without a look a letter about work that
// nobody ever had would be taken for true.
func (o *owner) wasGivenUp(ctx context.Context, m events.Message, batch int) (bool, error) {
	letter, ok := o.before[batch]
	if !ok {
		return false, nil
	}
	seq, err := o.proposer.Bus.Log().Append(ctx, m, events.Fence{})
	if err != nil {
		return false, err
	}
	delete(o.before, batch)
	return seq <= letter.Sequence, nil
}

// noteDeadLetter takes a dead letter down that says that a work item of the run was
// given up.
func (o *owner) noteDeadLetter(ctx context.Context, m events.Message) {
	_, payload, err := events.Decode(m.Data)
	letter, ok := payload.(events.DeadLetter)
	if err != nil || !ok {
		o.log.Warn("unreadable dead letter", "sequence", m.Seq, "error", err)
		return
	}
	batch, ok := events.BatchOfSubject(letter.Subject)
	if !ok || o.spec.Evaluator.Manual || letter.Subject != events.WorkSubject(o.spec.Evaluator.Name, o.key.Study, o.key.Run, batch) || !o.machine.Waits(batch) {
		return
	}
	queue, err := o.proposer.Bus.Log().Info(ctx, letter.Subject)
	if err != nil {
		o.log.Debug("look at the queue that a dead letter is about", "error", err)
		return // the item is not in the queue: it is sent again, see lookForWork
	}
	if letter.Sequence > queue.Last {
		o.log.Warn("a dead letter about a work item that never was", "subject", letter.Subject, "item", letter.Sequence, "letter", m.Seq)
		return
	}
	if known, ok := o.letters[batch]; ok && known.Sequence >= letter.Sequence {
		return
	}
	if o.letters == nil {
		o.letters = map[int]events.DeadLetter{}
	}
	o.letters[batch] = letter
	for id, waiting := range o.machine.Outstanding {
		if waiting == batch {
			o.judgeLetter(ctx, id, batch)
		}
	}
}

// judgeLetters judges the letters that are kept, lookedFor of them at a time, in turn.
func (o *owner) judgeLetters(ctx context.Context) {
	if len(o.letters) == 0 {
		return
	}
	var ids []string
	var batches []int
	for id, batch := range o.machine.Outstanding {
		if _, ok := o.letters[batch]; ok {
			ids, batches = append(ids, id), append(batches, batch)
		}
	}
	maps.DeleteFunc(o.letters, func(batch int, _ events.DeadLetter) bool { return !o.machine.Waits(batch) })
	next, _ := slices.BinarySearch(batches, o.judged+1)
	for i := range min(len(batches), lookedFor) {
		at := (next + i) % len(batches)
		o.judged = batches[at]
		o.judgeLetter(ctx, ids[at], batches[at])
	}
}

// judgeLetter gives up a work item that a dead letter is about and that is in the queue
// no more, without an answer. The letter comes before its item is taken out. Any evaluator
// may write letters, also about the work of others, and only those who may take an item can
// take it out of the queue: until then its letter is nobody's word.
func (o *owner) judgeLetter(ctx context.Context, id string, batch int) {
	if gone, err := o.gone(ctx, id, batch); err != nil || !gone {
		return
	}
	answered, err := o.isAnswered(ctx, batch)
	if err != nil {
		return
	}
	if letter := o.letters[batch]; !answered {
		o.machine.Lost(batch, letter.Sequence, letter.Reason)
	}
	delete(o.letters, batch)
}

// gone reports whether the work item of a batch was published and has left the queue.
func (o *owner) gone(ctx context.Context, id string, batch int) (bool, error) {
	if !o.sent[id] {
		return false, nil
	}
	held, err := o.proposer.Bus.Queued(ctx, events.WorkSubject(o.spec.Evaluator.Name, o.key.Study, o.key.Run, batch))
	return !held, err
}

// isAnswered reports whether the answer of a batch is stored. It is before its item
// leaves the queue.
func (o *owner) isAnswered(ctx context.Context, batch int) (bool, error) {
	for _, err := range o.proposer.Bus.Facts().Read(ctx, 0, events.ResultSubject(o.spec.Evaluator.Name, o.key.Study, o.key.Run, batch)) {
		return err == nil, err
	}
	return false, nil
}
