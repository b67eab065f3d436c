package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultPrefix comes before every subject unless configured otherwise.
const DefaultPrefix = "apollo.v1"

// Stream is one stream of the topology, as data: buses create what it says.
type Stream struct {
	// Name of the stream, "APOLLO_LOG".
	Name string
	// Subjects are relative to the prefix.
	Subjects []string
	// WorkQueue streams drop a message when it is acknowledged.
	WorkQueue bool
	// Once streams keep at most one message per subject.
	Once bool
	// MaxBytes is the explicit limit; at it new messages are refused, or with
	// Ring the oldest go.
	MaxBytes int64
	// Ring: room is made for new messages by dropping the oldest.
	Ring bool
	// MaxPerSubject bounds the messages of one subject of a Ring; 0 means no
	// bound.
	MaxPerSubject int64
	// MaxMsgSize bounds one message.
	MaxMsgSize int32
	// Duplicates is the window in which an ID is stored once.
	Duplicates time.Duration
}

// Topology returns the streams of the contract.
func Topology() []Stream {
	const (
		mib = 1 << 20
		gib = 1 << 30
	)
	return []Stream{
		{Name: "APOLLO_CMD", Subjects: []string{"cmd.study.submit.*", "cmd.study.control.*", "cmd.owner.*.submit.*", "cmd.owner.*.control.*"}, WorkQueue: true, MaxBytes: 256 * mib, MaxMsgSize: mib, Duplicates: 10 * time.Minute},
		{Name: "APOLLO_LOG", Subjects: []string{"study.*.*.*", "rejected.*"}, MaxBytes: 16 * gib, MaxMsgSize: 8 * mib, Duplicates: 10 * time.Minute},
		{Name: "APOLLO_WORK", Subjects: []string{"work.*.*.*.*"}, WorkQueue: true, MaxBytes: gib, MaxMsgSize: 8 * mib, Duplicates: 10 * time.Minute},
		{Name: "APOLLO_RESULT", Subjects: []string{"result.*.*.*.*"}, Once: true, MaxBytes: 16 * gib, MaxMsgSize: 8 * mib, Duplicates: 10 * time.Minute},
		{Name: "APOLLO_ARCHIVE", Subjects: []string{"archive.*.*.*"}, MaxBytes: gib, MaxMsgSize: mib, Duplicates: 10 * time.Minute},
		{Name: "APOLLO_DLQ", Subjects: []string{"dlq.*.*"}, MaxBytes: gib, Ring: true, MaxPerSubject: MaxDeadLetters, MaxMsgSize: 8 * mib, Duplicates: 10 * time.Minute},
	}
}

// Subjects of the contract, relative to the prefix.

// SubmitSubject is where a study is requested.
func SubmitSubject(study string) string { return "cmd.study.submit." + study }

// ControlSubject is where a change of state is requested.
func ControlSubject(study string) string { return "cmd.study.control." + study }

// OwnedSubject is where an owner asks instead, whose permissions end at its own
// studies: cmd.owner.<owner>.submit.<study> for cmd.study.submit.<study>. The
// subject of another command, or without an owner, is the plain one.
func OwnedSubject(owner, subject string) string {
	rest, ok := strings.CutPrefix(subject, "cmd.study.")
	if owner == "" || !ok {
		return subject
	}
	return "cmd.owner." + owner + "." + rest
}

// ParseCommandSubject splits the subject of a command: the owner is "" on
// cmd.study, where whoever may publish may change every study. ok is false where
// it is none of the contract.
func ParseCommandSubject(subject string) (owner, verb, study string, ok bool) {
	t := strings.Split(subject, ".")
	switch {
	case len(t) == 4 && t[0] == "cmd" && t[1] == "study":
		verb, study = t[2], t[3]
	case len(t) == 5 && t[0] == "cmd" && t[1] == "owner":
		owner, verb, study = t[2], t[3], t[4]
	}
	return owner, verb, study, verb == "submit" || verb == "control"
}

// ArchiverOwner is the owner that archivers ask as: they may pause any study and
// nothing else. Nobody else is called so.
const ArchiverOwner = "archiver"

// StudySubject is an event of a run's log; kind is "accepted", "proposed", ….
func StudySubject(study, run, kind string) string {
	return "study." + study + "." + run + "." + kind
}

// RunFilter matches all events of a run, for fences and reads.
func RunFilter(study, run string) string { return "study." + study + "." + run + ".*" }

// RejectedSubject answers a refused request; it lies outside every fence.
func RejectedSubject(study string) string { return "rejected." + study }

// IsWork reports whether a subject is one of work items.
func IsWork(subject string) bool { return strings.HasPrefix(subject, "work.") }

