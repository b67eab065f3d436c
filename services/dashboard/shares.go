package dashboard

import (
	"cmp"

	"apollo/services/draw"
)

// A picture of shares has so many windows of trials, and tells so many parts apart; what
// is left is the last one.
const (
	shareWindows = 60
	mostShares   = 8
)

// drawShares draws who proposed the trials, from the first to the last; nil where fewer
// than two finished, or one proposed all.
func (s *snapshot) drawShares() *picture {
	trials := s.ordered()
	if len(trials) < 2 || len(s.origins) < 2 {
		return nil
	}
	part := map[string]int{}
	c := &draw.Chart{Title: "Who proposed, over the trials", X: trialsAxis("trial"), Y: shareAxis("share")}
	var keys []key
	for i, o := range s.origins {
		at := min(i, mostShares-1)
		part[o.Code] = at
		switch {
		case i < mostShares-1 || len(s.origins) == mostShares:
			keys = append(keys, key{"part " + lineLook(at), o.Code})
		case i == mostShares-1:
			keys = append(keys, key{"part " + lineLook(at), "others"})
		}
	}
	first, last := trials[0].trial, trials[len(trials)-1].trial
	windows := min(shareWindows, last-first+1)
	counts, sums := make([][mostShares]int, windows), make([]int, windows)
	for i := range trials {
		at := (trials[i].trial - first) * windows / (last - first + 1)
		k, known := part[group(trials[i].origin)]
		if !known {
			k = mostShares - 1 // counted as otherKinds
		}
		counts[at][k]++
		sums[at]++
	}
	width := float64(last+1-first) / float64(windows)
	for at, sum := range sums {
		left, below := float64(first)+float64(at)*width, 0.0
		for k, n := range counts[at] {
			if n == 0 {
				continue
			}
			of := 100 * float64(n) / float64(cmp.Or(sum, 1))
			c.Rects = append(c.Rects, draw.Rect{X0: left, X1: left + width, Y0: below, Y1: below + of, Class: "share " + lineLook(k)})
			below += of
		}
	}
	p := pictured(c)
	if p != nil {
		p.Keys = keys
	}
	return p
}
