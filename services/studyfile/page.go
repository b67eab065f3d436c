package studyfile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"apollo/services/studyfile/unit"
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
		case !found || strings.Contains(rest, "."):
		case valued && rest == "":
			for _, v := range f.values(cat) {
				out = append(out, strings.TrimSuffix(text, value)+v)
			}
		case valued:
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
// "<!-- fields: a b -->" and "<!-- end -->" becomes the rows of those fields and
// of all below them that no other table names.
func Page(page []byte, cat Catalog) []byte {
	table := regexp.MustCompile(`(?s)(<!-- fields: ([^>]*) -->\n).*?(<!-- end -->)`)
	var tops []string
	for _, m := range table.FindAllSubmatch(page, -1) {
		tops = append(tops, strings.Fields(string(m[2]))...)
	}
	return table.ReplaceAllFunc(page, func(old []byte) []byte {
		m := table.FindSubmatch(old)
		mine := strings.Fields(string(m[2]))
		out := string(m[1]) + "| field | type | default, limits | meaning |\n|---|---|---|---|\n"
		document().each("", func(path string, f *field) {
			top := ""
			for _, t := range tops {
				if path == t || len(t) > len(top) && strings.HasPrefix(path, t) && strings.ContainsRune(".[", rune(path[len(t)])) {
					top = t
				}
			}
			if slices.Contains(mine, top) {
				out += fmt.Sprintf("| `%s` | %s | %s | %s |\n", path, f.kind(), f.limits(cat), strings.TrimSpace(f.doc+" "+f.page))
			}
		})
		return []byte(out + string(m[3]))
	})
}

// limits says what is required, the default, and which values are allowed.
func (f *field) limits(cat Catalog) string {
	var out []string
	switch names := "`" + strings.Join(f.values(cat), "`, `") + "`"; {
	case f.required && names != "``":
		out = append(out, "required: "+names)
	case f.required:
		out = append(out, "required")
	case slices.Contains(f.enum, f.fallback):
		out = append(out, "`"+f.fallback+"`")
	case f.fallback != "":
		out = append(out, f.fallback)
	}
	bytes := ""
	if f.shape == textShape {
		bytes = " bytes"
	}
	switch {
	case f.above:
		out = append(out, fmt.Sprintf("above %s, up to %s", f.figure(f.min), f.figure(f.max)))
	case f.min > 0:
		out = append(out, fmt.Sprintf("%s to %s", f.figure(f.min), f.figure(f.max)))
	case f.max > 0:
		out = append(out, "up to "+f.figure(f.max))
	case f.most > 0 && f.nonempty:
		out = append(out, "1 to "+f.figure(float64(f.most))+bytes)
	case f.most > 0:
		out = append(out, "at most "+f.figure(float64(f.most))+bytes)
	}
	if f.elem != nil && f.elem.most > 0 {
		out = append(out, "each "+f.elem.limits(cat))
	}
	if f.not != nil {
		out = append(out, "not beside `"+strings.Join(f.not.names, "`, `")+"`")
	}
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
