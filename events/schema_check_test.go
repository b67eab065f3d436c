package events

import (
	"strings"
	"testing"
)

// A keyword of JSON Schema that is not checked is refused: it would hold nothing.
func TestSchemasOfUnknownKeywordsAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"type":"string","pattern":"a"}`:                "pattern",
		`{"properties":{"a":{"items":{"maximum":1}}}}`:   "maximum",
		`{"items":{"$ref":"#/$defs/A"}}`:                 "#/$defs/A",
		`{"$defs":{"A":{"$ref":"#/$defs/B"}}}`:           "#/$defs/B",
		`{"oneOf":[{"type":"string","format":"email"}]}`: "email",
	} {
		if _, err := parseSchema([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that names %s", text, err, want)
		}
	}
}
