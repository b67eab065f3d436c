package events

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// ExtraDropped is the name of the extra number that stands for those of a trial
// that were left out because the answer was too large: how many they were.
const ExtraDropped = "apollo_extra_dropped"

// Fitted is what was left out of an answer so that it fits.
type Fitted struct {
	// Extras counts the trials without their extra numbers, Reasons those whose
	// reason lost its words, and Failed those that have no answer any more.
	Extras, Reasons, Failed int
}

// FitResult brings an answer into a form that fits into room bytes. Values stay;
// what goes first are the extra numbers, the most voluminous ones before all,
// then earlier errors and the words of reasons. Where all that is not enough
// every trial fails with ReasonTooLarge: an answer that cannot be stored would
// be asked for again for ever. A number that has no place in JSON fails its
// trial. res keeps what it shares with the caller unchanged.
func FitResult(res BatchEvaluated, room int) (BatchEvaluated, Fitted) {
	f := fitting{res: res, room: room}
	f.res.Trials = slices.Clone(res.Trials)
	f.measure()
	if f.total > room {
		f.dropExtras()
	}
	for _, most := range []int{MaxReasonBytes / 4, 0} {
		if f.total > room {
			f.cutReasons(most)
		}
	}
	if f.total > room {
		f.fail()
	}
	return f.res, f.done
}

// EncodeResult encodes an answer as Encode does, and as FitResult brings it into
// room bytes where it does not fit as it is.
func EncodeResult(id, source string, now time.Time, res BatchEvaluated, room int) ([]byte, Fitted, error) {
	var done Fitted
	data, err := Encode(id, source, res.Study, now, res)
	if err != nil || len(data) > room || slices.ContainsFunc(res.Trials, TrialResult.untidy) {
		res, done = FitResult(res, room)
		data, err = Encode(id, source, res.Study, now, res)
	}
	return data, done, err
}

// untidy reports whether a trial has more than a trial may have.
func (t TrialResult) untidy() bool {
	return len(t.Extra) > MaxExtras || cleanReason(t.Reason) != t.Reason || cleanError(t.LastError) != t.LastError
}

// fitting is an answer that is made to fit.
type fitting struct {
	res   BatchEvaluated
	room  int
	sizes []int // of the trials
	total int
	done  Fitted
}

// measure finds the sizes, and fails the trials that have none.
func (f *fitting) measure() {
	trials := f.res.Trials
	f.res.Trials = nil
	f.total = Envelope{Subject: f.res.Study}.with(f.res)
	f.res.Trials = trials
	f.sizes = make([]int, len(trials))
	var buf []byte // of one trial after the other: each answer is measured
	for i := range trials {
		t := &trials[i]
		t.Reason, t.LastError = cleanReason(t.Reason), cleanError(t.LastError)
		if len(t.Extra) > MaxExtras {
			*t = failedResult(t, ReasonBadResult, fmt.Sprintf("%d extra numbers, at most %d are allowed", len(t.Extra), MaxExtras))
		}
		b, err := t.appendJSON(buf[:0])
		if err != nil {
			*t = failedResult(t, ReasonBadResult, err.Error())
			b, _ = t.appendJSON(buf[:0]) // it has no numbers
		}
		buf = b
		f.sizes[i] = len(b) + 1 // with its comma
		f.total += f.sizes[i]
	}
}

// change replaces a trial.
func (f *fitting) change(i int, t TrialResult) {
	n := trialBytes(&t)
	f.total += n - f.sizes[i]
	f.sizes[i], f.res.Trials[i] = n, t
}

// dropExtras drops extra numbers, those of the largest trials first; not the few
// that take less room than the note that stands for them.
func (f *fitting) dropExtras() {
	order := make([]int, len(f.sizes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(f.sizes[b], f.sizes[a]) })
	for _, i := range order {
		if f.total <= f.room {
			return
		}
		t := f.res.Trials[i]
		if len(t.Extra) == 0 {
			continue
		}
		t.Extra = map[string]float64{ExtraDropped: float64(len(t.Extra))}
		if trialBytes(&t) >= f.sizes[i] {
			continue
		}
		f.change(i, t)
		f.done.Extras++
	}
}

// cutReasons leaves at most most bytes of the words of every reason.
func (f *fitting) cutReasons(most int) {
	f.done.Reasons = 0
	for i, t := range f.res.Trials {
		if t.LastError != nil {
			t.LastError = nil
			f.change(i, t)
		}
		if t.Reason == nil {
			continue
		}
		r := *t.Reason
		r.Message, r.Layer = "", ""
		if most > 0 {
			r.Message, r.Layer = cut(t.Reason.Message, most), cut(t.Reason.Layer, most)
		}
		if most == 0 && len(quoted(r.Code)) > resultCode {
			r.Code = t.Outcome
		}
		if most == 0 && len(quoted(r.Unit)) > resultUnit {
			r.Unit = ""
		}
		t.Reason = &r
		f.change(i, t)
		f.done.Reasons++
	}
}

// fail fails every trial.
func (f *fitting) fail() {
	for i := range f.res.Trials {
		f.change(i, failedResult(&f.res.Trials[i], ReasonTooLarge, ""))
	}
	f.done = Fitted{Failed: len(f.res.Trials)}
	if len(f.res.Trials) > 0 {
		// One of them says the figures; the others would not fit.
		t := f.res.Trials[0]
		t.Reason = &Reason{Code: ReasonTooLarge, Need: float64(f.total), Have: float64(f.room), Unit: "B"}
		f.change(0, t)
	}
}

// failedResult is a failed trial in place of t.
func failedResult(t *TrialResult, code, message string) TrialResult {
	bad := TrialResult{
		Trial: t.Trial, Outcome: OutcomeFailed, Reason: &Reason{Code: code, Message: message},
		Attempts: t.Attempts, Started: t.Started, Seconds: t.Seconds,
	}
	if bad.Seconds-bad.Seconds != 0 {
		bad.Seconds = 0
	}
	return bad
}

// reusedWords is how many bytes of the words of a reason a reused trial keeps.
const reusedWords = 200

// Reusable returns the answer of a trial in the bounded form in which it is
// repeated for another one: a proposed event may hold a batch of them.
func (t TrialResult) Reusable() TrialResult {
	t.Extra, t.LastError = nil, nil
	if t.Reason == nil {
		return t
	}
	r := *t.Reason
	r.Layer, r.Message = "", cut(r.Message, reusedWords)
	if len(quoted(r.Message)) > 2*reusedWords {
		r.Message = "" // control characters: nobody reads them
	}
	if len(quoted(r.Code)) > resultCode {
		r.Code = t.Outcome
	}
	if len(quoted(r.Unit)) > resultUnit {
		r.Unit = ""
	}
	t.Reason = &r
	return t
}

// Fit cuts the body of a dead letter so that it fits into room bytes, at most
// MaxDeadLetterBytes, and returns the whole letter's event.
func (d DeadLetter) Fit(id, study string, now time.Time, room int) ([]byte, error) {
	whole := d
	d.Body = nil
	b, err := Encode(id, d.Service, study, now, d)
	if err != nil {
		return nil, err
	}
	// Base64 makes 4 bytes of 3; "body" and "size" take their names.
	most := min(MaxDeadLetterBytes, max(0, (room-len(b)-64)/4*3))
	if len(whole.Body) > most {
		whole.Size, whole.Body = max(whole.Size, len(whole.Body)), whole.Body[:most]
	}
	return Encode(id, d.Service, study, now, whole)
}

// Whole reports whether a dead letter holds all of its message.
func (d DeadLetter) Whole() bool { return d.Size == 0 && len(d.Body) > 0 }
