package cli

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	study := []string{"cancel", "extend", "export", "init", "lint", "ls", "pause", "resume", "rm", "show", "stop", "submit", "watch"}
	for word, want := range map[string]string{
		"lst": "ls", "l": "ls", "list": "lint", "sl": "ls", "stpo": "stop", "shwo": "show", "SHOW": "show", "exprot": "export", "sub": "submit", "banana": "", "remove": "", "lints": "lint",
	} {
		if got := Nearest(word, study); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
