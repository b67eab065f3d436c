package external

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/services/child"
)

// After so many time-outs or ends of the process, or so many times the
// time-out, nothing more is tried.
const (
	tooSlow = 2
	tooDead = 3
	tooLong = 10
)

// sample tries the designs one after the other.
func (c *checker) sample(ctx context.Context) {
	if f := c.fresh(ctx); f != nil {
		c.tried[0].failure = f
		c.tried = c.tried[:1]
		return
	}
	slow, dead := 0, 0
	enough := time.Now().Add(tooLong * c.o.Timeout)
	for i := range c.tried {
		t := &c.tried[i]
		c.try(ctx, t)
		if c.o.Tried != nil {
			c.o.Tried(i+1, len(c.tried))
		}
		if len(c.metrics) == 0 && t.failure == nil && t.result.Outcome == evaluator.Measured {
			c.adopt(t)
		}
		switch {
		case t.failure == nil:
		case t.failure.Code == CodeTimeout:
			slow++
		case t.failure.Code == CodeDied:
			dead++
		}
		if slow == tooSlow || dead == tooDead || time.Now().After(enough) || ctx.Err() != nil ||
			c.p.Exited() && c.fresh(ctx) != nil {
			c.tried = c.tried[:i+1]
			return
		}
	}
}

// adopt takes the metrics of a first answer as those of all, where nobody
// declared any.
func (c *checker) adopt(t *trial) {
	for _, name := range sortedKeys(t.answer.metrics) {
		c.metrics = append(c.metrics, evaluator.Metric{Name: name})
	}
	t.result, t.failure = t.answer.result(c.metrics)
}

// judgeSample draws the conclusions that need no further question.
func (c *checker) judgeSample() {
	c.byCode(checkTimeout, map[string]string{
		CodeTimeout: "answer each line as soon as it is read, with its id, and flush standard output; a slow simulator needs a larger --timeout",
	},
		func(n int) string {
			slowest := slices.MaxFunc(c.tried, func(a, b trial) int { return int(a.took - b.took) }).took
			return fmt.Sprintf("%d answers in time, the slowest after %s", n, slowest.Round(time.Microsecond))
		})
	c.byCode(checkSchema, map[string]string{
		CodeBadAnswer:     `write one line {"id": …, "metrics": {…}} per design, and all other text to standard error`,
		CodeBadOutcome:    `leave "outcome" out of a measured design, or write one of the three words`,
		CodeTooLong:       `write what is large to a file in the folder "scratch" of the question, and name it: {"id": …, "artifact": "FILE"}`,
		CodeMissingMetric: "answer every metric of a measured design by its name; a design that has none is infeasible or failed",
		CodeWrongType:     "write numbers without quotes",
		CodeDied:          "mend what ended it, or catch the error and answer {\"id\": …, \"outcome\": \"failed\", \"reason\": …}",
		CodeStart:         "mend what keeps the program from starting again",
	},
		func(n int) string { return fmt.Sprintf("%d answers have the right form", n) })
	c.byCode(checkFinite, map[string]string{CodeNotFinite: "JSON has no NaN and no Infinity: answer infeasible or failed with a reason"},
		func(n int) string { return fmt.Sprintf("every number of %d answers is finite", n) })
	c.units()
	c.measured()
	c.infeasible()
	if c.o.Watched != "" {
		c.reports()
	}
}

