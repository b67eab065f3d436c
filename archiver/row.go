package archiver

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"apollo/events"
	"apollo/optimizer/space"
)

// Row is one trial of the log: what was tried, who proposed it, what came of
// it. (Study, Run, Trial) is its key.
type Row struct {
	// Columns name the numbers of Design and Values. Rows of one file share it.
	Columns *Columns

	Study string
	Run   string
	Trial int64
	Batch int64

	// Design holds one value per parameter. A number that the file does not
	// have is NaN.
	Design []space.Value
	// Values holds one number per metric, in the metric's unit; NaN where
	// nothing was measured.
	Values []float64

	// Outcome is measured, infeasible, failed or stopped.
	Outcome string
	// Feasible says that the trial was measured and keeps every rule and
	// constraint of its own study.
	Feasible bool
	// Reason says why it is not feasible; nil when it is.
	Reason *events.Reason

	// Attempts is how often the evaluation was tried.
	Attempts int64
	// LastError is that of the last attempt that failed, which another may have
	// followed; empty when none failed.
	LastError events.LastError
	// Origin says who proposed the design: a strategy, "seed:<study>/<trial>"
	// or "reuse:<trial>".
	Origin string
	// Parents are the trials that the design was derived from.
	Parents []int64
	// ObservedThrough is the sequence of the last result that the proposal
	// knew; 0 when the study's order is strict.
	ObservedThrough uint64

	Evaluator        string
	EvaluatorVersion string
	// EvaluatorProgram is the digest of a user's program (events.Identity).
	EvaluatorProgram string
	// Worker is the process that measured, host/pid; "" for a reused answer.
	Worker       string
	DesignHash   string
	WorkloadHash string

	// Start and End are by the evaluator's clock, to the microsecond, UTC;
	// the zero time when unknown. No logic rests on them.
	Start, End time.Time
	// Seconds is the duration of the evaluation by a monotonic clock.
	Seconds float64

	// StreamSeq is the sequence of the result in its stream.
	StreamSeq uint64
	TraceID   string
	// Extra is a JSON object of what the evaluator said beside the metrics.
	Extra string
	// Intermediate is a JSON object of the values that the evaluation reported
	// before its answer (events.Curve).
	Intermediate string
}

// Key returns what identifies the row.
func (r *Row) Key() Key { return Key{Study: r.Study, Run: r.Run, Trial: r.Trial} }

// Param returns the value of the parameter called name.
func (r *Row) Param(name string) (space.Value, bool) {
	for i, p := range r.Columns.Parameters {
		if p.Name == name {
			return r.Design[i], true
		}
	}
	return space.Value{}, false
}

// Metric returns the value of the metric called name, or NaN.
func (r *Row) Metric(name string) float64 {
	for i, m := range r.Columns.Metrics {
		if m.Name == name {
			return r.Values[i]
		}
	}
	return math.NaN()
}

// Key identifies a trial.
type Key struct {
	Study string
	Run   string
	Trial int64
}

// Compare orders keys by study, run and trial.
func (k Key) Compare(o Key) int {
	if c := strings.Compare(k.Study, o.Study); c != 0 {
		return c
	}
	if c := strings.Compare(k.Run, o.Run); c != 0 {
		return c
	}
	switch {
	case k.Trial < o.Trial:
		return -1
	case k.Trial > o.Trial:
		return 1
	}
	return 0
}

// hashDigits is the length of the short hashes in the log: 64 bits, so that
// the first collision is to be expected after some 4e9 designs.
const hashDigits = 16

// DesignHash identifies a design by its parameters' names and values, across
// studies, in 16 hex digits.
func DesignHash(params []events.Parameter, design []space.Value) string {
	buf := make([]byte, 0, 256)
	for i, v := range design {
		buf = append(buf, params[i].Name...)
		buf = append(buf, '=')
		buf = append(events.AppendValue(buf, v), '\n')
	}
	return shortHash(buf)
}

// WorkloadHash identifies the networks and weights that a study measures, in
// 16 hex digits; "" when it names no network.
func WorkloadHash(networks []events.Network) string {
	if len(networks) == 0 {
		return ""
	}
	var buf []byte
	for _, n := range networks {
		buf = append(append(append(append(buf, n.Name...), ' '), n.SHA256...), ' ')
		buf = append(strconv.AppendFloat(buf, n.Weight, 'g', -1, 64), '\n')
	}
	return shortHash(buf)
}

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	var digits [hashDigits]byte
	hex.Encode(digits[:], sum[:hashDigits/2])
	return string(digits[:])
}

// size estimates the memory of a row in bytes, for the flush limit.
func (r *Row) size() int {
	n := 400 + len(r.LastError.Message) + 24*len(r.Design) + 8*len(r.Values) + 8*len(r.Parents) + len(r.Extra) + len(r.Intermediate)
	if r.Reason != nil {
		n += 96 + len(r.Reason.Message)
	}
	return n
}
