package studyfile

import "encoding/json"

// object is a JSON object whose keys stay in order, list a JSON list, raw the
// text of either.
type (
	object []member
	list   []any
	raw    []byte
	member struct {
		key   string
		value any
	}
)

// appendJSON appends the JSON of objects, lists and what always marshals.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case raw:
		return append(dst, v...)
	case object:
		dst = append(dst, '{')
		for i, m := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(append(appendJSON(dst, m.key), ':'), m.value)
		}
		return append(dst, '}')
	case list:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	}
	// Numbers, text and checked JSON have a JSON.
	b, _ := json.Marshal(v)
	return append(dst, b...)
}
