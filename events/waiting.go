package events

import "time"

// What a run waits for, and who is there to work: nobody has to guess why
// nothing goes on.

// Codes of Waiting. They are part of the contract; there may be more of them
// later.
const (
	// WaitsNoEvaluator: nobody works for the study's evaluator.
	WaitsNoEvaluator = "no_evaluator"
	// WaitsEvaluatorsBusy: all workers are busy with other studies.
	WaitsEvaluatorsBusy = "evaluators_busy"
	// WaitsWrongVersion: there are workers, none of the version or program
	// that the study began with.
	WaitsWrongVersion = "wrong_version"
	// WaitsNoAnswer: there are workers, and no answer comes.
	WaitsNoAnswer = "no_answer"
	// WaitsToBeTold: designs wait for a person, or a program of theirs, to tell
	// what they measured.
	WaitsToBeTold = "to_be_told"
	// WaitsStreamFull: a stream of the bus takes nothing more.
	WaitsStreamFull = "stream_full"
	// WaitsBus: the bus does not answer.
	WaitsBus = "bus_unreachable"
	// WaitsSourceMissing: the trials of a source cannot be opened.
	WaitsSourceMissing = "source_missing"
	// WaitsNoArchiver: nobody writes the trials to disk.
	WaitsNoArchiver = "no_archiver"
	// WaitsArchiveStuck: the archiver cannot write to its disk.
	WaitsArchiveStuck = "archive_stuck"
	// WaitsLoading: the proposer reads the run's log, its results and sources.
	// Only ticks say it; their counts are 0.
	WaitsLoading = "loading"
	// WaitsArchiveDiffers: the trial log has other trials of this run than the
	// bus: one of them was restored from an older copy.
	WaitsArchiveDiffers = "archive_differs"
	// WaitsTrialsMissing: an ended run has trials that the bus has no result of
	// any more.
	WaitsTrialsMissing = "trials_missing"
	// WaitsNoProposer: nobody drives the run.
	WaitsNoProposer = "no_proposer"
)

// Codes of the field idle of Progress: the run goes on, with fewer workers than
// there are.
const (
	// IdleParallelism: the study allows fewer work items in flight.
	IdleParallelism = "parallelism"
	// IdleOrder: in strict order the next ask waits for an answer that is not there.
	IdleOrder = "strict_order"
)