// reports wants intermediate values at steps that ascend, of every design that was
// measured: one without them is never stopped early, and stops no other.
func (c *checker) reports() {
	const advice = `write {"id": …, "step": 1, "intermediate": {"%s": …}} before the answer, at steps that ascend, and flush standard output`
	measured, silent, fewest := 0, 0, math.MaxInt
	for _, t := range c.tried {
		if t.failure != nil || t.result.Outcome != evaluator.Measured {
			continue
		}
		steps, last := 0, int64(-1)
		for _, n := range t.notes {
			step, _, said, failure := n.of(c.o.Watched)
			if failure == nil && said && step <= last {
				failure = &Failure{CodeBadAnswer, fmt.Sprintf("step %d is reported after step %d, want a later one", step, last)}
			}
			if failure != nil {
				c.record(checkReports, Fail, fmt.Sprintf(advice, c.o.Watched), "the design %s: %s", c.design(t), failure)
				return
			}
			if said {
				steps, last = steps+1, step
			}
		}
		measured++
		if fewest = min(fewest, steps); steps == 0 {
			silent++
		}
	}
	switch {
	case measured == 0:
		c.record(checkReports, Skip, "", "no measured design to look at")
	case silent > 0:
		c.record(checkReports, Warn, fmt.Sprintf(advice, c.o.Watched), "%d of %d measured designs reported no intermediate %s: a study with earlyStop never stops those", silent, measured, c.o.Watched)
	default:
		c.record(checkReports, Pass, "", "each of %d measured designs reported %s at %d steps or more", measured, c.o.Watched, fewest)
	}
}

// byCode fails a check when a trial failed with one of the codes, and says how to try
// its design alone.
func (c *checker) byCode(check string, advice map[string]string, pass func(n int) string) {
	good := 0
	for i, t := range c.tried {
		if t.failure == nil || check == checkTimeout && t.failure.Code != CodeTimeout {
			good++
			continue
		}
		if how, ok := advice[t.failure.Code]; ok {
			if t.failure.Code == CodeDied || t.failure.Code == CodeTimeout {
				c.alone = c.ask(t)
			}
			c.record(check, Fail, how, "design %d of %d (%s): %s", i+1, len(c.tried), c.design(t), t.failure)
			return
		}
	}
	if good == 0 {
		c.record(check, Skip, "", "no answer to look at")
		return
	}
	c.record(check, Pass, "", "%s", pass(good))
}

// ask is a command that asks the program about one design.
func (c *checker) ask(t trial) string {
	line := c.q.line(asking{id: "1"}, evaluator.Request{Study: "check", Design: t.design})
	return "echo " + shellQuoted(strings.TrimSpace(string(line))) + " | " + c.command()
}

// command is the program's command for a shell, with the first slot's words and no
// secrets, as the report has it.
func (c *checker) command() string {
	words := (&events.Program{Args: inSlot(c.argv, strconv.Itoa(c.slot))}).WithoutSecrets().Args
	for i, word := range words {
		words[i] = shellQuoted(word)
	}
	return strings.Join(words, " ")
}

// shellQuoted is a word as a shell takes it: as it is where no character means more.
func shellQuoted(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:+@%"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (c *checker) design(t trial) string {
	var parts []string
	for i, v := range t.design {
		parts = append(parts, c.params[i].Name+"="+v.String())
	}
	return child.Clip(strings.Join(parts, " "), maxExcerpt)
}

// units wants a unit for every metric, and a name that does not speak of
// another one. Metrics called name_unit are the custom of the log.
func (c *checker) units() {
	declared := c.o.Metrics != nil || c.info.Described
	switch {
	case len(c.metrics) == 0:
		c.record(checkUnits, Skip, "", "no metrics are known")
		return
	case !declared:
		c.record(checkUnits, Skip, `state them in describe, or let the study do it`, "nobody stated the units of %s", c.metricNames())
		return
	}
	for _, m := range c.metrics {
		if m.Unit == "" {
			c.record(checkUnits, Fail, `give the unit in describe or with the metric; "1" is the unit of a plain number`, "metric %q has no unit", m.Name)
			return
		}
		said := c.info.saidOf(m.Name) // the log adds the unit to it
		if suffix := said[strings.LastIndex(said, "_")+1:]; unitWord(suffix) && suffix != unitSuffix(m.Unit) {
			c.record(checkUnits, Fail, "correct the unit or the name", "metric %q has the unit %q, but its name ends in %q", said, m.Unit, suffix)
			return
		}
	}
	c.record(checkUnits, Pass, "", "%s", c.metricNames())
}

