package external

import (
	"encoding/json"
	"testing"
)

// A line may name a file and say what the evaluation has come to.
func TestNoteOfAFileAndAValue(t *testing.T) {
	t.Parallel()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(`{"artifact":"a.txt","step":3,"intermediate":{"m":7},"progress":0.5}`), &fields); err != nil {
		t.Fatal(err)
	}
	n := readNote(fields)
	if n == nil || n.artifact != "a.txt" || n.progress == nil || n.progress.Done != 0.5 {
		t.Fatalf("the note is %+v, want a file and its progress", n)
	}
	if step, value, said, failure := n.of("m"); step != 3 || value != 7 || !said || failure != nil {
		t.Errorf("step %d, value %v, said %v, failure %v, want 7 at step 3", step, value, said, failure)
	}
}
