package studyfile

import (
	"fmt"
	"strings"

	"apollo/internal/nearest"
)

// listed is how many names a hint lists.
const listed = 24

// oneOf is the hint for a name that is not one of the known ones.
func oneOf(s string, names []string) string {
	if near := nearest.Name(s, names); near != "" {
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
