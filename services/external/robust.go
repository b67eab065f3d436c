package external

import (
	"context"
	"fmt"
	"strings"
	"time"

	"apollo/evaluator"
	"apollo/events"
)

// unknown asks about a design that lacks a parameter and has one that nobody
// knows. It must be refused: a program that goes on with a default would
// measure another design than the study means.
func (c *checker) unknown(ctx context.Context) {
	const (
		stranger = "no_such_parameter"
		advice   = `answer {"id": …, "outcome": "failed", "reason": "unknown parameter …"} when names do not match, and read on`
	)
	good := c.answered()
	if len(good) == 0 {
		c.record(checkUnknown, Skip, "", "no answer to compare with")
		return
	}
	if f := c.fresh(ctx); f != nil {
		c.record(checkUnknown, Fail, advice, "%s", f)
		return
	}
	id := c.newID()
	line := string(c.q.line(c.asking(id), evaluator.Request{Study: "check", Design: good[0].design}))
	line = strings.Replace(line, c.q.names[0], quote(stranger)+":", 1)
	f := c.send([]byte(line))
	var a answer
	if f == nil {
		a, f = c.await(id, c.o.Timeout, true)
	}
	switch {
	case f != nil && f.Code == CodeDied:
		c.record(checkUnknown, Warn, advice, "a design with %q instead of %q ends the program, which is started again for the next one: %s", stranger, c.params[0].Name, f)
	case f != nil:
		c.record(checkUnknown, Fail, advice, "a design with %q instead of %q: %s", stranger, c.params[0].Name, f)
	case a.bad != nil:
		c.record(checkUnknown, Fail, advice, "a design with %q instead of %q: %s", stranger, c.params[0].Name, a.bad)
	case a.outcome == evaluator.Measured:
		c.record(checkUnknown, Fail, advice, "a design with %q instead of %q was measured all the same", stranger, c.params[0].Name)
	default:
		c.record(checkUnknown, Pass, "", "a design with an unknown parameter is refused: %s", a.reason.Message)
	}
}

// garbage sends a line that is no JSON, then a design. The program may answer
// the first with an error or not at all; it must survive it.
func (c *checker) garbage(ctx context.Context) {
	const advice = `catch the error of a line that does not parse, write nothing or {"error": "…"}, and read on`
	if f := c.fresh(ctx); f != nil {
		c.record(checkGarbage, Fail, advice, "%s", f)
		return
	}
	good := c.answered()
	if len(good) == 0 {
		c.record(checkGarbage, Skip, "", "no answer to compare with")
		return
	}
	again := trial{design: good[0].design}
	f := c.send([]byte("this line is no JSON {\n"))
	if f == nil {
		id := c.newID()
		f = c.send(c.q.line(c.asking(id), evaluator.Request{Study: "check", Design: again.design}))
		if f == nil {
			again.answer, f = c.await(id, c.o.Timeout, true)
		}
	}
	if f == nil {
		again.result, f = again.answer.result(c.metrics)
	}
	switch {
	case f != nil && f.Code == CodeDied:
		c.record(checkGarbage, Warn, advice, "a line that is no JSON ends the program, which is started again for the next one: %s", f)
	case f != nil:
		c.record(checkGarbage, Fail, advice, "after a line that is no JSON: %s", f)
	case c.deterministic() && !again.equal(good[0]):
		c.record(checkGarbage, Fail, advice, "after a line that is no JSON the design %s got another answer: %s, before %s",
			c.design(again), c.outcome(again), c.outcome(good[0]))
	default:
		c.record(checkGarbage, Pass, "", "a line that is no JSON does no harm")
	}
}

// end closes the program's input and waits for its end.
func (c *checker) end(ctx context.Context) {
	const advice = "end when standard input ends: the program that started yours is gone then"
	if f := c.fresh(ctx); f != nil {
		c.record(checkEnd, Fail, advice, "%s", f)
		return
	}
	began := time.Now()
	polite := c.p.Stop(c.o.Timeout)
	state := fmt.Sprint(c.p.State())
	c.p = nil
	if !polite {
		c.record(checkEnd, Fail, advice, "the program still ran %s after its input had ended", c.o.Timeout)
		return
	}
	c.record(checkEnd, Pass, "", "the program ends with its input, after %s (%s)", time.Since(began).Round(time.Millisecond), state)
}

// arguments checks that no run of the program has changed a file among its
// arguments: they are who measures.
func (c *checker) arguments(ctx context.Context) {
	now, err := c.o.Contents.identify(ctx, c.argv, c.o.Dir)
	if err != nil {
		c.record(checkArguments, Fail, "let the arguments that are files be read", "%v", err)
		return
	}
	if d := events.DiffPrograms(c.program, now); len(d) > 0 {
		c.record(checkArguments, Fail, "a file that the program writes must not be an argument: name it in an environment variable or inside the program",
			"the program is another one after it ran: %s", strings.Join(d, "; "))
		return
	}
	c.record(checkArguments, Pass, "", "no file among the arguments has changed")
}
