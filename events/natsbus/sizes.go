package natsbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// MaxPayload returns the largest message that the connected server and the
// streams of the topology carry, headers included. A server without a limit of
// its own carries 1 MiB, the embedded one 8 MiB.
func (b *Bus) MaxPayload() int {
	return events.Carries(b.conf.Topology, int(b.nc.MaxPayload()))
}

// Count returns how many messages of one stream match the filter, by relative
// subject.
func (b *Bus) Count(ctx context.Context, filter string) (map[string]uint64, error) {
	name, err := b.streamFor(filter)
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	counts := map[string]uint64{}
	err = b.ask(ctx, anyOf(name), func(ctx context.Context, _ bool) error {
		stream, err := b.js.Stream(ctx, name)
		if err != nil {
			return err
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(b.subject(filter)))
		if err != nil {
			return err
		}
		clear(counts)
		for subject, n := range info.State.Subjects {
			counts[b.relative(subject)] = n
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", filter, err)
	}
	return counts, nil
}

// Remove deletes one message of the stream that holds the subject. One that is
// gone already is no mistake.
func (b *Bus) Remove(ctx context.Context, subject string, seq uint64) error {
	name, err := b.streamFor(subject)
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	if err := b.ask(ctx, anyOf(name), func(ctx context.Context, _ bool) error { return b.drop(ctx, name, seq) }); err != nil {
		return fmt.Errorf("remove %d of %s: %w", seq, subject, err)
	}
	return nil
}

// drop deletes one message unless it is gone. The client library tells one that
// is gone in words alone, so that it is looked for.
func (b *Bus) drop(ctx context.Context, stream string, seq uint64) error {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	err = s.DeleteMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if _, lookup := b.get(ctx, stream, map[string]any{"seq": seq}); codeOf(lookup) == server.JSNoMessageFoundErr {
			return nil
		}
	}
	return err
}
