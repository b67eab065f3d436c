package wire

import (
	"encoding/json"
	"strings"
	"testing"
)

// The reader takes exactly the documents that encoding/json takes, up to the
// limit on the depth.
func FuzzReaderAgreesWithStd(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,"\u00e9\n",true,false,null,{}]}`, `[1 2]`, `{"a" 1}`, `{"a":}`, `{,}`, `[,]`, `"\x"`, `"\u12"`, "\"\x01\"", `-`, `1.`, `1e`, `00`, `tru`, ` 1 `, `1 1`, "", "\x00", `"abc`, `{"a":1`, strings.Repeat("[", 65) + strings.Repeat("]", 65)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &Reader{Bytes: b}
		r.Skip()
		r.End()
		if r.Err != nil && strings.Contains(r.Err.Error(), "nested deeper") {
			return
		}
		if got, want := r.Err == nil, json.Valid(b); got != want {
			t.Errorf("the reader says %v (%v), encoding/json %v: %q", got, r.Err, want, b)
		}
		if r.Err != nil {
			if err := r.Malformed(); r.At < 0 || r.At > len(b) || !strings.Contains(err.Error(), "at /") {
				t.Errorf("offset %d of %d: %v", r.At, len(b), err)
			}
		}
	})
}

func TestPointerAt(t *testing.T) {
	t.Parallel()
	doc := `{"a":{"b~/c":[1,{"d":@}]},"e":2}`
	if got := pointerAt([]byte(doc), strings.IndexByte(doc, '@')); got != "/a/b~0~1c/1/d" {
		t.Errorf("pointerAt() = %q", got)
	}
	if got := pointerAt([]byte(doc), 0); got != "" {
		t.Errorf("pointerAt(0) = %q, want the document", got)
	}
}
