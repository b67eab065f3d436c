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
		if _, more := j.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more after the end of the study")
		}
	}
	if err != nil {
		at := j.place(j.next(), 1)
		message := err.Error()
		var se *json.SyntaxError
		switch {
		case errors.As(err, &se):
			at = j.place(j.after(max(0, int(se.Offset)-1)), 1)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			message = "the JSON ends in the middle"
		}
		r.addAt(at, "", codeSyntax, "", "%s", message)
		return nil
	}
	return n
}

// next is the offset where the next token starts.
func (j *jsonReader) next() int {
	return j.after(int(j.dec.InputOffset()))
}

// after skips what stands between tokens.
func (j *jsonReader) after(i int) int {
	for i < len(j.src) && bytes.IndexByte([]byte(" \t\r\n,:"), j.src[i]) >= 0 {
		i++
	}
	return i
}

// place converts an offset. Offsets come in ascending order, so that a
// document on one line costs one pass.
func (j *jsonReader) place(offset, width int) place {
	offset = min(offset, len(j.src))
	if offset < j.seen {
		j.line, j.column, j.seen = 1, 0, 0
	}
	for ; j.seen < offset; j.seen++ {
		switch c := j.src[j.seen]; {
		case c == '\n':
			j.line, j.column = j.line+1, 0
		case utf8.RuneStart(c):
			j.column++
		}
	}
	return place{line: j.line, column: 1 + j.column, width: max(1, width)}
}

func (j *jsonReader) value(depth int) (*node, error) {
	start := j.next()
	if depth > events.MaxStudyDepth {
		return nil, fmt.Errorf("values are nested more than %d deep", events.MaxStudyDepth)
	}
	t, err := j.dec.Token()
	if err != nil {
		return nil, err
	}
	end := int(j.dec.InputOffset())
	at := j.place(start, utf8.RuneCount(j.src[min(start, end):end]))
	switch t := t.(type) {
	case nil:
		return &node{kind: nullKind, place: at}, nil
	case bool:
		return &node{kind: boolKind, text: strconv.FormatBool(t), place: at}, nil
	case json.Number:
		return &node{kind: numberKind, text: t.String(), place: at}, nil
	case string:
		return &node{kind: stringKind, text: t, place: at}, nil
	case json.Delim:
		if t == '[' {
			return j.list(at, depth)
		}
		return j.object(at, depth)
	}
	return nil, fmt.Errorf("unexpected %v", t)
}

func (j *jsonReader) list(at place, depth int) (*node, error) {
	out := &node{kind: listKind, place: at}
	for j.dec.More() {
		item, err := j.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, item)
	}
	_, err := j.dec.Token()
	return out, err
}

func (j *jsonReader) object(at place, depth int) (*node, error) {
	out, seen := &node{kind: mapKind, place: at}, map[string]bool{}
	for j.dec.More() {
		start := j.next()
		t, err := j.dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, errors.New("a key must be text in quotes")
		}
		keyAt := j.place(start, int(j.dec.InputOffset())-start)
		value, err := j.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if seen[key] {
			j.r.addAt(keyAt, "", codeDuplicate, "Remove one of them.", "the key %q is here twice", key)
			continue
		}
		seen[key] = true
		out.entries = append(out.entries, entry{key: key, place: keyAt, value: value})
	}
	_, err := j.dec.Token()
	return out, err
}
