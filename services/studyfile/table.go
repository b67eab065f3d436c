package studyfile

import (
	"strconv"
	"strings"

	"apollo/events"
	"apollo/events/unit"
)

// shape is what a field takes.
type shape uint8

const (
	textShape shape = iota
	integerShape
	numberShape   // a plain number
	boolShape     // true or false
	quantityShape // a number with a unit of field.dimension
	metricShape   // the name of a metric; values beside it are in its unit
	valueShape    // a number with or without unit, or a label: meaning decides
	listShape     // items of field.elem
	objectShape   // the keys of field.fields
	mapShape      // any keys, values of field.elem
	freeShape     // a mapping that another package knows
)

// words are what a shape is called on the page, and its type in JSON.
func (s shape) words() (page, json string) {
	w := [...][2]string{
		textShape: {"text", "string"}, integerShape: {"whole number", "integer"}, numberShape: {"number", "number"},
		boolShape: {"true or false", "boolean"}, quantityShape: {"ratio", "string"}, metricShape: {"metric", "string"},
		valueShape: {"quantity", "string"}, listShape: {"list", "array"}, objectShape: {"mapping", "object"},
		mapShape: {"mapping", "object"}, freeShape: {"mapping", "object"},
	}[s]
	return w[0], w[1]
}

// field is a row of the table: one key of a study document. Reading, checking
// and writing a study, the JSON Schema, the tables of docs/study-file.md and
// the completion of --set are walks over it.
type field struct {
	name string
	// doc says what the field is, in Markdown; page is what only the page adds.
	doc, page string
	// fallback is the default. A value is filled in; words, as in "2 x
	// parallelism", say what meaning decides. "" when there is none.
	fallback  string
	shape     shape
	required  bool
	enum      []string
	dimension unit.Dimension
	// min and max bound integers, numbers and, in base units, quantities.
	// Both 0 means no bound. above excludes min itself.
	min, max float64
	above    bool
	// most bounds the length of a list, a mapping or a text; 0 means no bound.
	// nonempty asks for at least one.
	most     int
	nonempty bool
	// naming is what a text must be as a name; nil takes any text. known are the
	// names that exist, for the page and for completion.
	naming *naming
	known  func(Catalog) []string
	// not are the keys that this one must not stand beside; need are those of
	// which an object must have one. local says why a published study has none.
	not, need, local keys
	fields           []field
	elem             *field
	// word is a text that stands for a whole mapping, or for a number that meaning
	// decides; "" when there is none.
	word string
	// in is where the specification holds the value: it takes a pointer to the
	// struct that the fields around belong to, the builder at first. For an
	// object with a word it is the flag that stands for it. Without it, the
	// object's fields are in the same struct, and any other value is read by
	// meaning.
	in home
}

// naming is a kind of name. message, with the text, code and hint say what is
// wrong; near is what the text may mean, or "".
type naming struct {
	kind, pattern       string
	code, message, hint string
	is                  func(string) bool
	near                func(string) string
}

// keys are fields of an object, and what is wrong where they are or are not.
type keys struct {
	names         []string
	message, hint string
}

// home returns a pointer to a value in the struct that in points to.
type home func(in any) any

// at is the home of a value in a struct.
func at[S any](value func(*S) any) home { return func(in any) any { return value(in.(*S)) } }

// group holds structs that the document may have: the items of a list, or an
// object that can be missing.
type group interface {
	// add makes one more and returns a pointer to it, which holds until the next.
	add() any
	// all returns pointers to those that there are.
	all() []any
}

type many[T any] struct{ items *[]T }

func (m many[T]) add() any {
	*m.items = append(*m.items, *new(T))
	return &(*m.items)[len(*m.items)-1]
}

func (m many[T]) all() (out []any) {
	for i := range *m.items {
		out = append(out, &(*m.items)[i])
	}
	return out
}

type maybe[T any] struct{ value **T }

