package proposer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
)

const (
	// maxCommandTries is how often a command is tried that fails although the
	// bus is there: commands are carried out one after the other, so that one
	// that can never succeed would hold up all others.
	maxCommandTries = 3
	// patience is how long an owner may be stuck while a command waits for it:
	// well below what a client waits for its answer.
	patience = 4 * time.Second
)

// carryOut handles a command and acknowledges it when it is done, answered or
// in the dead-letter stream; otherwise it comes again.
func (p *Proposer) carryOut(ctx context.Context, msg *message.Message) {
	c, began := commandIn(msg), time.Now()
	err := p.handle(ctx, c)
	busFails := errors.Is(err, events.ErrUnreachable) || errors.Is(err, events.ErrFull)
	if !busFails { // which is not the owner's doing
		p.times.note(p.Quota.OwnerTime, c.owner, began, time.Now())
	}
	if err != nil && ctx.Err() == nil && !busFails && !errors.Is(err, errLogWentBack) {
		if n, _ := strconv.Atoi(msg.Metadata.Get(events.MetaDeliveries)); n >= maxCommandTries {
			err = p.deadLetter(ctx, c, err)
		}
	}
	if err == nil {
		msg.Ack()
		return
	}
	if ctx.Err() == nil {
		p.Logger.Warn("command will be tried again", "id", c.id, "error", err)
	}
	msg.Nack()
}

// handle carries out one command. An error means that it must come again; what
// is wrong with the command itself is answered and done.
func (p *Proposer) handle(ctx context.Context, c command) error {
	if c.bad != nil {
		return p.deadLetter(ctx, c, c.bad)
	}
	if mistake := p.overTime(ctx, &c, time.Now()); mistake != nil {
		return p.reject(ctx, c, *mistake)
	}
	if c.verb == "submit" {
		return p.submit(ctx, c)
	}
	return p.control(ctx, c)
}

type command struct {
	id, subject, study string
	// owner is whose subject it came on; "" may change every study.
	owner, verb string
	sequence    string // in the stream of commands
	stored      string // when
	body        []byte
	header      map[string]string
	again       bool // it was let in before
	// bad is why nobody can be answered.
	bad error
}

// commandIn reads what a message of the command stream says besides its body.
func commandIn(msg *message.Message) command {
	c := command{
		id: msg.UUID, subject: msg.Metadata.Get(events.MetaSubject), sequence: msg.Metadata.Get(events.MetaSequence),
		stored: msg.Metadata.Get(events.MetaStored),
		body:   msg.Payload, header: messages.TraceOf(msg),
	}
	n, _ := strconv.Atoi(msg.Metadata.Get(events.MetaDeliveries))
	c.again = n > 1
	unnamed := "cmd-" + c.sequence
	var known bool
	c.owner, c.verb, c.study, known = events.ParseCommandSubject(c.subject)
	if c.id == "" {
		c.id = unnamed // before anything else: two letters with one id are one
	}
	switch {
	case !known || c.owner != "" && !events.IsName(c.owner):
		c.bad = fmt.Errorf("no command is known on subject %s", c.subject)
	case !events.IsName(c.study):
		// A wildcard is one of them: a server takes it for a plain token.
		c.bad = fmt.Errorf("%q is no name of a study: want a DNS label", c.study)
	case len(c.id) > events.MaxCommandIDBytes:
		c.bad = fmt.Errorf("the message id has %d bytes, at most %d are allowed", len(c.id), events.MaxCommandIDBytes)
		c.id = unnamed
	}
	return c
}

func (p *Proposer) deadLetter(ctx context.Context, c command, reason error) error {
	p.Logger.Warn("dead letter", "subject", c.subject, "id", c.id, "error", reason)
	token := c.study
	if !events.IsName(token) {
		token = "unknown"
	}
	return messages.SetAside(ctx, p.Bus, p.Logger, token, events.DeadLetter{
		Service: "proposer", Reason: reason.Error(), Subject: c.subject, Body: c.body,
	}, "dlq.proposer."+c.id)
}

// reject answers a command with what is wrong with it.
func (p *Proposer) reject(ctx context.Context, c command, mistakes ...events.Mistake) error {
	p.Logger.Info("rejected", "study", c.study, "command", c.id, "mistakes", len(mistakes), "first", mistakes[0].Message)
	room := min(events.MessageRoom(p.Bus.MaxPayload()), events.MaxRejectedBytes)
	id := "rejected." + c.id
	data, err := events.Encode(id, "proposer", c.study, time.Now(), events.StudyRejected{Study: c.study, Command: c.id, Errors: mistakes}.Fit(room))
	if err != nil {
		return err
	}
	m := events.Message{Subject: events.RejectedSubject(c.study), ID: id, Header: c.header, Data: data}
	seq, err := p.Bus.Log().Append(ctx, m, events.Fence{})
	if err == nil {
		p.forget(ctx, seq)
	}
	return err
}

