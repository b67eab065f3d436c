package proposer

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

// letterLog is a log whose dead letters come from a channel: one without a subject ends
// whoever follows them.
type letterLog struct {
	events.Log
	asked   int
	from    uint64
	letters chan events.Message
}

var errAway = errors.New("the bus is away")

func (l *letterLog) Info(context.Context, string) (events.StreamInfo, error) {
	if l.asked++; l.asked == 1 {
		return events.StreamInfo{}, errAway
	}
	return events.StreamInfo{Last: 7}, nil
}

func (l *letterLog) Follow(ctx context.Context, from uint64, _ ...string) iter.Seq2[events.Message, error] {
	l.from = from
	return func(yield func(events.Message, error) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-l.letters:
				if m.Subject == "" {
					yield(m, errAway)
					return
				}
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

type letterBus struct {
	events.Bus
	log *letterLog
}

func (b letterBus) Log() events.Log { return b.log }

// One for all owners follows the dead letters: each hears of those about its study, and of
// any that may have come while nobody followed them.
func TestOwnersHearOfTheirLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &letterLog{letters: make(chan events.Message)}
		p := &Proposer{Bus: letterBus{log: log}, Logger: slog.New(slog.DiscardHandler), owners: map[messages.RunKey]*owner{}}
		for _, study := range []string{"a", "b"} {
			p.owners[messages.RunKey{Study: study, Run: "r"}] = &owner{lettered: make(chan struct{}, 1)}
		}
		ctx, cancel := context.WithCancel(t.Context())
		p.wg.Go(func() { p.watchLetters(ctx) })
		want := func(when string, a, b bool) {
			t.Helper()
			synctest.Wait()
			for study, heard := range map[string]bool{"a": a, "b": b} {
				select {
				case <-p.owners[messages.RunKey{Study: study, Run: "r"}].lettered:
					if !heard {
						t.Errorf("%s: the owner of %s hears of letters", when, study)
					}
				default:
					if heard {
						t.Errorf("%s: the owner of %s hears of no letter", when, study)
					}
				}
			}
		}
		want("while the bus is away", false, false)
		time.Sleep(2 * messages.RetryFirst)
		want("once it is there", true, true)
		if log.from != 8 {
			t.Errorf("letters are followed from %d, want 8", log.from)
		}
		log.letters <- events.Message{Subject: events.DeadLetterSubject("evaluator", "a")}
		want("a letter about a", true, false)
		log.letters <- events.Message{}
		time.Sleep(2 * messages.RetryFirst)
		want("after the bus was away", true, true)
		cancel()
		p.wg.Wait()
	})
}
