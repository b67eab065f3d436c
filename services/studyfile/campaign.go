package studyfile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"apollo/events"
)

// The most that a campaign has: studies, and lists in its matrix. Chosen: a table and
// a picture of more say nothing any more.
const (
	MaxCampaign = 256
	maxAxes     = 8
)

// CampaignLabel is the label of a study that belongs to a campaign: its name.
const CampaignLabel = "campaign"

// AxisLabel is the label that says what a study of a campaign has on an axis.
func AxisLabel(axis int, path string) string {
	return fmt.Sprintf("%s/%d/%s", CampaignLabel, axis, path)
}

// AxesOf reads the labels of a study of a campaign: the axes in order, each with the
// study's value alone.
func AxesOf(labels map[string]string) (axes []Axis) {
	for k := range maxAxes {
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			if path, is := strings.CutPrefix(name, AxisLabel(k, "")); is {
				axes = append(axes, Axis{Path: path, Values: []string{labels[name]}})
			}
		}
	}
	return axes
}

// Campaign is a file with a matrix: a study for each combination of its values.
type Campaign struct {
	// Name begins the names of the studies.
	Name    string
	Axes    []Axis
	Members []Member

	name string // of the file
	src  []byte
	cat  Catalog
	opts Options
}

// Axis is a field of the study that takes several values.
type Axis struct {
	// Path is the field as --set names it, and Values what it becomes, as text.
	Path   string
	Values []string
	// Learns: studies that differ in it learn from each other. Those that differ in
	// how is searched, or only in the seed, are to be compared, and do not.
	Learns bool
}

// Title is the path without what is the same for most.
func (a *Axis) Title() string { return strings.TrimPrefix(a.Path, "spec.") }

// Member is a study of a campaign.
type Member struct {
	*Document
	// At is the index of its value on each axis.
	At []int
}

// IsCampaign reports whether a study document has a matrix.
func IsCampaign(src []byte, opts Options) bool {
	r := &report{}
	root := read(r, src, opts)
	return root != nil && root.get(matrixKey) != nil
}

const matrixKey = "matrix"

// isCampaign reports a matrix where one study is wanted.
func (b *builder) isCampaign() bool {
	n := b.root.get(matrixKey)
	return b.when(n != nil, n, codeUnsupported, "`apollo run`, `apollo study lint` and `apollo study submit` take it; --set matrix=null leaves the one study.", "a file with a matrix is several studies")
}

// ParseCampaign reads a document with a matrix. The studies do not learn from each
// other yet: see Learn. The error is an *Error that holds every mistake, once.
func ParseCampaign(name string, src []byte, cat Catalog, opts Options) (*Campaign, error) {
	c := &Campaign{name: name, src: src, cat: cat, opts: opts}
	r := &report{}
	root := read(r, src, opts)
	if root != nil {
		c.axes(r, root)
	}
	if err := r.err(name, src, opts.Sets); err != nil {
		return nil, err
	}
	all := &report{}
	at := make([]int, len(c.Axes))
	for {
		doc, b, err := c.study(at, nil)
		if err != nil {
			return nil, err
		}
		all.merge(b.report)
		c.Members = append(c.Members, Member{Document: doc, At: slices.Clone(at)})
		if !c.advance(at) || all.full() {
			break
		}
	}
	if err := all.err(name, src, opts.Sets); err != nil {
		return nil, err
	}
	return c, nil
}

// advance moves to the next combination, the last axis first.
func (c *Campaign) advance(at []int) bool {
	for k := len(at) - 1; k >= 0; k-- {
		if at[k]++; at[k] < len(c.Axes[k].Values) {
			return true
		}
		at[k] = 0
	}
	return false
}

// merge adds the mistakes that are not here already: those of what all studies share
// are found in each.
func (r *report) merge(o *report) {
	for _, f := range o.found {
		if !r.full() && !slices.ContainsFunc(r.found, func(h found) bool { return h.place == f.place && h.Message == f.Message }) {
			r.found = append(r.found, f)
		}
	}
}