// Waiting is what a run waits for.
type Waiting struct {
	// Code is a stable snake_case word, "no_evaluator".
	Code string `json:"code"`
	// Message says what is missing, Hint what to do.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// StudyWaiting says what a run waits for. It is said once for every change of
// the cause. It changes nothing about the run.
type StudyWaiting struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	// Waiting is left out when the run goes on.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// ArchiveWaiting says why trials of a run are not on disk yet. It is said once
// for every change of the cause.
type ArchiveWaiting struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	// Trials is how many wait to be written.
	Trials int `json:"trials"`
	// Waiting is left out when the archiver goes on.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// ArchivePause begins the id of the request with which an archiver pauses a run
// that differs from its log, and ArchiveDiffersHint is what to do then.
const (
	ArchivePause       = "archive-differs."
	ArchiveDiffersHint = "restore the bus or the data directory to the same moment and resume with --force, or begin a fresh run: apollo run --fresh"
)

// Lasting reports whether no archiver gets over a cause by itself: the run is
// not written any more.
func (w *Waiting) Lasting() bool {
	return w != nil && (w.Code == WaitsArchiveDiffers || w.Code == WaitsTrialsMissing)
}

// FoldArchiving folds an event of a run's archiver into why its trials are not
// on disk: before is what was so until then, nil is nothing. A lasting cause
// stays until the run is wholly on disk: files that were written earlier are told
// of again.
func FoldArchiving(before *ArchiveWaiting, e Payload) *ArchiveWaiting {
	said, isWaiting := e.(ArchiveWaiting)
	_, isPart := e.(ArchivePart)
	_, isFinal := e.(ArchiveFinal)
	switch {
	case isFinal:
		return nil
	case !isWaiting && !isPart, before != nil && before.Waiting.Lasting() && !said.Waiting.Lasting():
		return before
	case said.Waiting == nil:
		return nil
	}
	return &said
}

// PresentEvery is the time between two notices of a worker's presence, and
// AbsentAfter how long one that is silent still counts as there: three notices
// may be lost.
const (
	PresentEvery = 2 * time.Second
	AbsentAfter  = 7 * time.Second
)

// Presence is a worker's notice that it is there; it is never stored. A worker
// that is a plain NATS client need not send it.
type Presence struct {
	Evaluator string `json:"evaluator"`
	// Worker identifies the process, as in results.
	Worker string `json:"worker"`
	// Process is a random word that the process made at its start: the names of
	// two may be the same, where each is process 1 of its container.
	Process string `json:"process,omitempty"`
	// Version and Program are the identity of what measures: the evaluator's
	// version, and the digest of the program where it is one of the user's.
	Version string `json:"version,omitempty"`
	Program string `json:"program,omitempty"`
	// ProgramText is the program for people: the command line.
	ProgramText string `json:"program_text,omitempty"`
	// Study and Run are the only ones that it serves; "" means all.
	Study string `json:"study,omitempty"`
	Run   string `json:"run,omitempty"`
	// Slots is how many work items it takes at a time.
	Slots int `json:"slots"`
	// Items are the work items in hand.
	Items []PresentItem `json:"items,omitempty"`
	// Returned are items that it gave back lately, and why.
	Returned []PresentItem `json:"returned,omitempty"`
	// MoreReturned counts those that Returned leaves out: it names the latest.
	MoreReturned int `json:"more_returned,omitempty"`
	// HandedBack counts the items that it gave back because they are for another
	// version, program or run.
	HandedBack uint64 `json:"handed_back,omitempty"`
	// Answered counts the designs that it has answered and FailedAttempts the
	// attempts that broke, in the UpSeconds since it began.
	Answered       uint64  `json:"answered,omitempty"`
	FailedAttempts uint64  `json:"failed_attempts,omitempty"`
	UpSeconds      float64 `json:"up_seconds,omitempty"`
	// Stuck says that its answers cannot be stored; "" while they can.
	Stuck string `json:"stuck,omitempty"`
}

// Identity returns who the worker is.
func (p *Presence) Identity() Identity { return Identity{Version: p.Version, Program: p.Program} }

// PresentItem is a work item in a worker's hands.
type PresentItem struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	Batch int    `json:"batch"`
	// Since is when it was taken or given back.
	Since Micros `json:"since_us,omitempty"`
	// Error is why it was given back.
	Error string `json:"error,omitempty"`
	// Progress is what the program last said of the item: a share in percent, a
	// text, or both.
	Progress string `json:"progress,omitempty"`
}

// Archiving is an archiver's notice that it is there; it is never stored.
type Archiving struct {
	// Worker identifies the process, Dir its data directory.
	Worker string `json:"worker"`
	Dir    string `json:"dir"`
	// Process is as in Presence.
	Process string `json:"process,omitempty"`
	// Waiting is why it cannot write; left out while it can.
	Waiting *Waiting `json:"waiting,omitempty"`
	// Behind are runs whose trials it cannot write while it can those of others;
	// the first few of many.
	Behind []ArchiveWaiting `json:"behind,omitempty"`
	// Rows is how many trials wait to be written.
	Rows int `json:"rows"`
	// Disk is the room of the file system that the log is on; left out for a bucket,
	// and where the system does not say it.
	Disk *DiskRoom `json:"disk,omitempty"`
}

// DiskRoom is how full a file system is.
type DiskRoom struct {
	FreeBytes  uint64 `json:"free_bytes"`
	TotalBytes uint64 `json:"total_bytes"`
	// FullInSeconds is when it is full at the pace of the last six hours at most; left
	// out where it does not fill up, or nobody knows yet.
	FullInSeconds *float64 `json:"full_in_s,omitempty"`
}

// PresenceSubject carries the notices of an evaluator's workers.
func PresenceSubject(evaluator string) string { return "present." + evaluator }

// WaitingOf returns why the trials of a run are not written, nil when they are.
func (a *Archiving) WaitingOf(study, run string) *Waiting {
	for i := range a.Behind {
		if b := &a.Behind[i]; b.Study == study && b.Run == run {
			return b.Waiting
		}
	}
	return a.Waiting
}

// ArchivingSubject carries the notices of archivers.
const ArchivingSubject = "archiving"

// EventType implements Payload.
func (StudyWaiting) EventType() string { return "apollo.study.waiting.v1" }

// EventType implements Payload.
func (ArchiveWaiting) EventType() string { return "apollo.archive.waiting.v1" }

// EventType implements Payload.
func (Presence) EventType() string { return "apollo.evaluator.present.v1" }

// EventType implements Payload.
func (Archiving) EventType() string { return "apollo.archiver.present.v1" }
