package external

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// slots starts a process for each slot at the same time, as a worker does, and asks
// each about designs that were answered: what only one of them gets wrong has its
// reason in what the slot's environment names.
func (c *checker) slots(ctx context.Context) {
	const (
		each   = 3
		advice = "look at what differs from slot to slot: APOLLO_SLOT and {slot} in the environment, and what is shared: a device, a licence, a port, a file"
	)
	good := c.answered()
	if len(good) == 0 {
		c.record(checkSlots, Skip, "", "no answer to compare with")
		return
	}
	good = good[:min(len(good), each)]
	if c.p != nil {
		c.p.Discard()
		c.p = nil
	}
	wrong := make([]string, c.o.Slots)
	var working sync.WaitGroup
	for slot := range wrong {
		working.Go(func() { wrong[slot] = c.inSlot(ctx, slot, good) })
	}
	working.Wait()
	for slot, text := range wrong {
		if text != "" {
			c.record(checkSlots, Fail, advice, "slot %d of %d, from 0: %s", slot, len(wrong), text)
			return
		}
	}
	c.record(checkSlots, Pass, "", "%d processes at the same time: each answers %d of the designs as before", len(wrong), len(good))
}

// inSlot says what a process of a slot gets wrong, "" for nothing.
func (c *checker) inSlot(ctx context.Context, slot int, good []trial) string {
	w := &checker{
		argv: c.argv, o: c.o, info: c.info, params: c.params, metrics: c.metrics, q: c.q, slot: slot, nextID: firstID, pending: map[string]bool{},
	}
	if c.scratch != "" {
		w.scratch = filepath.Join(c.scratch, "slot-"+strconv.Itoa(slot))
		if err := os.MkdirAll(w.scratch, 0o700); err != nil {
			return err.Error()
		}
	}
	defer func() {
		if w.p != nil {
			w.p.Discard()
		}
	}()
	if f := w.fresh(ctx); f != nil {
		return f.Error()
	}
	for _, t := range good {
		again := trial{design: t.design}
		w.try(ctx, &again)
		switch {
		case again.failure != nil:
			return fmt.Sprintf("the design %s, which was answered before: %s", c.design(t), again.failure)
		case c.deterministic() && !again.equal(t):
			return fmt.Sprintf("the design %s got another answer: %s, before %s", c.design(t), w.outcome(again), c.outcome(t))
		}
		if w.p.Exited() && w.fresh(ctx) != nil {
			break
		}
	}
	return ""
}
