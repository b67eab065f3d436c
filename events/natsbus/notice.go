package natsbus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"apollo/events"
)

// Notify publishes a message that is not stored. It is not retried.
func (b *Bus) Notify(ctx context.Context, subject string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	if !events.IsSubject(subject) {
		return fmt.Errorf("notify: %q is no subject", subject)
	}
	if err := b.nc.Publish(b.subject(subject), data); err != nil {
		if classify(err).retried() {
			err = fmt.Errorf("%w: %w", events.ErrUnreachable, err)
		}
		return fmt.Errorf("notify %s: %w", subject, err)
	}
	return nil
}

// Notices yields the notices that match filter until ctx is done. It listens
// from the moment Notices returns; a slow reader loses some.
func (b *Bus) Notices(ctx context.Context, filter string) iter.Seq2[events.Message, error] {
	sub, err := b.nc.SubscribeSync(b.subject(filter))
	if err == nil && b.nc.IsConnected() {
		err = b.nc.FlushTimeout(flushTimeout) // the server knows of it when we return
	}
	var stop func() bool
	if sub != nil {
		stop = context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	}
	return func(yield func(events.Message, error) bool) {
		if err != nil {
			yield(events.Message{}, fmt.Errorf("notices: %w", err))
		}
		if sub == nil {
			return
		}
		defer func() { _ = sub.Unsubscribe() }()
		defer stop()
		for err == nil {
			m, err := sub.NextMsgWithContext(ctx)
			switch {
			case ctx.Err() != nil, b.ctx.Err() != nil, errors.Is(err, nats.ErrConnectionClosed):
				return
			case errors.Is(err, nats.ErrSlowConsumer):
				continue // some are lost; the next ones come
			case err != nil:
				yield(events.Message{}, fmt.Errorf("notices: %w", err))
				return
			}
			id, header := decodeHeader(m.Header)
			if !yield(events.Message{Subject: b.relative(m.Subject), ID: id, Header: header, Data: m.Data}, nil) {
				return
			}
		}
	}
}

// Endpoint answers one request. Its error is told to the requester as it is.
type Endpoint func(ctx context.Context, request []byte) (reply []byte, err error)

// apiGroup comes before the endpoints' names in their subjects.
const apiGroup = "api"

// ServeMicro offers endpoints at <prefix>.api.<endpoint> as a NATS micro
// service, so that `nats micro ls`, `info` and `stats` know it. Several
// processes that offer the same one share the requests. Each endpoint handles
// one request at a time; ctx of a request ends with the bus. The service ends
// with ctx or with the bus.
func (b *Bus) ServeMicro(ctx context.Context, name, version, description string, endpoints map[string]Endpoint) error { //nolint:contextcheck // requests live as long as the bus
	service, err := micro.AddService(b.nc, micro.Config{Name: name, Version: version, Description: description})
	if err != nil {
		return fmt.Errorf("serve %s: %w", name, err)
	}
	lifetime, cancel := context.WithCancel(b.ctx)
	unhook := context.AfterFunc(ctx, func() {
		cancel()
		_ = service.Stop()
	})
	b.mu.Lock()
	b.services = append(b.services, stopper(func() error {
		unhook()
		cancel()
		return service.Stop()
	}))
	b.mu.Unlock()
	group := service.AddGroup(b.subject(apiGroup))
	for _, endpoint := range slices.Sorted(maps.Keys(endpoints)) {
		handle := endpoints[endpoint]
		err := group.AddEndpoint(endpoint, micro.HandlerFunc(func(r micro.Request) {
			if !b.repliesAside(r.Reply()) {
				answer(lifetime, r, handle)
			}
		}))
		if err != nil {
			_ = service.Stop()
			return fmt.Errorf("serve %s, endpoint %s: %w", name, endpoint, err)
		}
	}
	return nil
}

// stopper is a function as something to stop.
type stopper func() error

// Stop ends it.
func (f stopper) Stop() error { return f() }

func answer(ctx context.Context, r micro.Request, handle Endpoint) {
	reply, err := handle(ctx, r.Data())
	if err != nil {
		// A requester that is gone is no concern of ours.
		_ = r.Error("500", oneLine(err.Error()), nil)
		return
	}
	_ = r.Respond(reply)
}

// ErrRefused is wrapped by Request's error when the service answered with one.
var ErrRefused = errors.New("the service refused")

// Request asks a micro service at <prefix>.<subject>, "api.submit", and
// returns its reply. Errors: ErrRefused with the service's words,
// events.ErrUnreachable when nobody answers.
func (b *Bus) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	var reply *nats.Msg
	err := b.ask(ctx, b.subject(subject), func(ctx context.Context, _ bool) error {
		m, err := b.nc.RequestWithContext(ctx, b.subject(subject), data)
		reply = m
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", subject, err)
	}
	if text := reply.Header.Get(micro.ErrorHeader); text != "" {
		return nil, fmt.Errorf("request %s: %w: %s", subject, ErrRefused, strings.TrimSpace(text))
	}
	return reply.Data, nil
}
