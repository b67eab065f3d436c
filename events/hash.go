package events

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"math"
	"strconv"

	"apollo/optimizer/space"
)

// TrialHash is the identity of a study's trials: designs, outcomes, metrics
// and order, without times, names of workers or reasons. Two runs with the
// same hash tried the same designs in the same order with the same answers.
// The values are those that ValidateResult returns: one per metric, NaN where
// there is none.
type TrialHash struct {
	h   hash.Hash
	buf []byte
}

// NewTrialHash returns the hash of no trial.
func NewTrialHash() *TrialHash { return &TrialHash{h: sha256.New()} }

// Add adds the next trial. Trials are added in the order of their numbers.
func (t *TrialHash) Add(trial int, design []space.Value, outcome string, values []float64) {
	b := strconv.AppendInt(t.buf[:0], int64(trial), 10)
	for _, v := range design {
		b = append(b, ' ')
		if v.Label != "" {
			b = strconv.AppendQuote(b, v.Label)
			continue
		}
		b = strconv.AppendFloat(b, v.Num, 'g', -1, 64)
	}
	b = append(append(b, ' '), outcome...)
	for _, v := range values {
		b = append(b, ' ')
		if math.IsNaN(v) {
			b = append(b, '-')
			continue
		}
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	b = append(b, '\n')
	t.h.Write(b)
	t.buf = b
}

// String returns the hash of all trials so far, 64 hex digits.
func (t *TrialHash) String() string { return hex.EncodeToString(t.h.Sum(nil)) }
