package nearest

import (
	"slices"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	t.Parallel()
	names := []string{"ga", "gp", "gp-bandit", "random", "tpe", "évolution", "mobilenet_v2", "mobilenet_v3", ""}
	for _, c := range []struct{ s, want string }{
		{"randon", "random"},
		{"RANDOM", "random"},
		{"rnadom", "random"}, // neighbours swapped are two edits
		{"ran", "random"},
		{"random-search", "random"},
		{"gp-banditt", "gp-bandit"}, // and not gp, with which it starts too
		{"gb", "ga"},                // the first of two that are as near
		{"evolution", "évolution"},  // one character, two bytes
		{"mobilnet-v2", "mobilenet_v2"},
		{"mobilenet", "mobilenet_v2"},
		{"mobilenet_v33", "mobilenet_v3"},
		{"foe", ""}, // two of the three letters of tpe differ
		{"g", "ga"},
		{"x", ""},
		{"sa", "ga"},
		{"bayes", ""},
		{"", ""},
		{strings.Repeat("random", 50), ""},
	} {
		if got := Name(c.s, names); got != c.want {
			t.Errorf("Name(%q) = %q, want %q", c.s, got, c.want)
		}
	}
	sets := []string{"C", "K", "C+G", "C+K", "C+K+P", "K+P"}
	for s, want := range map[string]string{"K+C": "C+K", "C+C": "C", "p+k+c": "C+K+P", "C+K+C": "C+K", "C+K": "C+K"} {
		if got := Name(s, sets); got != want {
			t.Errorf("Name(%q) = %q, want %q", s, got, want)
		}
	}
	if got := Name("random", nil); got != "" {
		t.Errorf("Name among no names = %q", got)
	}
	many := append(slices.Repeat([]string{"tpe"}, compared), "random")
	if got := Name("randon", many); got != "" {
		t.Errorf("Name = %q, which stands behind the %d names that are compared", got, compared)
	}
}

// A name is its own nearest, and the answer is always one of the names.
func FuzzName(f *testing.F) {
	f.Add("randon", "random", "ga")
	f.Add("\xff", "é", "")
	f.Fuzz(func(t *testing.T, s, a, b string) {
		names := []string{a, b}
		if got := Name(s, names); got != "" && !slices.Contains(names, got) {
			t.Errorf("Name(%q, %q) = %q", s, names, got)
		}
		if got := Name(a, names); a != "" && len(a) <= longest && got != a {
			t.Errorf("Name(%q, %q) = %q", a, names, got)
		}
	})
}
