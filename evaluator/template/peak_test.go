package template

import (
	"math"
	"testing"

	"apollo/evaluator/tech"
)

// What NVDLA draws when every multiplier works in every cycle and every port moves all
// that it can is near the peaks that its primer states, brought to 16 nm and 0.8 V: see
// docs/validation.md#power. The hottest layer of a network is far below them.
func TestAllUnitsAtOnceAreThePeaksOfNVDLA(t *testing.T) {
	t.Parallel()
	s := nvdlaSpec()
	k := declared(&s)
	n := tech.Node22()
	scale := tech.Switching(16, 0.8) / tech.Switching(n.NM, n.Volts)
	for _, c := range []struct{ macs, bufferKiB, gigabytes, milliwatts float64 }{
		{2048, 512, 20, 766}, {512, 256, 10, 210}, {128, 256, 2, 82},
	} {
		channels := math.Sqrt(c.macs / 2) // of the output; the array takes twice as many of the input
		m := k.machine([]int64{int64(2 * channels), int64(channels), int64(c.bufferKiB * kib), int64(2 * kib * channels), int64(c.gigabytes * 1e9)})
		buffer, sums, registers := &m.Arch.Level[1], &m.Arch.Level[2], &m.Arch.Level[3]
		const milli, sumBytes, picojoule = 1000, 4, 1e-12
		// Off-chip memory is no part of the chip.
		perCycle := float64(m.Units)*(m.Arch.MACPJ+registers.ReadPJ+registers.WritePJ) +
			float64(buffer.ReadRate)/milli*(buffer.ReadPJ+buffer.WritePJ) + channels*sumBytes*(sums.ReadPJ+sums.WritePJ)
		ours := milli * ((perCycle*picojoule*float64(m.ClockHz)+m.ClockW)*scale + m.LeakageW)
		t.Logf("%g MACs: %.0f mW, published %g (%+.0f %%)", c.macs, ours, c.milliwatts, 100*(ours/c.milliwatts-1))
		if ratio := ours / c.milliwatts; !(ratio > 0.8 && ratio < 1.25) {
			t.Errorf("%g MACs: %.0f mW, published are %g, want within 25 %%", c.macs, ours, c.milliwatts)
		}
	}
}
