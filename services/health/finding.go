// Package health looks at a bus and at who works on it: its streams, dead letters,
// evaluators and archivers, and what its runs wait for.
package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/messages"
	"apollo/services/proposer"
)

// Finding is one thing that the doctor looked at.
type Finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	// Warning: nothing is wrong with the bus, and somebody should look.
	Warning bool   `json:"warning,omitempty"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
}

// Rivals is the check of those who work for evaluators.
const Rivals = "evaluators"

// fullAt is the share of a stream's limit at which the doctor warns.
const fullAt = 0.8

// answerWithin is how long a bus may take to tell of its streams: one that has lost too
// many servers takes connections, and gives no answer.
const answerWithin = 10 * time.Second

// Bus is what is asked of a bus that is looked at.
type Bus interface {
	events.Bus
	Counter
	// Oldest returns when the oldest message of a filter was stored.
	Oldest(ctx context.Context, filter string) (stored time.Time, some bool, err error)
}

// Examine looks at every stream of the topology, at the dead letters, at what proves who
// we are, and, unless nobody else can be there, at who says that he is there and at what
// runs wait for. url is where the bus is.
func Examine(ctx context.Context, bus Bus, url string, alone bool) []Finding {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	before, _ := bus.Log().Info(asking, events.DeadLetterSubject("*", "*")) // its error is told below
	streams := Streams(asking, bus)
	if asking.Err() != nil {
		return append([]Finding{{
			Check: "bus", Text: fmt.Sprintf("%s does not answer within %s", url, answerWithin),
			Hint: "see whether every server of the cluster runs: with half of them it stores nothing",
		}}, streams...)
	}
	findings := append([]Finding{{Check: "bus", OK: true, Text: url}}, streams...)
	findings = append(findings, Expiring(bus, time.Now())...)
	if !alone {
		findings = append(findings, examineOthers(ctx, bus)...)
	}
	last, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return append(findings, Letters(last, bus, before.Last))
}

// Streams says of every stream whether it is there and has room, and when it is full.
func Streams(ctx context.Context, bus Bus) []Finding {
	streams := BusFindings(ctx, bus.Log())
	for i, stream := range events.Topology() {
		if stored, some, err := bus.Oldest(ctx, stream.Subjects[0]); err == nil && some && !stream.Ring && !stream.WorkQueue {
			if info, err := bus.Log().Info(ctx, stream.Subjects[0]); err == nil {
				streams[i].Text += forecast(info, time.Since(stored))
			}
		}
	}
	return streams
}

// BusFindings says of every stream whether it is there and has room.
func BusFindings(ctx context.Context, log events.Log) []Finding {
	var findings []Finding
	for _, stream := range events.Topology() {
		f := Finding{Check: stream.Name}
		info, err := log.Info(ctx, stream.Subjects[0])
		switch {
		case errors.Is(err, events.ErrNoStream):
			f.Text, f.Hint = "not there: a proposer makes it when it starts", "start a proposer, or start the one that runs anew: `apollo serve proposer`, or `apollo up`"
		case err != nil:
			f.Text = err.Error()
			_, f.Hint = cli.Classify(ctx, err)
		case info.MaxBytes > 0 && !stream.Ring && float64(info.Bytes) >= fullAt*float64(info.MaxBytes):
			f.Text, f.Hint = roomText(info), "`apollo study rm` removes ended studies from it"
		default:
			f.OK, f.Text = true, roomText(info)
			f.copies(info)
		}
		findings = append(findings, f)
	}
	return findings
}

// copies warns of a stream that one server more could take away.
func (f *Finding) copies(info events.StreamInfo) {
	switch {
	case info.Current < info.Copies:
		f.Warning = true
		f.Text += fmt.Sprintf(", %d of %d copies current", info.Current, info.Copies)
		f.Hint = "see that every server of the cluster runs; `nats stream report` shows when the last one has caught up"
	case info.Copies < info.Wanted:
		f.Warning = true
		f.Text += fmt.Sprintf(", %d of the %d copies that the cluster has room for", info.Copies, info.Wanted)
		f.Hint = "a proposer that starts while all servers run asks for the others"
	case info.Copies > 1:
		f.Text += fmt.Sprintf(", %d copies", info.Copies)
	}
}

// archiveFindings says what keeps archivers from writing.
func archiveFindings(there []events.Archiving) []Finding {
	var bad []Finding
	for i := range there {
		a := &there[i]
		name := "archiver " + a.Worker
		if w := a.Waiting; w != nil {
			bad = append(bad, Finding{Check: name, Text: w.Message, Hint: w.Hint})
		}
		if n := len(a.Behind); n > 0 && a.Behind[0].Waiting != nil {
			w := a.Behind[0].Waiting
			bad = append(bad, Finding{
				Check: name, Text: fmt.Sprintf("behind with run %s of %s: %s", a.Behind[0].Run, a.Behind[0].Study, w.Message), Hint: w.Hint,
			})
		}
	}
	return bad
}

// A disk is worth a look when it has less room than that share, or is full sooner.
const (
	littleRoom = 0.1
	soonFull   = 3 * 24 * time.Hour
)

// diskFinding says how full the disk of an archiver is, and when it is full.
func diskFinding(a *events.Archiving) Finding {
	d := a.Disk
	f := Finding{Check: "disk of " + a.Worker, OK: true}
	f.Text = fmt.Sprintf("%s of %s free in %s", cli.Quantity(float64(d.FreeBytes), "B"), cli.Quantity(float64(d.TotalBytes), "B"), a.Dir)
	left := time.Duration(math.MaxInt64)
	if d.FullInSeconds != nil {
		left = time.Duration(*d.FullInSeconds * float64(time.Second))
		f.Text += fullText(left) + " of the last hours"
	}
	if float64(d.FreeBytes) < littleRoom*float64(d.TotalBytes) || left < soonFull {
		f.Warning, f.Hint = true, "make room there: what fills it may be others; `apollo study rm` frees none of it"
	}
	return f
}

// fullText says when something is full.
func fullText(left time.Duration) string {
	if left < 48*time.Hour {
		return fmt.Sprintf(", full in about %.0f h at the pace", left.Hours())
	}
	return fmt.Sprintf(", full in about %.0f days at the pace", left.Hours()/24)
}

// forecast says when a stream is full that took what it holds in that time; ""
// where nothing follows from that, or it is more than a year.
func forecast(info events.StreamInfo, age time.Duration) string {
	const least, year = time.Hour, 365 * 24 * time.Hour
	if age < least || info.Bytes == 0 || info.MaxBytes <= info.Bytes {
		return ""
	}
	left := float64(info.MaxBytes-info.Bytes) / float64(info.Bytes) * age.Hours()
	if left > year.Hours() {
		return ""
	}
	return fullText(time.Duration(left*float64(time.Hour))) + " of the last " + cli.Duration(age)
}

// LetterBox is what is needed of a bus to look at the dead letters.
type LetterBox interface {
	Counter
	Log() events.Log
}

// Letters warns while there are dead letters: somebody should look. It is
// bad that there are more than a moment ago, or that the oldest are discarded.
func Letters(ctx context.Context, bus LetterBox, before uint64) Finding {
	f := Finding{Check: "dead letters"}
	all := events.DeadLetterSubject("*", "*")
	bySubject, err := bus.Count(ctx, all)
	now, ierr := bus.Log().Info(ctx, all)
	if err := errors.Join(err, ierr); errors.Is(err, events.ErrDenied) {
		f.OK, f.Text = true, "this user may not read them"
		return f
	} else if err != nil {
		f.Text = err.Error()
		return f
	}
	counts := byService(bySubject)
	if len(counts) == 0 {
		f.OK, f.Text = true, "none"
		return f
	}
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, service+" "+cli.Count(counts[service]))
	}
	full := now.MaxBytes > 0 && float64(now.Bytes) >= fullAt*float64(now.MaxBytes)
	for _, n := range bySubject {
		full = full || n >= events.MaxDeadLetters
	}
	grown := before > 0 && now.Last > before
	switch {
	case full:
		parts = append(parts, "so many that the oldest are discarded")
	case grown:
		parts = append(parts, cli.Count(now.Last-before)+" came while the doctor looked")
	}
	f.OK, f.Warning = !full && !grown, !full && !grown
	f.Text = strings.Join(parts, ", ")
	f.Hint = "`apollo dlq ls` shows them; retry or remove them when the cause is mended"
	return f
}

// LettersByService counts the dead letters that are kept.
func LettersByService(ctx context.Context, bus Counter) (map[string]uint64, error) {
	bySubject, err := bus.Count(ctx, events.DeadLetterSubject("*", "*"))
	if err != nil {
		return nil, err
	}
	return byService(bySubject), nil
}

func byService(bySubject map[string]uint64) map[string]uint64 {
	counts := map[string]uint64{}
	for subject, n := range bySubject {
		if tokens := strings.Split(subject, "."); len(tokens) == 3 && n > 0 {
			counts[tokens[1]] += n
		}
	}
	return counts
}

// Counter counts stored messages by subject.
type Counter interface {
	Count(ctx context.Context, filter string) (map[string]uint64, error)
}

func roomText(info events.StreamInfo) string {
	text := fmt.Sprintf("%s messages, %s", cli.Count(info.Messages), cli.Quantity(float64(info.Bytes), "B"))
	if info.MaxBytes > 0 {
		text += fmt.Sprintf(" of %s (%.1f %%)", cli.Quantity(float64(info.MaxBytes), "B"), 100*float64(info.Bytes)/float64(info.MaxBytes))
	}
	return text
}

// examineOthers looks who says within the time between two notices that it is
// there: workers, archivers with what keeps them from writing, and who drives the runs.
func examineOthers(ctx context.Context, bus events.Bus) []Finding {
	ctx, cancel := context.WithCancel(ctx)
	var seen messages.Workers
	archivers, waits := NewArchivers(), NewWaits()
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	following.Go(func() { seen.Follow(ctx, bus) })
	following.Go(func() { archivers.Follow(ctx, bus) })
	following.Go(func() { waits.Follow(ctx, bus) })
	following.Go(func() { waits.Listen(ctx, bus) })
	const notices = events.PresentEvery + events.PresentEvery/4
	pause(ctx, notices)
	pause(ctx, waits.undecided())
	all, _ := seen.Of("", time.Now())
	there, unwritten := archivers.There(), 0
	if len(there) == 0 && archivers.Listens() {
		unwritten = waits.Unwritten()
	}
	return append(Others(there, all, unwritten), waits.Findings()...)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// stuckFindings says of each evaluator that its answers are not stored, once for all its
// workers.
func stuckFindings(workers []events.Presence) (findings []Finding) {
	for i := range workers {
		w := &workers[i]
		check := "evaluator " + w.Evaluator
		if w.Stuck == "" || slices.ContainsFunc(findings, func(f Finding) bool { return f.Check == check }) {
			continue
		}
		findings = append(findings, Finding{
			Check: check, Text: fmt.Sprintf("cannot store its answers (%s): %s", w.Worker, w.Stuck),
			Hint: "see what the log of the NATS server says. Where its disk was full make room there and start the server anew: until then a stream that could not write takes nothing. Nothing is lost",
		})
	}
	return findings
}

// Others says of archivers what keeps them from writing, or that none is there for runs
// that are not written, and of workers which cannot store their answers, or are rivals.
func Others(archivers []events.Archiving, workers []events.Presence, unwritten int) []Finding {
	findings := archiveFindings(archivers)
	if unwritten > 0 {
		none := client.NoArchiver()
		text := fmt.Sprintf("%s (%s)", none.Message, cli.Plural(unwritten, "run"))
		findings = append(findings, Finding{Check: "archivers", Text: text, Hint: none.Hint})
	}
	if len(findings) == 0 {
		findings = []Finding{{Check: "archivers", OK: true, Text: cli.Plural(len(archivers), "archiver")}}
	}
	for i := range archivers {
		if a := &archivers[i]; a.Disk != nil {
			findings = append(findings, diskFinding(a))
		}
	}
	findings = append(findings, stuckFindings(workers)...)
	rivals := proposer.Rivals(workers)
	if len(rivals) == 0 {
		return append(findings, Finding{Check: Rivals, OK: true, Text: cli.Plural(len(workers), "worker")})
	}
	for _, text := range rivals {
		findings = append(findings, Finding{Check: Rivals, Text: text, Hint: proposer.RivalsHint})
	}
	return findings
}