// unitWord reports whether the end of a metric's name is certainly a unit.
func unitWord(s string) bool {
	return slices.Contains([]string{"s", "ms", "us", "ns", "j", "mj", "uj", "nj", "pj", "w", "mw", "mm2", "um2", "m2", "hz", "mhz", "ghz", "b", "kib", "mib", "gib", "bytes"}, s)
}

// unitSuffix writes a unit as the end of a name: "mm²" is "mm2".
func unitSuffix(unit string) string {
	s := strings.ToLower(strings.NewReplacer("²", "2", "µ", "u", "μ", "u", "^", "").Replace(unit))
	if s == "byte" {
		return "bytes"
	}
	return s
}

func (c *checker) metricNames() string {
	var names []string
	for _, m := range c.metrics {
		if m.Unit == "" {
			names = append(names, m.Name)
			continue
		}
		names = append(names, m.Name+" ("+m.Unit+")")
	}
	return strings.Join(names, ", ")
}

func (c *checker) count(o evaluator.Outcome) (n int) {
	for _, t := range c.tried {
		if t.failure == nil && t.result.Outcome == o {
			n++
		}
	}
	return n
}

func (c *checker) measured() {
	n, failed := c.count(evaluator.Measured), c.count(evaluator.Failed)
	switch {
	case failed > 0:
		verdict := Warn
		if n == 0 && failed == len(c.tried) {
			verdict = Fail
		}
		t := c.tried[slices.IndexFunc(c.tried, func(t trial) bool { return t.failure == nil && t.result.Outcome == evaluator.Failed })]
		c.record(checkMeasured, verdict, "failed is for an evaluation that broke, and infeasible for a legal design that cannot run: the search learns from that",
			"%d of %d designs failed, one (%s) with %s: %s", failed, len(c.tried), c.design(t), t.result.Reason.Code, t.result.Reason.Message)
	case n == 0 && len(c.answered()) == 0:
		c.record(checkMeasured, Skip, "", "no answer to look at: see the failure above")
	case n == 0:
		c.record(checkMeasured, Fail, "check the parameters and their units: a study would find nothing", "none of %d designs was measured", len(c.tried))
	default:
		c.record(checkMeasured, Pass, "", "%d of %d designs were measured", n, len(c.tried))
	}
}

func (c *checker) infeasible() {
	n := 0
	for _, t := range c.tried {
		if t.failure != nil || t.result.Outcome != evaluator.Infeasible {
			continue
		}
		n++
		reason := t.answer.fields["reason"]
		if reason == nil && t.answer.fields["error"] == nil {
			c.record(checkInfeasible, Fail, `add "reason": {"code": "…", "message": "…", "need": …, "have": …, "unit": "…"}`,
				"the infeasible design %s has no reason", c.design(t))
			return
		}
		for _, m := range c.metrics {
			if m.Cheap && t.answer.metrics[m.Name] == nil {
				c.record(checkInfeasible, Fail, "give the cheap metrics of infeasible designs too, or do not call them cheap",
					"the infeasible design %s lacks the cheap metric %q", c.design(t), m.Name)
				return
			}
		}
	}
	if n == 0 {
		c.record(checkInfeasible, Skip, "widen the parameters' levels if some designs cannot run", "none of %d designs is infeasible", len(c.tried))
		return
	}
	c.record(checkInfeasible, Pass, "", "%d of %d designs are infeasible, each with its reason", n, len(c.tried))
}

