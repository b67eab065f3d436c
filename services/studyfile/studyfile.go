package studyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/events"
)

// Catalog is what a study may name. The caller fills it in, so that this
// package depends on no particular template, network or strategy.
type Catalog struct {
	// Templates are the built-in spaces with their evaluators.
	Templates []evaluator.Template
	// Network returns a network by name in the given sizes; nil means that there
	// is none.
	Network func(name string, sizes workload.Sizes) (*workload.Workload, error)
	// NetworkNames are the names for hints.
	NetworkNames []string
	// Algorithm checks the name and the options (a JSON object, or nil) of a
	// strategy; nil accepts every algorithm.
	Algorithm func(name string, options []byte) error
	// AlgorithmNames are the names for hints, and, when Algorithm is set, the
	// names that exist.
	AlgorithmNames []string
	// MultiObjectiveNames are the strategies that search several objectives; nil means all.
	MultiObjectiveNames []string
}

func (c Catalog) templateNames() (names []string) {
	for _, t := range c.Templates {
		names = append(names, t.Name)
	}
	return names
}

// Options say where a document comes from.
type Options struct {
	// Sets override fields of the document, in order: "spec.budget.trials=900".
	// List items are written [0]; the value is YAML; null removes the field.
	Sets []string
	// Dir is what relative Parquet paths are joined to; "" leaves them alone.
	Dir string
	// ReadFile reads a workload file that the document names; nil means that it
	// may name none. Relative paths have been joined to Dir.
	ReadFile func(path string) ([]byte, error)
	// Describe asks the program of a command what it measures, for a study that
	// leaves its parameters or metrics to the program; nil means that a study must
	// say them.
	Describe func(exec string) (Described, error)
	// Missing says what of a program's command is not there, where that is certain; nil
	// means that nobody looks.
	Missing func(exec string) error
	// Slots says how many designs the workers of an evaluator measure at a time, 0
	// where that is unknown; started: the study's own program does. nil means that
	// nobody knows.
	Slots func(evaluator string, started bool) int
	// Published marks a document that came over the bus: it is JSON, and may
	// name its sources only by study.
	Published bool
}

// Program says how a study's evaluator is started.
type Program struct {
	// Exec is the command, "" for none.
	Exec string
	// StartupSeconds bounds the load of a process and MemoryBytes its data; 0
	// means that the study says nothing.
	StartupSeconds, MemoryBytes float64
	// Env is added to the environment.
	Env map[string]string
}

// Document is a study that was read without a mistake.
type Document struct {
	// Spec has every default filled in and every number in its unit.
	Spec *events.Spec
	// Normalised is the study again, as a JSON document with every default
	// written out. Parse reads it back to the same Spec; it is what is
	// published.
	Normalised []byte
	// AutoParallelism says that the study left its parallelism to the workers that
	// there are, and AutoLag that its lag followed from that. Spec has the numbers.
	AutoParallelism, AutoLag bool
	// Program is what `apollo run` starts as the evaluator: neither Spec nor
	// Normalised holds it.
	Program

	checker *checker
}

// Parse reads a study document in YAML or JSON. name stands in messages. The
// error is an *Error that holds every mistake; Parse does no I/O.
func Parse(name string, src []byte, cat Catalog, opts Options) (doc *Document, err error) {
	b := newBuilder(cat, opts)
	if b.root = read(b.report, src, opts); b.root != nil && !b.isCampaign() {
		doc, err = b.document()
	}
	if mistakes := b.err(name, src, b.opts.Sets); mistakes != nil {
		return nil, mistakes
	}
	return doc, err
}

func newBuilder(cat Catalog, opts Options) *builder {
	return &builder{report: &report{}, cat: cat, opts: opts, table: document(), spec: &events.Spec{}}
}

// document builds the study whose root was read; nil after reporting why not.
func (b *builder) document() (*Document, error) {
	b.describe()
	b.autoParallelism()
	b.movePrior()
	return b.build()
}

// read turns the bytes and the flags into nodes; nil after reporting why not.
func read(r *report, src []byte, opts Options) (root *node) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if !readable(r, src) {
		return nil
	}
	switch text := bytes.TrimSpace(src); {
	case len(text) > 0 && text[0] == '{' && (opts.Published || json.Valid(src)):
		root = readJSON(r, src)
	default:
		root = readYAML(r, src, 0, 0)
	}
	if root == nil {
		return nil
	}
	for i, text := range opts.Sets {
		if root.kind == nullKind {
			root.kind = mapKind
		}
		r.applySet(root, text, i+1)
	}
	root.point("")
	const hint = "Start with \"apiVersion: apollo/v1\" and \"kind: Study\"."
	if r.when(root.kind == nullKind, root, codeMissing, hint, "the study is empty") ||
		r.when(root.kind != mapKind, root, codeWrongType, hint, "a study is a mapping, not %s", root.kind) {
		return nil
	}
	return root
}

