package natsbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
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

// Append stores m when fence holds; see events.Log. A repeated append may look
// fenced by itself: it is recognised by its ID behind the fence. An error about
// the fence while the log has not moved is about a message on its way, perhaps
// an attempt of this very call: it is stored or gone in a moment.
func (p port) Append(ctx context.Context, m events.Message, fence events.Fence) (seq uint64, err error) {
	b := p.bus
	var options []jetstream.PublishOpt
	if fence.Filter != "" {
		options = append(options, jetstream.WithExpectLastSequenceForSubject(fence.Last, b.subject(fence.Filter)))
	}
	err = b.whileOnItsWay(ctx, func() (again bool, err error) {
		ack, _, err := b.publish(ctx, m, options...)
		if err == nil && ack.Duplicate && fence.Filter == "" {
			seq, err = b.known(ctx, m, ack.Sequence)
			return false, err
		}
		if err == nil {
			seq = ack.Sequence
			return false, nil
		}
		if classify(err) != fenced {
			return false, err
		}
		at, lookup := b.last(ctx, fence.Filter)
		if lookup != nil {
			return false, lookup
		}
		switch {
		case at.Seq == fence.Last:
			return true, err
		case at.stray:
			removed, lookup := b.removeStrays(ctx, fence, at.Seq)
			if lookup != nil {
				return false, lookup
			}
			if removed > 0 {
				err = errCleared
			}
			return true, err
		case m.ID != "" && at.ID == m.ID:
			seq = at.Seq
			return false, nil
		}
		if seq, lookup = p.find(ctx, fence.Last+1, fence.Filter, m.ID); lookup != nil {
			return false, lookup
		}
		if seq == 0 {
			return false, events.ErrFenced
		}
		return false, nil
	})
	if err != nil {
		return 0, fmt.Errorf("append %s: %w", m.Subject, err)
	}
	return seq, nil
}

// known returns where a message is whose ID the server knows, at a sequence. That may be of
// another message, which used the ID up, or of one that is gone: then m is stored without
// an ID. Of work it is known what the sequence was, also when the item is gone.
func (b *Bus) known(ctx context.Context, m events.Message, at uint64) (seq uint64, err error) {
	if events.IsWork(m.Subject) {
		return at, nil
	}
	stream, err := b.streamFor(m.Subject)
	if err != nil {
		return 0, err
	}
	var held found
	err = b.ask(ctx, b.getSubject(stream), func(ctx context.Context, _ bool) (err error) {
		held, err = b.get(ctx, stream, map[string]any{"seq": at})
		if codeOf(err) == server.JSNoMessageFoundErr {
			held, err = found{}, nil
		}
		return err
	})
	switch {
	case errors.Is(err, events.ErrDenied): // who may not look takes the server's word
		return at, nil
	case err != nil:
		return 0, err
	case held.Seq == at && !held.stray && held.Subject == m.Subject && held.ID == m.ID:
		return at, nil
	}
	m.ID = ""
	err = b.whileOnItsWay(ctx, func() (again bool, err error) {
		held, err := b.last(ctx, m.Subject)
		if err != nil {
			return false, err
		}
		if held.Seq > 0 && bytes.Equal(held.Data, m.Data) { // an attempt whose answer was lost
			seq = held.Seq
			return false, nil
		}
		ack, _, err := b.publish(ctx, m, jetstream.WithExpectLastSequencePerSubject(held.Seq))
		if err != nil {
			return classify(err) == fenced, err
		}
		seq = ack.Sequence
		return false, nil
	})
	return seq, err
}

// Record stores m unless its subject has a message; see events.Facts. What the
// subject holds decides, whatever the answer: when it is m, then an attempt of
// this very call was stored and its answer lost; when it is nothing, then
// either another one is on its way, which may still get lost, or the server
// knows the ID from elsewhere. Its window of IDs reaches over all subjects and
// remembers messages that are gone, so that the message is stored without one.
func (p port) Record(ctx context.Context, m events.Message) (seq uint64, err error) {
	b, unnamed := p.bus, m
	unnamed.ID = ""
	next, tried, behind := m, false, uint64(0)
	err = b.whileOnItsWay(ctx, func() (again bool, err error) {
		ack, retried, err := b.publish(ctx, next, jetstream.WithExpectLastSequencePerSubject(behind))
		retried, tried = retried || tried, true
		if err == nil && !ack.Duplicate {
			seq = ack.Sequence
			return false, nil
		}
		if err != nil && classify(err) != fenced {
			return false, err
		}
		held, lookup := b.last(ctx, m.Subject)
		if lookup == nil && held.stray {
			at := held.Seq
			if held, lookup = p.fact(ctx, m.Subject); lookup == nil && held.Seq == 0 {
				behind = at // m is the first fact
				return true, errOnItsWay
			}
		}
		switch {
		case lookup != nil:
			return false, lookup
		case held.Seq == 0:
			if err == nil {
				next, err = unnamed, errOnItsWay
			}
			return true, err
		case retried && held.ID == next.ID && bytes.Equal(held.Data, m.Data):
			seq = held.Seq
			return false, nil
		}
		return false, events.ErrExists
	})
	if err != nil {
		return 0, fmt.Errorf("record %s: %w", m.Subject, err)
	}
	return seq, nil
}

// errOnItsWay is a message of which the server knows more than the stream has.
var errOnItsWay = errors.New("a message with that id or subject is on its way")

// errCleared is what stood in the way of a message and is gone.
var errCleared = errors.New("an answer of the server was in the way")

// whileOnItsWay repeats f while it says that a message is on its way: at once, and with all
// its patience, after the way was cleared.
func (b *Bus) whileOnItsWay(ctx context.Context, f func() (again bool, err error)) error {
	var pause backoff
	for end := time.Now().Add(b.conf.Patience); ; {
		again, err := f()
		if !again {
			return err
		}
		if errors.Is(err, errCleared) {
			pause, end = backoff{}, time.Now().Add(b.conf.Patience)
			continue
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: %w", events.ErrUnreachable, err)
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
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
	if err == nil {
		return nil
	}
	switch c := classify(err); {
	case c == full:
		return fmt.Errorf("%w: %w", events.ErrFull, err)
	case c == oversized:
		return fmt.Errorf("%w (max_payload %d bytes): %w", events.ErrTooLarge, b.MaxPayload(), err)
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

// after returns what the fence of a stored message named, which is in the
// headers that it came with.
func after(h nats.Header) *uint64 {
	if h.Get(jetstream.ExpectedLastSubjSeqSubjHeader) == "" {
		return nil // no fence: a fact, of its own subject
	}
	last, err := strconv.ParseUint(h.Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
	if err != nil {
		return nil
	}
	return &last
}

// decodeHeader turns a stored message's headers into ours.
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
