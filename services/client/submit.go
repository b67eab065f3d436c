// Package client is what the command line and programs use of the services:
// submit, control and look at studies.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/services/study"
)

// answerTimeout is how long a request waits for the proposer: it answers in
// milliseconds, so that silence means that none is there.
const answerTimeout = 10 * time.Second

// lookEvery is how often a waiting client reads the study itself: well above the
// milliseconds of an answer, so that one that is on its way comes first.
const lookEvery = time.Second

// ErrNoAnswer says that no proposer answered a request in time. The request
// stays in the queue.
var ErrNoAnswer = errors.New("no proposer answered within " + answerTimeout.String())

// RejectedError is the refusal of a request, with every mistake.
type RejectedError struct{ events.StudyRejected }

// Error tells the first mistake, and how many more there are.
func (e *RejectedError) Error() string {
	if len(e.Errors) == 0 {
		return e.Study + " was rejected"
	}
	if n := len(e.Errors) - 1; n > 0 {
		return fmt.Sprintf("%s was rejected: %s (and %d more)", e.Study, e.Errors[0].Message, n)
	}
	return e.Study + " was rejected: " + e.Errors[0].Message
}

// Submit publishes a study request and waits for its answer. id is the
// request's key: the same one twice starts the study once; "" takes a new one.
// header travels with the request and all that follows from it (W3C trace
// context); nil is none. Errors: *RejectedError, ErrNoAnswer, and the bus's.
func Submit(ctx context.Context, bus events.Bus, owner, name, id string, request events.StudyRequested, header map[string]string) (*events.StudyAccepted, error) {
	from := uint64(0)
	if id == "" {
		// A key of its own has no answer yet: skip what is stored.
		id = "submit-" + rand.Text()
		info, err := bus.Log().Info(ctx, events.RejectedSubject("x"))
		if err != nil {
			return nil, err
		}
		from = info.Last + 1
	}
	if err := Publish(ctx, bus, events.OwnedSubject(owner, events.SubmitSubject(name)), id, name, request, header); err != nil {
		return nil, err
	}
	var accepted *events.StudyAccepted
	err := await(ctx, bus, from, name, id, func(e events.Payload) bool {
		a, ok := e.(events.StudyAccepted)
		if ok && a.Command == id {
			accepted = &a
		}
		return accepted != nil
	})
	return accepted, err
}

// Control publishes a change of state and waits until it is carried out. It
// fills in the request's ID. A request for what is so already has no answer in
// the log; it is done when the log still says so a moment later. Errors: as
// Submit's.
func Control(ctx context.Context, bus events.Bus, owner string, c events.StudyControl) error {
	info, err := bus.Log().Info(ctx, events.RejectedSubject("x"))
	if err != nil {
		return err
	}
	c.ID = "control-" + rand.Text()
	if err := Publish(ctx, bus, events.OwnedSubject(owner, events.ControlSubject(c.Study)), c.ID, c.Study, c, nil); err != nil {
		return err
	}
	waiting, answered := context.WithCancelCause(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer answered(nil)
	looking.Go(func() {
		if holdsSoon(waiting, bus.Log(), &c) {
			answered(errHolds)
		}
	})
	err = await(waiting, bus, info.Last+1, c.Study, c.ID, func(e events.Payload) bool { return commandOf(e) == c.ID })
	if errors.Is(err, errHolds) {
		return nil
	}
	return err
}

// errHolds ends the wait for an answer that nobody will give.
var errHolds = errors.New("the study is in that state already")

// holdsSoon looks at the study, every lookEvery and until ctx ends, and reports
// whether it is what the request asks for.
func holdsSoon(ctx context.Context, log events.Log, c *events.StudyControl) bool {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		view, err := ReadStudy(ctx, log, c.Study, c.Run)
		if err == nil && study.Holds(c, view.State, view.Budget) {
			return true
		}
	}
}

// commandOf returns the request that an event carries out, or "".
func commandOf(e events.Payload) string {
	switch e := e.(type) {
	case events.StudyPaused:
		return e.Command
	case events.StudyResumed:
		return e.Command
	case events.StudyExtended:
		return e.Command
	case events.StudyStopping:
		return e.Command
	case events.StudyCancelled:
		return e.Command
	case events.TrialsProposed:
		return e.Command
	}
	return ""
}

// Publish sends a command under an id.
func Publish(ctx context.Context, bus events.Bus, subject, id, name string, e events.Payload, header map[string]string) error {
	data, err := events.Encode(id, "client", name, time.Now(), e)
	if err != nil {
		return err
	}
	m := message.NewMessageWithContext(ctx, id, data)
	for key, value := range header {
		m.Metadata.Set(key, value)
	}
	return bus.Queue(1).Publish(subject, m)
}

// await follows a study's log until done, or until the request is rejected.
func await(ctx context.Context, bus events.Bus, from uint64, name, id string, done func(events.Payload) bool) error {
	limited, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { untilNobodyAnswers(limited, bus, cancel) })
	for m, err := range bus.Log().Follow(limited, from, events.RunFilter(name, "*"), events.RejectedSubject(name)) {
		if err != nil {
			return err
		}
		_, e, err := events.Decode(m.Data)
		if err != nil {
			continue
		}
		if r, ok := e.(events.StudyRejected); ok && r.Command == id {
			return &RejectedError{r}
		}
		if done(e) {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return ErrNoAnswer
}

// untilNobodyAnswers cancels a wait when nobody carries out commands after
// answerTimeout: a queue of others before this one is no silence.
func untilNobodyAnswers(ctx context.Context, bus events.Bus, cancel context.CancelFunc) {
	look := time.NewTicker(answerTimeout)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if !carriesOut(ctx, bus) {
			cancel()
			return
		}
	}
}

// carriesOut reports whether some proposer has a command in hand. Between two it
// has none, so that it takes more than one look.
func carriesOut(ctx context.Context, bus events.Bus) bool {
	limited, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	again := time.NewTicker(lookEvery / 20)
	defer again.Stop()
	for {
		queue, err := bus.QueueInfo(limited, "cmd")
		switch {
		case err != nil:
			return false
		case queue.Held > 0:
			return true
		}
		select {
		case <-limited.Done():
			return false
		case <-again.C:
		}
	}
}
