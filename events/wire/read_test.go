package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
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

// A number is the one that strconv reads, to the last bit, however it is written.
func TestNumberIsExact(t *testing.T) {
	t.Parallel()
	texts := []string{"0", "-0", "0.0", "-0.000", "1e5", "9007199254740993", "9007199254740993.0", "0.1234567890123456789", "123456789012345678901", "1.00000000000000000000", "0.0000000000000000001", "4.35"}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		f := math.Float64frombits(rng.Uint64())
		if f-f != 0 {
			continue
		}
		small := (rng.Float64() - 0.5) * math.Pow(10, float64(rng.IntN(30)-15))
		texts = append(texts, strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(small, 'f', rng.IntN(22), 64), string(AppendFloat(nil, small)))
	}
	for _, text := range texts {
		r := &Reader{Bytes: []byte(text)}
		got := r.Number()
		want, err := strconv.ParseFloat(text, 64)
		if r.End(); r.Err != nil || err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s is read as %v (%v), strconv says %v (%v)", text, got, r.Err, want, err)
		}
	}
	for _, text := range []string{"", "-", ".5", "1.", "01", "-01", "00", "+1", "1.e1", "0x1", "1e", "1.5.5", "1a"} {
		r := &Reader{Bytes: []byte(text)}
		r.Number()
		if r.End(); r.Err == nil {
			t.Errorf("%q is read as a number", text)
		}
	}
}

// A string ends at its quote, and every byte that needs a closer look is seen, wherever in
// a word of eight it stands and whatever follows.
func TestPlainBytesEndAtTheFirstThatIsNot(t *testing.T) {
	t.Parallel()
	for at := range 20 {
		for c := range 256 {
			for _, next := range []byte{'a', '"', '\\', 0, 0xff, '!', ' ', '#', ']'} {
				b := bytes.Repeat([]byte{'a'}, 24)
				b[at], b[at+1] = byte(c), next
				want := at
				for want < len(b) && b[want] >= ' ' && b[want] != '"' && b[want] != '\\' && b[want] < utf8.RuneSelf {
					want++
				}
				if got := plainBytes(b); got != want {
					t.Fatalf("byte %#x at %d before %#x: %d are plain, want %d", c, at, next, got, want)
				}
			}
		}
	}
}
