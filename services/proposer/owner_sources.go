package proposer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
)

// sourcesEvery is how often an owner looks again for sources that are missing.
const sourcesEvery = 5 * time.Second

// live runs the owner, again where the bus was restored from an older copy.
// While a source cannot be opened it waits for it: whoever mounts the disk again
// has nothing else to do.
func (o *owner) live(ctx context.Context) error {
	defer o.closeModels()
	told := false
	for {
		// What ctx ends has no cause, also where that is begun anew.
		err := messages.Quiet(ctx, o.run(ctx))
		if errors.Is(err, errVoided) {
			continue
		}
		if errors.Is(err, errLogWentBack) {
			o.log.Warn("the run goes on from what the log says", "cause", err)
			o.again = ".again-" + o.session
			continue
		}
		if !errors.Is(err, errSourceMissing) || o.brief {
			return err
		}
		end, ended := o.readEnd(ctx)
		if ended != nil || !end.active {
			return messages.Quiet(ctx, errors.Join(err, ended))
		}
		if !told && !o.driven(ctx) {
			o.tellMissing(ctx, &end, err)
			told = true
		}
		if again := o.awaitSources(ctx, err); !again {
			return nil
		}
	}
}

// driven reports whether another proposer drives the run: it has the sources.
func (o *owner) driven(ctx context.Context) bool {
	_, driven := client.FoldWaiting[events.Progress](ctx, o.proposer.Bus, events.ProgressSubject(o.key.Study, o.key.Run))
	return driven
}

// awaitSources waits until it is time to look again, and tells meanwhile what
// is missing. It reports false when ctx ended.
func (o *owner) awaitSources(ctx context.Context, missing error) (again bool) {
	look, beat := time.NewTimer(sourcesEvery), time.NewTicker(beatEvery)
	defer look.Stop()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
			return true
		case <-beat.C:
			o.report(ctx, beatEvery)
		case r := <-o.requests:
			if r.control.Verb == "cancel" { // it does without the sources
				o.cancelling, o.brief, o.kept = true, true, make(chan ownerRequest, 1)
				o.kept <- r
				return true
			}
			r.reply <- ownerReply{refusal: fmt.Errorf("the study waits: %w", missing)}
		}
	}
}

// next is where the next request comes from.
func (o *owner) next() <-chan ownerRequest {
	if len(o.kept) > 0 {
		return o.kept
	}
	return o.requests
}

// tellMissing says what the run waits for, in its log and to who watches.
func (o *owner) tellMissing(ctx context.Context, end *logEnd, missing error) {
	cause := &events.Waiting{
		Code: events.WaitsSourceMissing, Message: missing.Error(),
		Hint: "restore it, and the study goes on by itself; or give it up: apollo study cancel " + o.key.Study,
	}
	o.teller.update(events.Progress{
		Study: o.key.Study, Run: o.key.Run, State: string(end.view.State), Budget: end.view.Budget, Best: end.view.Best,
	}, cause, cause)
	o.report(ctx, beatEvery)
	if end.waiting != nil && sameCause(end.waiting, cause) {
		return
	}
	id := o.key.Run + ".waiting." + o.session
	m := events.Message{Subject: events.StudySubject(o.key.Study, o.key.Run, "waiting"), ID: id, Header: o.header}
	err := messages.Append(ctx, o.proposer.Bus.Log(), m, "proposer", events.StudyWaiting{Study: o.key.Study, Run: o.key.Run, Waiting: cause},
		events.Fence{Filter: events.RunFilter(o.key.Study, o.key.Run), Last: end.last})
	if err != nil {
		o.log.Debug("say what the study waits for", "error", err)
	}
}

// logEnd is a run as its log ends, for an owner that could not load it.
type logEnd struct {
	last    uint64
	view    *client.StudyView
	active  bool // somebody has to drive it
	waiting *events.Waiting
}

// readEnd goes by the kinds of the events where one of them cannot be read.
func (o *owner) readEnd(ctx context.Context) (end logEnd, err error) {
	paused, ended := false, false
	for m, err := range o.proposer.Bus.Log().Read(ctx, 0, events.RunFilter(o.key.Study, o.key.Run)) {
		if err != nil {
			return end, err
		}
		end.last = m.Seq
		if end.view == nil {
			end.view = &client.StudyView{Study: o.key.Study, Run: o.key.Run, Spec: &events.Spec{}}
		}
		if end.view.Err == nil {
			end.view.Fold(m)
		}
		switch _, _, kind, _ := events.ParseStudySubject(m.Subject); kind {
		case "paused":
			paused = true
		case "resumed":
			paused = false
		case "extended":
			ended = false
		default:
			ended = ended || events.EndsRun(kind)
		}
	}
	if end.view == nil {
		return end, fmt.Errorf("%w: %s", client.ErrNoStudy, o.key.Study)
	}
	end.active = !paused && !ended
	if len(end.view.Waiting) > 0 {
		end.waiting = &end.view.Waiting[0]
	}
	return end, nil
}
