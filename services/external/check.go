package external

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// CheckOptions say what Check tests with.
type CheckOptions struct {
	// Options configure the processes. Timeout bounds each answer; 0 means 10 s. With
	// several Slots a process of each is tried, all at the same time.
	Options
	// Params are the parameters to try, with levels; nil means those that the
	// program describes.
	Params []space.Param
	// Metrics are those that every measured design must have; nil means those
	// that the program describes, else those of its first answer.
	Metrics []evaluator.Metric
	// Designs is how many designs are tried at most; 0 means 24. No more are
	// begun after ten times the Timeout.
	Designs int
	// Quick tries three designs and asks no process twice.
	Quick bool
	// Watched is the metric that a study with earlyStop watches; "" for none.
	Watched string
	// Found is told each finding as it comes, and Tried how many designs of how
	// many were tried; nil for nobody.
	Found func(Finding)
	Tried func(done, of int)
}

// Verdict is the outcome of one check.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	// Warn: a study works with it; Advice says what it costs or what is better.
	Warn Verdict = "warn"
	// Skip: it could not be tested, or does not apply; Message says why.
	Skip Verdict = "skip"
)

// Finding is the outcome of one check with its explanation.
type Finding struct {
	// Check is its name, for example "determinism".
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	// Message says what was seen.
	Message string `json:"message"`
	// Advice says what to do; "" when nothing is to be done.
	Advice string `json:"advice,omitempty"`
	// Alone is a command for a shell that shows the failure alone; "" when there is none.
	Alone string `json:"alone,omitempty"`
}

// Report is what Check found, in the order of its checks.
type Report struct {
	Command  []string  `json:"command"`
	Name     string    `json:"name,omitempty"`
	Version  string    `json:"version,omitempty"`
	Findings []Finding `json:"findings"`
}

// Failed returns how many checks failed.
func (r Report) Failed() int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == Fail {
			n++
		}
	}
	return n
}

// WriteText writes the report for people, one line per check.
func (r Report) WriteText(w io.Writer) error {
	for _, f := range r.Findings {
		if err := f.WriteText(w, nil); err != nil {
			return err
		}
	}
	return nil
}

// Indent is how many columns stand before what a finding says.
const Indent = 22

// WriteText writes a finding for people. wrap breaks what it says into lines, which
// begin Indent columns further; nil breaks nothing.
func (f Finding) WriteText(w io.Writer, wrap func(text string) string) error {
	lines := func(text string, indent int) string {
		if wrap == nil {
			return text
		}
		return strings.ReplaceAll(wrap(text), "\n", "\n"+strings.Repeat(" ", indent))
	}
	mark := string(f.Verdict)
	if f.Verdict == Fail {
		mark = "FAIL"
	}
	if _, err := fmt.Fprintf(w, "%-4s  %-12s  %s\n", mark, f.Check, lines(f.Message, Indent-2)); err != nil || f.Advice == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "%*s→ %s\n", Indent-2, "", lines(f.Advice, Indent))
	if err == nil && f.Alone != "" { // to be copied: never broken
		_, err = fmt.Fprintf(w, "%*stry it alone:\n%s\n", Indent, "", f.Alone)
	}
	return err
}

// Mend returns what to do about the checks that failed, in their order.
func (r Report) Mend() (advice []string) {
	for _, f := range r.Findings {
		if f.Verdict == Fail && f.Advice != "" {
			advice = append(advice, f.Check+": "+f.Advice)
		}
	}
	return advice
}

// Names of the checks, in the order of a report.
const (
	checkStart       = "start"
	checkDescribe    = "describe"
	checkSpace       = "space"
	checkTimeout     = "timeout"
	checkSchema      = "schema"
	checkFinite      = "nan"
	checkUnits       = "units"
	checkMeasured    = "measured"
	checkInfeasible  = "infeasible"
	checkReports     = "intermediate"
	checkDeterminism = "determinism"
	checkLate        = "late"
	checkUnknown     = "unknown"
	checkGarbage     = "garbage"
	checkEnd         = "end"
	checkSlots       = "slots"
	checkArguments   = "arguments"
)

func checkNames() []string {
	return []string{
		checkStart, checkDescribe, checkSpace, checkTimeout, checkSchema, checkFinite, checkUnits, checkMeasured,
		checkInfeasible, checkReports, checkDeterminism, checkLate, checkUnknown, checkGarbage, checkEnd, checkSlots, checkArguments,
	}
}

