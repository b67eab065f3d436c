package studyfile

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"apollo/events"
	"apollo/events/unit"
)

// yamlReader turns the syntax tree of one YAML document into nodes. It accepts
// the part of YAML that a study needs: no anchors, aliases, tags, merge keys
// or directives, so that no document is larger than it looks.
type yamlReader struct {
	r    *report
	flag int
	// left is added to the columns of the first line, for flags.
	left int
}

// readYAML returns the document's root, or nil after reporting why not.
func readYAML(r *report, src []byte, flag, left int) *node {
	y := yamlReader{r: r, flag: flag, left: left}
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	file := y.parse(src)
	if file == nil {
		return nil
	}
	if len(file.Docs) > 1 {
		r.addMistakeAt(y.place(file.Docs[1].Start, 3), "", codeUnsupported, "Write each study in a file of its own.", "the file holds %d documents, a study file holds one", len(file.Docs))
		return nil
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return &node{place: y.place(nil, 1)}
	}
	return y.node(file.Docs[0].Body, 0)
}

// parse runs the YAML library. It may meet any bytes, so a panic inside it is
// a syntax mistake of the document.
func (y *yamlReader) parse(src []byte) (file *ast.File) {
	defer func() {
		if p := recover(); p != nil {
			file = nil
			y.r.addMistakeAt(y.place(nil, 1), "", codeSyntax, "Write the study again in plain block style.", "this is no YAML that can be read")
		}
	}()
	if len(src) > events.MaxYAMLBytes {
		y.r.addMistakeAt(y.place(nil, 1), "", codeTooLarge, "Write long lists of levels as a range, or the study in JSON.", "the YAML has %d bytes, at most %d are allowed", len(src), events.MaxYAMLBytes)
		return nil
	}
	tokens := lexer.Tokenize(string(src))
	if !y.shallow(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		y.syntax(err)
		return nil
	}
	return file
}

// shallow reports flow collections, or block collections on one line, that are
// nested deeper than a study can need, and keys beyond the limit, before the
// parser recurses into them.
func (y *yamlReader) shallow(tokens token.Tokens) bool {
	flow, dashes, line, keys := 0, 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		case token.MappingValueType:
			keys++
		}
		switch {
		case keys > events.MaxYAMLKeys:
			y.r.addMistakeAt(y.place(t, 1), "", codeTooLarge, "", "the YAML has %d keys or more, at most %d are allowed", keys, events.MaxYAMLKeys)
			return false
		case flow > events.MaxStudyDepth || dashes > events.MaxStudyDepth:
			y.r.addMistakeAt(y.place(t, 1), "", codeTooDeep, "Look for a bracket that is not closed, or write it flatter.", "values are nested more than %d deep", events.MaxStudyDepth)
			return false
		}
	}
	return true
}

func (y *yamlReader) syntax(err error) {
	at, message := y.place(nil, 1), "this is no valid YAML"
	if se, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		at, message = y.place(se.Token, 1), se.Message
	}
	hint := ""
	if message == "value is not allowed in this context" {
		message, hint = "nothing can be here at this indentation", "Begin all keys of one mapping in the same column."
	}
	switch {
	case message == "could not find flow map content":
		message, hint = "what stands in these braces is no \"key: value\"", "Put keys with brackets in quotes, {\"spec.constraints[0].max\": [1 mm2]}, or write each on a line of its own."
	case strings.HasPrefix(message, "could not find flow mapping end token"):
		message, hint = "this mapping is not closed", "Write } where it ends."
	case strings.HasPrefix(message, "could not find flow sequence end token"), strings.Contains(message, "sequence end token"):
		message, hint = "this list is not closed", "Write ] where it ends."
	case strings.HasPrefix(message, "could not find end character of"):
		message, hint = "the text in quotes does not end", "Write the same quotes behind it."
	}
	if strings.Contains(message, "\t") || strings.Contains(message, "tab") {
		message, hint = "a tab cannot indent YAML", "Use spaces."
	}
	y.r.addMistakeAt(at, "", codeSyntax, hint, "%s", message)
}

