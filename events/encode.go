package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"sync"
	"time"

	"apollo/events/wire"
)

// appender is implemented by the payloads that carry designs. They are written
// by hand: encoding/json formats a row, then scans it again to compact it.
// TestEncodeAgreesWithStd holds the two to the same document.
type appender interface {
	appendJSON(b []byte) ([]byte, error)
}

// drafts holds the memory in which events are written. What Encode returns has
// the size that it needs: it lives on in queues and caches.
var drafts = sync.Pool{New: func() any { return new([]byte) }}

// Encode wraps data into an envelope. id is the event's key (also its
// Nats-Msg-Id), source the service that says it, subject the study it is about
// ("" when it is about none), now the time it is said.
//
// The error says which value has no place in JSON: an infinite metric, a
// design that holds NaN.
func Encode(id, source, subject string, now time.Time, data Payload) ([]byte, error) {
	draft := drafts.Get().(*[]byte)
	defer drafts.Put(draft)
	b := (*draft)[:0]
	b = append(b, `{"specversion":"1.0","type":`...)
	b = wire.AppendString(b, data.EventType())
	b = wire.AppendString(append(b, `,"id":`...), id)
	b = wire.AppendString(append(b, `,"source":`...), source)
	if subject != "" {
		b = wire.AppendString(append(b, `,"subject":`...), subject)
	}
	b = now.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = append(b, `","datacontenttype":"application/json","dataschema":`...)
	b = wire.AppendString(b, SchemaURI(data.EventType()))
	b = append(b, `,"data":`...)
	b, err := appendPayload(b, data)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", data.EventType(), err)
	}
	b = append(b, '}')
	*draft = b
	whole := make([]byte, len(b))
	copy(whole, b)
	return whole, nil
}

func appendPayload(b []byte, data Payload) ([]byte, error) {
	switch d := data.(type) {
	case appender:
		return d.appendJSON(b)
	case DeadLetter:
		data = d.clip()
	case *DeadLetter:
		data = d.clip()
	}
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	// Rules hold < and >: they stay readable.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// clip cuts what could make a dead letter larger than a stream takes: such a
// letter could never be written, and its message would come round for ever.
func (d DeadLetter) clip() DeadLetter {
	if len(d.Body) > MaxDeadLetterBytes {
		d.Size, d.Body = len(d.Body), d.Body[:MaxDeadLetterBytes]
	}
	d.Reason, d.Subject = cut(d.Reason, 4*MaxReasonBytes), cut(d.Subject, 4*MaxReasonBytes)
	return d
}

func (d Design) append(b []byte) ([]byte, error) {
	b = append(b, '[')
	for i, v := range d {
		if i > 0 {
			b = append(b, ',')
		}
		if v.Label != "" {
			b = wire.AppendString(b, v.Label)
			continue
		}
		if v.Num-v.Num != 0 {
			return nil, fmt.Errorf("value %d of the design is not a finite number", i)
		}
		b = wire.AppendFloat(b, v.Num)
	}
	return append(b, ']'), nil
}

func (n Numbers) append(b []byte) ([]byte, error) {
	b = append(b, '[')
	for i, f := range n {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case math.IsNaN(f):
			b = append(b, "null"...)
		case math.IsInf(f, 0):
			return nil, fmt.Errorf("number %d is infinite", i)
		default:
			b = wire.AppendFloat(b, f)
		}
	}
	return append(b, ']'), nil
}

func appendDesign(b []byte, d Design) ([]byte, error) {
	return d.append(b)
}

