package events

import (
	"encoding/json"
	"slices"
)

// TypeInfo describes one event type of the contract. The JSON Schemas, the
// AsyncAPI document and Decode are built from the same table.
type TypeInfo struct {
	// Type is the versioned type string, "apollo.study.started.v1".
	Type string
	// Subject is the subject pattern relative to the prefix, with the tokens
	// that vary in braces: "study.{study}.{run}.started".
	Subject string
	// Stream stores the event; "" when it is not stored.
	Stream string
	// Sender says it; Receivers act on it. "user" is anyone with a client.
	Sender    string
	Receivers []string
	// Summary is one sentence.
	Summary string
	// Zero is an empty payload of the type.
	Zero Payload

	decode func(r *reader) Payload
}

// Subjects returns Subject and, for a command, the one that owners use.
func (t TypeInfo) Subjects() []string {
	if owned := OwnedSubject("{owner}", t.Subject); owned != t.Subject {
		return []string{t.Subject, owned}
	}
	return []string{t.Subject}
}

// Types returns the table of all event types. The caller owns it.
func Types() []TypeInfo { return slices.Clone(catalog[:]) }

// typeOf returns the table's entry for a type string.
func typeOf(eventType string) (TypeInfo, bool) {
	i := slices.IndexFunc(catalog[:], func(t TypeInfo) bool { return t.Type == eventType })
	if i < 0 {
		return TypeInfo{}, false
	}
	return catalog[i], true
}

func entry[T Payload](subject, stream, sender string, receivers []string, summary string) TypeInfo {
	var zero T
	return TypeInfo{
		Type: zero.EventType(), Subject: subject, Stream: stream,
		Sender: sender, Receivers: receivers, Summary: summary, Zero: zero,
		decode: decodeWithStd[T],
	}
}

func (t TypeInfo) by(decode func(r *reader) Payload) TypeInfo {
	t.decode = decode
	return t
}

// decodeWithStd reads a payload by encoding/json.
func decodeWithStd[T Payload](r *reader) Payload {
	var v T
	raw := r.Raw()
	if r.Err != nil {
		return v
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		r.FailStd(len(raw), err)
	}
	return v
}

// catalog is the one table of event types. It is never written.
var catalog = [...]TypeInfo{
	entry[StudyRequested]("cmd.study.submit.{study}", "APOLLO_CMD", "user", []string{"proposer"},
		"Asks for a study; a bare document of kind Study on this subject means the same."),
	entry[StudyControl]("cmd.study.control.{study}", "APOLLO_CMD", "user", []string{"proposer"},
		"Asks to pause, resume, stop, cancel or extend a study, to add designs or to measure trials anew."),
	entry[StudyAccepted]("study.{study}.{run}.accepted", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Opens a run and freezes its specification."),
	entry[StudyStarted]("study.{study}.{run}.started", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Pins the sources of transfer; trials follow."),
	entry[TrialsProposed]("study.{study}.{run}.proposed", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Says which designs a batch tries, and who proposed them.").by(decodeTrialsProposed),
	entry[StudyBound]("study.{study}.{run}.bound", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Pins a run to who gave its first answer: no other answers count from then on."),
	entry[BatchRefused]("study.{study}.{run}.refused", "APOLLO_LOG", "proposer", []string{"user"},
		"The answer to a batch is of another evaluator or version than the run's: it does not count, and the work is published anew."),
	entry[StudyImproved]("study.{study}.{run}.improved", "APOLLO_LOG", "proposer", []string{"user"},
		"Says that a trial is the best feasible one so far, or joined the Pareto front."),
	entry[StudyPaused]("study.{study}.{run}.paused", "APOLLO_LOG", "proposer", []string{"user"},
		"No new trials until the study is resumed."),
	entry[StudyWaiting]("study.{study}.{run}.waiting", "APOLLO_LOG", "proposer", []string{"user"},
		"Says what a run waits for, or that it goes on; said once for every change."),
	entry[StudyResumed]("study.{study}.{run}.resumed", "APOLLO_LOG", "proposer", []string{"user"},
		"Ends a pause."),
	entry[StudyExtended]("study.{study}.{run}.extended", "APOLLO_LOG", "proposer", []string{"user"},
		"Sets a new total number of trials."),
	entry[StudyStopping]("study.{study}.{run}.stopping", "APOLLO_LOG", "proposer", []string{"user"},
		"No new trials; the running ones finish."),
	entry[StudyStopped]("study.{study}.{run}.stopped", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Ends a run that was asked to stop; it can be extended."),
	entry[StudyCompleted]("study.{study}.{run}.completed", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Ends a run that reached its budget, target or plateau, or exhausted its space."),
	entry[StudyCancelled]("study.{study}.{run}.cancelled", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Ends a run at once; what was in flight is dropped."),
	entry[StudyFailed]("study.{study}.{run}.failed", "APOLLO_LOG", "proposer", []string{"user", "archiver"},
		"Ends a run that cannot go on."),
	entry[StudyRemoved]("study.{study}.{run}.removed", "APOLLO_LOG", "proposer", []string{"user"},
		"Claims an ended run for its removal: nothing follows, and its messages go, this one last."),
	entry[StudyRejected]("rejected.{study}", "APOLLO_LOG", "proposer", []string{"user"},
		"Answers a request that was refused, with every mistake."),
	entry[BatchRequested]("work.{evaluator}.{study}.{run}.{batch}", "APOLLO_WORK", "proposer", []string{"evaluator"},
		"A work item: designs to evaluate.").by(decodeBatchRequested),
	entry[BatchEvaluated]("result.{evaluator}.{study}.{run}.{batch}", "APOLLO_RESULT", "evaluator", []string{"proposer", "archiver"},
		"The answer to a work item: one result per design, in order.").by(decodeBatchEvaluated),
	entry[ArchivePart]("archive.{study}.{run}.part", "APOLLO_ARCHIVE", "archiver", []string{"user"},
		"A Parquet file of the run is durable."),
	entry[ArchiveFinal]("archive.{study}.{run}.final", "APOLLO_ARCHIVE", "archiver", []string{"user", "proposer"},
		"Every trial of an ended run is on disk; of a failed one those that were answered until then."),
	entry[ArchiveWaiting]("archive.{study}.{run}.waiting", "APOLLO_ARCHIVE", "archiver", []string{"user"},
		"Says why trials are not on disk yet, or that the archiver goes on."),
	entry[DeadLetter]("dlq.{service}.{study}", "APOLLO_DLQ", "service", []string{"user"},
		"Holds a message that could not be handled, with the reason."),
	entry[Progress]("tick.{study}.{run}", "", "proposer", []string{"user"},
		"A tick for people who watch; it is never stored."),
	entry[Presence]("present.{evaluator}", "", "evaluator", []string{"user", "proposer"},
		"A worker is there, and what it is doing; it is never stored."),
	entry[Archiving]("archiving", "", "archiver", []string{"user", "proposer"},
		"An archiver is there, and whether it can write; it is never stored."),
}