// Check tests the program argv against the protocol: what can be seen from
// outside with designs of its space. Every check is in the report; one that
// could not run is a Skip that says why.
func Check(ctx context.Context, argv []string, o CheckOptions) Report {
	const (
		timeout = 10 * time.Second
		designs = 24
		// quickDesigns are the lowest, the highest and the middle levels.
		quickDesigns = 3
	)
	o.Options = o.withDefaults()
	if o.Timeout <= 0 {
		o.Timeout = timeout
	}
	if o.Designs <= 0 {
		o.Designs = designs
		if o.Quick {
			o.Designs = quickDesigns
		}
	}
	c := &checker{argv: argv, o: o, findings: map[string]Finding{}, pending: map[string]bool{}, nextID: firstID}
	if dir, err := os.MkdirTemp("", "apollo-check-"); err == nil {
		c.scratch = dir
		defer func() { _ = os.RemoveAll(dir) }()
	}
	c.run(ctx)
	if c.p != nil {
		c.p.Discard()
	}
	report := Report{Command: (&events.Program{Args: argv}).WithoutSecrets().Args, Name: c.info.Name, Version: c.info.Version}
	for _, name := range checkNames() {
		f, ok := c.findings[name]
		if !ok && (name == checkSlots && c.o.Slots < 2 || name == checkReports && c.o.Watched == "") {
			continue // there is one process, or nobody listens
		}
		if !ok {
			f = Finding{Check: name, Verdict: Skip, Message: "not reached: see the failure above"}
		}
		if ctx.Err() != nil && f.Verdict != Pass {
			f = Finding{Check: name, Verdict: Fail, Message: "interrupted"}
		}
		report.Findings = append(report.Findings, f)
	}
	return report
}

// firstID keeps the ids of Check away from numbers that a program might make
// up.
const firstID = 7001

// checker is one run of Check.
type checker struct {
	argv     []string
	o        CheckOptions
	program  *events.Program // as it was
	info     Info
	params   []space.Param
	metrics  []evaluator.Metric
	q        question
	findings map[string]Finding

	p       *programProcess
	scratch string // the folder that the program may use
	nextID  int
	slot    int             // whose environment the processes get
	alone   string          // Finding.Alone of the next one
	pending map[string]bool // ids that were sent and are not yet answered
	foreign []string        // ids of answers to nothing that is pending
	behind  int             // answers to a line before the last one
	notes   []*note         // before the answer that came last
	tried   []trial
}

// trial is a design that was tried and what came of it.
type trial struct {
	design  []space.Value
	answer  answer
	notes   []*note
	result  evaluator.Result
	failure *Failure
	took    time.Duration
}

func (t trial) equal(o trial) bool {
	if t.failure != nil || o.failure != nil {
		return (t.failure != nil) == (o.failure != nil)
	}
	a, b := t.result, o.result
	same := func(x, y float64) bool { return x == y || x != x && y != y }
	return a.Outcome == b.Outcome && slices.EqualFunc(a.Values, b.Values, same) && slices.Equal(a.Extra, b.Extra) &&
		(a.Reason == nil) == (b.Reason == nil) && (a.Reason == nil || a.Reason.Code == b.Reason.Code)
}

func (c *checker) record(check string, v Verdict, advice, format string, args ...any) {
	f := Finding{Check: check, Verdict: v, Message: fmt.Sprintf(format, args...), Advice: advice, Alone: c.alone}
	c.alone = ""
	c.findings[check] = f
	if c.o.Found != nil {
		c.o.Found(f)
	}
}

func (c *checker) run(ctx context.Context) {
	if !c.begin(ctx) {
		return
	}
	if c.space() {
		c.sample(ctx)
		c.judgeSample()
	}
	if c.o.Quick {
		for _, name := range []string{checkDeterminism, checkLate, checkUnknown, checkGarbage, checkEnd} {
			c.record(name, Skip, "", "left out by --quick")
		}
		c.last(ctx)
		return
	}
	if len(c.tried) > 0 {
		c.determinism(ctx)
		c.late(ctx) // after determinism: it compares answers
		c.unknown(ctx)
	}
	c.garbage(ctx)
	c.end(ctx)
	c.last(ctx)
}

// last are the checks that a quick run has too.
func (c *checker) last(ctx context.Context) {
	if c.o.Slots > 1 {
		c.slots(ctx)
	}
	c.arguments(ctx)
}

