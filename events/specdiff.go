package events

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"apollo/events/wire"
)

// SpecSHA256 is the identity of a specification, 64 hex digits: the SHA-256 of
// its normalised JSON without labels. Normalised means sorted keys, numbers in
// their shortest form, and no field that is null or an empty list or object,
// so the same study gives the same hash before and after a trip through JSON.
//
// A specification that has no JSON (an infinite bound) has the hash "".
func SpecSHA256(s *Spec) string {
	tree, err := normalise(s)
	if err != nil {
		return ""
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// maxDifferences bounds the answer of DiffSpecs: more help nobody.
const maxDifferences = 20

// DiffSpecs says in which fields two specifications differ, for people: one
// line per field, "/budget/trials: 400, now 900", in the order of the fields'
// JSON pointers. It is empty exactly when their SpecSHA256 is the same.
func DiffSpecs(have, want *Spec) []string {
	a, errA := normalise(have)
	b, errB := normalise(want)
	if errA != nil || errB != nil {
		return []string{"/: a number of the specification is not finite"}
	}
	var out []string
	diffTrees("", a, b, &out)
	if n := len(out); n > maxDifferences {
		out = append(out[:maxDifferences], fmt.Sprintf("and %d more", n-maxDifferences))
	}
	return out
}

// normalise returns the specification as a JSON tree in its normal form.
func normalise(s *Spec) (any, error) {
	b, err := json.Marshal(s.WithoutNotes())
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	return prune(tree), nil
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if e = prune(e); e == nil {
				delete(v, key)
			} else {
				v[key] = e
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case json.Number:
		return shortest(v)
	}
	return v
}

// shortest spells a number the one way: 4 for 4.0 and 4e0. Whole numbers keep
// all digits: a seed does not fit into a float.
func shortest(n json.Number) json.Number {
	s := n.String()
	if !strings.ContainsAny(s, ".eE") && s != "-0" {
		return n
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return n
	}
	if f == 0 {
		return "0"
	}
	return json.Number(wire.AppendFloat(nil, f))
}

func diffTrees(at string, a, b any, out *[]string) {
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			diffObjects(at, a, b, out)
			return
		}
	case []any:
		if b, ok := b.([]any); ok && (nested(a) || nested(b)) {
			diffLists(at, a, b, out)
			return
		}
	}
	x, y := describe(a), describe(b)
	if x == y && full(a) == full(b) {
		return
	}
	if at == "" {
		at = "/"
	}
	*out = append(*out, fmt.Sprintf("%s: %s, now %s", at, x, y))
}

func diffObjects(at string, a, b map[string]any, out *[]string) {
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		if _, both := a[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		diffTrees(at+"/"+wire.PointerToken([]byte(key)), a[key], b[key], out)
	}
}

func diffLists(at string, a, b []any, out *[]string) {
	for i := range max(len(a), len(b)) {
		var x, y any
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		diffTrees(at+"/"+strconv.Itoa(i), x, y, out)
	}
}

// nested reports whether a list holds lists or objects. Lists of plain values
// are compared as a whole.
func nested(list []any) bool {
	return slices.ContainsFunc(list, func(v any) bool {
		switch v.(type) {
		case map[string]any, []any:
			return true
		}
		return false
	})
}

// full is the JSON of a tree.
func full(v any) string {
	if v == nil {
		return "none"
	}
	b := new(bytes.Buffer)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// describe is full, cut to a length that fits into a line.
func describe(v any) string { return cut(full(v), 160) }