// axes reads the matrix.
func (c *Campaign) axes(r *report, root *node) {
	c.Name = root.get("metadata").get("name").str()
	matrix := root.get(matrixKey)
	const hint = "Write matrix: {spec.seed: [1, 2, 3]}: fields as --set names them, each with a list of values."
	if r.when(matrix.kind != mapKind || len(matrix.entries) == 0, matrix, codeWrongType, hint, "a matrix is a mapping of fields to lists") ||
		r.when(len(matrix.entries) > maxAxes, matrix, codeOutOfRange, "", "the matrix has %d fields, at most %d are allowed", len(matrix.entries), maxAxes) {
		return
	}
	studies := 1
	for _, e := range matrix.entries {
		_, bad := splitPath(e.key, 0)
		if bad == "" && !strings.HasPrefix(e.key, "spec.") {
			bad = "it varies fields of spec"
		}
		if bad != "" {
			r.addMistakeAt(e.place, e.value.pointer, codeBadFlag, "Write spec.constraints[0].max, as --set does.", "%q is no field of a matrix: %s", clip(e.key), bad)
			continue
		}
		if r.when(e.value.kind != listKind || len(e.value.items) == 0, e.value, codeWrongType, hint, "%s has no list of values", clip(e.key)) {
			continue
		}
		axis := Axis{Path: e.key, Learns: learnsAlong(e.key)}
		for i, v := range e.value.items {
			text := plainText(v)
			r.when(slices.Contains(axis.Values, text), v, codeDuplicate, "Remove one of them.", "%s is here twice", clip(text))
			r.when(v.kind == nullKind, v, codeMissing, "Write a value.", "value %d of %s is empty", i+1, clip(e.key))
			axis.Values = append(axis.Values, text)
		}
		c.Axes = append(c.Axes, axis)
		studies *= min(len(axis.Values), MaxCampaign+1)
		if r.when(studies > MaxCampaign, e.value, codeOutOfRange, "Use fewer values, or several files.", "the matrix has more than %d studies", MaxCampaign) {
			return
		}
	}
}

// learnsAlong reports whether a field says what is searched, not how.
func learnsAlong(path string) bool {
	for _, how := range []string{"spec.seed", "spec.algorithm", "spec.budget", "spec.stop", "spec.order", "spec.transfer", "spec.prior", "spec.start", "spec.fork"} {
		if rest, is := strings.CutPrefix(path, how); is && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return false
		}
	}
	return true
}

// plainText is a value for people: a text without quotes, else its JSON.
func plainText(n *node) string {
	if n.kind == stringKind {
		return n.text
	}
	return string((&report{}).plain(nil, n))
}

// Chain names the studies that learn from each other: those that are searched alike.
func (c *Campaign) Chain(i int) string {
	var b strings.Builder
	for k, a := range c.Axes {
		if !a.Learns {
			fmt.Fprintf(&b, "%d ", c.Members[i].At[k])
		}
	}
	return b.String()
}

// Learn makes the i-th study learn from others, by their names.
func (c *Campaign) Learn(i int, sources []string) error {
	doc, b, err := c.study(c.Members[i].At, sources)
	if err != nil {
		return err
	}
	if err := b.err(c.name, c.src, c.opts.Sets); err != nil {
		return err
	}
	c.Members[i].Document = doc
	return nil
}

// study builds one study; what is wrong with it is in the builder's report.
func (c *Campaign) study(at []int, sources []string) (*Document, *builder, error) {
	b := newBuilder(c.cat, c.opts)
	if b.root = read(b.report, c.src, c.opts); b.root == nil {
		return nil, b, nil
	}
	i := slices.IndexFunc(b.root.entries, func(e entry) bool { return e.key == matrixKey })
	if i < 0 {
		return nil, b, errors.New("the campaign has no matrix")
	}
	matrix := b.root.entries[i].value
	b.root.entries = slices.Delete(b.root.entries, i, i+1)
	for k, e := range matrix.entries {
		steps, _ := splitPath(e.key, 0)
		for s := range steps {
			steps[s].place = e.place
		}
		b.set(b.root, steps, e.value.items[at[k]])
	}
	c.call(b.root, at)
	c.sources(b, sources)
	b.root.point("")
	doc, err := b.document()
	return doc, b, err
}

