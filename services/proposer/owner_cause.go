package proposer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/study"
)

const (
	// lookForCauseEvery is how often an owner asks itself what its run waits for.
	lookForCauseEvery = time.Second
	// quietBefore is how long nothing has to happen before anything counts as
	// a wait: what takes less nobody has to know. With it and with AbsentAfter
	// a cause has its name after 9 s.
	quietBefore = 4 * time.Second
	// noAnswerBefore is the same for work that nobody has in hand although
	// workers are free: they ask for work all the time. What a dead worker held
	// comes again after events.AckWait; it is a wait until then.
	noAnswerBefore = 6 * time.Second
	// calmAfter changes of the cause make the logs of a run calmer: that there is
	// none any more has to last for quietBefore, doubled for each further
	// calmAfter changes up to maxCalm times, and that it is another one for
	// steadyFor.
	calmAfter, maxCalm = 8, 4
	steadyFor          = 2 * time.Second
)

// cause returns what the run waits for at this moment, nil when it goes on.
func (o *owner) cause(ctx context.Context, now time.Time) *events.Waiting {
	if state, _ := o.machine.State(); o.brief || state != study.Running && state != study.Stopping {
		return nil
	}
	waits := false
	for range o.machine.Outstanding {
		waits = true
		break
	}
	moved := o.lastMove.After(o.began)
	quiet := now.Sub(o.lastMove)
	r := &o.proposer.roster
	if !r.knowsAbsence(now) {
		return o.saidBefore(moved)
	}
	if w := o.othersAnswer(); w != nil {
		return w
	}
	if waits && quiet >= quietBefore {
		if w := o.workCause(ctx, now, quiet); w != nil {
			return w
		}
	}
	there, stuck := r.archiver(o.key, now)
	if stuck != nil {
		return stuck
	}
	if !there && o.machine.Progress().Trials > 0 {
		nobody := client.NoArchiver()
		return &nobody
	}
	return nil
}

// saidBefore is what the log says, where nothing has happened that contradicts
// it: after a start it takes a while to know who is there.
func (o *owner) saidBefore(moved bool) *events.Waiting {
	if o.said == nil {
		return nil
	}
	switch o.said.Code {
	case events.WaitsNoArchiver, events.WaitsArchiveStuck:
		return o.said
	case events.WaitsNoEvaluator, events.WaitsEvaluatorsBusy, events.WaitsWrongVersion, events.WaitsNoAnswer, events.WaitsToBeTold:
		if !moved {
			return o.said
		}
	}
	return nil
}

// othersAnswer says that all answers come from workers that do not look at what
// is asked: those of a release before there was an identity.
func (o *owner) othersAnswer() *events.Waiting {
	last := o.machine.OnlyOthers()
	if last == nil {
		return nil
	}
	return &events.Waiting{
		Code: events.WaitsWrongVersion, Hint: "start a worker of that version, and end those that answer all the same: they are of an earlier release",
		Message: fmt.Sprintf("the run waits for %s of evaluator %s; worker %s answers with %s, which does not count",
			last.Asked, o.spec.Evaluator.Name, last.Worker, last.Answered),
	}
}

