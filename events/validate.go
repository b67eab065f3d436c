package events

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// ValidateWork checks a work item before it is evaluated: names that fit into
// subjects, one row per trial, one value per parameter, metrics that are named
// once. The error says what is wrong; such an item is dead-lettered.
func ValidateWork(req *BatchRequested) error {
	switch {
	case !IsName(req.Study) || !IsName(req.Run) || !IsName(req.Evaluator):
		return fmt.Errorf("%w: study %.63q, run %.63q and evaluator %.63q must be DNS labels", ErrMalformed, req.Study, req.Run, req.Evaluator)
	case req.Batch < 0:
		return fmt.Errorf("%w: batch %d is negative", ErrMalformed, req.Batch)
	case len(req.Trials) != len(req.Designs):
		return fmt.Errorf("%w: %d trials for %d designs", ErrMalformed, len(req.Trials), len(req.Designs))
	case len(req.Designs) > MaxBatch:
		return fmt.Errorf("%w: %d designs, at most %d are allowed", ErrMalformed, len(req.Designs), MaxBatch)
	case len(req.Metrics) == 0 || len(req.Metrics) > MaxMetrics:
		return fmt.Errorf("%w: %d metrics, 1 to %d are allowed", ErrMalformed, len(req.Metrics), MaxMetrics)
	case !(req.TimeoutSeconds >= 0 && req.TimeoutSeconds <= MaxTimeoutSeconds):
		return fmt.Errorf("%w: a time-out of %v s, 0 to %d are allowed", ErrMalformed, req.TimeoutSeconds, MaxTimeoutSeconds)
	case req.Attempts < 0 || req.Attempts > MaxAttempts:
		return fmt.Errorf("%w: %d attempts, 0 to %d are allowed", ErrMalformed, req.Attempts, MaxAttempts)
	}
	for i, d := range req.Designs {
		if len(d) != len(req.Parameters) {
			return fmt.Errorf("%w: design %d has %d values for %d parameters", ErrMalformed, i, len(d), len(req.Parameters))
		}
	}
	for i, m := range req.Metrics {
		if m.Name == "" || slices.ContainsFunc(req.Metrics[:i], func(o Metric) bool { return o.Name == m.Name }) {
			return fmt.Errorf("%w: the name of metric %d is empty or repeated: %q", ErrMalformed, i, m.Name)
		}
	}
	return nil
}

// Expected is what the answer to a batch must hold.
type Expected struct {
	Study string
	Run   string
	Batch int
	// Trials are the numbers of the trials that were sent, in order.
	Trials []int
	// Metrics are the names of the metrics that are measured, in order.
	Metrics []string
	// Derive computes the study's other metrics, which stand behind them.
	Derive *Deriver
	// Reports says that intermediate values are asked for, and Stops that there are
	// thresholds by which evaluations are stopped early.
	Reports, Stops bool
	// Identity is the only one whose answer counts; nil takes anybody's.
	Identity *Identity
}

// ExpectedOf returns what the answer to a work item must hold.
func ExpectedOf(req *BatchRequested) Expected {
	metrics := make([]string, len(req.Metrics))
	for i, m := range req.Metrics {
		metrics[i] = m.Name
	}
	return Expected{
		Study: req.Study, Run: req.Run, Batch: req.Batch, Trials: req.Trials, Metrics: metrics, Identity: req.Identity,
		Reports: req.EarlyStop != nil, Stops: req.EarlyStop != nil && req.EarlyStop.Thresholds != nil,
	}
}

