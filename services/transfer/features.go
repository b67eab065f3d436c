package transfer

import (
	"fmt"
	"math"
	"slices"

	"apollo/evaluator/workload"
	"apollo/events"
)

// kinds group a network's operations for the features: what matters to an
// accelerator is where the multiplications are.
func kinds() []string {
	return []string{"conv", "pointwise", "depthwise", "gemm", "matmul", "rnn", "other"}
}

func kindOf(l *workload.Layer) string {
	switch l.Op {
	case workload.Conv, workload.GroupConv, workload.Deconv:
		if l.R == 1 && l.S == 1 {
			return "pointwise"
		}
		return "conv"
	case workload.DepthwiseConv:
		return "depthwise"
	case workload.GEMM:
		return "gemm"
	case workload.MatMul:
		return "matmul"
	case workload.RNN:
		return "rnn"
	}
	return "other"
}

// featureNames names the numbers of Features, in order. Those that begin with
// log are natural logarithms, shares lie in 0 to 1.
func featureNames() []string {
	names := []string{
		"log_macs", "log_weight_bytes", "log_activation_bytes", "log_peak_live_bytes", "log_max_layer_bytes",
		"log_macs_per_byte", "log_mean_k", "log_mean_c", "log_mean_pixels", "log_mean_window",
	}
	for _, k := range kinds() {
		names = append(names, "log_layers_"+k)
	}
	for _, k := range kinds() {
		names = append(names, "mac_share_"+k)
	}
	return names
}

// Features describes what a study's designs are measured on by statistics of
// its networks' layers: the weighted mean over the networks. All numbers are
// finite. It is nil when there is no network; the error is for a weight that is
// none, or that of find, which returns the layers of a network.
func Features(networks []events.Network, find func(events.Network) (*workload.Workload, error)) ([]float64, error) {
	if len(networks) == 0 {
		return nil, nil
	}
	out := make([]float64, len(featureNames()))
	total := 0.0
	for _, n := range networks {
		if total += n.Weight; !(n.Weight > 0) || math.IsInf(total, 0) {
			return nil, fmt.Errorf("network %s: its weight is %v", n.Name, n.Weight)
		}
	}
	for _, n := range networks {
		w, err := find(n)
		if err != nil {
			return nil, fmt.Errorf("network %s: %w", n.Name, err)
		}
		for i, v := range networkFeatures(w) {
			out[i] += v * n.Weight / total
		}
	}
	return out, nil
}

func networkFeatures(w *workload.Workload) []float64 {
	t := w.Totals()
	layers, macs := map[string]float64{}, map[string]float64{}
	activations := 0.0
	// Means over layers, weighted by their MACs: the layers that take the time.
	var k, c, pixels, window float64
	for i := range w.Layers {
		l := &w.Layers[i]
		m := float64(l.MACs())
		layers[kindOf(l)]++
		macs[kindOf(l)] += m
		activations += float64(l.OutputBytes(w.Precision))
		k += m * log1p(l.K)
		c += m * log1p(l.C)
		pixels += m * log1p(max(l.P*l.Q, l.M))
		window += m * log1p(l.R*l.S)
	}
	all := math.Max(float64(t.MACs), 1)
	out := []float64{
		math.Log(all), log1p(t.WeightBytes), math.Log1p(activations), log1p(t.PeakLiveBytes), log1p(t.MaxLayerBytes),
		math.Log(all / (1 + float64(t.WeightBytes) + activations)), k / all, c / all, pixels / all, window / all,
	}
	for _, kind := range kinds() {
		out = append(out, math.Log1p(layers[kind]))
	}
	for _, kind := range kinds() {
		out = append(out, macs[kind]/all)
	}
	return out
}

func log1p(n int64) float64 { return math.Log1p(float64(max(n, 0))) }

// workloadSimilarity is 1 for the same features and falls towards 0 with the
// root mean square of their differences: a factor of e between two networks'
// sizes halves it.
func workloadSimilarity(a, b []float64) float64 {
	if len(a) == 0 || len(a) != len(b) {
		return 0
	}
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Exp2(-math.Sqrt(sum / float64(len(a))))
}

func sameNetworks(a, b []events.Network) bool {
	return slices.EqualFunc(a, b, func(x, y events.Network) bool {
		return x.SHA256 == y.SHA256 && x.Weight == y.Weight && x.Accuracy == y.Accuracy
	})
}
