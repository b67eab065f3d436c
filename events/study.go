package events

import (
	"encoding/json"
	"strconv"
	"strings"
)

// The requests that users publish.

// StudyRequested asks for a study. Study is a document of kind Study as people
// write it, in JSON. A bare document on the request subject means the same.
type StudyRequested struct {
	Study json.RawMessage `json:"study"`
	// Fresh starts a new run although the study exists.
	Fresh bool `json:"fresh,omitempty"`
	// EvaluatorVersion and Program say who measures, where the one who asks
	// starts the program; the run takes no other answers then.
	EvaluatorVersion string   `json:"evaluator_version,omitempty"`
	Program          *Program `json:"program,omitempty"`
}

// StudyControl asks for a change of state. It is absolute and carries an ID,
// so that it does no harm when it arrives twice.
type StudyControl struct {
	Study string `json:"study"`
	// Run is the run that is meant; "" means the latest.
	Run string `json:"run,omitempty"`
	// ID identifies the command; one that was seen before does nothing.
	ID string `json:"id"`
	// Verb is pause (no new trials, running ones finish), resume, stop (final
	// but extendable), cancel (running trials are dropped), extend, add
	// (designs of one's own), or retry (trials are measured anew).
	Verb string `json:"verb" jsonschema:"enum=pause,enum=resume,enum=stop,enum=cancel,enum=extend,enum=add,enum=retry"`
	// Trials is the new total for extend.
	Trials int `json:"trials,omitempty"`
	// Reason says why a pause is asked for, for people.
	Reason string `json:"reason,omitempty"`
	// Force resumes or extends a run all the same that no archiver writes any
	// more (WaitsArchiveDiffers).
	Force bool `json:"force,omitempty"`
	// Designs are those of add. They come on top of the run's budget; what the
	// run has already is left out.
	Designs []AddedDesign `json:"designs,omitempty"`
	// Retry are the trials that retry voids and measures anew, on top of the run's
	// budget; what is voided already is left out.
	Retry []int `json:"retry,omitempty"`
}

// AddedDesign is a design that a user asks for, by its parameters' names, or one
// that was measured elsewhere.
type AddedDesign struct {
	Design map[string]any `json:"design"`
	// Outcome is measured or infeasible for what was measured elsewhere; without
	// it the run's evaluator is asked.
	Outcome string `json:"outcome,omitempty" jsonschema:"enum=measured,enum=infeasible"`
	// Metrics are the values in the study's units, by the names with units.
	Metrics map[string]float64 `json:"metrics,omitempty"`
	// Reason says why it is infeasible.
	Reason *Reason `json:"reason,omitempty"`
	// Origin says where it comes from, for people: it ends the trial's origin.
	Origin string `json:"origin,omitempty"`
}

// The events of a study's log, written by its owner.

// StudyAccepted opens a run. It freezes the specification.
type StudyAccepted struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	Spec  Spec   `json:"spec"`
	// SpecSHA256 identifies the normalised specification without labels.
	SpecSHA256 string `json:"spec_sha256"`
	// Owner is who asked on a subject of its own: of the owners only this one may
	// change the study. "" is nobody's.
	Owner string `json:"owner,omitempty"`
	// Command is the id of the request that was accepted.
	Command string `json:"command"`
	// Identity is who measures, where that is known from the start; Program is
	// the user's program that it names.
	Identity *Identity `json:"identity,omitempty"`
	Program  *Program  `json:"program,omitempty"`
	// Binds: the first answer decides who measures (StudyBound). Runs that were
	// accepted before there was an identity take every answer.
	Binds bool `json:"binds,omitempty"`
}

// StudyStarted pins the sources of transfer: the run goes on only while they
// are what they were. Where another build of Apollo goes on with the run it
// comes again, with the same sources.
type StudyStarted struct {
	Study   string      `json:"study"`
	Run     string      `json:"run"`
	Sources []SourcePin `json:"sources,omitempty"`
	// Build is the build that proposes from here on. Another one may have other
	// strategies, which propose other trials.
	Build string `json:"build,omitempty"`
}