// ValidateResult checks an evaluator's answer against what was asked. It is
// the one check, used by proposer and archiver alike, so that both see the
// same trials; it is pure and does not change res. What is good is not copied:
// trials and res share it.
//
// An answer of another identity than was asked is refused: trials is nil, which
// it never is otherwise, and problems says why (Expected.Refusal). Its trials
// are neither measured nor failed; they still have no answer.
//
// Otherwise trials has one entry per expected trial, in order. An entry that does not
// fit is replaced by a failed one with the reason ReasonBadResult; when the
// batch as a whole does not fit (another study, other trials, other metrics),
// all are. Values always has one entry per metric in the order of
// want.Metrics, and then one per computed metric; a trial that is not measured keeps what it
// has, NaN elsewhere, and a stopped one has none. A measured trial without a value for a computed metric does not fit. Long texts of
// reasons are cut. problems says what was wrong, for the copy in the
// dead-letter stream; it is empty for a good answer.
func ValidateResult(want Expected, res *BatchEvaluated) (trials []TrialResult, problems []string) {
	if refusal := want.Refusal(res); refusal != "" {
		return nil, []string{refusal}
	}
	trials = make([]TrialResult, len(want.Trials))
	columns, mismatch := matchBatch(want, res)
	if mismatch != "" {
		for i, n := range want.Trials {
			trials[i] = badResult(n, want.width(), mismatch, nil)
		}
		return trials, []string{mismatch}
	}
	for i := range res.Trials {
		clean, problem := validateTrial(columns, len(res.Metrics), &res.Trials[i])
		if problem == "" {
			problem = want.intermediate(&clean)
		}
		if problem == "" && want.Derive != nil {
			clean.Values = want.Derive.Row(clean.Values)
			if name := want.Derive.missing(clean.Values); name != "" && clean.Outcome == OutcomeMeasured {
				problem = fmt.Sprintf("the metric %q has no finite value with %s", name, valuesText(want.Metrics, clean.Values))
			}
		}
		if problem != "" {
			problems = append(problems, fmt.Sprintf("trial %d: %s", want.Trials[i], problem))
			clean = badResult(want.Trials[i], want.width(), problem, &res.Trials[i])
		}
		trials[i] = clean
	}
	return trials, problems
}

// intermediate says what is wrong with what a trial says of its evaluation's way;
// where nothing was asked, that is left out.
func (e *Expected) intermediate(t *TrialResult) string {
	stopped := t.Outcome == OutcomeStopped
	switch {
	case stopped && !e.Reports:
		return "the outcome is " + OutcomeStopped + ", and the study stops no evaluation early"
	case stopped && !e.Stops:
		return "the outcome is " + OutcomeStopped + ", and the batch has no thresholds"
	case stopped && t.Intermediate == nil:
		return "the trial was stopped and has no intermediate value"
	case stopped: // half a runtime is no runtime
		t.Values = noValues(len(t.Values)) // another one, as the answer shares the row
		return t.Intermediate.problem()
	case !e.Reports:
		t.Intermediate = nil
	case t.Intermediate != nil:
		return t.Intermediate.problem()
	}
	return ""
}

// width is the number of values of a row.
func (e *Expected) width() int { return len(e.Metrics) + e.Derive.len() }

// valuesText lists the first values of a row for a message.
func valuesText(names []string, row Numbers) string {
	const most = 4
	var parts []string
	for i, name := range names[:min(most, len(names))] {
		parts = append(parts, fmt.Sprintf("%s = %.6g", name, row[i]))
	}
	return strings.Join(parts, ", ")
}

// matchBatch returns where each wanted metric is in a row of the answer, or
// why the answer is not one to this question.
func matchBatch(want Expected, res *BatchEvaluated) (columns []int, mismatch string) {
	switch {
	case res == nil:
		return nil, "there is no answer"
	case !want.asked(res):
		return nil, fmt.Sprintf("the answer is for batch %d of %s/%s, not batch %d of %s/%s",
			res.Batch, cut(res.Study, 63), cut(res.Run, 63), want.Batch, want.Study, want.Run)
	case len(res.Trials) != len(want.Trials):
		return nil, fmt.Sprintf("the answer has %d trials, %d were sent", len(res.Trials), len(want.Trials))
	}
	for i, n := range want.Trials {
		if res.Trials[i].Trial != n {
			return nil, fmt.Sprintf("place %d of the answer holds trial %d, trial %d was sent there", i, res.Trials[i].Trial, n)
		}
	}
	if len(want.Trials) == 0 {
		return nil, ""
	}
	columns = make([]int, len(want.Metrics))
	for i, name := range want.Metrics {
		columns[i] = slices.Index(res.Metrics, name)
		if columns[i] < 0 {
			return nil, fmt.Sprintf("the answer lacks the metric %q", name)
		}
		if slices.Index(res.Metrics[columns[i]+1:], name) >= 0 {
			return nil, fmt.Sprintf("the answer has the metric %q twice", name)
		}
	}
	return columns, ""
}

