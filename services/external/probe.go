package external

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"apollo/evaluator"
)

// fresh replaces the checker's process by a new one, in which nothing is
// pending. A program that describes itself is asked to, so that the time that
// it needs to load does not count as the time for a design.
func (c *checker) fresh(ctx context.Context) *Failure {
	if c.p != nil {
		c.p.Discard()
		c.p = nil
	}
	if ctx.Err() != nil {
		return &Failure{CodeTimeout, "interrupted"}
	}
	p, err := start(c.argv, c.o.forSlot(c.slot))
	if err != nil {
		return &Failure{CodeStart, err.Error()}
	}
	context.AfterFunc(ctx, p.Kill)
	p.said = c.info.said
	c.p = p
	clear(c.pending)
	if !c.info.Described {
		return nil
	}
	id := c.newID()
	f := c.send(describeLine(id))
	if f == nil {
		_, f = c.await(id, max(c.o.Startup, c.o.Timeout), false)
	}
	return f
}

func (c *checker) newID() string {
	c.nextID++
	id := strconv.Itoa(c.nextID)
	c.pending[id] = true
	return id
}

// asking is what the lines of Check say besides the design.
func (c *checker) asking(id string) asking {
	return asking{id: id, limit: c.o.Timeout, scratch: c.scratch, knows: c.p.knows}
}

// send writes a line within the time-out.
func (c *checker) send(line []byte) *Failure {
	_ = c.p.SetWriteDeadline(time.Now().Add(c.o.Timeout))
	switch err := c.p.Write(line); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Failure{CodeTimeout, "the program does not read its standard input"}
	case err != nil:
		return c.p.death()
	}
	return nil
}

// await reads until the answer to id, for so long. Unlike a backend it does not
// kill the process when time is up, so that a late answer can still be seen.
// skim is as for next.
func (c *checker) await(id string, within time.Duration, skim bool) (answer, *Failure) {
	_ = c.p.SetReadDeadline(time.Now().Add(within))
	for {
		a, f := c.next(skim)
		if f != nil {
			return answer{}, f
		}
		switch {
		case c.pending[a.id]:
			delete(c.pending, a.id)
			if a.id != id {
				c.behind++
			}
		case a.id != "":
			c.foreign = append(c.foreign, a.id)
		}
		if a.id == id {
			c.p.answered++
			return a, nil
		}
	}
}

// next reads one answer. With skim, an object that says that something failed
// needs no id: it becomes an answer to nothing.
func (c *checker) next(skim bool) (answer, *Failure) {
	text, err := c.p.readLine()
	if f, ok := errors.AsType[*Failure](err); ok {
		c.p.Discard()
		return answer{}, f
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.p.Exited():
		c.p.sharers = c.p.InputSharers()
		if n := len(c.foreign); n > 0 {
			c.p.stray, c.p.lastStray = n, c.foreign[n-1]
		}
		return answer{}, c.p.timeout(c.o.Timeout, "--timeout")
	case err != nil:
		return answer{}, c.p.death()
	}
	a, err := c.p.parse(text)
	if err == nil && a.note != nil && c.pending[a.id] {
		c.notes = append(c.notes, a.note)
		return c.next(skim)
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		if fields, objectErr := object(text); skim && objectErr == nil && (fields["id"] == nil || string(fields["id"]) == "null") {
			return answer{}, nil
		}
		return answer{}, f
	}
	return a, nil
}

// try evaluates the design of t. As with a backend, a process that had worked
// before and ends instead of answering is replaced once.
func (c *checker) try(ctx context.Context, t *trial) {
	used := c.p.answered > 0
	c.put(t)
	if used && t.failure != nil && t.failure.Code == CodeDied && c.fresh(ctx) == nil {
		c.put(t)
	}
}

func (c *checker) put(t *trial) {
	began := time.Now()
	id := c.newID()
	c.notes = nil
	t.failure = c.send(c.q.line(c.asking(id), evaluator.Request{Study: "check", Design: t.design, Watched: c.o.Watched}))
	if t.failure == nil {
		t.answer, t.failure = c.await(id, c.o.Timeout, false)
	}
	t.took, t.notes = time.Since(began), c.notes
	if t.failure == nil {
		t.result, t.failure = t.answer.result(c.metrics)
	}
}
