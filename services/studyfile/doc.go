// Package studyfile reads a study as people write it, in YAML or JSON, and
// turns it into an events.Spec.
//
// It is strict, and it reports every mistake at once: each with its place, a
// stable code, a JSON pointer, one sentence and what to do about it.
//
//	study.yaml:12:40: spec.constraints[0].max: "6.8 mm" is a length; metric "area" takes an area. Did you mean 6.8 mm2?
//
// Both formats, and the values of --set flags, become the same tree of nodes
// with positions. One table (fields.go) says what each key takes and where its
// value lives in the specification. Checking, reading and writing a study, the
// JSON Schema for editors, the tables of docs/study-file.md and the completion
// of --set are walks over it: a new field is a row, a place in events.Spec, and
// its use. What depends on meaning (units of metrics, levels of parameters,
// rules, a space without a legal design) is code that follows the walks.
//
// The package does no I/O, and no document makes it panic or work for long:
// size and depth are bounded before a parser sees the bytes, and YAML anchors
// and aliases are refused.
package studyfile

//go:generate go test -count=1 -run FilesAreCommitted . -rewrite
