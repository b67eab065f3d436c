package cli

import (
	"slices"
	"strings"
)

// Nearest is the name that a mistyped word most likely means: the one with the
// fewest letters to change, swap, add or leave out, at most two and fewer than the
// word has; of several the one that begins alike, then the one that people use
// most. "" when none is near.
func Nearest(word string, names []string) string {
	word = strings.ToLower(word)
	best, least := "", 3
	for _, name := range names {
		d := distance(word, name)
		if strings.HasPrefix(name, word) && len(word) > 1 {
			d = 0
		}
		if d >= max(len(word), 2) || d > least || d == 3 {
			continue
		}
		if d < least || rank(word, name) < rank(word, best) {
			best, least = name, d
		}
	}
	return best
}

// rank orders names that are as near.
func rank(word, name string) int {
	used := []string{"ls", "show", "run", "eval", "lint", "submit", "watch"}
	at := slices.Index(used, name)
	if at < 0 {
		at = len(used)
	}
	if name == "" || word == "" || name[0] != word[0] {
		at += len(used) + 1
	}
	return at
}

// distance counts the letters to change, swap with the next, add or leave out.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
