package events

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"apollo/events/wire"
)

// What the messages of a study can need, and what a bus carries. A study that
// a server cannot carry must not begin there: its first large message would
// stop it. docs/events.md, "How large a message can be", has the list.

const (
	// headerRoom is what the headers of a message take at most: ids, the trace
	// context, and what the bus adds. The server counts them as payload.
	headerRoom = 2 << 10
	// originRoom and parentsRoom are what a trial's origin and its parents take
	// at most in a proposed event.
	originRoom  = MaxOriginBytes + 3
	parentsRoom = 2*len("10000000") + 4
	// addedRoom is what says in a proposed event who asked for it.
	addedRoom = len(`,"added":true,"command":""`)
	// identityRoom is what says who asks and who answers in work items and
	// answers: versions, programs, workers.
	identityRoom = 2 << 10
	// programRoom is what a user's program takes: arguments, path and digests.
	programRoom = 8 << 10
	// resultCode and resultUnit are what is kept at least of a reason's code
	// and unit, in bytes.
	resultCode = 64
	resultUnit = 16
)

// Carries returns the largest message of a study, with its headers, that a
// topology takes on a server whose own limit is payload bytes.
func Carries(topology []Stream, payload int) int {
	for _, filter := range []string{RunFilter("*", "*"), "work.>", "result.>"} {
		if s, ok := StreamOf(topology, filter); ok && s.MaxMsgSize > 0 {
			payload = min(payload, int(s.MaxMsgSize))
		}
	}
	return payload
}

// MessageRoom returns the largest event that fits into a message where the bus
// carries payload bytes with headers (Bus.MaxPayload).
func MessageRoom(payload int) int { return min(payload, MaxEventBytes) - headerRoom }

// PayloadFor returns the smallest payload for an event of that many bytes.
func PayloadFor(bytes int) int { return bytes + headerRoom }

// MessageSize is how large a message of a study can become: Fixed bytes and
// Each for every design of a batch, without headers.
type MessageSize struct {
	What        string
	Fixed, Each int
}

// Sizes are the messages of a study that can be large. All others are far
// smaller than the smallest payload that is of use.
type Sizes []MessageSize

// SizeWork is what Sizes call a work item.
const SizeWork = "work item"

// Of returns the size of one message with batches of that many designs.
func (s Sizes) Of(what string, batch int) int {
	for _, m := range s {
		if m.What == what {
			return m.Fixed + batch*m.Each
		}
	}
	return 0
}

// SizesOf returns bounds of a study's messages: every event of its log, its
// work items, and the answers when all is left out that may be (FitResult).
func SizesOf(spec *Spec) Sizes {
	bare := *spec
	bare.Parameters = make([]Parameter, len(spec.Parameters))
	columns := make([]Column, len(spec.Parameters))
	levels, row := levelBytes(spec)
	for i, p := range spec.Parameters {
		bare.Parameters[i], columns[i] = Parameter{Name: p.Name, Unit: p.Unit}, Column{Name: p.Name, Unit: p.Unit}
	}
	best := BestBytes(spec)
	head := Envelope{Subject: spec.Study}
	accepted := head.with(StudyAccepted{Study: spec.Study, Run: "00000000", Spec: bare, SpecSHA256: strings.Repeat("0", 64), Command: strings.Repeat("0", 256)})
	work := head.with(BatchRequested{
		Study: spec.Study, Run: "00000000", Batch: MaxTrials, Evaluator: spec.Evaluator.Name, Template: spec.Template, Networks: spec.Networks, Search: spec.Search,
		MapperGoal: spec.MapperGoal(), Metrics: spec.Measured(), TimeoutSeconds: spec.Evaluator.TimeoutSeconds, Attempts: spec.Evaluator.Attempts, Parameters: columns,
		Seed: math.MaxUint64, Limits: spec.Constraints, Deterministic: true,
	})
	answer := BatchEvaluated{Study: spec.Study, Run: "00000000", Batch: MaxTrials, Evaluator: spec.Evaluator.Name}
	for _, m := range spec.Measured() {
		answer.Metrics = append(answer.Metrics, m.Name)
	}
	result, thresholds := leastResult(len(spec.Metrics)), 0
	if spec.EarlyStop != nil {
		const names = len(`,"early_stop":{"metric":"","maximize":true,"thresholds":{"trials":,"steps":[],"values":[]}}`)
		curve := MaxSteps * (len("9223372036854775807,") + numberRoom + 1)
		result += names + curve
		thresholds = names + len(quoted(spec.EarlyStop.Metric)) + len("10000000") + curve
	}
	proposed := row + 1 + originRoom + parentsRoom
	if spec.Transfer != nil || spec.Fork != nil {
		proposed += result + 2*reusedWords // reused trials bring their answers
	}
	envelope := head.with(TrialsProposed{})
	return Sizes{
		{"accepted", accepted + programRoom + levels, 0},
		{"started", envelope + sources(spec)*sourceRoom, 0},
		// The best trial, and of a front at least one.
		{"completed", envelope + identityRoom + 2*best, 0},
		{"proposed", envelope + MaxCommandIDBytes + addedRoom + thresholds, proposed},
		{SizeWork, work + identityRoom + thresholds, row + 1 + len("10000000,")},
		{"answer", head.with(answer) + identityRoom, result},
	}
}

