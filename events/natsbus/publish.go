package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// port is Log and Facts over one bus.
type port struct{ bus *Bus }

var (
	_ events.Log   = port{}
	_ events.Facts = port{}
)

// Append stores m when fence holds; see events.Log. The server checks the
// fence before the ID, so a repeated append looks fenced: it is recognised by
// its ID behind the fence.
func (p port) Append(ctx context.Context, m events.Message, fence events.Fence) (uint64, error) {
	b := p.bus
	var options []jetstream.PublishOpt
	if fence.Filter != "" {
		options = append(options, jetstream.WithExpectLastSequenceForSubject(fence.Last, b.subject(fence.Filter)))
	}
	ack, _, err := b.publish(ctx, m, options...)
	if err == nil {
		return ack.Sequence, nil
	}
	if wrongSequence(err) {
		seq, lookup := p.find(ctx, fence.Last+1, fence.Filter, m.ID)
		switch {
		case lookup != nil:
			err = lookup
		case seq > 0:
			return seq, nil
		default:
			err = events.ErrFenced
		}
	}
	return 0, fmt.Errorf("append %s: %w", m.Subject, err)
}

// Record stores m unless its subject has a message; see events.Facts. When an
// attempt of this very call was stored and its answer lost, that is a success.
// The server's window of IDs reaches over all subjects, and remembers messages
// that are gone: an ID that it knows says nothing about this subject, and the
// message is stored without one where the subject is empty.
func (p port) Record(ctx context.Context, m events.Message) (uint64, error) {
	first := jetstream.WithExpectLastSequencePerSubject(0)
	ack, retried, err := p.bus.publish(ctx, m, first)
	if err == nil && ack.Duplicate {
		held, lookup := p.heldFor(ctx, m.Subject)
		switch {
		case lookup != nil:
			return 0, fmt.Errorf("record %s: %w", m.Subject, lookup)
		case !held:
			m.ID = ""
			ack, retried, err = p.bus.publish(ctx, m, first)
		}
	}
	switch {
	case err == nil && (!ack.Duplicate || retried):
		return ack.Sequence, nil
	case err == nil:
		err = events.ErrExists
	case wrongSequence(err):
		err = events.ErrExists
		if retried {
			if seq, lookup := p.find(ctx, 1, m.Subject, m.ID); lookup == nil && seq > 0 {
				return seq, nil
			}
		}
	}
	return 0, fmt.Errorf("record %s: %w", m.Subject, err)
}

// heldFor reports whether the subject has a message.
func (p port) heldFor(ctx context.Context, subject string) (bool, error) {
	for _, err := range p.Read(ctx, 1, subject) {
		return err == nil, err
	}
	return false, nil
}

// find returns the sequence of the message with that ID, or 0.
func (p port) find(ctx context.Context, from uint64, filter, id string) (uint64, error) {
	if id == "" {
		return 0, nil
	}
	for m, err := range p.Read(ctx, from, filter) {
		if err != nil {
			return 0, err
		}
		if m.ID == id {
			return m.Seq, nil
		}
	}
	return 0, nil
}

// wrongSequence reports whether an expected last sequence did not hold.
func wrongSequence(err error) bool {
	code := codeOf(err)
	return code == codeWrongLastSequence || code == codeWrongLastSequenceConst
}

// publish stores one message, with retries under the same ID. retried says
// that an earlier attempt may have been stored.
func (b *Bus) publish(ctx context.Context, m events.Message, options ...jetstream.PublishOpt) (ack *jetstream.PubAck, retried bool, err error) {
	stream, err := b.checked(m)
	if err != nil {
		return nil, false, err
	}
	options = append(options, jetstream.WithExpectStream(stream), jetstream.WithRetryAttempts(0))
	err = b.ask(ctx, b.subject(m.Subject), func(ctx context.Context, again bool) error {
		retried = again
		ack, err = b.js.PublishMsg(ctx, b.encode(m), options...)
		return err
	})
	return ack, retried, b.explain(err)
}

// checked returns the stream of a message that can be published.
func (b *Bus) checked(m events.Message) (stream string, err error) {
	if !events.IsSubject(m.Subject) {
		return "", fmt.Errorf("%q is no subject", m.Subject)
	}
	return b.streamFor(m.Subject)
}

// explain puts the server's refusals into the words of the ports.
func (b *Bus) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case codeOf(err) == codeStoreFailed || noRoom(err):
		return fmt.Errorf("%w: %w", events.ErrFull, err)
	case codeOf(err) == codeTooLarge, errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("the message is over the limit of its stream or of the server (max_payload %d bytes): %w", b.nc.MaxPayload(), err)
	case errors.Is(err, events.ErrUnreachable) && errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("the stream is not there (does a proposer run?): %w", err)
	}
	return err
}

// encode turns a message into the server's form.
func (b *Bus) encode(m events.Message) *nats.Msg {
	out := &nats.Msg{Subject: b.subject(m.Subject), Data: m.Data, Header: nats.Header{}}
	for k, v := range m.Header {
		if headerKey(k) {
			out.Header[k] = []string{oneLine(v)}
		}
	}
	if m.ID != "" {
		out.Header[jetstream.MsgIDHeader] = []string{oneLine(m.ID)}
	}
	return out
}

// reserved starts the headers that the server gives a meaning to.
const reserved = "Nats-"

// headerKey reports whether a key can travel as a header. The server's own are
// not ours to set.
func headerKey(k string) bool {
	if k == "" || strings.HasPrefix(k, reserved) {
		return false
	}
	return !strings.ContainsFunc(k, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f })
}

// oneLine keeps a value from ending its header line.
func oneLine(v string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
}

// decode turns a stored message's headers into ours.
func decodeHeader(h nats.Header) (id string, header map[string]string) {
	for k, values := range h {
		switch {
		case len(values) == 0:
		case k == jetstream.MsgIDHeader:
			id = values[0]
		case strings.HasPrefix(k, reserved):
		default:
			if header == nil {
				header = map[string]string{}
			}
			header[k] = values[0]
		}
	}
	return id, header
}
