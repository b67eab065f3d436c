package membus_test

import (
	"testing"
	"time"

	"apollo/events/bustest"
	"apollo/events/membus"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(t *testing.T, opts bustest.Options) (func(string) bustest.Bus, func(bustest.Bus)) {
		t.Helper()
		hub := membus.New(membus.Config{Topology: opts.Topology, AckWait: 100 * time.Millisecond})
		return func(name string) bustest.Bus { return hub.Client(name) },
			func(b bustest.Bus) { b.(*membus.Client).Kill() }
	})
}
