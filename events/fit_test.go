package events_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
)

// voluminous is an answer with extras extra numbers and words bytes of reason a
// trial.
func voluminous(trials, extras, words int) events.BatchEvaluated {
	r := events.BatchEvaluated{Study: "demo", Run: "0badcafe", Batch: 1, Evaluator: "mine", Metrics: []string{"cost"}}
	for i := range trials {
		t := events.TrialResult{Trial: i, Outcome: events.OutcomeMeasured, Values: events.Numbers{1.0 / float64(i+3)}, Attempts: 1, Seconds: 0.5}
		if words > 0 {
			t.Outcome, t.Reason = events.OutcomeInfeasible, &events.Reason{Code: "w", Layer: strings.Repeat("l", min(words, 200)), Message: strings.Repeat("m", words)}
		}
		for k := range extras {
			if t.Extra == nil {
				t.Extra = map[string]float64{}
			}
			t.Extra[fmt.Sprintf("layer_%03d_latency_of_network_s", k)] = 1.2345678e-5 * float64(k+1)
		}
		r.Trials = append(r.Trials, t)
	}
	return r
}

func fitted(t *testing.T, r events.BatchEvaluated, room int) (events.BatchEvaluated, events.Fitted) {
	t.Helper()
	got, without := events.FitResult(r, room)
	b := encode(t, got)
	if len(b) > room {
		t.Errorf("the answer has %d bytes, want at most %d", len(b), room)
	}
	data, same, err := events.EncodeResult("id", "test", time.Unix(0, 0), r, room)
	if err != nil {
		t.Fatal(err)
	}
	_, said, err := events.DecodeAs[events.BatchEvaluated](data)
	if err != nil || same != without || !bytes.Equal(encode(t, said), b) {
		t.Errorf("EncodeResult leaves out %+v and says something else than FitResult, which leaves out %+v; %v", same, without, err)
	}
	want := events.ExpectedOf(&events.BatchRequested{Study: r.Study, Run: r.Run, Batch: r.Batch, Metrics: []events.Metric{{Name: "cost"}}})
	for i := range r.Trials {
		want.Trials = append(want.Trials, r.Trials[i].Trial)
	}
	if _, problems := events.ValidateResult(want, &got); len(problems) > 0 {
		t.Errorf("the judgement finds %v", problems)
	}
	return got, without
}

