package template

import (
	"math/rand/v2"
	"testing"
	"time"

	"apollo/evaluator/model"
)

// BenchmarkFind maps a layer; one operation is one layer of MobileNetV2 or
// ResNet-50 on the baseline.
func BenchmarkFind(b *testing.B) {
	list := distinct(layers(b, "mobilenet_v2", "resnet50_v1"))
	for _, s := range Specs() {
		b.Run(s.Name, func(b *testing.B) {
			m := declared(&s).machine(baselineOf(&s))
			var found model.Mapping
			i := 0
			for b.Loop() {
				m.Flow.Find(&list[i%len(list)], leastTime(), &found)
				i++
			}
		})
	}
}

// BenchmarkColdSearch prints the table of docs/model.md: the least time of several turns for each
// layer, which what else the machine does hardly changes. Run it with -benchtime 1x -cpu 1.
func BenchmarkColdSearch(b *testing.B) {
	const turns, designs = 25, 40
	both, mobile := distinct(layers(b, "mobilenet_v2", "resnet50_v1")), distinct(layers(b, "mobilenet_v2"))
	for _, s := range Specs() {
		b.Run(s.Name, func(b *testing.B) {
			for range b.N {
				m := declared(&s).machine(baselineOf(&s))
				b.ReportMetric(float64(leastSearch(&m, both, turns).Nanoseconds())/1e3/float64(len(both)), "us/layer")
				b.ReportMetric(leastSearch(&m, mobile, turns).Seconds()*1e3, "ms/mobilenet")
				rng, sum, worst := rand.New(rand.NewPCG(5, 0)), time.Duration(0), time.Duration(0)
				for range designs {
					m := declared(&s).machine(draw(rng, &s))
					t := leastSearch(&m, mobile, turns)
					sum, worst = sum+t, max(worst, t)
				}
				b.ReportMetric(sum.Seconds()*1e3/designs, "ms/random")
				b.ReportMetric(worst.Seconds()*1e3, "ms/worst")
			}
		})
	}
}

// leastSearch returns the sum of the least times that a search of each layer took.
func leastSearch(m *Machine, list []model.Problem, turns int) (sum time.Duration) {
	var found model.Mapping
	for i := range list {
		least := time.Hour
		for range turns {
			start := time.Now()
			m.Flow.Find(&list[i], leastTime(), &found)
			least = min(least, time.Since(start))
		}
		sum += least
	}
	return sum
}
