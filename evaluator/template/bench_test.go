package template

import (
	"testing"

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