// begin starts the program as a backend does and reads its description.
func (c *checker) begin(ctx context.Context) bool {
	err := Findable(c.argv, c.o.Dir)
	if err != nil {
		c.record(checkStart, Fail, "correct the command; it is run without a shell, in "+c.folder(), "%v", err)
		return false
	}
	if c.program, err = c.o.Contents.identify(ctx, c.argv, c.o.Dir); err != nil {
		c.record(checkStart, Fail, "let the arguments that are files be read", "%v", err)
		return false
	}
	b, err := Open(ctx, c.argv, c.o.Options)
	if errors.Is(err, evaluator.ErrChanged) { // see arguments; a file that is there now may stay
		b, err = Open(ctx, c.argv, c.o.Options)
	}
	if errors.Is(err, errNeverReads) {
		c.alone = c.command() + " </dev/null"
		c.record(checkStart, Fail, "mend what ends it", "%v", err)
		return false
	}
	if err != nil {
		if p, startErr := start(c.argv, c.o.forSlot(0)); startErr == nil {
			p.Discard()
			c.record(checkStart, Pass, "", "the program starts")
			c.record(checkDescribe, Fail, "correct the answer to describe, or do not answer it: it is optional", "%v", err)
			return true
		}
		c.record(checkStart, Fail, "correct the command; it is run without a shell, in "+c.folder(), "%v", err)
		return false
	}
	c.info = b.Info()
	_ = b.Close()
	c.record(checkStart, Pass, "", "the program starts")
	if c.info.Spoilt {
		c.record(checkDescribe, Fail, SpoiltAdvice, "%s", c.info.Note)
		return true
	}
	if !c.info.Described {
		c.record(checkDescribe, Skip, `answer {"op": "describe"} to let studies know parameters, metrics and units`,
			"the program does not describe itself: %s", c.info.Note)
		return true
	}
	c.record(checkDescribe, Pass, "", "%s %s: %d parameters, %d metrics", c.info.Name, c.info.Version, len(c.info.Params), len(c.info.Metrics))
	return true
}

// SpoiltAdvice is what to do about a program that prints something else than answers.
const SpoiltAdvice = "print all that is no answer to standard error, also while it loads (in Python: `print(…, file=sys.stderr)`): on standard output it is taken for the answer"

// folder is where the program runs, for people.
func (c *checker) folder() string { return cmp.Or(c.o.Dir, "the current folder") }

// space settles the parameters and metrics to test with.
func (c *checker) space() bool {
	const advice = "give the parameters with their levels, or let describe list them with values or labels"
	c.params, c.metrics = c.o.Params, c.o.Metrics
	if c.params == nil {
		c.params = c.info.Params
	}
	if c.metrics == nil {
		c.metrics = c.info.Metrics
	}
	if len(c.params) == 0 {
		c.record(checkSpace, Fail, advice, "no parameters are known, so no design can be tried")
		return false
	}
	s, err := space.New(c.params...)
	if err != nil {
		c.record(checkSpace, Fail, advice, "no design can be tried: %v", err)
		return false
	}
	task := evaluator.Task{Params: c.params, Metrics: c.metrics}
	if err := c.info.match(task); err != nil && (c.info.Described || len(c.metrics) > 0) {
		c.record(checkSpace, Fail, "make the study and the description agree", "%v", err)
		return false
	}
	c.q = newQuestion(c.params, c.metrics, nil)
	for _, d := range designs(s, c.o.Designs) {
		c.tried = append(c.tried, trial{design: d})
	}
	c.record(checkSpace, Pass, "", "%d of %d designs are tried", len(c.tried), s.Count())
	return true
}

// designs returns up to n different designs: the lowest, highest and middle
// levels, then, drawn with a fixed seed, corners of the space by turns with
// any. Corners are where designs tend to be infeasible.
func designs(s space.Space, n int) [][]space.Value {
	n = int(min(uint64(n), s.Size()))
	points := make([]space.Point, 3)
	for _, p := range s.Params() {
		points[0] = append(points[0], 0)
		points[1] = append(points[1], p.Len()-1)
		points[2] = append(points[2], p.Len()/2)
	}
	random := rand.New(rand.NewPCG(1, 1))
	var seen space.Set
	var out [][]space.Value
	for i := 0; len(out) < n; i++ {
		p := s.Draw(nil, random)
		switch {
		case i < len(points):
			p = points[i]
		case i%2 == 0:
			for k := range p {
				p[k] = points[random.IntN(2)][k]
			}
		}
		if seen.Add(s.Key(p)) {
			out = append(out, s.Values(p))
		}
	}
	return out
}