// place is the position of a token that is width characters wide.
func (y *yamlReader) place(t *token.Token, width int) place {
	p := place{line: 1, column: 1, width: max(1, width), flag: y.flag}
	if t != nil && t.Position != nil {
		p.line, p.column = max(1, t.Position.Line), max(1, t.Position.Column)
	}
	if p.line == 1 {
		p.column += y.left
	}
	return p
}

// scalarPlace covers the token as written, without the space around it.
func (y *yamlReader) scalarPlace(t *token.Token) place {
	if t == nil {
		return y.place(nil, 1)
	}
	written := strings.TrimSpace(t.Origin)
	if i := strings.IndexByte(written, '\n'); i >= 0 {
		written = written[:i]
	}
	return y.place(t, utf8.RuneCountInString(strings.TrimSpace(written)))
}

func (y *yamlReader) node(n ast.Node, depth int) *node {
	if n == nil {
		return &node{place: y.place(nil, 1)}
	}
	if depth > events.MaxStudyDepth {
		at := y.place(n.GetToken(), 1)
		y.r.addMistakeAt(at, "", codeTooDeep, "Look for a bracket that is not closed, or write it flatter.", "values are nested more than %d deep", events.MaxStudyDepth)
		return &node{place: at}
	}
	out := &node{place: y.scalarPlace(n.GetToken())}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		out.kind, out.text = boolKind, strconv.FormatBool(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		out.kind, out.text = numberKind, n.GetToken().Value
	case *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text, out.plain = stringKind, n.GetToken().Value, true
	case *ast.StringNode:
		out.kind, out.text, out.plain = stringKind, n.Value, n.Token.Type == token.StringType
		if out.plain && decimalText(n.Value) {
			out.kind, out.plain = numberKind, false // YAML 1.2 reads 1e3 as a number, the library as text
		}
	case *ast.LiteralNode:
		out.kind, out.text = stringKind, strings.TrimRight(n.Value.Value, "\n")
	case *ast.MappingNode:
		y.mapping(out, n.Values, n.Start, depth)
	case *ast.MappingValueNode:
		y.mapping(out, []*ast.MappingValueNode{n}, n.Start, depth)
	case *ast.SequenceNode:
		out.kind, out.place = listKind, y.place(n.Start, 1)
		for _, v := range n.Values {
			out.items = append(out.items, y.node(v, depth+1))
		}
	default:
		y.unsupported(n, out)
	}
	return out
}

// unsupported reports a feature of YAML that studies do without.
func (y *yamlReader) unsupported(n ast.Node, out *node) {
	what, hint := "this kind of YAML value", "Write the value itself."
	switch n.(type) {
	case *ast.AnchorNode:
		what = "an anchor (&name)"
	case *ast.AliasNode:
		what, hint = "an alias (*name)", "Write the value again. Text that starts with * needs quotes."
	case *ast.TagNode:
		what, hint = "a tag (!name)", "Text that starts with ! needs quotes."
	case *ast.DirectiveNode:
		what, hint = "a directive (%NAME)", ""
	}
	y.r.addMistakeAt(out.place, "", codeUnsupported, hint, "%s is not supported in a study", what)
	out.text = "unsupported"
}

func (y *yamlReader) mapping(out *node, values []*ast.MappingValueNode, start *token.Token, depth int) {
	out.kind, out.place = mapKind, y.place(start, 1)
	first := map[string]place{}
	for i, v := range values {
		at := y.scalarPlace(v.Key.GetToken())
		if i == 0 && !strings.HasPrefix(start.Value, "{") {
			// A block mapping starts at its first key, not at its colon.
			out.place = at
		}
		key, ok := keyText(v.Key)
		before, twice := first[key]
		switch {
		case !ok:
			y.r.addMistakeAt(at, "", codeUnsupported, "A key is plain or quoted text.", "this kind of key is not supported in a study")
		case twice:
			y.r.addMistakeAt(at, "", codeDuplicate, "Remove one of them.", "the key %q is here twice, first on line %d", key, before.line)
		default:
			first[key] = at
			out.entries = append(out.entries, entry{key: key, place: at, value: y.node(v.Value, depth+1)})
		}
	}
}

// decimalText reports whether s is a decimal number and nothing else.
func decimalText(s string) bool {
	q, err := unit.Parse(s)
	return err == nil && q.Digits == s
}

func keyText(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return key.GetToken().Value, true
	}
	return "", false
}
