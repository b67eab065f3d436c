package workload

import (
	"fmt"
	"strconv"
	"strings"
)

// Sparsity says which weights are zero. Of every block of Of weights along the
// input channels at most Keep are others; or, where Of is 0, a share Density of all
// weights, anywhere. The zero value means that all count.
type Sparsity struct {
	Keep, Of int64
	Density  float64
}

// maxBlock bounds a block of weights; chosen: published ones have up to 16.
const maxBlock = 32

// ParseSparsity reads "2:4", two of four weights, or a density, "0.5".
func ParseSparsity(text string) (s Sparsity, err error) {
	if text == "" {
		return s, nil
	}
	wrong := fmt.Errorf("sparsity is %q, want N:M, as in 2:4, with 1 <= N <= M <= %d, or the share of weights that are not zero, as in 0.5", text, maxBlock)
	keep, of, blocks := strings.Cut(text, ":")
	if !blocks {
		s.Density, err = strconv.ParseFloat(text, 64)
		if err != nil || !(s.Density > 0 && s.Density <= 1) {
			return Sparsity{}, wrong
		}
		return s, nil
	}
	n, err1 := strconv.ParseInt(keep, 10, 64)
	m, err2 := strconv.ParseInt(of, 10, 64)
	if err1 != nil || err2 != nil || n < 1 || n > m || m > maxBlock {
		return Sparsity{}, wrong
	}
	return Sparsity{Keep: n, Of: m}, nil
}

// Blocks reports whether blocks of weights are sparse.
func (s Sparsity) Blocks() bool { return s.Of > 0 }

// Kept returns how many of n weights along the input channels are stored.
func (s Sparsity) Kept(n int64) int64 { return n/s.Of*s.Keep + min(n%s.Of, s.Keep) }

// Sparsity returns that of a layer in a network of precision p, which is valid. A
// layer with fewer input channels than a block has is dense, as is one without
// weights.
func (l *Layer) Sparsity(p Precision) Sparsity {
	if !l.Op.HasWeights() {
		return Sparsity{}
	}
	s, err := ParseSparsity(p.Sparsity)
	if err != nil || l.C < s.Of {
		return Sparsity{}
	}
	return s
}
