package edge

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"testing"
)

func TestExplore2(t *testing.T) {
	if os.Getenv("EXPLORE") == "" {
		t.Skip()
	}
	for _, name := range Networks() {
		b := boundTo(t, name)
		rng := rand.New(rand.NewPCG(1, 0))
		var sum [12]float64
		var cols [12][]float64
		n := 0
		s := &scratch{costs: make([]layerCost, len(b.shapes))}
		for range 20000 {
			c := randomChip(rng)
			if b.measure(&c, s) != nil {
				continue
			}
			n++
			var v [12]float64
			for i, y := range b.nets[0].layers {
				k, st := &s.costs[y.shape], &s.steps[i]
				m := max(k.compute, k.port, k.bus, k.link)
				v[0] += float64(k.compute)
				v[1] += float64(max(k.port-k.compute, 0))
				v[2] += float64(max(k.link-max(k.compute, k.port), 0))
				v[3] += float64(m - max(k.compute, k.port, k.link))
				v[4] += float64(k.ramp + k.tiles*TileCycles)
				v[5] += float64(st.bands * BandCycles)
				v[6] += float64(st.rolled * LoopCycles)
				v[7] += float64(st.spill) * milli / float64(s.machine.ioRate)
				v[8] += float64(max(st.io-st.onChip, 0))
				v[9] += float64(st.tiles)
				v[10] += float64(st.entries)
				v[11] += float64(st.cycles)
			}
			for i := range v {
				sum[i] += v[i]
				cols[i] = append(cols[i], v[i])
			}
		}
		fmt.Println(name, n)
		for i, w := range []string{"compute", "port", "link", "bus", "ramp+tile", "bands", "rolled", "spill", "io wait", "tiles", "entries", "total"} {
			sort.Float64s(cols[i])
			q := func(f float64) float64 { return cols[i][int(f*float64(n-1))] }
			fmt.Printf("  %-10s mean %9.0f  q10 %9.0f q50 %9.0f q90 %9.0f q99 %9.0f max %9.0f\n", w, sum[i]/float64(n), q(.1), q(.5), q(.9), q(.99), q(1))
		}
	}
}
