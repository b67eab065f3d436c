package studyfile

import (
	"fmt"
	"strings"
)

// compared is how many names are compared with a wrong one; chosen: templates
// have ten parameters, and nobody misspells one of a thousand labels.
const compared = 1000

// nearest returns the name that s most likely means, or "".
func nearest(s string, names []string) string {
	if len(s) > maxText {
		return ""
	}
	best, at := max(2, len(s)/3)+1, ""
	for _, name := range names[:min(len(names), compared)] {
		if max(len(s)-len(name), len(name)-len(s)) >= 4*best || len(name) > maxText {
			continue // further apart than best: a character has at most 4 bytes
		}
		if d := distance(strings.ToLower(s), strings.ToLower(name)); d < best && d < len(name) {
			best, at = d, name
		}
	}
	return at
}

// distance is Levenshtein's, with the swap of two neighbours as one step.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		next := make([]int, len(y)+1)
		next[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(y)]
}

// listed is how many names a hint lists.
const listed = 24

// oneOf is the hint for a name that is not one of the known ones.
func oneOf(s string, names []string) string {
	if near := nearest(s, names); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	if len(names) == 0 {
		return ""
	}
	return "Known: " + enumerate(names) + "."
}

// enumerate joins names, and cuts a long list.
func enumerate(names []string) string {
	if len(names) <= listed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(names[:listed], ", "), len(names))
}