// SourcePin identifies the exact trials that a source gave.
type SourcePin struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	Trials int    `json:"trials"`
	SHA256 string `json:"sha256"`
	// Use says what they are used for: "merge" (the same measurement, judged
	// again), "seed" (its best designs are tried first) or "model" (seeds, and a
	// prior that has to earn its weight).
	Use string `json:"use"`
	// Kept is how many trials of a large source are used; 0 means all that are
	// sound.
	Kept int `json:"kept,omitempty"`
	// Quarantined counts the rows that are not used because they cannot be true.
	Quarantined int `json:"quarantined,omitempty"`
	// DamagedFiles counts the files that could not be read.
	DamagedFiles int `json:"damaged_files,omitempty"`
	// LeftOut counts what is not used, by reason: rows, and whole files.
	LeftOut []LeftOut `json:"left_out,omitempty"`
	// Why says why the archive's search chose the source; "" when the study
	// names it.
	Why string `json:"why,omitempty"`
}

// LeftOut counts rows or files of a source that are not used.
type LeftOut struct {
	// Reason is a word of docs/transfer.md: outcome, design_hash, workload_hash,
	// design, value, key, contradiction, label, failed, same_point or voided of rows;
	// damaged, unread or empty of files.
	Reason string `json:"reason"`
	Rows   int    `json:"rows,omitempty"`
	Files  int    `json:"files,omitempty"`
}

// TrialsProposed is the truth about a batch: what is to be tried, who proposed
// it, and what was known then.
type TrialsProposed struct {
	Study      string `json:"study"`
	Run        string `json:"run"`
	Batch      int    `json:"batch"`
	FirstTrial int    `json:"first_trial"`
	// Told is the number of batches that the strategy had been told (strict).
	Told int `json:"told"`
	// ObservedThrough is the RESULT sequence that was told (relaxed).
	ObservedThrough uint64   `json:"observed_through,omitempty"`
	Designs         []Design `json:"designs"`
	// Origins[i] says who proposed Designs[i].
	Origins []string `json:"origins"`
	// Parents[i] are the trials that Designs[i] was derived from.
	Parents [][]int `json:"parents,omitempty"`
	// Reused holds the trials of the batch whose answer was known already.
	// They are not sent to an evaluator.
	Reused []TrialResult `json:"reused,omitempty"`
	// EarlyStop is what the batch's evaluations are held against; nil where none of
	// them is stopped.
	EarlyStop *Thresholds `json:"early_stop,omitempty"`
	// Added: a user asked for the designs. They come on top of the run's budget. Those
	// that a fork shares are no such designs there: they are part of its budget.
	Added bool `json:"added,omitempty"`
	// Voids[i] is the trial that Designs[i] measures anew: from then on it counts
	// for nothing. It has an entry per design, or none.
	Voids []int `json:"voids,omitempty"`
	// Command is the request that this is the last batch of.
	Command string `json:"command,omitempty"`
}

// RetryOrigin is the origin of a trial that measures another one anew, which the
// log marks by it: "retry:7" voids trial 7.
func RetryOrigin(trial int) string { return retryPrefix + strconv.Itoa(trial) }

// Voided returns the trial that the batch's design i measures anew; false where it
// measures none.
func (e *TrialsProposed) Voided(i int) (trial int, ok bool) {
	if i < len(e.Voids) {
		trial = e.Voids[i]
		return trial, trial >= 0 && trial < e.FirstTrial
	}
	return 0, false
}

// VoidedBy returns the trial that one with that origin voids.
func VoidedBy(origin string) (trial int, ok bool) {
	first, _ := OriginBeforeFork(origin)
	text, ok := strings.CutPrefix(first, retryPrefix)
	trial, err := strconv.Atoi(text)
	return trial, ok && err == nil && trial >= 0
}

const retryPrefix = "retry:"

// ForkOrigin is the origin of a trial that a study shares with the one that it was
// forked from: "fork/gp". A fork of a fork says it once.
func ForkOrigin(origin string) string {
	first, _ := OriginBeforeFork(origin)
	return forkPrefix + first
}

