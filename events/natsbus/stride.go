package natsbus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// strideMessages is how many messages a stride has at most.
const strideMessages = 500

// strides pulls what a consumer has, stride by stride. It speaks the pull protocol itself:
// the client library has no pull that ends at once and is bounded in bytes.
type strides struct {
	*reader
	sub       *nats.Subscription
	inbox     string // of all strides: the number of each follows
	next      string // where the server is asked for a stride
	request   []byte
	number    int
	delivered uint64
}

// stride reads with one consumer until the end, or until the consumer is lost.
func (r *reader) stride(ctx context.Context, c jetstream.Consumer, yield func(events.Message, error) bool) error {
	request, err := json.Marshal(map[string]any{"batch": strideMessages, "max_bytes": pullBytes, "no_wait": true})
	if err != nil {
		return err
	}
	inbox := r.bus.nc.NewInbox()
	sub, err := r.bus.nc.SubscribeSync(inbox + ".*")
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // where the connection is lost, so is the inbox
	s := strides{reader: r, sub: sub, inbox: inbox, next: "$JS.API.CONSUMER.MSG.NEXT." + r.stream + "." + c.CachedInfo().Name, request: request}
	for {
		left, err := s.take(ctx, yield)
		if err != nil {
			return err
		}
		rested := time.Now()
		if r.rest(ctx, left) != nil {
			return errEnd
		}
		if time.Since(rested) > inactive/2 {
			return errGap // the server has forgotten the consumer, or is about to
		}
	}
}

// take yields a stride, and returns how many messages are left.
func (s *strides) take(ctx context.Context, yield func(events.Message, error) bool) (left uint64, err error) {
	s.number++
	here := fmt.Sprint(s.inbox, ".", s.number)
	if err := s.bus.nc.PublishRequest(s.next, here, s.request); err != nil {
		return 0, err
	}
	for taken := 0; taken < strideMessages; {
		m, err := s.message(ctx)
		if err != nil {
			return 0, err
		}
		if !strings.HasPrefix(m.Reply, ackSubjects) {
			if m.Subject != here {
				continue // the end of the stride before: its messages were all there already
			}
			return left, ended(m)
		}
		taken++
		meta, err := m.Metadata()
		if err != nil {
			return 0, err
		}
		if s.delivered++; meta.Sequence.Consumer != s.delivered {
			return 0, errGap
		}
		left = meta.NumPending
		if meta.Sequence.Stream < s.reader.next {
			continue
		}
		s.reader.next = meta.Sequence.Stream + 1
		if got := s.decode(m.Subject, m.Header, m.Data, meta.Sequence.Stream, meta.Timestamp); s.matches(got.Subject) && !isStray(m.Header, m.Data) && !yield(got, nil) {
			return 0, errEnd
		}
	}
	return left, nil
}

// message waits for what the server sends at once: the next message, or that there is none.
func (s *strides) message(ctx context.Context) (*nats.Msg, error) {
	limited, cancel := context.WithTimeout(ctx, firstAttempt)
	defer cancel()
	return s.sub.NextMsgWithContext(limited)
}

// ended says whether a stride ended as it should: there are no more messages, or its bytes
// are full.
func ended(m *nats.Msg) error {
	switch status := m.Header.Get(statusHeader); {
	case status == statusNone, status == statusTimeout, status == statusChanged && m.Header.Get(pendingHeader) != "":
		return nil
	default:
		return fmt.Errorf("%w: status %s %s", errGap, status, m.Header.Get(descHeader))
	}
}