func TestFitResult(t *testing.T) {
	t.Parallel()
	t.Run("all fits", func(t *testing.T) {
		t.Parallel()
		r := voluminous(64, 20, 0)
		got, without := fitted(t, r, 1<<20)
		if diff := cmp.Diff(r, got); diff != "" || without != (events.Fitted{}) {
			t.Errorf("left out %+v:\n%s", without, diff)
		}
	})
	t.Run("extra numbers go", func(t *testing.T) {
		t.Parallel()
		r := voluminous(1024, 250, 0)
		got, without := fitted(t, r, 4<<20)
		if without.Extras == 0 || without.Extras == 1024 || without.Reasons+without.Failed > 0 {
			t.Errorf("left out %+v, want the extra numbers of some trials", without)
		}
		for i, g := range got.Trials {
			if g.Values[0] != r.Trials[i].Values[0] || g.Outcome != events.OutcomeMeasured {
				t.Fatalf("trial %d became %+v", i, g)
			}
			if n, dropped := g.Extra[events.ExtraDropped]; dropped && (n != 250 || len(g.Extra) != 1) || !dropped && len(g.Extra) != 250 {
				t.Fatalf("trial %d has %d extra numbers, noted as %v", i, len(g.Extra), n)
			}
		}
		if n := len(encode(t, got)); n < 4<<20-16<<10 {
			t.Errorf("%d bytes of %d are used", n, 4<<20)
		}
		if len(r.Trials[0].Extra) != 250 {
			t.Error("the caller's answer was changed")
		}
	})
	t.Run("the voluminous first", func(t *testing.T) {
		t.Parallel()
		r := voluminous(8, 10, 0)
		r.Trials[5].Extra = map[string]float64{strings.Repeat("k", 900_000): 1}
		got, without := fitted(t, r, 64<<10)
		if without.Extras != 1 || got.Trials[5].Extra[events.ExtraDropped] != 1 || len(got.Trials[0].Extra) != 10 {
			t.Errorf("left out %+v, want those of trial 5 alone", without)
		}
	})
	t.Run("no extra numbers that the note about them outweighs", func(t *testing.T) {
		t.Parallel()
		r := voluminous(100, 0, 900)
		for i := range r.Trials {
			r.Trials[i].Extra = map[string]float64{"x": 1}
		}
		got, without := fitted(t, r, 60_000)
		if without.Extras > 0 || without.Failed > 0 || got.Trials[7].Extra["x"] != 1 {
			t.Errorf("left out %+v, and trial 7 has the extra numbers %v, want words alone", without, got.Trials[7].Extra)
		}
	})
	t.Run("words go", func(t *testing.T) {
		t.Parallel()
		r := voluminous(64, 1, 900_000)
		got, without := fitted(t, r, 64<<10)
		if without.Reasons != 64 || without.Failed > 0 || got.Trials[3].Outcome != events.OutcomeInfeasible || got.Trials[3].Reason.Code != "w" {
			t.Errorf("left out %+v: %+v", without, got.Trials[3])
		}
	})
	t.Run("nothing helps", func(t *testing.T) {
		t.Parallel()
		r := voluminous(64, 0, 0)
		for i := range r.Trials {
			r.Trials[i].Values = slices.Repeat(r.Trials[i].Values, 20)
		}
		r.Metrics = append(r.Metrics, strings.Fields(strings.Repeat("other ", 19))...)
		got, without := fitted(t, r, 12<<10)
		if without.Failed != 64 || got.Trials[0].Reason.Code != events.ReasonTooLarge || got.Trials[63].Outcome != events.OutcomeFailed {
			t.Errorf("left out %+v: %+v", without, got.Trials[0])
		}
	})
	t.Run("beyond the limit", func(t *testing.T) {
		t.Parallel()
		r := voluminous(2, 257, 0)
		r.Trials[1].Extra = nil
		got, _ := fitted(t, r, 1<<20)
		if got.Trials[0].Outcome != events.OutcomeFailed || got.Trials[0].Reason.Code != events.ReasonBadResult || got.Trials[1].Outcome != events.OutcomeMeasured {
			t.Errorf("257 extra numbers: %+v", got.Trials)
		}
	})
	t.Run("no JSON", func(t *testing.T) {
		t.Parallel()
		r := voluminous(3, 0, 0)
		r.Trials[0].Values[0] = math.Inf(1)
		r.Trials[1].Extra = map[string]float64{"x": math.NaN()}
		r.Trials[2].Seconds = math.Inf(1)
		got, _ := fitted(t, r, 1<<20)
		for _, g := range got.Trials {
			if g.Outcome != events.OutcomeFailed || g.Reason.Code != events.ReasonBadResult {
				t.Errorf("%+v, want a failed trial", g)
			}
		}
	})
}

func TestDeadLetterFitsRoom(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte{0xff, '"'}, 350_000)
	for _, room := range []int{8 << 20, 1 << 20, 62 << 10, 14 << 10} {
		for _, n := range []int{0, 100, 40_000, len(body)} {
			d := events.DeadLetter{Service: "proposer", Reason: strings.Repeat("why\x01", 10_000), Subject: strings.Repeat("s", 9000), Body: body[:n]}
			d.Reason = d.Reason[:min(len(d.Reason), room/8)]
			b, err := d.Fit("id", "demo", time.Unix(0, 0), room)
			if err != nil || len(b) > room {
				t.Fatalf("room %d, body %d: %d bytes, %v", room, n, len(b), err)
			}
			_, got, err := events.DecodeAs[events.DeadLetter](b)
			if err != nil {
				t.Fatal(err)
			}
			if whole := n > 0 && len(got.Body) == n; got.Whole() != whole || !whole && n > 0 && got.Size != n || !bytes.HasPrefix(body, got.Body) {
				t.Errorf("room %d, body %d: kept %d bytes, size %d, whole %v", room, n, len(got.Body), got.Size, got.Whole())
			}
		}
	}
}