// OriginBeforeFork returns who proposed a trial, whether or not it is shared.
func OriginBeforeFork(origin string) (first string, shared bool) {
	return strings.CutPrefix(origin, forkPrefix)
}

const forkPrefix = "fork/"

// StudyImproved says that a trial is the best feasible one so far, judged on
// the told prefix; with several objectives, that it joined the Pareto front.
type StudyImproved struct {
	Study string    `json:"study"`
	Run   string    `json:"run"`
	Best  BestTrial `json:"best"`
	// Through is the last trial that was known, where the best one may be an
	// earlier one: with noise a later trial can show which is best.
	Through int `json:"through,omitempty"`
	// FrontSize, Hypervolume and Reference are those of Summary, with this trial.
	FrontSize   int                `json:"front_size,omitempty"`
	Hypervolume *float64           `json:"hypervolume,omitempty"`
	Reference   map[string]float64 `json:"reference,omitempty"`
}

// BestTrial is a trial with its design and metrics by name.
type BestTrial struct {
	Trial   int                `json:"trial"`
	Design  map[string]any     `json:"design"`
	Metrics map[string]float64 `json:"metrics"`
	// Estimate is set where the evaluator's answers differ: Trial is then the first
	// one that measured the design, and Metrics are means of all that did.
	Estimate *Estimate `json:"estimate,omitempty"`
}

// Estimate is what a model of all trials says of the objective of a design.
type Estimate struct {
	// Value is the most likely one; it lies between Low and High with a
	// probability of 95 %, as far as the model is right. The best design is the one
	// whose worse end is best.
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	// Measurements is how often the design was measured.
	Measurements int `json:"measurements"`
}

// NoiseReport says what was learned of an evaluator whose answers differ.
type NoiseReport struct {
	// Deviation is that of one measurement, relative to its value where Relative is
	// set, else in the objective's unit.
	Deviation float64 `json:"deviation"`
	Relative  bool    `json:"relative,omitempty"`
	// Repeated is the number of trials that measured a design again.
	Repeated int `json:"repeated"`
	// Serial says how much an error follows the one of the trial before.
	Serial *Interval `json:"serial_correlation,omitempty"`
	// Drift is the change of the reference design's value over all trials so far,
	// relative to its value; trials are taken as if measured at the beginning
	// where its interval excludes 0.
	Drift *Interval `json:"drift,omitempty"`
	// Warnings say what to do.
	Warnings []string `json:"warnings,omitempty"`
}

// Interval is a number with its interval of 95 %.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	// Of is how many pairs or measurements it rests on.
	Of int `json:"of"`
}

// StudyPaused says that no new trials start until the study is resumed.
type StudyPaused struct {
	Study   string `json:"study"`
	Run     string `json:"run"`
	Command string `json:"command,omitempty"`
	Reason  string `json:"reason"`
	// Batch is the work item that the queue gave up, where that is the reason,
	// and Item its sequence there: an earlier loss of the batch is not told again.
	Batch *int   `json:"batch,omitempty"`
	Item  uint64 `json:"item,omitempty"`
	// Already: the run was paused before for a work item that was given up, so that one
	// resume is enough for all of them.
	Already bool `json:"already,omitempty"`
}

// StudyResumed ends a pause.
type StudyResumed struct {
	Study   string `json:"study"`
	Run     string `json:"run"`
	Command string `json:"command,omitempty"`
}

// StudyExtended sets a new total number of trials.
type StudyExtended struct {
	Study   string `json:"study"`
	Run     string `json:"run"`
	Command string `json:"command,omitempty"`
	Trials  int    `json:"trials"`
}

// StudyStopping says that no new trials start; the running ones finish.
type StudyStopping struct {
	Study   string `json:"study"`
	Run     string `json:"run"`
	Command string `json:"command,omitempty"`
	Reason  string `json:"reason"`
}

// StudyRemoved says that an ended run leaves the bus: its messages are removed after
// this one, which is the last of its log and goes with it.
type StudyRemoved struct {
	Study string `json:"study"`
	Run   string `json:"run"`
}