// WorkSubject is a work item.
func WorkSubject(evaluator, study, run string, batch int) string {
	return fmt.Sprintf("work.%s.%s.%s.%d", evaluator, study, run, batch)
}

// ResultSubject is the answer to a work item.
func ResultSubject(evaluator, study, run string, batch int) string {
	return fmt.Sprintf("result.%s.%s.%s.%d", evaluator, study, run, batch)
}

// ArchiveSubject is an event about a run's files; kind is "part" or "final".
func ArchiveSubject(study, run, kind string) string {
	return "archive." + study + "." + run + "." + kind
}

// DeadLetterSubject is where a service puts a message that it cannot handle.
func DeadLetterSubject(service, study string) string { return "dlq." + service + "." + study }

// ProgressSubject carries ticks that are not stored.
func ProgressSubject(study, run string) string { return "tick." + study + "." + run }

// MatchSubject reports whether subject matches filter, with NATS wildcards.
func MatchSubject(filter, subject string) bool {
	for {
		f, filters, more := strings.Cut(filter, ".")
		s, tokens, another := strings.Cut(subject, ".")
		switch {
		case f == ">":
			return true
		case f != "*" && f != s:
			return false
		case !more || !another:
			return more == another
		}
		filter, subject = filters, tokens
	}
}

// IsName reports whether s is a DNS label: 1 to 63 of a-z, 0-9 and "-", with
// no "-" at either end. Names that become subject tokens must be.
func IsName(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// IsRun reports whether s is the name of a run: 8 hex digits.
func IsRun(s string) bool { return len(s) == 8 && strings.Trim(s, "0123456789abcdef") == "" }

// ParseStudySubject splits an event's subject in a run's log, the inverse of
// StudySubject.
func ParseStudySubject(subject string) (study, run, kind string, ok bool) {
	return parseRunSubject("study", subject)
}

// ParseArchiveSubject splits the subject of an archiver's event, the inverse of
// ArchiveSubject.
func ParseArchiveSubject(subject string) (study, run, kind string, ok bool) {
	return parseRunSubject("archive", subject)
}

func parseRunSubject(first, subject string) (study, run, kind string, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) != 4 || t[0] != first {
		return "", "", "", false
	}
	return t[1], t[2], t[3], true
}

// ParseWorkSubject splits the subject of a work item, the inverse of
// WorkSubject.
func ParseWorkSubject(subject string) (study, run string, batch int, ok bool) {
	batch, ok = BatchOfSubject(subject)
	t := strings.Split(subject, ".")
	if !ok || t[0] != "work" {
		return "", "", 0, false
	}
	return t[2], t[3], batch, true
}

// ResultOfWork returns the subject of the answer to the work item of a subject.
func ResultOfWork(subject string) (result string, ok bool) {
	if _, ok := BatchOfSubject(subject); !ok || !IsWork(subject) {
		return "", false
	}
	return "result." + strings.TrimPrefix(subject, "work."), true
}

// BatchOfSubject returns the batch that a work or result subject names, in the
// one spelling that WorkSubject and ResultSubject have: "7", not "07".
func BatchOfSubject(subject string) (batch int, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) != 5 || t[0] != "work" && t[0] != "result" {
		return 0, false
	}
	batch, err := strconv.Atoi(t[4])
	return batch, err == nil && batch >= 0 && strconv.Itoa(batch) == t[4]
}

// RunEnds returns the kinds of the events that end a run. One that was stopped
// or completed goes on when it is extended.
func RunEnds() []string { return []string{"stopped", "completed", "cancelled", "failed"} }

// BoundsOfRuns returns the subjects of what begins, ends and removes runs, and opens
// ended ones again: of a study and a run, or of all where they are "*".
func BoundsOfRuns(study, run string) (filters []string) {
	for _, kind := range boundsOfRun() {
		filters = append(filters, StudySubject(study, run, kind))
	}
	return filters
}

func boundsOfRun() []string { return append(RunEnds(), "accepted", "extended", "removed") }

// BoundsRun reports whether an event of that kind begins, ends or removes its run, or
// opens it again.
func BoundsRun(kind string) bool { return slices.Contains(boundsOfRun(), kind) }

// EndsRun reports whether an event of that kind ends its run.
func EndsRun(kind string) bool { return slices.Contains(RunEnds(), kind) }

// Kind returns the word of an event type between its noun and its version:
// "proposed" for "apollo.trials.proposed.v1". It is the last token of the
// event's subject in the run's log.
func Kind(eventType string) string {
	t := strings.Split(eventType, ".")
	return t[max(len(t)-2, 0)]
}