// call gives a study its name, and the label of its campaign.
func (c *Campaign) call(root *node, at []int) {
	name := root.get("metadata").get("name")
	if name.str() == "" {
		return // reported with its shape
	}
	meta := root.get("metadata")
	labels := [][2]string{{CampaignLabel, c.Name}}
	for k, a := range c.Axes {
		labels = append(labels, [2]string{AxisLabel(k, a.Path), events.Cut(a.Values[at[k]], events.MaxTextBytes)})
	}
	for _, l := range labels {
		v := &node{kind: stringKind, text: l[1], place: name.place}
		(&report{}).set(meta, []step{{key: "labels", index: -1, place: name.place}, {key: l[0], index: -1, place: name.place}}, v)
	}
	name.text = c.nameAt(at)
}

// nameAt is the name of a study: that of the campaign with its values, or, where that
// is no name or not its alone, with a number.
func (c *Campaign) nameAt(at []int) string {
	number := 0
	for k, a := range c.Axes {
		number = number*len(a.Values) + at[k]
	}
	name := c.wordsAt(at)
	if !events.IsName(name) || !c.distinct() {
		return fmt.Sprintf("%s-%03d", c.Name, number+1)
	}
	return name
}

// wordsAt joins the words of a study's values, "" where one has none.
func (c *Campaign) wordsAt(at []int) string {
	words := []string{c.Name}
	for k, a := range c.Axes {
		w := a.word(at[k])
		if w == "" {
			return ""
		}
		words = append(words, w)
	}
	return strings.Join(words, "-")
}

// distinct reports whether the words of the values tell all studies apart.
func (c *Campaign) distinct() bool {
	seen := map[string]bool{}
	at := make([]int, len(c.Axes))
	for {
		name := c.wordsAt(at)
		if name == "" || seen[name] {
			return false
		}
		seen[name] = true
		k := len(at) - 1
		for ; k >= 0; k-- {
			if at[k]++; at[k] < len(c.Axes[k].Values) {
				break
			}
			at[k] = 0
		}
		if k < 0 {
			return true
		}
	}
}

// word is a value as part of a name: "6p8-mm2", "mobilenet-v2", "seed1".
func (a *Axis) word(i int) string {
	text := strings.ToLower(a.Values[i])
	if strings.Trim(text, "0123456789.") == "" {
		last := a.Path[strings.LastIndexByte(a.Path, '.')+1:]
		text = strings.ToLower(last) + text
	}
	text = strings.ReplaceAll(text, ".", "p")
	text = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, text)
	for strings.Contains(text, "--") {
		text = strings.ReplaceAll(text, "--", "-")
	}
	return strings.Trim(text, "-")
}

// sources adds studies to those that a study learns from. What says how a study learns
// is left out of the first, which learns from none.
func (c *Campaign) sources(b *builder, names []string) {
	spec := b.root.get("spec")
	transfer := spec.get("transfer")
	if spec == nil || spec.kind != mapKind || transfer != nil && transfer.kind != mapKind {
		return // reported with their shapes
	}
	if len(names) == 0 {
		if transfer != nil && transfer.get("sources") == nil && spec.get("prior") == nil {
			spec.entries = slices.DeleteFunc(spec.entries, func(e entry) bool { return e.key == "transfer" })
		}
		return
	}
	at := b.root.place
	if transfer == nil {
		transfer = &node{kind: mapKind, place: at}
		spec.entries = append(spec.entries, entry{"transfer", at, transfer})
	}
	list := transfer.get("sources")
	if list == nil {
		list = &node{kind: listKind, place: at}
		transfer.entries = append(transfer.entries, entry{"sources", at, list})
	}
	for _, name := range names {
		study := &node{kind: stringKind, text: name, place: at}
		list.items = append(list.items, &node{kind: mapKind, place: at, entries: []entry{{"study", at, study}}})
	}
}
