package transfer

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// BenchmarkAddMillion learns from a source of a million trials and reports the
// largest live heap that it saw: what is kept does not grow with the source.
func BenchmarkAddMillion(b *testing.B) {
	limit := 800.0
	spec := targetSpec(wide)
	spec.Constraints[0].Max = &limit
	const n = 1_000_000
	for b.Loop() {
		stop, peak := watchHeap()
		if _, _, pins, err := add(b, spec, manyTrials(n)); err != nil || pins[0].Trials != n {
			b.Fatal(pins, err)
		}
		close(stop)
		b.ReportMetric(<-peak, "peak-MB")
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// watchHeap samples the live heap until it is told to stop.
func watchHeap() (stop chan struct{}, peak chan float64) {
	stop, peak = make(chan struct{}), make(chan float64, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		largest := uint64(0)
		var m runtime.MemStats
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			largest = max(largest, m.HeapAlloc)
			select {
			case <-stop:
				peak <- float64(largest) / 1e6
				return
			case <-tick.C:
			}
		}
	})
	return stop, peak
}
