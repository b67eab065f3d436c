package main

import "math"

// agreement says how far two values order the same designs alike.
type agreement struct {
	Metric string `json:"metric"`
	Method string `json:"method"` // "kendall_tau_b"
	// Tau is 1 for the same order, -1 for the reverse; null where one of the two says
	// the same of all designs, or there are fewer than two.
	Tau *float64 `json:"tau"`
	// Designs are those that both measured. Of their pairs, Same and Reversed are in
	// the same and in the other order, and Ties are equal for at least one.
	Designs  int `json:"designs"`
	Same     int `json:"pairs_same"`
	Reversed int `json:"pairs_reversed"`
	Ties     int `json:"pairs_tied"`
	// Chance is the probability that designs in a random order agree at least as well;
	// Holds, that it is at most 1 in 20.
	Chance *float64 `json:"chance"`
	Holds  bool     `json:"holds"`
}

// mostChance is how likely chance may get as far where an order holds: the usual
// 5 %.
const mostChance = 0.05

// kendall compares two orders of the same designs (M. Kendall, Rank Correlation
// Methods, 1948: tau-b, and the distributions under independence).
func kendall(metric string, a, b []float64) agreement {
	r := agreement{Metric: metric, Method: "kendall_tau_b", Designs: len(a)}
	var tiedA, tiedB int
	for i := range a {
		for k := range i {
			switch d := (a[i] - a[k]) * (b[i] - b[k]); {
			case a[i] == a[k] || b[i] == b[k]:
				r.Ties++
			case d > 0:
				r.Same++
			default:
				r.Reversed++
			}
			if a[i] == a[k] {
				tiedA++
			}
			if b[i] == b[k] {
				tiedB++
			}
		}
	}
	n := float64(len(a))
	pairs := n * (n - 1) / 2
	if room := math.Sqrt((pairs - float64(tiedA)) * (pairs - float64(tiedB))); room > 0 {
		tau := float64(r.Same-r.Reversed) / room
		chance := byChance(len(a), r.Reversed)
		if r.Ties > 0 {
			chance = byChanceTied(a, b, float64(r.Same-r.Reversed))
		}
		r.Tau, r.Chance, r.Holds = &tau, &chance, tau > 0 && chance <= mostChance
	}
	return r
}

// byChance is the probability that a random order of n designs has at most so many
// reversed pairs: the k-th design adds 0 to k of them, all equally likely.
func byChance(n, reversed int) float64 {
	probability := []float64{1}
	for k := 1; k < n; k++ {
		next := make([]float64, len(probability)+k)
		for i, p := range probability {
			for add := 0; add <= k; add++ {
				next[i+add] += p / float64(k+1)
			}
		}
		probability = next
	}
	sum := 0.0
	for _, p := range probability[:reversed+1] {
		sum += p
	}
	return min(1, sum)
}

// byChanceTied is the same where designs are equal, by the normal distribution with
// the variance of ties. score is the pairs in the same order less the reversed ones.
func byChanceTied(a, b []float64, score float64) float64 {
	n := float64(len(a))
	groups := func(values []float64) (all []float64) {
		count := map[float64]float64{}
		for _, v := range values {
			count[v]++
		}
		for _, v := range values { // in order: sums of floats depend on it
			if count[v] > 1 {
				all = append(all, count[v])
			}
			delete(count, v)
		}
		return all
	}
	sum := func(groups []float64, f func(t float64) float64) (s float64) {
		for _, t := range groups {
			s += f(t)
		}
		return s
	}
	spread := func(t float64) float64 { return t * (t - 1) * (2*t + 5) }
	two := func(t float64) float64 { return t * (t - 1) }
	three := func(t float64) float64 { return t * (t - 1) * (t - 2) }
	ga, gb := groups(a), groups(b)
	variance := (spread(n)-sum(ga, spread)-sum(gb, spread))/18 + sum(ga, two)*sum(gb, two)/(2*n*(n-1))
	if n > 2 {
		variance += sum(ga, three) * sum(gb, three) / (9 * n * (n - 1) * (n - 2))
	}
	if variance <= 0 {
		return 1
	}
	return math.Erfc((score-1)/math.Sqrt(2*variance)) / 2 // a score is whole: from half a step of 2 below
}
