package proposer

import (
	"log/slog"
	"testing"

	"apollo/services/servicestest"
)

// BenchmarkFold decodes a result and folds it into the study.
func BenchmarkFold(b *testing.B) {
	p := servicestest.NewPipe(b)
	o := &owner{machine: p.Machine, log: slog.New(slog.DiscardHandler)}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		p.Propose()
		_, m := p.Answer()
		b.StartTimer()
		if err := o.fold(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	p.PerTrial()
}
