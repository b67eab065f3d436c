package proposer

import (
	"context"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
)

// busyLog is a log to which an event is appended whenever somebody asks for its end:
// behind the answer, and before that is there.
type busyLog struct {
	events.Log
	last uint64
	saw  func(uint64)
}

func (l *busyLog) Info(context.Context, string) (events.StreamInfo, error) {
	answer := events.StreamInfo{Last: l.last}
	l.last++
	l.saw(l.last)
	return answer, nil
}

func (*busyLog) Follow(context.Context, uint64, ...string) iter.Seq2[events.Message, error] {
	return func(func(events.Message, error) bool) {}
}

type logBus struct {
	events.Bus
	log *busyLog
}

func (b logBus) Log() events.Log { return b.log }

// TestWhatIsStoredMeanwhileIsNoRollback asks for the end of a log that grows.
func TestWhatIsStoredMeanwhileIsNoRollback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, said := &busyLog{last: 7}, &strings.Builder{}
		p := &Proposer{Bus: logBus{log: log}, Logger: slog.New(slog.NewTextHandler(said, nil))}
		log.saw = p.saw
		ctx, cancel := context.WithTimeout(t.Context(), 10*roomEvery+time.Second)
		defer cancel()
		p.watchForRollback(ctx, 7)
		p.wg.Wait()
		if log.last < 15 || said.Len() > 0 {
			t.Errorf("asked %d times, and it said %q; want 8 at least, and nothing", log.last-7, said)
		}
	})
}
