package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
)

// depth returns the nesting of a valid JSON document.
func depth(b []byte) int {
	d := json.NewDecoder(bytes.NewReader(b))
	now, most := 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			return most
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			most = max(most, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range samples() {
		f.Add(encode(f, p))
	}
	f.Add([]byte(`{"specversion":"1.0","type":"apollo.study.requested.v1","id":"0","source":"0","data":{}}`))
	f.Add([]byte(`{"data":{},"type":"apollo.study.paused.v1","type":"apollo.batch.evaluated.v1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		env, p, err := events.Decode(b)
		if err != nil {
			if !errors.Is(err, events.ErrMalformed) && !errors.Is(err, events.ErrNewer) || p != nil {
				t.Fatalf("Decode = %v, %v", p, err)
			}
			return
		}
		if !json.Valid(b) || depth(b) > events.MaxJSONDepth {
			t.Fatalf("Decode took what is no JSON, or too deep: %s", b)
		}
		again, err := events.Encode(env.ID, env.Source, env.Subject, env.Time, p)
		if err != nil {
			t.Fatalf("Encode(%#v) = %v", p, err)
		}
		second, q, err := events.Decode(again)
		if err != nil {
			t.Fatalf("Decode(Encode) = %v\n%s", err, again)
		}
		if diff := cmp.Diff(p, q, samePayload, cmp.FilterValues(either, cmp.Comparer(sameRaw))); diff != "" || second.ID != env.ID || second.Type != env.Type {
			t.Errorf("changed on the way (-want +got):\n%s", diff)
		}
	})
}

// either reports whether there is anything to compare.
func either(a, b json.RawMessage) bool { return len(a)+len(b) > 0 }

// sameRaw compares raw JSON up to white space and the spelling of strings;
// what is missing is encoded as null.
func sameRaw(a, b json.RawMessage) bool {
	if len(a) == 0 {
		a = json.RawMessage("null")
	}
	if len(b) == 0 {
		b = json.RawMessage("null")
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return len(a) == len(b)
	}
	return cmp.Equal(x, y)
}

// The reader written by hand and encoding/json read the same rows.
func FuzzBatchAgreesWithStd(f *testing.F) {
	_, res := batch(2)
	b, err := json.Marshal(res)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"study":"\ud800\u00e9","trials":[{"trial":-0,"values":[-0.0,1e-400,null],"extra":{"a":1},"reason":{}}],"x":tru}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		event := append([]byte(`{"specversion":"1.0","type":"apollo.batch.evaluated.v1","id":"1","source":"s","data":`), b...)
		event = append(event, '}')
		_, p, err := events.Decode(event)
		if err != nil {
			return
		}
		// Both read the canonical form of what came in: encoding/json alone
		// matches keys in any case and merges repeated ones.
		canonical, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var want events.BatchEvaluated
		if err := json.Unmarshal(canonical, &want); err != nil {
			t.Fatalf("encoding/json refuses %s: %v", canonical, err)
		}
		if diff := cmp.Diff(events.Payload(want), p, samePayload); diff != "" {
			t.Errorf("(-encoding/json +Decode):\n%s", diff)
		}
	})
}

func FuzzDecodeStudyRequest(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"demo"}}`))
	f.Add(encode(f, samples()[0]))
	f.Add([]byte(`{"type":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		req, _, err := events.DecodeStudyRequest(b)
		if err != nil {
			if !errors.Is(err, events.ErrMalformed) && !errors.Is(err, events.ErrNewer) {
				t.Fatalf("DecodeStudyRequest = %v", err)
			}
			return
		}
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(req.Study, &doc); err != nil || depth(b) > events.MaxJSONDepth {
			t.Errorf("the study is no object: %s: %v", req.Study, err)
		}
	})
}

// The rows have parsers of their own. They take exactly the arrays that
// encoding/json takes, of the right element types.
func FuzzRows(f *testing.F) {
	for _, s := range []string{`[1,2.5,"a"]`, `[null,-0,1e5]`, `[]`, ` [ 1 , "\u0061\"" ] `, `[1,]`, `[01]`, `[1e999]`, `[0x1]`, `[NaN]`, `[.5]`, `[1.]`, `[+1]`, `[[1]]`, `null`, `[""]`, `[1]x`, `["`, `[-]`, `[1e]`, `[Infinity]`, `[true]`, `[{}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var design events.Design
		if design.UnmarshalJSON(b) == nil {
			checkDesign(t, b, design)
		}
		var numbers events.Numbers
		err := numbers.UnmarshalJSON(b)
		var want []*float64
		stdErr := json.Unmarshal(b, &want)
		if want == nil && stdErr == nil {
			return // null: a row is an array.
		}
		if (err == nil) != (stdErr == nil) {
			t.Fatalf("Numbers: %v, encoding/json: %v", err, stdErr)
		}
		if err == nil && len(numbers) != len(want) {
			t.Fatalf("%d numbers, want %d", len(numbers), len(want))
		}
		for i := range numbers {
			if want[i] == nil != math.IsNaN(numbers[i]) || want[i] != nil && *want[i] != numbers[i] {
				t.Errorf("number %d is %v", i, numbers[i])
			}
		}
	})
}

func checkDesign(t *testing.T, b []byte, design events.Design) {
	t.Helper()
	var want []any
	if err := json.Unmarshal(b, &want); err != nil || len(want) != len(design) {
		t.Fatalf("Design takes %s, encoding/json says %d elements, %v", b, len(want), err)
	}
	for i, v := range design {
		if got := any(v.Num); v.Label == "" && got != want[i] || v.Label != "" && v.Label != want[i] {
			t.Errorf("value %d of %s is %+v, want %v", i, b, v, want[i])
		}
	}
	again, err := json.Marshal(design)
	if err != nil {
		t.Fatal(err)
	}
	var second events.Design
	if err := json.Unmarshal(again, &second); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(design, second, samePayload); diff != "" {
		t.Errorf("changed on the way:\n%s", diff)
	}
}
