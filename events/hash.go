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
		b = AppendValue(append(b, ' '), v)
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

// AppendValue appends a value of a design in the form that hashes are made of:
// a label in quotes, a number as strconv writes it with 'g' and -1.
func AppendValue(b []byte, v space.Value) []byte {
	if v.Label != "" {
		return strconv.AppendQuote(b, v.Label)
	}
	// Most parameters are small whole numbers; from 1e6 on 'g' has an exponent.
	if n := int64(v.Num); float64(n) == v.Num && n > 0 && n < 1e6 {
		return strconv.AppendInt(b, n, 10)
	}
	return strconv.AppendFloat(b, v.Num, 'g', -1, 64)
}
