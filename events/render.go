package events

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"apollo/optimizer/space"
)

// Render says an event, as Decode returns it, in one line for people, without
// its time: the study and run it belongs to, what happened, and the numbers that matter. Text from
// outside is cut and cannot break the line or drive a terminal.
func Render(p Payload) string { return oneLine(render(p)) }

func render(p Payload) string {
	switch e := p.(type) {
	case StudyRequested:
		return "study requested" + when(e.Fresh, ", fresh")
	case StudyControl:
		return runName(e.Study, e.Run) + e.Verb + " asked" + when(e.Trials > 0, fmt.Sprintf(", %d trials", e.Trials))
	case StudyAccepted:
		return runName(e.Study, e.Run) + fmt.Sprintf("accepted: %s, %d trials in batches of %d, %d in flight, seed %d",
			e.Spec.Algorithm.Name, e.Spec.Budget.Trials, e.Spec.Budget.Batch, e.Spec.Budget.Parallelism, e.Spec.Seed)
	case StudyStarted:
		return runName(e.Study, e.Run) + "started" + when(len(e.Sources) > 0, fmt.Sprintf(", sources: %d", len(e.Sources)))
	case TrialsProposed:
		return runName(e.Study, e.Run) + fmt.Sprintf("batch %d proposed: %s", e.Batch, trialRange(e.FirstTrial, len(e.Designs))) +
			when(len(e.Reused) > 0, fmt.Sprintf(", %d known already", len(e.Reused))) + when(e.Added, ", on request") + when(len(e.Voids) > 0, fmt.Sprintf(", %d of them anew", len(e.Voids))) + origins(e.Origins)
	case StudyBound:
		return runName(e.Study, e.Run) + "is measured by " + e.Identity.String() + when(e.Worker != "", " ("+e.Worker+")")
	case BatchRefused:
		return runName(e.Study, e.Run) + fmt.Sprintf("batch %d: an answer is refused: asked was %s, it is of %s", e.Batch, e.Asked, e.Answered) +
			when(e.Worker != "", " ("+e.Worker+")")
	case StudyImproved:
		if e.FrontSize > 0 {
			return runName(e.Study, e.Run) + frontText(e.FrontSize, e.Hypervolume) + ": " + best(&e.Best)
		}
		return runName(e.Study, e.Run) + "best so far: " + best(&e.Best)
	case StudyPaused:
		return runName(e.Study, e.Run) + "paused: " + e.Reason
	case StudyWaiting:
		return runName(e.Study, e.Run) + waiting(e.Waiting)
	case StudyResumed:
		return runName(e.Study, e.Run) + "resumed"
	case StudyExtended:
		return runName(e.Study, e.Run) + fmt.Sprintf("extended to %d trials", e.Trials)
	case StudyStopping:
		return runName(e.Study, e.Run) + "stopping: " + e.Reason
	}
	return renderEnd(p)
}

func renderEnd(p Payload) string {
	switch e := p.(type) {
	case StudyStopped:
		return runName(e.Study, e.Run) + "stopped: " + e.Reason + summary(&e.Summary)
	case StudyCompleted:
		return runName(e.Study, e.Run) + "completed (" + e.Reason + ")" + summary(&e.Summary)
	case StudyCancelled:
		return runName(e.Study, e.Run) + "cancelled" + summary(&e.Summary)
	case StudyFailed:
		return runName(e.Study, e.Run) + "failed: " + e.Reason
	case StudyRemoved:
		return runName(e.Study, e.Run) + "leaves the bus"
	case StudyRejected:
		return runName(e.Study, "") + "rejected" + mistakes(e.Errors)
	case BatchRequested:
		who := e.Evaluator
		if e.Identity != nil {
			who += ", " + e.Identity.String()
		}
		return runName(e.Study, e.Run) + fmt.Sprintf("batch %d for evaluator %s: %d designs", e.Batch, who, len(e.Designs))
	case BatchEvaluated:
		return runName(e.Study, e.Run) + fmt.Sprintf("batch %d evaluated by %s%s: %s", e.Batch, e.Evaluator, when(e.Worker != "", " ("+e.Worker+")"), outcomes(e.Trials))
	case ArchivePart:
		return runName(e.Study, e.Run) + fmt.Sprintf("archived %d rows in %s", e.Rows, e.Path)
	case ArchiveFinal:
		return runName(e.Study, e.Run) + fmt.Sprintf("archived completely: %d trials in %s", e.Trials, e.Glob)
	case ArchiveWaiting:
		return runName(e.Study, e.Run) + "archive " + waiting(e.Waiting) + when(e.Trials > 0, fmt.Sprintf(" (%d trials)", e.Trials))
	case DeadLetter:
		return fmt.Sprintf("dead letter of %s: %s on %s (%d bytes, sequence %d, %d deliveries)", e.Service, e.Reason, e.Subject, len(e.Body), e.Sequence, e.Deliveries)
	case Progress:
		return runName(e.Study, e.Run) + fmt.Sprintf("%s: %d of %d trials, %d feasible, %d infeasible, %d failed, %d in flight", e.State, e.Trials, e.Budget, e.Feasible, e.Infeasible, e.Failed, e.InFlight) +
			when(e.Best != nil, ", best "+best(e.Best)) + when(e.FrontSize > 0, ", "+frontText(e.FrontSize, e.Hypervolume)) +
			when(e.Waiting != nil, ", "+waiting(e.Waiting))
	}
	return renderNotice(p)
}

