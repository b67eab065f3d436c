package natsbus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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
	var first rawMessage
	for _, f := range r.filters {
		var got rawMessage
		err := r.bus.attempt(ctx, "", false, func(ctx context.Context, _ bool) (err error) {
			got, err = r.get(ctx, f)
			return err
		})
		if codeOf(err) == codeNoMessage {
			continue
		}
		if err != nil {
			return false, err
		}
		if first.Message.Seq == 0 || got.Message.Seq < first.Message.Seq {
			first = got
		}
	}
	m := first.Message
	if m.Seq == 0 || m.Seq > r.last {
		return false, nil
	}
	r.next = m.Seq + 1
	header, err := nats.DecodeHeadersMsg(m.Header)
	if err != nil {
		header = nil // what cannot be read carries no header, as on delivery
	}
	id, fields := decodeHeader(header)
	if !yield(events.Message{Subject: r.bus.relative(m.Subject), Seq: m.Seq, ID: id, Time: m.Time, Header: fields, Data: m.Data}, nil) {
		return false, errEnd
	}
	return true, nil
}

// get asks for the first message from next on that matches the filter.
func (r *reader) get(ctx context.Context, filter string) (got rawMessage, err error) {
	request, err := json.Marshal(map[string]any{"seq": r.next, "next_by_subj": r.bus.subject(filter)})
	if err != nil {
		return got, err
	}
	reply, err := r.bus.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+r.stream, request)
	if err != nil {
		return got, err
	}
	if err := json.Unmarshal(reply.Data, &got); err != nil {
		return got, fmt.Errorf("the server's answer: %w", err)
	}
	if got.Error != nil {
		return got, got.Error
	}
	return got, nil
}