func validateTrial(columns []int, width int, t *TrialResult) (clean TrialResult, problem string) {
	clean = *t
	clean.Reason, clean.LastError = cleanReason(t.Reason), cleanError(t.LastError)
	switch {
	case !IsOutcome(t.Outcome):
		return clean, fmt.Sprintf("the outcome is %q, not %s, %s, %s or %s", cut(t.Outcome, 40), OutcomeMeasured, OutcomeInfeasible, OutcomeFailed, OutcomeStopped)
	case len(t.Values) != width && (len(t.Values) != 0 || t.Outcome == OutcomeMeasured):
		return clean, fmt.Sprintf("%d values for %d metrics", len(t.Values), width)
	case t.Attempts < 0 || t.Attempts > MaxAttempts:
		return clean, fmt.Sprintf("%d attempts are not possible", t.Attempts)
	case math.IsNaN(t.Seconds) || math.IsInf(t.Seconds, 0) || t.Seconds < 0:
		return clean, fmt.Sprintf("%v seconds are not possible", t.Seconds)
	case len(t.Extra) > MaxExtras:
		return clean, fmt.Sprintf("%d extra numbers, at most %d are allowed", len(t.Extra), MaxExtras)
	}
	clean.Values = pick(columns, t.Values)
	for i, v := range clean.Values {
		if math.IsInf(v, 0) || (math.IsNaN(v) && t.Outcome == OutcomeMeasured) {
			return clean, fmt.Sprintf("a measured trial needs every metric; value %d is missing or not finite", i)
		}
	}
	for _, v := range t.Extra {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return clean, "an extra number is not finite"
		}
	}
	if t.Outcome == OutcomeMeasured {
		clean.Reason = nil
	} else if clean.Reason == nil {
		clean.Reason = &Reason{Code: t.Outcome}
	}
	return clean, ""
}

// pick brings a row into the order of columns; NaN where the row ends early.
func pick(columns []int, row Numbers) Numbers {
	if len(row) == len(columns) && inOrder(columns) {
		return row
	}
	values := make(Numbers, len(columns))
	for i, c := range columns {
		values[i] = math.NaN()
		if c < len(row) {
			values[i] = row[c]
		}
	}
	return values
}

func inOrder(columns []int) bool {
	for i, c := range columns {
		if c != i {
			return false
		}
	}
	return true
}

// noValues is a row without a value.
func noValues(n int) Numbers {
	row := make(Numbers, n)
	for i := range row {
		row[i] = math.NaN()
	}
	return row
}

// badResult is the row of a trial whose answer did not fit. Times that were
// reported are kept when they can be.
func badResult(trial, metrics int, problem string, t *TrialResult) TrialResult {
	bad := TrialResult{
		Trial: trial, Outcome: OutcomeFailed, Values: noValues(metrics),
		Reason: &Reason{Code: ReasonBadResult, Message: problem},
	}
	if t != nil {
		bad.Started = t.Started
		bad.Attempts = min(max(t.Attempts, 0), MaxAttempts)
		bad.LastError = cleanError(t.LastError)
	}
	return bad
}

// cleanReason returns r when its texts are of bounded length and its numbers
// finite, as all good ones are, and otherwise a copy that is so.
func cleanReason(r *Reason) *Reason {
	if r == nil || len(r.Code) <= MaxCodeBytes && len(r.Layer) <= MaxCodeBytes && len(r.Unit) <= MaxCodeBytes &&
		len(r.Message) <= MaxReasonBytes && r.Need-r.Need == 0 && r.Have-r.Have == 0 {
		return r
	}
	c := *r
	c.Code = cut(c.Code, MaxCodeBytes)
	c.Layer = cut(c.Layer, MaxCodeBytes)
	c.Unit = cut(c.Unit, MaxCodeBytes)
	c.Message = cut(c.Message, MaxReasonBytes)
	if math.IsNaN(c.Need) || math.IsInf(c.Need, 0) {
		c.Need = 0
	}
	if math.IsNaN(c.Have) || math.IsInf(c.Have, 0) {
		c.Have = 0
	}
	return &c
}

// cleanError returns e with texts of bounded length.
func cleanError(e *LastError) *LastError {
	if e == nil || len(e.Code) <= MaxCodeBytes && len(e.Message) <= MaxReasonBytes {
		return e
	}
	return &LastError{cut(e.Code, MaxCodeBytes), cut(e.Message, MaxReasonBytes)}
}

// cut returns s, or its first n bytes at most with "…" at the end, without
// splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Cut is cut for other packages: texts that come from elsewhere are bounded
// before they go into an event.
func Cut(s string, n int) string { return cut(s, n) }
