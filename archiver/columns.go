package archiver

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"apollo/events"
)

// SchemaVersion is the version of the file format that this build writes. A
// file that says a higher one is refused with ErrNewer.
const SchemaVersion = 1

// Keys of the files' key-value metadata.
const (
	metaVersion  = "apollo.schema_version"
	metaSpec     = "apollo.study_spec"
	metaRun      = "apollo.run"
	metaAccepted = "apollo.accepted_us"
	metaUnits    = "apollo.units"
	metaLog      = "apollo.log_id"
	metaCreated  = "apollo.stream_created"
)

// The prefix of parameter columns, and that of a metric whose own name is
// taken by another column.
const (
	paramPrefix  = "p_"
	metricPrefix = "m_"
)

// Run describes a run whose trials are stored.
type Run struct {
	// Spec is the study as it was accepted.
	Spec *events.Spec
	// ID is the run, 8 hex digits.
	ID string
	// Accepted is when the run was accepted; the latest run of a study is the
	// one that was accepted last.
	Accepted time.Time
}

// Columns are the parameters and metrics that rows have, with their units.
type Columns struct {
	Parameters []Parameter
	Metrics    []Metric
	// Spec is the study that the rows belong to; nil when the file does not
	// carry one.
	Spec *events.Spec
	// Accepted is when the run was accepted; zero when the file does not say.
	Accepted time.Time
	// Unread are columns of a source that no value can be taken from.
	Unread []Unread
}

// Unread is a column that no value is taken from.
type Unread struct {
	// Column is its name, with the prefix of a parameter.
	Column string
	// Why says what it is: "of type DATE as INT32 in logs/a.parquet".
	Why string
}

// Parameter is a parameter's column, p_<name>.
type Parameter struct {
	Name, Unit string
	// Kind is the column's type: whole numbers, numbers or labels. Values of a
	// BOOLEAN, or from the names of folders, are a number and a label at once.
	Kind Kind
}

// Metric is a metric's column.
type Metric struct {
	Name, Unit string
}

// Kind is the type of a column.
type Kind uint8

// Kinds of columns, with their Parquet types.
const (
	KindInt    Kind = iota // INT64
	KindFloat              // DOUBLE
	KindString             // BYTE_ARRAY, UTF8
	KindBool               // BOOLEAN
	KindTime               // INT64, TIMESTAMP(MICROS, UTC)
	KindWord               // no column: the name of a folder, a number or a label
)

// String returns the kind as people write it.
func (k Kind) String() string {
	return [...]string{"INT64", "DOUBLE", "STRING", "BOOLEAN", "TIMESTAMP", "the name of a folder"}[k]
}

// fixed are the columns that every file has, in the order in which they are
// written; the study's parameters and metrics stand between "batch" and
// "outcome".
type fixed struct {
	name     string
	kind     Kind
	required bool
	unit     string
	// spare columns need not be in a source; ignored ones are not read there:
	// they say nothing about a trial.
	spare, ignored bool
	// added columns are younger than the format: in an older file a metric may
	// have the name.
	added bool
	// identity columns say who measured: of a source they are read where it carries
	// its specification, because nobody can be told by name alone.
	identity bool
}

func fixedColumns() []fixed {
	return []fixed{
		{name: "study", kind: KindString, required: true},
		{name: "run", kind: KindString, required: true},
		{name: "trial", kind: KindInt, required: true},
		{name: "batch", kind: KindInt, required: true, ignored: true},
		{name: "outcome", kind: KindString, required: true},
		{name: "feasible", kind: KindBool, required: true, spare: true},
		{name: "reason_code", kind: KindString},
		{name: "reason_layer", kind: KindString},
		{name: "reason_need", kind: KindFloat},
		{name: "reason_have", kind: KindFloat},
		{name: "reason_unit", kind: KindString},
		{name: "reason_message", kind: KindString},
		{name: "attempts", kind: KindInt, ignored: true},
		{name: "last_error_code", kind: KindString, ignored: true, added: true},
		{name: "last_error_message", kind: KindString, ignored: true, added: true},
		{name: "origin", kind: KindString},
		{name: "parents", kind: KindString, ignored: true},
		{name: "observed_through", kind: KindInt, ignored: true},
		{name: "evaluator", kind: KindString, ignored: true},
		{name: "evaluator_version", kind: KindString, identity: true},
		{name: "evaluator_program", kind: KindString, identity: true, added: true},
		{name: "worker", kind: KindString, ignored: true, added: true},
		{name: "design_hash", kind: KindString},
		{name: "workload_hash", kind: KindString},
		{name: "start_time", kind: KindTime, ignored: true},
		{name: "end_time", kind: KindTime, ignored: true},
		{name: "evaluation_s", kind: KindFloat, ignored: true, unit: "s"},
		{name: "stream_seq", kind: KindInt, ignored: true},
		{name: "trace_id", kind: KindString, ignored: true},
		{name: "extra", kind: KindString, ignored: true},
		{name: "intermediate", kind: KindString, ignored: true, added: true},
	}
}