// Counts says how many trials ended how.
type Counts struct {
	Trials     int `json:"trials"`
	Measured   int `json:"measured"`
	Infeasible int `json:"infeasible"`
	Failed     int `json:"failed"`
	Feasible   int `json:"feasible"`
	// Voided counts the trials that were measured anew: they are among Trials and
	// among none of the others.
	Voided int `json:"voided,omitempty"`
	// Stopped counts the trials whose evaluation was stopped early.
	Stopped int `json:"stopped,omitempty"`
	// LowFidelity counts the trials below the last level of the fidelity, however they
	// ended: none of them could have been feasible.
	LowFidelity int `json:"low_fidelity,omitempty"`
}

// Add counts one more trial, which ended with an outcome.
func (c *Counts) Add(outcome string, feasible, voided, lowFidelity bool) {
	c.Trials++
	if voided {
		c.Voided++
		return
	}
	switch outcome {
	case OutcomeMeasured:
		c.Measured++
	case OutcomeInfeasible:
		c.Infeasible++
	case OutcomeStopped:
		c.Stopped++
	default:
		c.Failed++
	}
	if feasible {
		c.Feasible++
	}
	if lowFidelity {
		c.LowFidelity++
	}
}

// Summary is the answer of a study that ended.
type Summary struct {
	Counts
	// Best is null when nothing is feasible, and with several objectives: Front
	// is the answer then.
	Best *BestTrial `json:"best" jsonschema:"nullable"`
	// Front holds the feasible trials that no other dominates, in order. Where
	// they would take more than MaxFrontBytes the most crowded are left out.
	Front []BestTrial `json:"front,omitempty"`
	// FrontSize is how many trials the whole front has.
	FrontSize int `json:"front_size,omitempty"`
	// Hypervolume is what the whole front dominates below Reference, in the
	// product of the objectives' units; left out while Reference is not known.
	Hypervolume *float64 `json:"hypervolume,omitempty"`
	// Reference is the corner of the hypervolume, by metric.
	Reference map[string]float64 `json:"reference,omitempty"`
	// Noise is set where the study deals with answers that differ.
	Noise *NoiseReport `json:"noise,omitempty"`
	// Hash covers designs, outcomes, metrics and order of all trials.
	Hash string `json:"hash"`
	// LastResult is the RESULT sequence of the last batch that counts.
	LastResult uint64 `json:"last_result"`
}

// StudyStopped ends a run that was asked to stop; it can be extended.
type StudyStopped struct {
	Study   string  `json:"study"`
	Run     string  `json:"run"`
	Reason  string  `json:"reason"`
	Summary Summary `json:"summary"`
}

// StudyCompleted ends a run that reached its budget, target or plateau, or
// exhausted its space as far as it can be searched.
type StudyCompleted struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	// Reason is budget, target, plateau, exhausted (every legal design was tried)
	// or gave_up: in a space too large to be searched as a whole no legal design
	// was found that is new.
	Reason  string  `json:"reason" jsonschema:"enum=budget,enum=target,enum=plateau,enum=exhausted,enum=gave_up"`
	Summary Summary `json:"summary"`
}

// StudyCancelled ends a run at once; what was in flight is dropped.
type StudyCancelled struct {
	Study   string  `json:"study"`
	Run     string  `json:"run"`
	Command string  `json:"command,omitempty"`
	Summary Summary `json:"summary"`
}

// StudyFailed ends a run that cannot go on.
type StudyFailed struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	Reason string `json:"reason"`
}

// StudyRejected answers a request that was refused, with every mistake.
type StudyRejected struct {
	Study   string    `json:"study"`
	Command string    `json:"command"`
	Errors  []Mistake `json:"errors"`
}

