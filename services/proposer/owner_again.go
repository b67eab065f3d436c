package proposer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"apollo/events"
	"apollo/services/study"
)

// lookedFor is how many work items one look asks the queue about: they take turns.
const lookedFor = 64

// messageID is the id under which a work item is published. One that was lost
// gets another: the server may still know the first one, and drop it.
func (o *owner) messageID(id string) string {
	if n := o.lostTimes[id]; n > 0 {
		return fmt.Sprintf("%s.%s.%d", id, o.session, n)
	}
	return id
}

// lookForWork sends work again that is neither answered nor in the queue any
// more: a server that lost its last second in a power cut, or that came back
// from an older copy, forgets work that it had acknowledged, and the study
// would wait for ever. What is missing once may have been answered just now, so
// it counts when it is missing at two looks with nothing happening between. An
// error means that it is answered, and that this owner will never hear of it.
func (o *owner) lookForWork(ctx context.Context) error {
	state, _ := o.machine.State()
	if o.brief || o.spec.Evaluator.Manual || state != study.Running && state != study.Stopping || time.Since(o.lastMove) < roomEvery {
		o.missed = nil
		return nil
	}
	switch err := o.seeToQueue(ctx); {
	case errors.Is(err, events.ErrUnreachable):
		o.blind.Failed(o.log.Warn, "look at the queue", "error", err)
		return nil
	case err != nil: // the items are a matter of their own
		o.queueless.Failed(o.log.Warn, "make the queue of the evaluator again", "error", err)
	default:
		o.queueless.Over(o.log.Info, "the queue of the evaluator is there")
	}
	missed := map[string]bool{}
	for _, item := range o.itemsInTurn() {
		id, batch := item.id, item.batch
		if len(o.machine.Work(batch).Designs) == 0 {
			continue
		}
		held, err := o.proposer.Bus.Queued(ctx, events.WorkSubject(o.spec.Evaluator.Name, o.key.Study, o.key.Run, batch))
		if err != nil {
			o.blind.Failed(o.log.Warn, "look for work in the queue", "error", err)
			return nil
		}
		o.blind.Over(o.log.Info, "the queue can be looked at again")
		switch {
		case held:
		case o.missed[id]:
			if err := o.checkAnswer(ctx, batch); err != nil {
				return err
			}
			o.log.Warn("the server has lost a work item: it is published again", "batch", batch)
			delete(o.sent, id)
			o.lostTimes[id]++
			o.provisioned = false // its consumer may be gone, too
		default:
			missed[id] = true
		}
	}
	o.missed = missed
	return nil
}

// seeToQueue makes the queue of the run's evaluator again where another proposer removed it
// at the moment at which this run began to need it.
func (o *owner) seeToQueue(ctx context.Context) error {
	if !o.provisioned {
		return nil
	}
	name := o.spec.Evaluator.Name
	info, err := o.proposer.queues.look(ctx, o.proposer.Bus, name)
	if err != nil || info.Known {
		return err
	}
	return o.proposer.Bus.ProvisionEvaluator(ctx, name)
}

// sentItem is a work item that was sent and waits for its answer.
type sentItem struct {
	id    string
	batch int
}

// itemsInTurn chooses the items that a look asks about: those that were missing at the
// last one, then those whose turn it is.
func (o *owner) itemsInTurn() []sentItem {
	var missed, others []sentItem
	for id, batch := range o.machine.Outstanding {
		switch {
		case !o.sent[id]:
		case o.missed[id]:
			missed = append(missed, sentItem{id, batch})
		default:
			others = append(others, sentItem{id, batch})
		}
	}
	turn, _ := slices.BinarySearchFunc(others, o.lookedAt, func(s sentItem, batch int) int { return cmp.Compare(s.batch, batch) })
	others = slices.Concat(others[turn:], others[:turn])
	if n := max(0, lookedFor-len(missed)); n < len(others) {
		o.lookedAt, others = others[n].batch, others[:n]
	}
	return append(missed, others...)
}
