package proposer

import (
	"context"

	"apollo/events"
)

// letterFilters match the dead letters of work that can never be answered.
func (o *owner) letterFilters() []string {
	return []string{events.DeadLetterSubject("evaluator", o.key.Study), events.DeadLetterSubject(events.QueueService, o.key.Study)}
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
	if known, ok := o.letters[batch]; !ok || known.Sequence < letter.Sequence {
		if o.letters == nil {
			o.letters = map[int]events.DeadLetter{}
		}
		o.letters[batch] = letter
		o.judgeLetters(ctx)
	}
}

// judgeLetters gives up the work items that dead letters are about and that are in the
// queue no more, without an answer. The letter comes before its item is taken out. Any
// evaluator may write letters, also about the work of others, and only those who may
// take an item can take it out of the queue: until then its letter is nobody's word.
func (o *owner) judgeLetters(ctx context.Context) {
	if len(o.letters) == 0 {
		return
	}
	later := map[int]events.DeadLetter{}
	for id, batch := range o.machine.Outstanding {
		letter, ok := o.letters[batch]
		if !ok {
			continue
		}
		if gone, err := o.gone(ctx, id, batch); err != nil || !gone {
			later[batch] = letter
			continue
		}
		if answered, err := o.isAnswered(ctx, batch); err != nil {
			later[batch] = letter
		} else if !answered {
			o.machine.Lost(batch, letter.Sequence, letter.Reason)
		}
	}
	o.letters = later
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
