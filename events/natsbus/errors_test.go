package natsbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// TestEveryServerErrorIsClassified walks the server's own table: an upgrade
// that brings a new error fails here until someone has decided what it means.
func TestEveryServerErrorIsClassified(t *testing.T) {
	t.Parallel()
	if len(server.ApiErrors) < 200 {
		t.Fatalf("the server's table has %d errors: is it the whole one?", len(server.ApiErrors))
	}
	for _, id := range slices.Sorted(maps.Keys(server.ApiErrors)) {
		e := server.ApiErrors[id]
		c, known := classOf(jetstream.ErrorCode(id))
		if !known {
			t.Errorf("error %d (%s) has no class: give it one in errors.go", id, e.Description)
		}
		if c != refused && isRefusal(id) {
			t.Errorf("error %d (%s) is refused and %d", id, e.Description, c)
		}
		if id == server.JSStreamStoreFailedF {
			continue // its text decides
		}
		answer := fmt.Errorf("publish: %w", &jetstream.APIError{Code: e.Code, ErrorCode: jetstream.ErrorCode(id), Description: e.Description})
		if got := classify(answer); got != c {
			t.Errorf("error %d (%s): classify = %d, want %d", id, e.Description, got, c)
		}
	}
	if _, known := classOf(1); known {
		t.Error("a code that no server has is known")
	}
}

// TestPassingErrors holds what may not end a study: each was seen, or is what
// a server says that elects, starts, stops or is slow.
func TestPassingErrors(t *testing.T) {
	t.Parallel()
	for _, code := range []server.ErrorIdentifier{
		10158, // a first attempt is still in process: the leader was frozen
		10008, 10009, 10004, 10118, 10119, 10163, 10167,
	} {
		if c, _ := classOf(jetstream.ErrorCode(code)); c != passing {
			t.Errorf("error %d has class %d, want passing", code, c)
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	answer := func(code int, id server.ErrorIdentifier, text string) error {
		return &jetstream.APIError{Code: code, ErrorCode: jetstream.ErrorCode(id), Description: text}
	}
	for _, c := range []struct {
		name string
		err  error
		want class
	}{
		{"a full stream", answer(503, server.JSStreamStoreFailedF, "maximum bytes exceeded"), full},
		{"too many messages", answer(503, server.JSStreamStoreFailedF, "maximum messages exceeded"), full},
		{"too large for the store", answer(503, server.JSStreamStoreFailedF, "message too large"), oversized},
		{"a store that closes", answer(503, server.JSStreamStoreFailedF, "store is closed"), passing},
		{"a later server, at fault", answer(503, 19999, "what is this"), passing},
		{"a later server, too busy", answer(429, 19999, "slow down"), passing},
		{"a later server, our fault", answer(400, 19999, "what is this"), refused},
		{"no stream", jetstream.ErrStreamNotFound, absent},
		{"no JetStream", jetstream.ErrJetStreamNotEnabled, disabled},
		{"no room for a consumer", placed(answer(503, server.JSInsufficientResourcesErr, "insufficient resources")), passing},
		{"a consumer that is deleted at this moment", placed(answer(400, server.JSConsumerDoesNotExist, "consumer does not exist")), passing},
		{"no room for a stream", answer(503, server.JSInsufficientResourcesErr, "insufficient resources"), full},
		{"no answer", jetstream.ErrNoStreamResponse, passing},
		{"a broken connection", &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", errors.New("broken pipe"))}, passing},
		{"a connection through memory that ended", io.ErrClosedPipe, passing},
		{"a time-out", context.DeadlineExceeded, passing},
		{"an answer that is none", jetstream.ErrInvalidJSAck, passing},
		{"wrapped", fmt.Errorf("publish: %w: %w", events.ErrUnreachable, nats.ErrTimeout), passing},
		{"a denied subject", fmt.Errorf("%w: %w", events.ErrDenied, nats.ErrPermissionViolation), denied},
		{"a connection that was closed", nats.ErrConnectionClosed, closed},
		{"too large for the server", nats.ErrMaxPayload, oversized},
		{"a subject that is none", nats.ErrBadSubject, refused},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("%s (%v): class %d, want %d", c.name, c.err, got, c.want)
		}
	}
}

// TestInterruptedAtItsLimit loses the connection just before an attempt reaches
// its limit, on a machine that is too busy to notice in between: it is asked
// again. It paused a study.
func TestInterruptedAtItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{conf: Config{Patience: time.Minute}, attempts: map[*attempt]bool{}}
		err := b.attempt(t.Context(), "x", time.Second, func(ctx context.Context) error {
			b.interrupt(nats.ErrDisconnected, func(*attempt) bool { return true })
			time.Sleep(2 * time.Second)
			return ctx.Err()
		})
		if !errors.Is(err, nats.ErrDisconnected) || classify(err) != passing {
			t.Errorf("the attempt ended with %v, class %d, want that the server is disconnected, class %d", err, classify(err), passing)
		}
	})
}