// The index of the first fixed column behind the study's own.
const fixedBefore = 4

func isFixed(name string) bool {
	for _, f := range fixedColumns() {
		if f.name == name {
			return true
		}
	}
	return false
}

func isAdded(name string) bool {
	return slices.ContainsFunc(fixedColumns(), func(f fixed) bool { return f.added && f.name == name })
}

// newColumns derives the columns of a study. The error names a parameter or a
// metric that cannot be a column.
func newColumns(spec *events.Spec) (*Columns, error) {
	c := &Columns{Spec: spec}
	seen := map[string]bool{}
	add := func(column string) error {
		if !isColumnName(column) {
			return fmt.Errorf("%q cannot be a column: want 1 to 128 letters, digits and _ - ", column)
		}
		if seen[column] {
			return fmt.Errorf("two columns are called %q", column)
		}
		seen[column] = true
		return nil
	}
	for _, p := range spec.Parameters {
		if err := add(paramPrefix + p.Name); err != nil {
			return nil, err
		}
		c.Parameters = append(c.Parameters, Parameter{Name: p.Name, Unit: p.Unit, Kind: paramKind(p)})
	}
	for _, m := range spec.Metrics {
		if err := add(metricColumn(m.Name)); err != nil {
			return nil, err
		}
		c.Metrics = append(c.Metrics, Metric{Name: m.Name, Unit: m.Unit})
	}
	return c, nil
}

func isColumnName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, r := range s {
		ok := r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !ok {
			return false
		}
	}
	return true
}

// ParameterColumn is the column of a parameter, and MetricColumn that of a metric by
// its name with the unit: CSV has the same names.
func ParameterColumn(name string) string { return paramPrefix + name }

// MetricColumn is the column of a metric; see ParameterColumn.
func MetricColumn(name string) string { return metricColumn(name) }

// metricColumn is the metric's own name unless that means something else.
func metricColumn(name string) string {
	if isFixed(name) || strings.HasPrefix(name, paramPrefix) || strings.HasPrefix(name, metricPrefix) {
		return metricPrefix + name
	}
	return name
}

// maxExactInt is 2^53: whole numbers up to it are exact as DOUBLE and INT64.
const maxExactInt = 1 << 53

func paramKind(p events.Parameter) Kind {
	if len(p.Labels) > 0 {
		return KindString
	}
	for _, v := range p.Values {
		negativeZero := v == 0 && math.Signbit(v)
		if v != math.Trunc(v) || math.Abs(v) > maxExactInt || negativeZero {
			return KindFloat
		}
	}
	return KindInt
}

// metadata is the key-value metadata of a run's files.
func (c *Columns) metadata(r Run) (map[string]string, error) {
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("encode the study's specification: %w", err)
	}
	unit := map[string]string{}
	for _, p := range c.Parameters {
		if p.Unit != "" {
			unit[paramPrefix+p.Name] = p.Unit
		}
	}
	for _, m := range c.Metrics {
		unit[metricColumn(m.Name)] = m.Unit
	}
	for _, f := range fixedColumns() {
		if f.unit != "" {
			unit[f.name] = f.unit
		}
	}
	units, err := json.Marshal(unit)
	if err != nil {
		return nil, fmt.Errorf("encode the units: %w", err)
	}
	return map[string]string{
		metaVersion:  strconv.Itoa(SchemaVersion),
		metaSpec:     string(spec),
		metaRun:      r.ID,
		metaAccepted: strconv.FormatInt(r.Accepted.UnixMicro(), 10),
		metaUnits:    string(units),
	}, nil
}