// workCause says why nobody answers the run's work.
func (o *owner) workCause(ctx context.Context, now time.Time, quiet time.Duration) *events.Waiting {
	name := o.spec.Evaluator.Name
	if o.spec.Evaluator.Manual {
		return &events.Waiting{
			Code: events.WaitsToBeTold, Message: "designs wait to be measured by hand",
			Hint: fmt.Sprintf("`apollo trial ask %s` shows them, `apollo trial tell %[1]s` answers", o.key.Study),
		}
	}
	all, gone := o.proposer.roster.workers.Of(name, now)
	if slices.ContainsFunc(all, o.works) {
		return nil
	}
	if len(all) == 0 {
		return o.unknownWorkers(ctx, len(gone) > 0, quiet)
	}
	serve := slices.DeleteFunc(slices.Clone(all), func(p events.Presence) bool { return !o.served(p) })
	fit := slices.DeleteFunc(slices.Clone(serve), func(p events.Presence) bool { return !o.fits(p) })
	switch {
	case len(fit) == 0 && !slices.ContainsFunc(gone, o.fits) && o.strangersWork(ctx, all):
		return nil
	case len(serve) == 0:
		return &events.Waiting{
			Code: events.WaitsNoEvaluator, Hint: o.startHint(),
			Message: fmt.Sprintf("nobody works for the evaluator %s of this study; who is there serves another one only: %s", name, list(all, serves)),
		}
	case len(fit) == 0:
		return &events.Waiting{
			Code: events.WaitsWrongVersion, Hint: "start a worker of that version, or a fresh run with what is there",
			Message: fmt.Sprintf("the run waits for %s of evaluator %s; there are: %s", o.machine.Identity(), name, list(serve, identified)),
		}
	}
	if code, text := o.givenBack(fit); text != "" {
		return &events.Waiting{Code: code, Message: text, Hint: "the worker's log says more; the item is tried again by itself"}
	}
	slots, busy, idle := 0, 0, time.Duration(0)
	for _, p := range fit {
		slots, busy = slots+p.Slots, busy+min(len(p.Items), p.Slots)
		idle = max(idle, o.proposer.roster.workers.FreeFor(&p, o.lastMove))
	}
	switch {
	case busy >= slots:
		return &events.Waiting{
			Code: events.WaitsEvaluatorsBusy, Hint: "it goes on when they are free; or " + o.startHint(),
			Message: fmt.Sprintf("all %d workers of evaluator %s are busy with other studies: %s", slots, name, busyWith(fit)),
		}
	case idle >= noAnswerBefore:
		return &events.Waiting{
			Code: events.WaitsNoAnswer, Hint: "if it stays so, look at the logs of the workers and of the server",
			Message: fmt.Sprintf("%d of %d workers of evaluator %s are free, and none has taken the work of this study for %s", slots-busy, slots, name, seconds(idle)),
		}
	}
	return nil
}

// unknownWorkers is workCause where no worker says that it is there: a plain
// NATS client does not, but the queue knows it.
func (o *owner) unknownWorkers(ctx context.Context, known bool, quiet time.Duration) *events.Waiting {
	name := o.spec.Evaluator.Name
	queue, err := o.proposer.queues.look(ctx, o.proposer.Bus, name)
	if err != nil {
		o.log.Debug("look at the queue", "error", err)
		return nil
	}
	// What is held although the workers that were there are gone was theirs.
	held := queue.Held > 0 && !known
	switch {
	case queue.Asking == 0 && !held:
		return &events.Waiting{
			Code: events.WaitsNoEvaluator, Message: "nobody works for evaluator " + name, Hint: o.startHint(),
		}
	case !held && quiet >= noAnswerBefore:
		return &events.Waiting{
			Code: events.WaitsNoAnswer, Hint: "look at the logs of the workers and of the server",
			Message: fmt.Sprintf("workers of evaluator %s ask for work, and none has taken that of this study for %s", name, seconds(quiet)),
		}
	}
	return nil
}

// strangersWork reports whether more is in hand than the workers say that are
// known: plain NATS clients are at it.
func (o *owner) strangersWork(ctx context.Context, known []events.Presence) bool {
	queue, err := o.proposer.queues.look(ctx, o.proposer.Bus, o.spec.Evaluator.Name)
	inHand := o.comeAgain(known)
	for _, p := range known {
		inHand += len(p.Items)
	}
	return err == nil && queue.Held > inHand
}

// comeAgain counts the items that workers gave back and that the queue holds until they come
// again: what another one has in hand by now is counted there, and what was answered is gone.
// Items that no notice has room to name are all taken for such: that others are at work is
// said where it is sure.
func (o *owner) comeAgain(known []events.Presence) int {
	type key struct {
		study, run string
		batch      int
	}
	is := func(i events.PresentItem) key { return key{i.Study, i.Run, i.Batch} }
	again, unnamed := map[key]bool{}, 0
	for _, p := range known {
		unnamed += p.MoreReturned
		for _, i := range p.Returned {
			again[is(i)] = !o.hasAnswer(i)
		}
	}
	for _, p := range known {
		for _, i := range p.Items {
			delete(again, is(i))
		}
	}
	maps.DeleteFunc(again, func(_ key, comes bool) bool { return !comes })
	return len(again) + unnamed
}