func (m maybe[T]) add() any {
	*m.value = new(T)
	return *m.value
}

func (m maybe[T]) all() []any {
	if *m.value == nil {
		return nil
	}
	return []any{*m.value}
}

func (f *field) names() []string {
	names := make([]string, 0, len(f.fields))
	for i := range f.fields {
		names = append(names, f.fields[i].name)
	}
	return names
}

// kind is what the field takes, in a word.
func (f *field) kind() string {
	page, _ := f.shape.words()
	if f.naming != nil {
		page = f.naming.kind
	} else if f.shape == quantityShape && f.dimension != unit.Dimensionless {
		page = string(f.dimension)
	}
	if f.shape == integerShape && f.word != "" {
		page += " or `" + f.word + "`"
	}
	return page
}

// plainDoc is the documentation without Markdown, for editors and messages.
func (f *field) plainDoc() string { return strings.ReplaceAll(f.doc, "`", "") }

// label is a DNS label that names something, "a study".
func label(of string) *naming {
	return &naming{
		"DNS label", "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", codeBadName, "%q is no name for " + of,
		"A name has 1 to 63 of a-z, 0-9 and \"-\", with no \"-\" at either end.", events.IsName, toLabel,
	}
}

// nothingNear: nobody knows what the text may mean.
func nothingNear(string) string { return "" }

func notifySubject() *naming {
	return &naming{
		"subject", `^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,7}$`, codeBadName, "%q is no subject to tell of a study on",
		"Write up to eight words of letters, digits, _ and -, with dots between them. It is below apollo.v1.notify.", events.IsNotifySubject, nothingNear,
	}
}

func webhookURL() *naming {
	return &naming{
		"URL", "^https?://[^@#]+$", codeBadName, "%q is no webhook",
		"Write https://host/path, without a user and a password.", events.IsWebhook, nothingNear,
	}
}

// toLabel turns text into the DNS label it is closest to, in quotes, or "".
func toLabel(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(strings.TrimSpace(s)))
	if s = strings.Trim(s, "-"); events.IsName(s) {
		return strconv.Quote(s)
	}
	return ""
}

func nothing(string) string { return "" }

// snake is a name in snake_case, as rules and columns have them.
func snake(of string) *naming {
	return &naming{
		"snake_case", "^[a-z][a-z0-9_]{0,62}$", codeBadName, "%q is no name for " + of,
		"A name is snake_case: 1 to 63 of a-z, 0-9 and \"_\", starting with a letter.", isSnake, nothing,
	}
}

// metricName is the name of a metric that the study computes.
func metricName() *naming {
	return &naming{
		"snake_case, or metric.network", `^[a-z][a-z0-9_]{0,62}([.][a-z0-9_]{1,63})?$`, codeBadName, "%q is no name for a metric",
		"A name is snake_case: 1 to 63 of a-z, 0-9 and \"_\", starting with a letter.", isMetricName, nothing,
	}
}

func isMetricName(s string) bool {
	base, of, dotted := strings.Cut(s, ".")
	return isSnake(base) && (!dotted || isSnake("n"+of) && of != "")
}

func isSnake(s string) bool {
	return s != "" && len(s) <= 63 && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// run is the name of a run (docs/events.md).
func run() *naming {
	return &naming{
		"8 hex digits", "^[0-9a-f]{8}$", codeBadName, "%q is no run: a run has 8 hex digits", "apollo study ls shows the runs. Put digits in quotes.",
		events.IsRun, nothing,
	}
}

func unitName() *naming {
	return &naming{
		"unit", "", codeBadUnit, "%q is no unit that a study knows", "Known units: " + strings.Join(symbolsOf(""), ", ") + "; leave the unit out for a count, a ratio or any other: its name can say it, as in temperature_c.",
		func(s string) bool {
			_, known := unit.Find(s)
			return known
		}, unit.Guess,
	}
}
