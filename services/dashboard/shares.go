package dashboard

import (
	"cmp"

	"apollo/services/cli"
)

// A picture of shares has so many windows of trials, and tells so many parts apart; what
// is left is the last one.
const (
	shareWindows = 60
	mostShares   = 8
)

// share is a part of a window of trials.
type share struct {
	X, Y, Width, Height float64
	Index               int
}

// drawShares draws who proposed the trials, from the first to the last; nil where fewer
// than two finished, or one proposed all.
func (s *snapshot) drawShares() *picture {
	trials := s.ordered()
	if len(trials) < 2 || len(s.origins) < 2 {
		return nil
	}
	part := map[string]int{}
	p := &picture{Title: "Who proposed, over the trials", XTitle: "trial"}
	for i, o := range s.origins {
		at := min(i, mostShares-1)
		part[o.Code] = at
		switch {
		case i < mostShares-1 || len(s.origins) == mostShares:
			p.Parts = append(p.Parts, line{Index: at, Name: o.Code})
		case i == mostShares-1:
			p.Parts = append(p.Parts, line{Index: at, Name: "others"})
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
	x, y := axis{low: float64(first), high: float64(last + 1), from: frameLeft, to: frameRight}, axis{low: 0, high: 100, from: frameBottom, to: frameTop}
	p.ticks(&x, &y, func(v float64) string { return cli.Count(int(v)) }, func(v float64) string { return cli.Significant(v) + " %" })
	width := float64(last+1-first) / float64(windows)
	for at, sum := range sums {
		left, below := x.at(float64(first)+float64(at)*width), 0.0
		for k, n := range counts[at] {
			if n == 0 {
				continue
			}
			of := 100 * float64(n) / float64(cmp.Or(sum, 1))
			top, foot := y.at(below+of), y.at(below)
			p.Shares = append(p.Shares, share{left, top, round(x.at(float64(first)+float64(at+1)*width) - left), round(foot - top), k})
			below += of
		}
	}
	return p
}