// readable checks the bytes before any parser sees them.
func readable(r *report, src []byte) bool {
	at := place{line: 1, column: 1, width: 1}
	if len(src) > 1 && (src[0] == 0xff && src[1] == 0xfe || src[0] == 0xfe && src[1] == 0xff || src[0] == 0 || src[1] == 0) {
		r.addMistakeAt(at, "", codeSyntax, "Save the file as UTF-8.", "the file is UTF-16")
		return false
	}
	if len(src) > events.MaxSpecBytes {
		r.addMistakeAt(at, "", codeTooLarge, "", "the study has %d bytes, at most %d are allowed", len(src), events.MaxSpecBytes)
		return false
	}
	for i := 0; i < len(src); {
		c, size := utf8.DecodeRune(src[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.addMistakeAt(at, "", codeSyntax, "Save the file as UTF-8.", "byte 0x%02x is no UTF-8 text", src[i])
			return false
		case c == '\n':
			at.line, at.column = at.line+1, 0
		case c == '\r' && i+1 < len(src) && src[i+1] == '\n', c == '\t':
		case c == '\r':
			r.addMistakeAt(at, "", codeSyntax, "Save the file with line feeds, as Unix and Windows have them.", "a carriage return ends no line")
			return false
		case c < ' ', c == 0x7f:
			r.addMistakeAt(at, "", codeSyntax, "Remove it.", "there is a control character (U+%04X)", c)
			return false
		}
		i += size
		at.column++
	}
	return true
}

// builder turns checked nodes into a spec. Every step works with what is
// there, so that one mistake does not hide the next.
type builder struct {
	*report
	cat     Catalog
	opts    Options
	table   *field
	root    *node
	spec    *events.Spec
	program Program
	noise   noise
	// auto: the parallelism is that of the workers that there are; autoLag: so is
	// the lag.
	auto, autoLag bool
	// own are the parameters and ownMetrics the metrics that the study declares.
	own        []events.Parameter
	ownMetrics []events.Metric
	// computed are the metrics with an expression, by their short names.
	computed []events.Metric
	// broken are those of them, and of the networks', whose own mistake has been reported.
	broken []string
	// unread says that a family's own mistake has been reported: nobody knows its parameters.
	unread bool
	// declared are the parameters before fix and restrict.
	declared []events.Parameter
	template *evaluator.Template
	desc     *evaluator.Description
	networks []evaluator.Network
	// prior is never read: the document's is one of the sources by then.
	prior *events.Source
	// objectiveNodes are where the spec's objectives stand.
	objectiveNodes []*node
}

// spec fields under the document's root.
func (b *builder) field(keys ...string) *node { return b.root.get("spec").at(keys...) }

func (b *builder) build() (*Document, error) {
	b.read(b.table, b.root, b)
	if b.full() {
		return nil, nil // the rest of the document was not read
	}
	own := b.parameters()
	b.workload()
	b.choice(own)
	b.narrowed(own)
	b.covered()
	b.evaluator()
	b.single()
	b.computedMetrics()
	b.objectives()
	b.constraints()
	b.applyNoise()
	b.earlyStop()
	b.fidelity()
	b.algorithm()
	b.transfer()
	b.budget()
	b.start()
	if len(b.found) > 0 || !b.sizes() {
		return nil, nil
	}
	doc := &Document{Program: b.program, Spec: b.spec, AutoParallelism: b.auto, AutoLag: b.autoLag, checker: b.bind()}
	b.program = Program{} // where the evaluator runs is no part of the study
	b.findLegal(doc.checker, "")
	b.legalAtFull(doc.checker)
	b.checkStart(doc.checker)
	b.baselineReferences()
	doc.Normalised = appendJSON(nil, b.written(b.table, b, nil))
	if !json.Valid(doc.Normalised) {
		return nil, errors.New("write the normalised study: a number has no JSON")
	}
	if most := events.MaxSpecBytes - requestRoom; len(doc.Normalised) > most && !b.opts.Published {
		b.addMistake(b.root, codeTooLarge, "Use fewer levels, shorter labels, or fewer layers in the study's own networks.",
			"the study has %d bytes when all of it is written out, at most %d can be published", len(doc.Normalised), most)
		return nil, nil
	}
	return doc, nil
}

// requestRoom is what the request around a study takes, with its headers and
// the user's program.
const requestRoom = 8 << 10

// sizes reports a study whose messages no server carries. What a server carries
// that is set to less is checked where it is known: when it accepts the study.
func (b *builder) sizes() bool {
	m := events.CheckSizes(b.spec, events.MaxEventBytes)
	if m == nil {
		return true
	}
	at := b.root
	if batch := b.field("budget", "batch"); batch != nil && m.Pointer == batch.pointer {
		at = batch
	}
	b.addMistake(at, m.Code, m.Hint, "%s", m.Message)
	return false
}