func renderNotice(p Payload) string {
	switch e := p.(type) {
	case Presence:
		return fmt.Sprintf("worker %s of evaluator %s is there: %d of %d slots busy", e.Worker, e.Evaluator, len(e.Items), e.Slots)
	case Archiving:
		return fmt.Sprintf("archiver %s is there: %s, %d trials to write", e.Worker, e.Dir, e.Rows) +
			when(len(e.Behind) > 0, fmt.Sprintf(", %d runs cannot be written", len(e.Behind))) + when(e.Waiting != nil, ", "+waiting(e.Waiting))
	}
	if p == nil {
		return "no event"
	}
	return p.EventType()
}

func waiting(w *Waiting) string {
	if w == nil {
		return "goes on"
	}
	return "waits (" + w.Code + "): " + w.Message + when(w.Hint != "", "; "+w.Hint)
}

func when(condition bool, text string) string {
	if condition {
		return text
	}
	return ""
}

func runName(study, run string) string {
	return cut(study, 63) + when(run != "", "/"+cut(run, 63)) + " "
}

func trialRange(first, n int) string {
	switch n {
	case 0:
		return "no trial"
	case 1:
		return fmt.Sprintf("trial %d", first)
	}
	return fmt.Sprintf("trials %d to %d", first, first+n-1)
}

// origins counts who proposed the trials of a batch.
func origins(names []string) string {
	counts := map[string]int{}
	for _, name := range names {
		counts[name]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return when(len(parts) > 0, " ("+strings.Join(parts, ", ")+")")
}

func best(b *BestTrial) string {
	if b == nil {
		return "nothing feasible"
	}
	parts := []string{fmt.Sprintf("trial %d", b.Trial)}
	for _, name := range slices.Sorted(maps.Keys(b.Metrics)) {
		parts = append(parts, fmt.Sprintf("%s=%.6g", name, b.Metrics[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(b.Design)) {
		parts = append(parts, fmt.Sprintf("%s=%s", name, value(b.Design[name])))
	}
	return strings.Join(parts, " ")
}

func value(v any) string {
	if f, ok := v.(float64); ok {
		return space.Value{Num: f}.String()
	}
	return fmt.Sprint(v)
}

func summary(s *Summary) string {
	answer := "best: " + best(s.Best)
	if s.FrontSize > 0 {
		answer = frontText(s.FrontSize, s.Hypervolume)
	}
	return fmt.Sprintf(": %d trials, %d measured, %d infeasible, %d failed, %d feasible; %s", s.Trials, s.Measured, s.Infeasible, s.Failed, s.Feasible, answer)
}

func frontText(size int, volume *float64) string {
	text := fmt.Sprintf("front of %d", size)
	if volume != nil {
		text += fmt.Sprintf(", hypervolume %.6g", *volume)
	}
	return text
}

func mistakes(list []Mistake) string {
	var parts []string
	for _, m := range list {
		parts = append(parts, strings.TrimPrefix(m.Pointer+": "+m.Message, ": "))
	}
	return when(len(parts) > 0, ": "+strings.Join(parts, "; "))
}

func outcomes(trials []TrialResult) string {
	counts := map[string]int{}
	reasons := map[string]int{}
	for i := range trials {
		counts[trials[i].Outcome]++
		if r := trials[i].Reason; r != nil && trials[i].Outcome != OutcomeMeasured {
			reasons[r.Code]++
		}
	}
	text := fmt.Sprintf("%d measured, %d infeasible, %d failed", counts[OutcomeMeasured], counts[OutcomeInfeasible], counts[OutcomeFailed]) +
		when(counts[OutcomeStopped] > 0, fmt.Sprintf(", %d stopped", counts[OutcomeStopped]))
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(reasons)) {
		parts = append(parts, fmt.Sprintf("%s %d", code, reasons[code]))
	}
	return text + when(len(parts) > 0, " ("+strings.Join(parts, ", ")+")")
}

// oneLine keeps a text on one line of bounded length and escapes what a
// terminal would act on.
func oneLine(s string) string {
	s = cut(s, 1000)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