// KnownBatch returns how many designs that were measured elsewhere one event
// proposes: what a server carries that has the least useful limit.
func KnownBatch(spec *Spec) int {
	const room = 256 << 10
	_, row := levelBytes(spec)
	return min(MaxBatch, max(1, room/(row+1+originRoom+leastResult(len(spec.Metrics))+2*reusedWords)))
}

// BestBytes returns what a trial with its names takes at most in an event.
func BestBytes(spec *Spec) int {
	_, row := levelBytes(spec)
	n := 64 + row // braces, keys and the number
	for _, p := range spec.Parameters {
		n += len(quoted(p.Name)) + 1
	}
	for _, m := range spec.Metrics {
		n += len(quoted(m.Name)) + numberRoom + 2
	}
	return n
}

// FrontRoom returns the bytes that the front may take in an event where the bus
// carries payload bytes.
func FrontRoom(payload int) int { return min(MaxFrontBytes, payload/2) }

// numberRoom is the longest number in JSON.
const numberRoom = len("-1.7976931348623157e+308")

// sourceRoom is a pinned source with the longest names and reason, and found
// more than the archive's search chooses.
const (
	sourceRoom = 2 << 10
	found      = 8
)

// sources returns how many sources a run can pin.
func sources(spec *Spec) int {
	if spec.Transfer == nil {
		return 0
	}
	n := len(spec.Transfer.Sources)
	for _, s := range spec.Transfer.Sources {
		if s.Auto {
			n += found
		}
	}
	return n
}

// levelBytes returns the bytes of all levels of a study as lists, and of a
// design with the longest ones. It stops where no event could hold the lists.
func levelBytes(spec *Spec) (all, row int) {
	buf := make([]byte, 0, 64)
	row = len("[]")
	for _, p := range spec.Parameters {
		longest := 0
		add := func() {
			all, longest = all+len(buf)+1, max(longest, len(buf))
		}
		all += len(`,"values":[]`)
		for i := 0; i < len(p.Values) && all <= MaxEventBytes; i++ {
			buf = wire.AppendFloat(buf[:0], p.Values[i])
			add()
		}
		for i := 0; i < len(p.Labels) && all <= MaxEventBytes; i++ {
			buf = wire.AppendString(buf[:0], p.Labels[i])
			add()
		}
		row += longest + 1
	}
	return all, row
}

func quoted(s string) []byte { return wire.AppendString(nil, s) }

// with returns the bytes of an event with that payload, or more than any bus
// carries when it has no JSON.
func (e Envelope) with(p Payload) int {
	b, err := Encode(strings.Repeat("0", 64), "evaluator/", e.Subject, time.Unix(0, 1).UTC(), p)
	if err != nil {
		return math.MaxInt32
	}
	return len(b) + 128 // source and id are longer in some
}