func (p *Proposer) control(ctx context.Context, c command) error {
	_, payload, err := events.Decode(c.body)
	if err != nil {
		return p.deadLetter(ctx, c, err)
	}
	ctl, ok := payload.(events.StudyControl)
	if !ok {
		return p.deadLetter(ctx, c, fmt.Errorf("a %s is no study control", payload.EventType()))
	}
	if ctl.ID == "" {
		ctl.ID = c.id
	}
	if len(ctl.ID) > events.MaxCommandIDBytes {
		return p.reject(ctx, c, events.Mistake{
			Pointer: "/data/id", Code: "too_long",
			Message: fmt.Sprintf("the id has %d bytes, at most %d are allowed", len(ctl.ID), events.MaxCommandIDBytes),
		})
	}
	if ctl.Study != c.study {
		return p.reject(ctx, c, events.Mistake{
			Pointer: "/data/study", Code: "subject",
			Message: fmt.Sprintf("the subject says study %q, the request %q", c.study, ctl.Study), Hint: "publish on " + events.ControlSubject(ctl.Study),
		})
	}
	var key messages.RunKey
	if ctl.Run == "" || events.IsName(ctl.Run) {
		if key, err = p.find(ctx, ctl.Study, ctl.Run); err != nil {
			return err
		}
	}
	if key.Run == "" {
		m := events.Mistake{
			Pointer: "/data/study", Code: "not_found",
			Message: fmt.Sprintf("there is no study %q", ctl.Study), Hint: "apollo study ls lists the studies",
		}
		if ctl.Run != "" {
			m.Pointer, m.Message, m.Hint = "/data/run", fmt.Sprintf("study %q has no run %.63q", ctl.Study, ctl.Run), "apollo study ls --all lists the runs"
		}
		return p.reject(ctx, c, m)
	}
	if mistake, err := p.mayControl(ctx, c, key, ctl.Verb); err != nil || mistake != nil {
		if err != nil {
			return err
		}
		return p.reject(ctx, c, *mistake)
	}
	if slices.Contains([]string{"resume", "extend", "add", "retry"}, ctl.Verb) && !ctl.Force {
		cause, err := client.NotArchived(ctx, p.Bus.Log(), key.Study, key.Run)
		if err != nil {
			return err
		}
		if cause != nil && cause.Code == events.WaitsArchiveDiffers {
			return p.reject(ctx, c, events.Mistake{Pointer: "/data/verb", Code: cause.Code, Message: cause.Message, Hint: cause.Hint})
		}
	}
	refusal, err := p.send(ctx, key, &ctl)
	if errors.Is(err, errStuck) && errors.Is(err, events.ErrFull) {
		return p.reject(ctx, c, events.Mistake{Pointer: "/data/verb", Code: "full", Message: err.Error(), Hint: messages.FullHint})
	}
	if errors.Is(err, errLoading) {
		return p.reject(ctx, c, events.Mistake{
			Pointer: "/data/verb", Code: "busy", Message: err.Error(),
			Hint: "ask again when it has: apollo study show " + ctl.Study + "; cancelling needs nothing of it",
		})
	}
	if err != nil {
		return err
	}
	if mistake := p.Quota.refusal(&ctl, refusal); mistake != nil {
		return p.reject(ctx, c, *mistake)
	}
	if refusal != nil {
		m := events.Mistake{
			Pointer: "/data/verb", Code: "state", Message: refusal.Error(),
			Hint: "apollo study show " + ctl.Study + " tells its state",
		}
		if len(ctl.Retry) > 0 {
			m.Pointer, m.Code, m.Hint = "/data/retry", "trials", "apollo study show "+ctl.Study+" tells its state, apollo trial ls its trials"
		}
		if len(ctl.Designs) > 0 {
			m.Pointer, m.Code, m.Hint = "/data/designs", "design", "apollo study show "+ctl.Study+" tells its state, apollo trial ls its trials"
		}
		return p.reject(ctx, c, m)
	}
	return nil
}

// find returns the named or the latest run of a study; run is "" for none.
func (p *Proposer) find(ctx context.Context, name, run string) (key messages.RunKey, err error) {
	runs, err := p.accepted.list(ctx, p.Bus, name)
	for _, r := range runs {
		if run == "" || r.key.Run == run {
			key = r.key
		}
	}
	return key, err
}

// send hands a control to the run's owner and waits until it is carried out. An
// owner that is busy is waited for; one that is stuck is not, because the
// commands of all other studies wait behind this one: the error is why it is.
func (p *Proposer) send(ctx context.Context, key messages.RunKey, ctl *events.StudyControl) (refusal, err error) {
	o := p.owner(ctx, key, ctl.Verb == "cancel")
	refusal, err = p.through(ctx, o, ctl)
	if ctl.Verb == "cancel" && !o.cancelling && refusal != nil && o.ended() && errors.Is(refusal, o.err) {
		// That one could not load the run and was about to say so; cancelling need not.
		return p.through(ctx, p.owner(ctx, key, true), ctl)
	}
	return refusal, err
}

// ended reports whether the owner has ended, so that its error stands.
func (o *owner) ended() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// through is send for an owner that waits for the caller.
func (p *Proposer) through(ctx context.Context, o *owner, ctl *events.StudyControl) (refusal, err error) {
	defer o.waiting.Add(-1)
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.wg.Go(func() { o.giveUpStuck(waiting, cancel) })
	refusal, err = o.ask(waiting, ctl)
	if cause := context.Cause(waiting); err != nil && cause != nil {
		err = cause
	}
	return refusal, err
}

// ask hands a control to the owner's goroutine and waits for its reply.
func (o *owner) ask(ctx context.Context, ctl *events.StudyControl) (refusal, err error) {
	request := ownerRequest{ctx: ctx, control: ctl, reply: make(chan ownerReply, 1)}
	select {
	case o.requests <- request:
	case <-o.done:
		// It ended although somebody waits: it could not load the run.
		if o.err == nil {
			return nil, errOwnerEnded
		}
		return o.err, ctx.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-request.reply:
		return r.refusal, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-o.done:
	}
	select {
	case r := <-request.reply: // its last deed
		return r.refusal, r.err
	default:
		return nil, errOwnerEnded
	}
}

var (
	errOwnerEnded = errors.New("the owner of the run ended")
	errStuck      = errors.New("the study cannot be changed now, because it waits for the bus")
	errLoading    = errors.New("the study cannot be changed now, because the proposer still reads its log, results and sources")
)
