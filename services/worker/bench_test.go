package worker

import (
	"context"
	"log/slog"
	"testing"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/servicestest"
)

// lastFact keeps the last result that was recorded.
type lastFact struct {
	events.Facts
	last events.Message
}

func (f *lastFact) Record(_ context.Context, m events.Message) (uint64, error) {
	m.Seq = f.last.Seq + 1
	f.last = m
	return m.Seq, nil
}

type factBus struct {
	events.Bus
	facts lastFact
}

func (b *factBus) Facts() events.Facts { return &b.facts }

func (*factBus) MaxPayload() int { return 1 << 20 }

// BenchmarkAnswer decodes a work item, evaluates and encodes the result: what
// an evaluator does with a batch besides measuring and talking to the bus.
func BenchmarkAnswer(b *testing.B) {
	p := servicestest.NewPipe(b)
	e := &Evaluator{
		Bus: &factBus{}, Name: "fake", Backend: servicestest.Instant{}, Worker: "bench/1", Logger: slog.New(slog.DiscardHandler), bound: map[string]binding{},
		live: map[messages.RunKey]bool{{Study: "bench", Run: servicestest.Run}: true},
	}
	_, work := p.Propose()
	b.ReportAllocs()
	for b.Loop() {
		if err := e.answer(b.Context(), work); err != nil {
			b.Fatal(err)
		}
	}
	p.PerTrial()
}