// Mistake is one thing wrong with a document.
type Mistake struct {
	// Pointer is the JSON pointer (RFC 6901) of the place, "/spec/seed".
	Pointer string `json:"pointer"`
	// Code is a stable snake_case word, "unknown_field".
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Line and Column count from 1; 0 when the source is not known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// The events of the archiver and the dead-letter stream.

// ArchivePart says that a Parquet file is durable.
type ArchivePart struct {
	Study    string `json:"study"`
	Run      string `json:"run"`
	Path     string `json:"path"`
	Rows     int64  `json:"rows"`
	SHA256   string `json:"sha256"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
}

// ArchiveFinal says that every trial of an ended run is on disk: of a failed one those
// that were answered before the archiver saw its end.
type ArchiveFinal struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	Trials int64  `json:"trials"`
	// Glob matches the run's files, relative to the data directory.
	Glob string `json:"glob"`
}

// DeadLetter holds a message that could not be handled. Encode cuts the body
// and the reason, so that a letter always fits where its message did.
type DeadLetter struct {
	Service    string `json:"service"`
	Reason     string `json:"reason"`
	Subject    string `json:"subject"`
	Sequence   uint64 `json:"sequence,omitempty"`
	Deliveries uint64 `json:"deliveries,omitempty"`
	// Body is the original message, base64 in JSON, or the beginning of one
	// that is longer than MaxDeadLetterBytes.
	Body []byte `json:"body,omitempty"`
	// Size is the number of bytes of the original message when Body is only its
	// beginning.
	Size int `json:"size,omitempty"`
}

// Progress is a tick for people who watch; it is never stored.
type Progress struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	State string `json:"state"`
	Counts
	Budget   int        `json:"budget"`
	InFlight int        `json:"in_flight"`
	Best     *BestTrial `json:"best" jsonschema:"nullable"`
	// FrontSize and Hypervolume are those of Summary, with several objectives.
	FrontSize   int      `json:"front_size,omitempty"`
	Hypervolume *float64 `json:"hypervolume,omitempty"`
	// Waiting is what the run waits for now; left out while it does not.
	Waiting *Waiting `json:"waiting,omitempty"`
	// Idle is why workers of the run's evaluator have nothing to do although
	// designs are left to be proposed; left out while they have.
	Idle *Waiting `json:"idle,omitempty"`
}

// EventType implements Payload.
func (StudyRequested) EventType() string { return "apollo.study.requested.v1" }

// EventType implements Payload.
func (StudyControl) EventType() string { return "apollo.study.control.v1" }

// EventType implements Payload.
func (StudyAccepted) EventType() string { return "apollo.study.accepted.v1" }

// EventType implements Payload.
func (StudyStarted) EventType() string { return "apollo.study.started.v1" }

// EventType implements Payload.
func (TrialsProposed) EventType() string { return "apollo.trials.proposed.v1" }

// EventType implements Payload.
func (StudyImproved) EventType() string { return "apollo.study.improved.v1" }

// EventType implements Payload.
func (StudyPaused) EventType() string { return "apollo.study.paused.v1" }

// EventType implements Payload.
func (StudyResumed) EventType() string { return "apollo.study.resumed.v1" }

// EventType implements Payload.
func (StudyExtended) EventType() string { return "apollo.study.extended.v1" }

// EventType implements Payload.
func (StudyRemoved) EventType() string { return "apollo.study.removed.v1" }

// EventType implements Payload.
func (StudyStopping) EventType() string { return "apollo.study.stopping.v1" }

// EventType implements Payload.
func (StudyStopped) EventType() string { return "apollo.study.stopped.v1" }

// EventType implements Payload.
func (StudyCompleted) EventType() string { return "apollo.study.completed.v1" }

// EventType implements Payload.
func (StudyCancelled) EventType() string { return "apollo.study.cancelled.v1" }

// EventType implements Payload.
func (StudyFailed) EventType() string { return "apollo.study.failed.v1" }

// EventType implements Payload.
func (StudyRejected) EventType() string { return "apollo.study.rejected.v1" }

// EventType implements Payload.
func (ArchivePart) EventType() string { return "apollo.archive.part.v1" }

// EventType implements Payload.
func (ArchiveFinal) EventType() string { return "apollo.archive.final.v1" }

// EventType implements Payload.
func (DeadLetter) EventType() string { return "apollo.dead-letter.v1" }

// EventType implements Payload.
func (Progress) EventType() string { return "apollo.study.progress.v1" }