// hasAnswer reports whether an item is one of this run that nobody waits for any more.
func (o *owner) hasAnswer(i events.PresentItem) bool {
	return i.Study == o.key.Study && i.Run == o.key.Run && !o.machine.Waits(i.Batch)
}

// calm returns what the logs are to say of what was found: a cause at once, but
// that it is gone later and later when the run goes on and waits again and
// again. They would fill up with turns that it takes with other studies. The
// ticks say what is so now.
func (o *owner) calm(now time.Time) *events.Waiting {
	lasts := time.Duration(0)
	switch {
	case o.changes < calmAfter || o.said == nil:
	case o.found == nil:
		lasts = quietBefore << min(o.changes/calmAfter, maxCalm)
	default:
		lasts = steadyFor
	}
	if now.Sub(o.foundSince) < lasts {
		return o.said
	}
	return o.found
}

// works reports whether a worker has work of this run in hand.
func (o *owner) works(p events.Presence) bool {
	return slices.ContainsFunc(p.Items, func(i events.PresentItem) bool { return i.Study == o.key.Study && i.Run == o.key.Run })
}

// served reports whether a worker takes work of this run.
func (o *owner) served(p events.Presence) bool {
	return p.Study == "" || p.Study == o.key.Study && (p.Run == "" || p.Run == o.key.Run)
}

// fits reports whether a worker is who measures the run.
func (o *owner) fits(p events.Presence) bool {
	want := o.machine.Identity()
	return want == nil || *want == p.Identity()
}

// givenBack is the last item of this run that a worker gave back, in words.
func (o *owner) givenBack(all []events.Presence) (code, text string) {
	var last events.PresentItem
	for _, p := range all {
		for _, i := range p.Returned {
			if i.Study == o.key.Study && i.Run == o.key.Run && i.Since >= last.Since && !o.hasAnswer(i) {
				last = i
				text = fmt.Sprintf("worker %s gave batch %d back: %s", p.Worker, i.Batch, i.Error)
			}
		}
	}
	return events.WaitsNoAnswer, text
}

// startHint is how to start a worker for the study.
func (o *owner) startHint() string {
	if o.spec.Template != "" {
		return "start workers: apollo serve evaluator"
	}
	return fmt.Sprintf("start the program: apollo evaluator run --name %s --exec PROGRAM", o.spec.Evaluator.Name)
}

// listed bounds the names in a message.
const listed = 5

// list says what people need to know about the first few workers.
func list(all []events.Presence, say func(events.Presence) string) string {
	var parts []string
	for _, p := range all[:min(len(all), listed)] {
		parts = append(parts, say(p))
	}
	if more := len(all) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

func serves(p events.Presence) string { return fmt.Sprintf("%s (serves %s)", p.Worker, p.Study) }

func identified(p events.Presence) string {
	text := p.Identity().String()
	if p.ProgramText != "" {
		text += ", " + p.ProgramText
	}
	return fmt.Sprintf("%s (%s)", p.Worker, text)
}

// busyWith counts what workers have in hand by study, the most first.
func busyWith(all []events.Presence) string {
	counts := map[string]int{}
	var names []string
	for _, p := range all {
		for _, i := range p.Items {
			if counts[i.Study]++; counts[i.Study] == 1 {
				names = append(names, i.Study)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names[:min(len(names), listed)] {
		parts = append(parts, fmt.Sprintf("%s (%d)", name, counts[name]))
	}
	if more := len(names) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more studies", more))
	}
	return strings.Join(parts, ", ")
}

// seconds rounds a wait for people.
func seconds(d time.Duration) string { return d.Round(time.Second).String() }
