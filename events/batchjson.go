package events

import (
	"slices"

	"apollo/optimizer/space"
)

// The three types that carry designs are read by hand, see reader.

func decodeBatchRequested(r *reader) Payload {
	var v BatchRequested
	start := r.i
	r.object(func(key []byte) {
		switch string(key) {
		case "study":
			v.Study = r.str()
		case "run":
			v.Run = r.str()
		case "batch":
			v.Batch = r.int()
		case "evaluator":
			v.Evaluator = r.str()
		case "identity":
			v.Identity = r.identity()
		case "template":
			v.Template = r.str()
		case "networks":
			r.std(&v.Networks)
		case "metrics":
			r.std(&v.Metrics)
		case "timeout_seconds":
			v.TimeoutSeconds = r.float()
		case "attempts":
			v.Attempts = r.int()
		case "parameters":
			v.Parameters = list(r, v.Parameters[:0], (*reader).column)
		case "trials":
			v.Trials = list(r, v.Trials[:0], (*reader).int)
		case "designs":
			v.Designs = r.designs()
		default:
			r.skip()
		}
	})
	if len(v.Trials) != len(v.Designs) {
		r.failAt(start, "%d trials for %d designs", len(v.Trials), len(v.Designs))
	}
	for i, d := range v.Designs {
		if len(d) != len(v.Parameters) {
			r.failAt(start, "design %d has %d values for %d parameters", i, len(d), len(v.Parameters))
			break
		}
	}
	return v
}

func (r *reader) identity() *Identity {
	if r.null() {
		return nil
	}
	v := &Identity{}
	r.object(func(key []byte) {
		switch string(key) {
		case "version":
			v.Version = r.word()
		case "program":
			v.Program = r.word()
		default:
			r.skip()
		}
	})
	return v
}

func (r *reader) column() (c Column) {
	r.object(func(key []byte) {
		switch string(key) {
		case "name":
			c.Name = r.str()
		case "unit":
			c.Unit = r.str()
		default:
			r.skip()
		}
	})
	return c
}

func decodeBatchEvaluated(r *reader) Payload {
	var v BatchEvaluated
	r.object(func(key []byte) {
		switch string(key) {
		case "study":
			v.Study = r.str()
		case "run":
			v.Run = r.str()
		case "batch":
			v.Batch = r.int()
		case "evaluator":
			v.Evaluator = r.str()
		case "evaluator_version":
			v.EvaluatorVersion = r.word()
		case "program":
			v.Program = r.word()
		case "worker":
			v.Worker = r.str()
		case "metrics":
			v.Metrics = list(r, v.Metrics[:0], (*reader).str)
		case "trials":
			v.Trials = r.results()
		default:
			r.skip()
		}
	})
	return v
}

func decodeTrialsProposed(r *reader) Payload {
	var v TrialsProposed
	start := r.i
	r.object(func(key []byte) {
		switch string(key) {
		case "study":
			v.Study = r.str()
		case "run":
			v.Run = r.str()
		case "batch":
			v.Batch = r.int()
		case "first_trial":
			v.FirstTrial = r.int()
		case "told":
			v.Told = r.int()
		case "observed_through":
			r.std(&v.ObservedThrough)
		case "designs":
			v.Designs = r.designs()
		case "origins":
			v.Origins = list(r, v.Origins[:0], (*reader).word)
		case "parents":
			v.Parents = list(r, v.Parents[:0], func(r *reader) []int {
				return list(r, nil, (*reader).int)
			})
		case "reused":
			v.Reused = r.results()
		default:
			r.skip()
		}
	})
	switch {
	case len(v.Origins) != len(v.Designs):
		r.failAt(start, "%d origins for %d designs", len(v.Origins), len(v.Designs))
	case len(v.Parents) != 0 && len(v.Parents) != len(v.Designs):
		r.failAt(start, "%d lists of parents for %d designs", len(v.Parents), len(v.Designs))
	}
	return v
}

