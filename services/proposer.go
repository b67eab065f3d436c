package services

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/archiver"
	"apollo/events"
)

// Sources loads the trials of earlier studies.
type Sources interface {
	// Load returns the trials of the run that ref names. The error says what
	// is missing.
	Load(ctx context.Context, ref events.Source) (archiver.Source, error)
}

// Proposer accepts studies and drives them: it proposes trials, sends them to
// evaluators and folds what comes back. Any number may run; the fence on the
// log makes a second owner of a run harmless.
type Proposer struct {
	Bus     events.Bus
	Catalog Catalog
	// Sources gives transfer its trials; nil refuses studies that want it.
	Sources Sources
	// Only restricts driving to the study of that name; "" drives all.
	Only string
	// Local accepts what only a study file on this machine may say, such as
	// paths of Parquet files.
	Local  bool
	Logger *slog.Logger
	// Failpoint is called at named points of the durable path, for crash
	// tests; nil does nothing. An error ends Run.
	Failpoint func(point string) error

	mu     sync.Mutex
	owners map[runKey]*owner
	wg     sync.WaitGroup
}

type runKey struct{ study, run string }

// Run works until ctx ends. It returns an error when the bus cannot be
// provisioned or read at the start.
func (p *Proposer) Run(ctx context.Context) error {
	p.owners = map[runKey]*owner{}
	if err := p.Bus.Provision(ctx); err != nil {
		return fmt.Errorf("provision streams: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer p.wg.Wait()
	defer cancel()
	before, err := p.Bus.Log().Info(ctx, events.RunFilter("*", "*"))
	if err != nil {
		return fmt.Errorf("look at the log: %w", err)
	}
	runs, err := openRuns(ctx, p.Bus.Log())
	if err != nil {
		return err
	}
	for _, key := range runs {
		if p.drives(key.study) {
			p.drive(ctx, key)
		}
	}
	p.wg.Go(func() { p.watch(ctx, before.Last+1) })
	commands, err := p.Bus.Queue(1).Subscribe(ctx, "cmd")
	if err != nil {
		return fmt.Errorf("subscribe to commands: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, ok := <-commands:
			if !ok {
				return nil
			}
			p.carryOut(ctx, msg)
		}
	}
}

// watch drives the runs that another proposer accepts or extends from sequence
// from on: whoever is left goes on with them.
func (p *Proposer) watch(ctx context.Context, from uint64) {
	for m, err := range p.Bus.Log().Follow(ctx, from, events.StudySubject("*", "*", "accepted"), events.StudySubject("*", "*", "extended")) {
		if err != nil {
			p.Logger.Error("follow the log: the runs of other proposers are not taken over", "error", err)
			return
		}
		if name, run, _, ok := events.ParseStudySubject(m.Subject); ok && p.drives(name) {
			p.drive(ctx, runKey{name, run})
		}
	}
}

func (p *Proposer) drives(study string) bool { return p.Only == "" || p.Only == study }

func (p *Proposer) at(point string) error {
	if p.Failpoint == nil {
		return nil
	}
	return p.Failpoint(point)
}

// openRuns returns the latest run of every study, where it has not ended.
func openRuns(ctx context.Context, log events.Log) ([]runKey, error) {
	var keys []runKey
	open := map[string]int{} // study → index in keys, -1 when it ended
	filters := []string{
		events.StudySubject("*", "*", "accepted"), events.StudySubject("*", "*", "extended"),
		events.StudySubject("*", "*", "completed"), events.StudySubject("*", "*", "stopped"),
		events.StudySubject("*", "*", "cancelled"), events.StudySubject("*", "*", "failed"),
	}
	latest := map[string]runKey{}
	ended := map[runKey]bool{}
	for m, err := range log.Read(ctx, 0, filters...) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		s, run, kind, ok := events.ParseStudySubject(m.Subject)
		if !ok {
			continue
		}
		key := runKey{s, run}
		switch kind {
		case "accepted":
			if _, known := open[s]; !known {
				open[s] = len(keys)
				keys = append(keys, key)
			}
			latest[s] = key
			ended[key] = false
		case "extended":
			ended[key] = false
		default:
			ended[key] = true
		}
	}
	var out []runKey
	for _, k := range keys {
		if key := latest[k.study]; !ended[key] {
			out = append(out, key)
		}
	}
	return out, nil
}

const (
	// maxCommandTries is how often a command is tried that fails although the
	// bus is there: commands are carried out one after the other, so that one
	// that can never succeed would hold up all others.
	maxCommandTries = 3
	// maxCommandID bounds the id of a command: it becomes part of the ids of
	// the events that answer it.
	maxCommandID = 256
)

// carryOut handles a command and acknowledges it when it is done, answered or
// in the dead-letter stream; otherwise it comes again.
func (p *Proposer) carryOut(ctx context.Context, msg *message.Message) {
	c := commandIn(msg)
	err := p.handle(ctx, c)
	if err != nil && ctx.Err() == nil && !errors.Is(err, events.ErrUnreachable) && !errors.Is(err, events.ErrFull) {
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
	switch {
	case c.bad != nil:
		return p.deadLetter(ctx, c, c.bad)
	case strings.HasPrefix(c.subject, events.SubmitSubject("")):
		return p.submit(ctx, c)
	}
	return p.control(ctx, c)
}

type command struct {
	id, subject, study string
	sequence           string // in the stream of commands
	body               []byte
	header             map[string]string
	// bad is why nobody can be answered.
	bad error
}

// commandIn reads what a message of the command stream says besides its body.
func commandIn(msg *message.Message) command {
	c := command{
		id: msg.UUID, subject: msg.Metadata.Get(events.MetaSubject), sequence: msg.Metadata.Get(events.MetaSequence),
		body: msg.Payload, header: traceOf(msg),
	}
	unnamed := "cmd-" + c.sequence
	submitted, submit := strings.CutPrefix(c.subject, events.SubmitSubject(""))
	controlled, control := strings.CutPrefix(c.subject, events.ControlSubject(""))
	if c.study = submitted; control {
		c.study = controlled
	}
	switch {
	case !submit && !control:
		c.bad = fmt.Errorf("no command is known on subject %s", c.subject)
	case !events.IsName(c.study):
		// A wildcard is one of them: a server takes it for a plain token.
		c.bad = fmt.Errorf("%q is no name of a study: want a DNS label", c.study)
	case len(c.id) > maxCommandID:
		c.bad = fmt.Errorf("the message id has %d bytes, at most %d are allowed", len(c.id), maxCommandID)
		c.id = unnamed
	case c.id == "":
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
	return appendDeadLetter(ctx, p.Bus.Log(), token, events.DeadLetter{
		Service: "proposer", Reason: reason.Error(), Subject: c.subject, Body: c.body,
	}, "dlq.proposer."+c.id)
}

// reject answers a command with what is wrong with it.
func (p *Proposer) reject(ctx context.Context, c command, mistakes ...events.Mistake) error {
	p.Logger.Info("rejected", "study", c.study, "command", c.id, "mistakes", len(mistakes), "first", mistakes[0].Message)
	e := events.StudyRejected{Study: c.study, Command: c.id, Errors: mistakes}
	err := appendEvent(ctx, p.Bus.Log(), events.Message{Subject: events.RejectedSubject(c.study), ID: "rejected." + c.id, Header: c.header},
		"proposer", e, events.Fence{})
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
	if len(ctl.ID) > maxCommandID {
		return p.reject(ctx, c, events.Mistake{
			Pointer: "/data/id", Code: "too_long",
			Message: fmt.Sprintf("the id has %d bytes, at most %d are allowed", len(ctl.ID), maxCommandID),
		})
	}
	if ctl.Study != c.study {
		return p.reject(ctx, c, events.Mistake{
			Pointer: "/data/study", Code: "subject",
			Message: fmt.Sprintf("the subject says study %q, the request %q", c.study, ctl.Study), Hint: "publish on " + events.ControlSubject(ctl.Study),
		})
	}
	var key runKey
	if ctl.Run == "" || events.IsName(ctl.Run) {
		if key, err = p.find(ctx, ctl.Study, ctl.Run); err != nil {
			return err
		}
	}
	if key.run == "" {
		m := events.Mistake{
			Pointer: "/data/study", Code: "not_found",
			Message: fmt.Sprintf("there is no study %q", ctl.Study), Hint: "apollo study ls lists the studies",
		}
		if ctl.Run != "" {
			m.Pointer, m.Message, m.Hint = "/data/run", fmt.Sprintf("study %q has no run %.63q", ctl.Study, ctl.Run), "apollo study ls --all lists the runs"
		}
		return p.reject(ctx, c, m)
	}
	refusal, err := p.send(ctx, key, &ctl)
	if err != nil {
		return err
	}
	if refusal != nil {
		return p.reject(ctx, c, events.Mistake{
			Pointer: "/data/verb", Code: "state", Message: refusal.Error(),
			Hint: "apollo study show " + ctl.Study + " tells its state",
		})
	}
	return nil
}

// find returns the named or the latest run of a study; run is "" for none.
func (p *Proposer) find(ctx context.Context, name, run string) (runKey, error) {
	if run == "" {
		run = "*"
	}
	var key runKey
	for m, err := range p.Bus.Log().Read(ctx, 0, events.StudySubject(name, run, "accepted")) {
		if err != nil {
			return key, fmt.Errorf("read the log: %w", err)
		}
		if s, r, _, ok := events.ParseStudySubject(m.Subject); ok {
			key = runKey{s, r}
		}
	}
	return key, nil
}

// send hands a control to the run's owner and waits until it is carried out.
func (p *Proposer) send(ctx context.Context, key runKey, ctl *events.StudyControl) (refusal, err error) {
	o := p.owner(ctx, key, ctl.Verb == "cancel")
	defer o.waiting.Add(-1)
	request := ownerRequest{control: ctl, reply: make(chan ownerReply, 1)}
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
	case <-o.done:
	}
	select {
	case r := <-request.reply: // its last deed
		return r.refusal, r.err
	default:
		return nil, errOwnerEnded
	}
}

var errOwnerEnded = errors.New("the owner of the run ended")

// owner returns the running owner of a run, and starts it when there is none.
// It stays while its waiting is not 0; the caller counts it down. A new one that
// is only to cancel the run does without its sources: they may be what is gone.
func (p *Proposer) owner(ctx context.Context, key runKey, cancelling bool) *owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.owners[key]; o != nil {
		o.waiting.Add(1)
		return o
	}
	o := &owner{
		proposer: p, key: key, cancelling: cancelling, requests: make(chan ownerRequest), done: make(chan struct{}),
		log: p.Logger.With("study", key.study, "run", key.run),
	}
	o.waiting.Add(1)
	p.owners[key] = o
	p.wg.Go(func() {
		o.err = o.run(ctx)
		if o.err != nil {
			o.giveUp(ctx)
		}
		p.mu.Lock()
		if p.owners[key] == o {
			delete(p.owners, key)
		}
		p.mu.Unlock()
		close(o.done)
	})
	return o
}

// drive starts the owner of a run unless it works already.
func (p *Proposer) drive(ctx context.Context, key runKey) { p.owner(ctx, key, false).waiting.Add(-1) }

// retire takes an owner with nothing left to do out of service. It reports
// false when somebody waits for it.
func (p *Proposer) retire(o *owner) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.waiting.Load() > 0 {
		return false
	}
	delete(p.owners, o.key)
	return true
}

// runID derives a run from the command that asked for it, so that a command
// that is delivered twice means one run. The command's sequence keeps it from
// the name of a run that was removed: people ask again under the same id.
func runID(c command) string {
	sum := sha256.Sum256([]byte(c.study + "\x00" + c.id + "\x00" + c.sequence))
	return hex.EncodeToString(sum[:4])
}

// appendEvent fills in the data of m (its subject, id and header are set), says
// that source tells it, and appends it.
func appendEvent(ctx context.Context, log events.Log, m events.Message, source string, e events.Payload, fence events.Fence) error {
	data, err := events.Encode(m.ID, source, events.StudyOf(m.Subject), time.Now(), e)
	if err != nil {
		return err
	}
	m.Data = data
	_, err = log.Append(ctx, m, fence)
	return err
}

func appendDeadLetter(ctx context.Context, log events.Log, study string, d events.DeadLetter, id string) error {
	err := appendEvent(ctx, log, events.Message{Subject: events.DeadLetterSubject(d.Service, study), ID: id}, d.Service, d, events.Fence{})
	if err != nil {
		return fmt.Errorf("dead-letter %s: %w", d.Subject, err)
	}
	return nil
}
