package studyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"apollo/events"
)

// jsonReader turns a JSON document into nodes. A published study comes from
// anyone, so it is read by the standard library's tokenizer, token by token.
type jsonReader struct {
	r    *report
	src  []byte
	dec  *json.Decoder
	line int
	// column is the number of characters on the line before offset seen.
	column, seen int
}

// readJSON returns the document's root, or nil after reporting why not.
func readJSON(r *report, src []byte) *node {
	j := &jsonReader{r: r, src: src, dec: json.NewDecoder(bytes.NewReader(src)), line: 1}
	j.dec.UseNumber()
	n, err := j.value(0)
	if err == nil {
		if _, more := j.dec.Token(); errors.Is(more, io.EOF) {
			return n
		}
		err = errors.New("there is more after the end of the study")
	}
	at, message := j.next(int(j.dec.InputOffset())), err.Error()
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = j.next(max(0, int(se.Offset)-1))
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		message = "the JSON ends in the middle"
	}
	r.addMistakeAt(j.place(at, at), "", codeSyntax, "", "%s", message)
	return nil
}

// next skips what stands between tokens.
func (j *jsonReader) next(i int) int {
	for i < len(j.src) && bytes.IndexByte([]byte(" \t\r\n,:"), j.src[i]) >= 0 {
		i++
	}
	return i
}

// place is where the source has the bytes from start to end. Places are asked
// for in ascending order, so that a document on one line costs one pass.
func (j *jsonReader) place(start, end int) place {
	start = min(start, len(j.src))
	if start < j.seen {
		j.line, j.column, j.seen = 1, 0, 0
	}
	for ; j.seen < start; j.seen++ {
		switch c := j.src[j.seen]; {
		case c == '\n':
			j.line, j.column = j.line+1, 0
		case utf8.RuneStart(c):
			j.column++
		}
	}
	return place{line: j.line, column: 1 + j.column, width: max(1, utf8.RuneCount(j.src[start:max(start, end)]))}
}

// token reads a token with its place.
func (j *jsonReader) token() (json.Token, place, error) {
	start := j.next(int(j.dec.InputOffset()))
	t, err := j.dec.Token()
	return t, j.place(start, int(j.dec.InputOffset())), err
}

func (j *jsonReader) value(depth int) (*node, error) {
	if depth > events.MaxStudyDepth {
		return nil, fmt.Errorf("values are nested more than %d deep", events.MaxStudyDepth)
	}
	t, at, err := j.token()
	n := &node{place: at}
	switch t := t.(type) {
	case bool:
		n.kind, n.text = boolKind, strconv.FormatBool(t)
	case json.Number:
		n.kind, n.text = numberKind, t.String()
	case string:
		n.kind, n.text = stringKind, t
	case json.Delim:
		if n.kind = mapKind; t == '[' {
			n.kind = listKind
		}
		err = j.inside(n, depth)
	}
	return n, err
}

// inside reads the items or entries of a collection, and its end.
func (j *jsonReader) inside(n *node, depth int) error {
	seen := map[string]bool{}
	for j.dec.More() {
		var e entry
		var err error
		if n.kind == mapKind {
			var t json.Token
			if t, e.place, err = j.token(); err != nil {
				return err
			}
			e.key, _ = t.(string) // the tokenizer takes no other key
		}
		e.value, err = j.value(depth + 1)
		switch {
		case err != nil:
			return err
		case n.kind == listKind:
			n.items = append(n.items, e.value)
		case seen[e.key]:
			j.r.addMistakeAt(e.place, "", codeDuplicate, "Remove one of them.", "the key %q is here twice", e.key)
		default:
			seen[e.key] = true
			n.entries = append(n.entries, e)
		}
	}
	_, err := j.dec.Token()
	return err
}
