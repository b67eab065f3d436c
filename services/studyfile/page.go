package studyfile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"apollo/events/unit"
)

// each visits the fields below f: spec.rules[].id.
func (f *field) each(path string, visit func(path string, f *field)) {
	for i := range f.fields {
		child := &f.fields[i]
		at := strings.TrimPrefix(path+"."+child.name, ".")
		visit(at, child)
		child.each(at, visit)
		if child.elem != nil {
			child.elem.each(at+"[]", visit)
		}
	}
}

// Complete returns what a --set flag that starts with text may go on with: keys,
// and after "=" the values that the table or the catalog knows.
func Complete(text string, cat Catalog) (out []string) {
	path, value, valued := strings.Cut(regexp.MustCompile(`\[\d+\]`).ReplaceAllString(text, "[]"), "=")
	document().each("", func(at string, f *field) {
		rest, found := strings.CutPrefix(at, path)
		switch {
		case !found || strings.Contains(rest, ".") || valued && rest != "":
		case valued:
			for _, v := range f.values(cat) {
				out = append(out, strings.TrimSuffix(text, value)+v)
			}
		case f.shape == objectShape:
			out = append(out, text+rest+".")
		case f.shape == listShape && f.elem.shape == objectShape:
			out = append(out, text+rest+"[0].")
		default:
			out = append(out, text+rest+"=")
		}
	})
	return out
}

// values are the ones that are known by name.
func (f *field) values(cat Catalog) []string {
	switch {
	case f.shape == boolShape:
		return []string{"true", "false"}
	case f.known != nil:
		return f.known(cat)
	}
	return f.enum
}

// Page writes the tables of a page again. What stands between the lines
// "<!-- fields: a b* -->" and "<!-- end -->" becomes the rows of those fields; a
// star means all that start so.
func Page(page []byte, cat Catalog) []byte {
	table := regexp.MustCompile(`(?s)(<!-- fields: ([^>]*) -->\n).*?(<!-- end -->)`)
	return table.ReplaceAllFunc(page, func(old []byte) []byte {
		m := table.FindSubmatch(old)
		out := string(m[1]) + "| field | type | default, limits | meaning |\n|---|---|---|---|\n"
		document().each("", func(path string, f *field) {
			if slices.ContainsFunc(strings.Fields(string(m[2])), func(name string) bool {
				start, all := strings.CutSuffix(name, "*")
				return path == name || all && strings.HasPrefix(path, start)
			}) {
				out += fmt.Sprintf("| `%s` | %s | %s | %s |\n", path, f.kind(), f.limits(cat), strings.TrimSpace(f.doc+" "+f.page))
			}
		})
		return []byte(out + string(m[3]))
	})
}

// limits says what is required, the default, and which values are allowed.
func (f *field) limits(cat Catalog) string {
	var out []string
	say := func(when bool, format string, args ...any) {
		if when {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	quoted := func(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
	names, fallback, bytes := f.values(cat), f.fallback, ""
	if slices.Contains(f.enum, fallback) {
		fallback = quoted([]string{fallback})
	}
	if f.shape == textShape {
		bytes = " bytes"
	}
	say(f.required && names == nil, "required")
	say(f.required && names != nil, "required: %s", quoted(names))
	say(fallback != "", "%s", fallback)
	say(f.above, "above %s, up to %s", f.figure(f.min), f.figure(f.max))
	say(f.min > 0, "%s to %s", f.figure(f.min), f.figure(f.max))
	say(f.max > 0 && f.min == 0 && !f.above, "up to %s", f.figure(f.max))
	say(f.most > 0 && f.nonempty, "1 to %s%s", f.figure(float64(f.most)), bytes)
	say(f.most > 0 && !f.nonempty, "at most %s%s", f.figure(float64(f.most)), bytes)
	if f.elem != nil && f.elem.most > 0 {
		say(true, "each %s", f.elem.limits(cat))
	}
	say(f.not.names != nil, "not beside %s", quoted(f.not.names))
	return strings.Join(out, "; ")
}

// figure writes a bound for people: 10,000,000, or with its unit.
func (f *field) figure(v float64) string {
	switch {
	case f.shape == quantityShape:
		return unit.Format(v, f.unit().Symbol)
	case v == 1<<64-1:
		return "2^64-1"
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