// late sends several lines at once: every answer must carry the id of its own
// design, and each line gets one answer.
func (c *checker) late(ctx context.Context) {
	const advice = "copy the id of the line that is answered; answer each line once"
	good := c.answered()
	if len(c.foreign) > 0 {
		c.record(checkLate, Fail, advice, "an answer had the id %q, which was not asked or was answered before", child.Clip(c.foreign[0], maxCode))
		return
	}
	if len(good) == 0 && c.behind > 0 {
		c.record(checkLate, Fail, advice, "%d answers came with the id of an earlier line, and none with its own: they are ignored", c.behind)
		return
	}
	if len(good) == 0 {
		c.record(checkLate, Skip, "", "no answer to compare with")
		return
	}
	if f := c.fresh(ctx); f != nil {
		c.record(checkLate, Fail, advice, "%s", f)
		return
	}
	const together = 4
	good = good[:min(len(good), together)]
	var lines bytes.Buffer
	want := map[string]trial{}
	for _, t := range good {
		id := c.newID()
		want[id] = t
		lines.Write(c.q.line(c.asking(id), evaluator.Request{Study: "check", Design: t.design}))
	}
	f := c.send(lines.Bytes())
	_ = c.p.SetReadDeadline(time.Now().Add(time.Duration(len(good)) * c.o.Timeout))
	for f == nil && len(want) > 0 {
		var a answer
		if a, f = c.next(false); f != nil {
			break
		}
		t, ok := want[a.id]
		if !ok {
			c.record(checkLate, Fail, advice, "of %d lines sent at once one was answered with the id %q, which was not asked or was answered before", len(good), child.Clip(a.id, maxCode))
			return
		}
		delete(want, a.id)
		got := trial{}
		got.result, got.failure = a.result(c.metrics)
		if c.deterministic() && !got.equal(t) {
			c.record(checkLate, Fail, advice, "of %d lines sent at once, the answer for %s is another one than before: ids are mixed up", len(good), c.design(t))
			return
		}
	}
	if f != nil {
		c.record(checkLate, Fail, "read lines until the end of input, and answer each", "of %d lines sent at once %d were not answered: %s", len(good), len(want), f)
		return
	}
	clear(c.pending)
	again := trial{design: good[0].design}
	c.try(ctx, &again)
	if len(c.foreign) > 0 {
		c.record(checkLate, Fail, advice, "a second answer came for the id %q", child.Clip(c.foreign[0], maxCode))
		return
	}
	c.record(checkLate, Pass, "", "%d lines sent at once: every answer has its own id", len(good))
}

func (c *checker) deterministic() bool {
	return (!c.info.Described || c.info.Deterministic) && c.findings[checkDeterminism].Verdict != Fail
}

// answered returns the trials that have an answer.
func (c *checker) answered() []trial {
	var good []trial
	for _, t := range c.tried {
		if t.failure == nil {
			good = append(good, t)
		}
	}
	return good
}

// determinism asks a new process for the same designs in reverse order.
func (c *checker) determinism(ctx context.Context) {
	if !c.deterministic() {
		c.record(checkDeterminism, Skip, "", "the program says that it is not deterministic: the first stored answer is the truth")
		return
	}
	good := c.answered()
	if len(good) == 0 {
		c.record(checkDeterminism, Skip, "", "no answer to compare with")
		return
	}
	if f := c.fresh(ctx); f != nil {
		c.record(checkDeterminism, Fail, "", "%s", f)
		return
	}
	slices.Reverse(good)
	for _, t := range good {
		again := trial{design: t.design}
		c.try(ctx, &again)
		if c.p.Exited() && c.fresh(ctx) != nil {
			break
		}
		if !again.equal(t) {
			c.record(checkDeterminism, Fail, `seed random numbers, keep no state between designs, or describe yourself with "deterministic": false`,
				"the design %s got another answer from a new process: %s, before %s", c.design(t), c.outcome(again), c.outcome(t))
			return
		}
	}
	c.record(checkDeterminism, Pass, "", "%d designs got the same answer from a new process, in another order", len(good))
}

func (c *checker) outcome(t trial) string {
	if t.failure != nil {
		return t.failure.Error()
	}
	parts := []string{string(t.result.Outcome)}
	for i, m := range c.metrics {
		parts = append(parts, fmt.Sprintf("%s=%v", m.Name, t.result.Values[i]))
	}
	return strings.Join(parts, " ")
}