// designs reads rows into shared memory: one allocation for all values, instead
// of one per row.
func (r *reader) designs() []Design {
	if r.null() {
		return nil
	}
	rows := []Design{}
	var values []space.Value
	start := 0
	r.array(func() {
		switch len(rows) {
		case 0:
			start = r.i
		case 1:
			n := r.rowsLeft(r.i - start)
			rows, values = slices.Grow(rows, n), slices.Grow(values, n*len(rows[0]))
		case MaxBatch:
			r.fail("a batch has at most %d designs", MaxBatch)
		}
		first := len(values)
		values = r.appendDesign(values)
		rows = append(rows, Design(values[first:len(values):len(values)]))
	})
	return rows
}

// rowsLeft guesses how many rows follow from the size of the first.
func (r *reader) rowsLeft(size int) int {
	return min((len(r.b)-r.i)/max(size, 1)+1, MaxBatch)
}

// appendDesign reads one row.
func (r *reader) appendDesign(dst []space.Value) []space.Value {
	r.array(func() {
		if r.peek() != '"' {
			dst = append(dst, space.Value{Num: r.number()})
			return
		}
		start := r.i
		label := r.str()
		if label == "" && r.err == nil {
			r.i = start
			r.fail("the label of a level is empty")
		}
		dst = append(dst, space.Value{Label: label})
	})
	return dst
}

func (r *reader) results() []TrialResult {
	if r.null() {
		return nil
	}
	rows := []TrialResult{}
	var values []float64
	start := 0
	r.array(func() {
		switch len(rows) {
		case 0:
			start = r.i
		case 1:
			n := r.rowsLeft(r.i - start)
			rows, values = slices.Grow(rows, n), slices.Grow(values, n*len(rows[0].Values))
		case MaxBatch:
			r.fail("a batch has at most %d trials", MaxBatch)
		}
		rows = append(rows, TrialResult{})
		values = r.result(&rows[len(rows)-1], values)
	})
	return rows
}

// result reads one trial's result, with its values appended to shared memory.
func (r *reader) result(t *TrialResult, values []float64) []float64 {
	r.object(func(key []byte) {
		switch string(key) {
		case "trial":
			t.Trial = r.int()
		case "outcome":
			t.Outcome = r.outcome()
		case "values":
			if r.null() {
				t.Values = nil
				return
			}
			first := len(values)
			r.array(func() { values = append(values, r.numberOrNull()) })
			t.Values = Numbers(values[first:len(values):len(values)])
		case "reason":
			t.Reason = r.reason()
		case "attempts":
			t.Attempts = r.int()
		case "started_us":
			t.Started = Micros(r.int64())
		case "seconds":
			t.Seconds = r.float()
		case "extra":
			t.Extra = r.extra()
		case "last_error":
			t.LastError = r.lastError()
		default:
			r.skip()
		}
	})
	return values
}

func (r *reader) lastError() *LastError {
	if r.null() {
		return nil
	}
	v := &LastError{}
	r.object(func(key []byte) {
		switch string(key) {
		case "code":
			v.Code = r.word()
		case "message":
			v.Message = r.word()
		default:
			r.skip()
		}
	})
	return v
}

// outcome reads a string, without an allocation for the words of the contract.
func (r *reader) outcome() string {
	if r.peek() == '"' {
		for _, word := range [...]string{OutcomeMeasured, OutcomeInfeasible, OutcomeFailed} {
			end := r.i + 1 + len(word)
			if end < len(r.b) && r.b[end] == '"' && string(r.b[r.i+1:end]) == word {
				r.i = end + 1
				return word
			}
		}
	}
	return r.str()
}

func (r *reader) reason() *Reason {
	if r.null() {
		return nil
	}
	v := &Reason{}
	r.object(func(key []byte) {
		switch string(key) {
		case "code":
			v.Code = r.word()
		case "layer":
			v.Layer = r.word()
		case "need":
			v.Need = r.float()
		case "have":
			v.Have = r.float()
		case "unit":
			v.Unit = r.word()
		case "message":
			v.Message = r.str()
		default:
			r.skip()
		}
	})
	return v
}

func (r *reader) extra() map[string]float64 {
	if r.null() {
		return nil
	}
	v := map[string]float64{}
	r.object(func(key []byte) {
		name := string(key)
		v[name] = r.float()
	})
	return v
}

// list reads an array into dst; null is nil.
func list[T any](r *reader, dst []T, element func(*reader) T) []T {
	if r.null() {
		return nil
	}
	if dst == nil {
		dst = []T{}
	}
	r.array(func() { dst = append(dst, element(r)) })
	return dst
}