// leastResult returns the bytes of one trial's answer when nothing is left but
// its numbers and its code.
func leastResult(metrics int) int {
	const widest = -math.MaxFloat64
	t := TrialResult{
		Trial: MaxTrials, Outcome: OutcomeInfeasible, Values: make(Numbers, metrics),
		Reason:   &Reason{Code: strings.Repeat("x", resultCode), Need: widest, Have: widest, Unit: strings.Repeat("x", resultUnit)},
		Attempts: MaxAttempts, Started: math.MaxInt64, Seconds: math.MaxFloat64,
	}
	for i := range t.Values {
		t.Values[i] = widest
	}
	return trialBytes(&t) + len(`"":0,`) + len(ExtraDropped) + len(`"extra":{}`)
}

// trialBytes returns the size of a trial in an answer, with its comma; 0 when
// it has no JSON.
func trialBytes(t *TrialResult) int {
	b, err := t.appendJSON(nil)
	if err != nil {
		return 0
	}
	return len(b) + 1
}

// Largest returns the largest message of a study with batches of that many
// designs, without headers.
func (s Sizes) Largest(batch int) (what string, bytes int) {
	for _, m := range s {
		if n := m.Fixed + batch*m.Each; n > bytes {
			what, bytes = m.What, n
		}
	}
	return what, bytes
}

// Batch returns the most designs of a batch whose messages have at most room
// bytes, 0 when not even one's do.
func (s Sizes) Batch(room int) int {
	most := MaxBatch
	for _, m := range s {
		switch {
		case m.Fixed > room:
			return 0
		case m.Each > 0:
			most = min(most, (room-m.Fixed)/m.Each)
		}
	}
	return most
}

// CheckSizes returns what keeps a bus that carries payload bytes from carrying
// a study, with the figures, or nil.
func CheckSizes(spec *Spec, payload int) *Mistake {
	sizes, room := SizesOf(spec), MessageRoom(payload)
	what, bytes := sizes.Largest(spec.Budget.Batch)
	if bytes <= room {
		return nil
	}
	most := sizes.Batch(room)
	carries := fmt.Sprintf("a message may have %d bytes here (max_payload %d)", room, payload)
	raise := ""
	if payload < MaxEventBytes {
		raise = fmt.Sprintf(", or set max_payload of the NATS server to %d", MaxEventBytes)
	}
	if most >= 1 {
		return &Mistake{
			Pointer: "/spec/budget/batch", Code: CodeTooLarge,
			Message: fmt.Sprintf("with batches of %d designs the message %q can have %d bytes; %s", spec.Budget.Batch, what, bytes, carries),
			Hint:    fmt.Sprintf("Write batch: %d at most%s.", most, raise),
		}
	}
	what, bytes = sizes.Largest(1)
	return &Mistake{
		Pointer: "/spec", Code: CodeTooLarge,
		Message: fmt.Sprintf("the message %q can have %d bytes even with one design a batch; %s", what, bytes, carries),
		Hint:    "Use fewer levels, shorter labels, or fewer layers in the study's own networks" + raise + ".",
	}
}

// CodeTooLarge is the code of what is larger than a bus carries.
const CodeTooLarge = "too_large"

// Fit takes from the end of a refusal's mistakes what does not fit into room
// bytes, and says how many those are.
func (e StudyRejected) Fit(room int) StudyRejected {
	const note = 256 // the mistake that stands for the others
	all := e.Errors
	e.Errors = nil
	used := Envelope{Subject: e.Study}.with(e) + note
	for i, m := range all {
		b, err := json.Marshal(m)
		if used += len(b) + 1; err != nil || used > room {
			e.Errors = append(slices.Clone(all[:i]), Mistake{
				Code: "more", Message: fmt.Sprintf("%d more mistakes do not fit into the answer", len(all)-i),
			})
			return e
		}
	}
	e.Errors = all
	return e
}