func (v BatchRequested) appendJSON(b []byte) ([]byte, error) {
	b = wire.AppendString(append(b, `{"study":`...), v.Study)
	b = wire.AppendString(append(b, `,"run":`...), v.Run)
	b = strconv.AppendInt(append(b, `,"batch":`...), int64(v.Batch), 10)
	b = wire.AppendString(append(b, `,"evaluator":`...), v.Evaluator)
	if v.Identity != nil {
		b = v.Identity.append(append(b, `,"identity":`...))
	}
	if v.Template != "" {
		b = wire.AppendString(append(b, `,"template":`...), v.Template)
	}
	var err error
	if len(v.Networks) > 0 {
		if b, err = wire.AppendStd(append(b, `,"networks":`...), v.Networks); err != nil {
			return nil, err
		}
	}
	if v.Search != "" {
		b = wire.AppendString(append(b, `,"search":`...), v.Search)
	}
	if v.MapperGoal != "" {
		b = wire.AppendString(append(b, `,"mapper_goal":`...), v.MapperGoal)
	}
	if b, err = wire.AppendList(append(b, `,"metrics":`...), v.Metrics, appendMetric); err != nil {
		return nil, err
	}
	if b, err = wire.AppendFinite(append(b, `,"timeout_seconds":`...), v.TimeoutSeconds); err != nil {
		return nil, err
	}
	b = strconv.AppendInt(append(b, `,"attempts":`...), int64(v.Attempts), 10)
	if v.Seed != 0 {
		b = strconv.AppendUint(append(b, `,"seed":`...), v.Seed, 10)
	}
	if len(v.Limits) > 0 {
		if b, err = wire.AppendStd(append(b, `,"limits":`...), v.Limits); err != nil {
			return nil, err
		}
	}
	if v.Deterministic {
		b = append(b, `,"deterministic":true`...)
	}
	if v.EarlyStop != nil {
		if b, err = wire.AppendStd(append(b, `,"early_stop":`...), v.EarlyStop); err != nil {
			return nil, err
		}
	}
	if b, err = wire.AppendList(append(b, `,"parameters":`...), v.Parameters, appendColumn); err != nil {
		return nil, err
	}
	if b, err = wire.AppendList(append(b, `,"trials":`...), v.Trials, wire.AppendInt); err != nil {
		return nil, err
	}
	if b, err = wire.AppendList(append(b, `,"designs":`...), v.Designs, appendDesign); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

func (i *Identity) append(b []byte) []byte {
	b = append(b, '{')
	if i.Version != "" {
		b = wire.AppendString(append(b, `"version":`...), i.Version)
	}
	if i.Program != "" {
		if i.Version != "" {
			b = append(b, ',')
		}
		b = wire.AppendString(append(b, `"program":`...), i.Program)
	}
	return append(b, '}')
}

func appendMetric(b []byte, m Metric) ([]byte, error) {
	b = wire.AppendString(append(b, `{"name":`...), m.Name)
	b = wire.AppendString(append(b, `,"unit":`...), m.Unit)
	if m.Cheap {
		b = append(b, `,"cheap":true`...)
	}
	if m.Expr != "" {
		b = wire.AppendString(append(b, `,"expr":`...), m.Expr)
	}
	return append(b, '}'), nil
}

func appendColumn(b []byte, c Column) ([]byte, error) {
	b = wire.AppendString(append(b, `{"name":`...), c.Name)
	if c.Unit != "" {
		b = wire.AppendString(append(b, `,"unit":`...), c.Unit)
	}
	return append(b, '}'), nil
}

func (v BatchEvaluated) appendJSON(b []byte) ([]byte, error) {
	b = wire.AppendString(append(b, `{"study":`...), v.Study)
	b = wire.AppendString(append(b, `,"run":`...), v.Run)
	b = strconv.AppendInt(append(b, `,"batch":`...), int64(v.Batch), 10)
	b = wire.AppendString(append(b, `,"evaluator":`...), v.Evaluator)
	if v.EvaluatorVersion != "" {
		b = wire.AppendString(append(b, `,"evaluator_version":`...), v.EvaluatorVersion)
	}
	if v.Program != "" {
		b = wire.AppendString(append(b, `,"program":`...), v.Program)
	}
	if v.Worker != "" {
		b = wire.AppendString(append(b, `,"worker":`...), v.Worker)
	}
	b, err := wire.AppendList(append(b, `,"metrics":`...), v.Metrics, wire.AppendText)
	if err != nil {
		return nil, err
	}
	if b, err = appendResults(append(b, `,"trials":`...), v.Trials); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

func (v TrialsProposed) appendJSON(b []byte) ([]byte, error) {
	b = wire.AppendString(append(b, `{"study":`...), v.Study)
	b = wire.AppendString(append(b, `,"run":`...), v.Run)
	b = strconv.AppendInt(append(b, `,"batch":`...), int64(v.Batch), 10)
	b = strconv.AppendInt(append(b, `,"first_trial":`...), int64(v.FirstTrial), 10)
	b = strconv.AppendInt(append(b, `,"told":`...), int64(v.Told), 10)
	if v.ObservedThrough != 0 {
		b = strconv.AppendUint(append(b, `,"observed_through":`...), v.ObservedThrough, 10)
	}
	b, err := wire.AppendList(append(b, `,"designs":`...), v.Designs, appendDesign)
	if err != nil {
		return nil, err
	}
	if b, err = wire.AppendList(append(b, `,"origins":`...), v.Origins, wire.AppendText); err != nil {
		return nil, err
	}
	if len(v.Parents) > 0 {
		if b, err = wire.AppendList(append(b, `,"parents":`...), v.Parents, appendParents); err != nil {
			return nil, err
		}
	}
	if len(v.Reused) > 0 {
		if b, err = appendResults(append(b, `,"reused":`...), v.Reused); err != nil {
			return nil, err
		}
	}
	if v.EarlyStop != nil {
		if b, err = wire.AppendStd(append(b, `,"early_stop":`...), v.EarlyStop); err != nil {
			return nil, err
		}
	}
	if v.Added {
		b = append(b, `,"added":true`...)
	}
	if len(v.Voids) > 0 {
		if b, err = wire.AppendList(append(b, `,"voids":`...), v.Voids, wire.AppendInt); err != nil {
			return nil, err
		}
	}
	if v.Command != "" {
		b = wire.AppendString(append(b, `,"command":`...), v.Command)
	}
	return append(b, '}'), nil
}

func appendParents(b []byte, p []int) ([]byte, error) { return wire.AppendList(b, p, wire.AppendInt) }

func appendResults(b []byte, results []TrialResult) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i := range results {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = results[i].appendJSON(b); err != nil {
			return nil, fmt.Errorf("trial %d: %w", results[i].Trial, err)
		}
	}
	return append(b, ']'), nil
}

func (t *TrialResult) appendJSON(b []byte) ([]byte, error) {
	b = strconv.AppendInt(append(b, `{"trial":`...), int64(t.Trial), 10)
	b = wire.AppendString(append(b, `,"outcome":`...), t.Outcome)
	var err error
	if len(t.Values) > 0 {
		if b, err = t.Values.append(append(b, `,"values":`...)); err != nil {
			return nil, err
		}
	}
	if t.Reason != nil {
		if b, err = t.Reason.appendJSON(append(b, `,"reason":`...)); err != nil {
			return nil, err
		}
	}
	if t.Attempts != 0 {
		b = strconv.AppendInt(append(b, `,"attempts":`...), int64(t.Attempts), 10)
	}
	if t.Started != 0 {
		b = strconv.AppendInt(append(b, `,"started_us":`...), int64(t.Started), 10)
	}
	if math.Float64bits(t.Seconds) != 0 {
		if b, err = wire.AppendFinite(append(b, `,"seconds":`...), t.Seconds); err != nil {
			return nil, err
		}
	}
	if len(t.Extra) > 0 {
		if b, err = appendExtra(append(b, `,"extra":`...), t.Extra); err != nil {
			return nil, err
		}
	}
	if t.LastError != nil {
		b = wire.AppendString(append(b, `,"last_error":{"code":`...), t.LastError.Code)
		if t.LastError.Message != "" {
			b = wire.AppendString(append(b, `,"message":`...), t.LastError.Message)
		}
		b = append(b, '}')
	}
	if t.Intermediate != nil {
		if b, err = wire.AppendStd(append(b, `,"intermediate":`...), t.Intermediate); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (r *Reason) appendJSON(b []byte) ([]byte, error) {
	b = wire.AppendString(append(b, `{"code":`...), r.Code)
	if r.Layer != "" {
		b = wire.AppendString(append(b, `,"layer":`...), r.Layer)
	}
	var err error
	if math.Float64bits(r.Need) != 0 {
		if b, err = wire.AppendFinite(append(b, `,"need":`...), r.Need); err != nil {
			return nil, err
		}
	}
	if math.Float64bits(r.Have) != 0 {
		if b, err = wire.AppendFinite(append(b, `,"have":`...), r.Have); err != nil {
			return nil, err
		}
	}
	if r.Unit != "" {
		b = wire.AppendString(append(b, `,"unit":`...), r.Unit)
	}
	if r.Message != "" {
		b = wire.AppendString(append(b, `,"message":`...), r.Message)
	}
	return append(b, '}'), nil
}

// appendExtra appends the numbers in the order of their names.
func appendExtra(b []byte, extra map[string]float64) ([]byte, error) {
	names := make([]string, 0, len(extra))
	for name := range extra {
		names = append(names, name)
	}
	sort.Strings(names)
	b = append(b, '{')
	var err error
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(wire.AppendString(b, name), ':')
		if b, err = wire.AppendFinite(b, extra[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}
