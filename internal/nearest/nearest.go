// Package nearest finds the known name that a wrong one most likely means, for
// the "did you mean" of an error.
package nearest

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

const (
	// longest is the size in bytes from which a name is compared with nothing:
	// the distance takes the product of both lengths. Chosen: the longest name
	// that a study may use.
	longest = 256
	// compared is how many names are looked at; chosen: templates have ten
	// parameters, and nobody misspells one of a thousand labels.
	compared = 1000
)

// Name returns the one of names that s most likely means, the first of several
// that are as near, or "" when none is near. Near is, without regard to case:
// at most two characters or a third of the name, and at most half of it, are
// missing, added or replaced; or one starts with the other, from three
// characters of s on. A set with its parts in another order, or one twice, is nearest.
func Name(s string, names []string) string {
	best, at := longest, ""
	if len(s) > longest {
		return ""
	}
	names = names[:min(len(names), compared)]
	if i := sameParts(s, names); i >= 0 {
		return names[i]
	}
	s = strings.ToLower(s)
	for _, name := range names {
		if len(name) > longest || name == "" {
			continue
		}
		if d, near := distance(s, strings.ToLower(name)); near && d < best {
			best, at = d, name
		}
	}
	return at
}

// sameParts returns the place of the name that has the parts of s between plus signs, in another order
// or each once; of one that is equal, if there is one; -1 for none.
func sameParts(s string, names []string) int {
	if !strings.Contains(s, "+") {
		return -1
	}
	if i := slices.Index(names, s); i >= 0 {
		return i
	}
	want := parts(s)
	return slices.IndexFunc(names, func(name string) bool { return len(name) <= longest && slices.Equal(parts(name), want) })
}

func parts(s string) []string {
	list := strings.Split(strings.ToLower(s), "+")
	slices.Sort(list)
	return slices.Compact(list)
}

// distance counts the edits from s to name, and says whether they are few
// enough to mean the same.
func distance(s, name string) (edits int, near bool) {
	edits = levenshtein.ComputeDistance(s, name)
	n := utf8.RuneCountInString(name)
	starts := utf8.RuneCountInString(s) >= 3 && (strings.HasPrefix(name, s) || strings.HasPrefix(s, name))
	return edits, starts || edits <= max(2, n/3) && 2*edits <= n
}
