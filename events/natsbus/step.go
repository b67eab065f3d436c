package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// rawMessage is the server's answer to $JS.API.STREAM.MSG.GET.
type rawMessage struct {
	Error   *jetstream.APIError `json:"error"`
	Message struct {
		Subject string    `json:"subject"`
		Seq     uint64    `json:"seq"`
		Header  []byte    `json:"hdrs"`
		Data    []byte    `json:"data"`
		Time    time.Time `json:"time"`
	} `json:"message"`
}

// step gets the reader past a message that no consumer delivers: anyone who
// may write to a stream can store one without a body whose headers look like a
// status of the pull protocol, and the client library takes it for one. The
// message is asked for by itself and yielded as what it is. moved is false
// when there is no message to get past.
func (r *reader) step(ctx context.Context, yield func(events.Message, error) bool) (moved bool, err error) {
	m, err := r.first(ctx)
	if err != nil || m.Seq == 0 || m.Seq > r.last {
		return false, err
	}
	r.next = m.Seq + 1
	if !m.stray && !yield(m.Message, nil) {
		return false, errEnd
	}
	return true, nil
}

// walk reads a stream on which we may create no consumer, message by message:
// permissions leave consumers out where one could send what we published
// ourselves to subjects that we may not publish on (docs/security.md).
func (r *reader) walk(ctx context.Context, yield func(events.Message, error) bool) error {
	for {
		var m found
		err := r.bus.ask(ctx, r.bus.getSubject(r.stream), func(ctx context.Context, _ bool) (err error) {
			m, err = r.first(ctx)
			return err
		})
		if err != nil || m.Seq == 0 || m.Seq > r.last {
			return err
		}
		r.next = m.Seq + 1
		if !m.stray && !yield(m.Message, nil) {
			return nil
		}
	}
}

// walks reports whether the server denied us a consumer of the stream since we
// are connected, and walkFromNow notes that it did.
func (b *Bus) walks(stream string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.walked[stream]
}

func (b *Bus) walkFromNow(stream string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.walked[stream] = true
}

// first returns the first message from next on that the leader of the stream
// has; its Seq is 0 when there is none.
func (r *reader) first(ctx context.Context) (found, error) {
	var first found
	for _, f := range r.filters {
		var m found
		err := r.bus.attempt(ctx, r.bus.getSubject(r.stream), firstAttempt, func(ctx context.Context) (err error) {
			m, err = r.bus.get(ctx, r.stream, map[string]any{"seq": r.next, "next_by_subj": r.bus.subject(f)})
			return err
		})
		if err != nil && codeOf(err) != server.JSNoMessageFoundErr {
			return found{}, err
		}
		if err == nil && (first.Seq == 0 || m.Seq < first.Seq) {
			first = m
		}
	}
	return first, nil
}

// behind returns errLag when the leader of the stream has a message for this
// reader that its consumer does not know: consumers of a reader live on one
// server of a cluster, and that one may not be up to date.
func (r *reader) behind(ctx context.Context) error {
	if !r.replicated {
		return nil
	}
	m, err := r.first(ctx)
	if err == nil && m.Seq == 0 {
		// It may have been a server that was frozen and does not know yet that
		// it leads no more: it knows once one that leads has answered.
		if _, err = r.info(ctx, r.filters...); err == nil {
			m, err = r.first(ctx)
		}
	}
	if err == nil && m.Seq > 0 && m.Seq <= r.last {
		err = errLag
	}
	return err
}

// errLag is a consumer whose server lags behind the others.
var errLag = errors.New("the server of the consumer lags behind")

// getSubject is where the leader of a stream is asked for one message.
func (b *Bus) getSubject(stream string) string { return "$JS.API.STREAM.MSG.GET." + stream }

// get asks the leader of the stream for one message. A consumer, or a direct
// get, may answer from a server that lags behind.
func (b *Bus) get(ctx context.Context, stream string, which map[string]any) (found, error) {
	var none found
	request, err := json.Marshal(which)
	if err != nil {
		return none, err
	}
	reply, err := b.nc.RequestWithContext(ctx, b.getSubject(stream), request)
	if err != nil {
		return none, err
	}
	var got rawMessage
	if err := json.Unmarshal(reply.Data, &got); err != nil {
		return none, fmt.Errorf("the server's answer: %w", err)
	}
	if got.Error != nil {
		return none, got.Error
	}
	m := got.Message
	header, err := nats.DecodeHeadersMsg(m.Header)
	if err != nil {
		header = nil // what cannot be read carries no header, as on delivery
	}
	id, fields := decodeHeader(header)
	told := events.Message{Subject: b.relative(m.Subject), Seq: m.Seq, ID: id, After: after(header), Time: m.Time, Header: fields, Data: m.Data}
	return found{told, isStray(header, m.Data)}, nil
}

// last returns the last message that matches the filter; its Seq is 0 when
// there is none.
func (b *Bus) last(ctx context.Context, filter string) (m found, err error) {
	stream, err := b.streamFor(filter)
	if err != nil {
		return m, err
	}
	err = b.ask(ctx, b.getSubject(stream), func(ctx context.Context, _ bool) (err error) {
		m, err = b.get(ctx, stream, map[string]any{"last_by_subj": b.subject(filter)})
		if codeOf(err) == server.JSNoMessageFoundErr {
			m, err = found{}, nil
		}
		return err
	})
	return m, err
}

// from returns the first message from a sequence on that matches the filter; its Seq is 0
// when there is none.
func (b *Bus) from(ctx context.Context, stream string, seq uint64, filter string) (m found, err error) {
	err = b.ask(ctx, b.getSubject(stream), func(ctx context.Context, _ bool) (err error) {
		m, err = b.get(ctx, stream, map[string]any{"seq": seq, "next_by_subj": b.subject(filter)})
		if codeOf(err) == server.JSNoMessageFoundErr {
			m, err = found{}, nil
		}
		return err
	})
	return m, err
}

// each yields the messages from a sequence on that match the filter, strays too: they are
// asked for one by one, without a consumer, of which a queue has its own.
func (b *Bus) each(ctx context.Context, stream string, seq uint64, filter string) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		for {
			m, err := b.from(ctx, stream, seq, filter)
			if err != nil {
				yield(m, err)
				return
			}
			if m.Seq == 0 || !yield(m, nil) {
				return
			}
			seq = m.Seq + 1
		}
	}
}
