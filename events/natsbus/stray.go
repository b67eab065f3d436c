package natsbus

import (
	"bytes"
	"context"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// strayStarts are how the server's answers begin: to questions to JetStream, to what is
// published to a stream, and where that was refused.
var strayStarts = [][]byte{[]byte(`{"type":"io.nats.jetstream.api.`), []byte(`{"stream":"`), []byte(`{"error":{`)}

// isStray reports whether a stored message is an answer of the server. Who asks it something
// names the subject of the answer, and the server looks at no permissions there: whoever may
// ask anything can have an answer stored on any subject of ours. It carries nobody's word,
// so that readers and queues pass over it, and it stands in nobody's way.
func isStray(h nats.Header, data []byte) bool {
	if len(h) > 0 {
		return h.Get(statusHeader) != "" && h.Get(jetstream.MsgIDHeader) == ""
	}
	for _, start := range strayStarts {
		if bytes.HasPrefix(data, start) {
			return true
		}
	}
	return len(data) == 0
}

// found is a message that was asked for by itself.
type found struct {
	events.Message
	stray bool
}

// removeStrays takes the stray messages up to a sequence out of the log of a run, where they
// would stand between an event and the one before it that its fence names. It returns how
// many there were.
func (b *Bus) removeStrays(ctx context.Context, fence events.Fence, upTo uint64) (removed int, err error) {
	name, err := b.streamFor(fence.Filter)
	if err != nil {
		return 0, err
	}
	var stream jetstream.Stream
	err = b.ask(ctx, infoSubject(name), func(ctx context.Context, _ bool) (err error) {
		stream, err = b.js.Stream(ctx, name)
		return err
	})
	if err != nil {
		return 0, err
	}
	// A server that lost its end may have the stray before the fence.
	for m, err := range b.each(ctx, name, min(fence.Last+1, upTo), fence.Filter) {
		if err != nil {
			return removed, err
		}
		if m.Seq > upTo {
			break
		}
		if !m.stray {
			continue
		}
		err = b.ask(ctx, "$JS.API.STREAM.MSG.DELETE."+name, func(ctx context.Context, _ bool) error {
			if err := stream.DeleteMsg(ctx, m.Seq); classify(err) != absent {
				return err
			}
			return nil // another process was quicker
		})
		if err != nil {
			return removed, err
		}
		removed++
	}
	b.log.Warn("removed answers of the server that somebody directed into the log", "filter", fence.Filter, "answers", removed, "up_to", upTo)
	return removed, nil
}

// fact is the first message of a subject that is nobody's stray; its Seq is 0 when there is
// none.
func (p port) fact(ctx context.Context, subject string) (found, error) {
	for m, err := range p.Read(ctx, 0, subject) {
		return found{Message: m}, err
	}
	return found{}, nil
}

// repliesAside reports whether the answer to a question would go where answers are none: to
// a subject of ours or of the server.
func (b *Bus) repliesAside(reply string) bool {
	return strings.HasPrefix(reply, "$") || strings.HasPrefix(reply, b.subject(""))
}
