package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/unit"
	"apollo/internal/nearest"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/study"
)

// namedDesign reads "rows=8" and so on as a design by names.
func namedDesign(spec *events.Spec, sets []string) (map[string]any, error) {
	design := map[string]any{}
	for _, set := range sets {
		name, text, ok := strings.Cut(set, "=")
		i := slices.IndexFunc(spec.Parameters, func(p events.Parameter) bool { return p.Name == name })
		switch {
		case !ok:
			return nil, cli.Usagef("%q: want parameter=value, or a file of designs with --from", set)
		case i < 0:
			return nil, noName("parameter", name, parameterNames(spec))
		case design[name] != nil:
			return nil, cli.Usagef("the parameter %s is there twice", name)
		}
		v, err := valueOf(&spec.Parameters[i], text)
		if err != nil {
			return nil, err
		}
		design[name] = v
	}
	return design, nil
}

func parameterNames(spec *events.Spec) (names []string) {
	for _, p := range spec.Parameters {
		names = append(names, p.Name)
	}
	return names
}

// valueOf reads a level of a parameter: a number, with a unit or in the
// parameter's, or a label.
func valueOf(p *events.Parameter, text string) (any, error) {
	if len(p.Labels) > 0 {
		return text, nil
	}
	v, err := inUnit(text, p.Unit)
	if err != nil {
		return nil, cli.Usagef("the parameter %s: %v", p.Name, err)
	}
	return v, nil
}

// metricsOf reads "runtime=1.2ms" and so on as metrics by their full names.
func metricsOf(spec *events.Spec, sets []string) (map[string]float64, error) {
	metrics := map[string]float64{}
	for _, set := range sets {
		name, text, ok := strings.Cut(set, "=")
		if !ok {
			return nil, cli.Usagef("%q: want metric=value", set)
		}
		m, err := metricOf(spec, name)
		if err != nil {
			return nil, err
		}
		if _, twice := metrics[m.Name]; twice {
			return nil, cli.Usagef("the metric %s is there twice", name)
		}
		if metrics[m.Name], err = inUnit(text, m.Unit); err != nil {
			return nil, cli.Usagef("the metric %s: %v", name, err)
		}
	}
	return metrics, nil
}

// metricOf finds a measured metric by its name with or without the unit.
func metricOf(spec *events.Spec, name string) (events.Metric, error) {
	var names []string
	for _, m := range spec.Measured() {
		if name == m.Name || name == m.Short() || name == archiver.MetricColumn(m.Name) {
			return m, nil
		}
		names = append(names, m.Short())
	}
	if i := slices.IndexFunc(spec.Metrics, func(m events.Metric) bool { return m.Name == name || m.Short() == name }); i >= 0 {
		return events.Metric{}, cli.Usagef("the metric %s is computed from the others: leave it out", name)
	}
	return events.Metric{}, noName("metric", name, names)
}

func noName(what, name string, known []string) error {
	hint := "there are: " + strings.Join(known, ", ")
	if near := nearest.Name(name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("the study has no %s %q", what, name))
}

// inUnit reads a quantity as a number in a unit; one without unit is in it.
func inUnit(text, symbol string) (float64, error) {
	q, err := unit.Parse(text)
	if err != nil {
		return 0, err
	}
	want, known := unit.Find(symbol)
	switch {
	case q.Unit.Symbol == "":
		return q.Base(), nil
	case !known || q.Unit.Dimension != want.Dimension:
		return 0, fmt.Errorf("%s is %s, want %s", text, q.Unit.Dimension.Phrase(), orCount(symbol))
	}
	return q.In(want), nil
}

// rowJSON is a design as `trial ls` prints it.
type rowJSON struct {
	Trial   *int               `json:"trial"`
	Outcome string             `json:"outcome"`
	Design  map[string]any     `json:"design"`
	Metrics map[string]float64 `json:"metrics"`
	Origin  string             `json:"origin"`
	Reason  *events.Reason     `json:"reason"`
}

// early reads the standard input where it is the file, before anything is opened:
// what writes it may be a command that has the store.
func early(c *cobra.Command, path string) error {
	if path != "-" {
		return nil
	}
	all, err := io.ReadAll(io.LimitReader(c.InOrStdin(), maxRowBytes+1))
	c.SetIn(bytes.NewReader(all))
	return err
}

// maxRowBytes is the most that a file of rows may have.
const maxRowBytes = 64 << 20

// readRows reads rows of CSV or JSON lines.
func (a *app) readRows(c *cobra.Command, spec *events.Spec, path string) ([]rowJSON, error) {
	in := c.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, cli.Hinted(cli.ExitNotFound, "--from takes CSV or JSON lines, as `apollo trial ls` prints them; - is the standard input", fmt.Errorf("read %s: %w", path, err))
		}
		defer f.Close()
		if i, err := f.Stat(); err == nil && i.IsDir() {
			return nil, cli.Usagef("%s is a folder, want a file with CSV or JSON lines, as `apollo trial ls` prints them", path)
		}
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxRowBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	rows, err := parseRows(spec, data)
	switch {
	case err != nil:
		return nil, cli.Hinted(cli.ExitUsage, "want CSV with a head of parameters and metrics, or JSON lines with design and metrics", fmt.Errorf("read %s: %w", path, err))
	case len(rows) == 0:
		return nil, cli.Usagef("%s holds no rows", path)
	}
	return rows, nil
}

func parseRows(spec *events.Spec, data []byte) ([]rowJSON, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // as spreadsheets begin CSV
	switch {
	case len(data) > maxRowBytes:
		return nil, fmt.Errorf("the file has more than %d MiB: split it", maxRowBytes>>20)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, errors.New("the file is UTF-16: save it as UTF-8")
	case !utf8.Valid(data):
		return nil, errors.New("the file is not UTF-8: save it as UTF-8")
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")), bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")):
		return jsonRows(data)
	}
	return csvRows(spec, bytes.NewReader(data))
}

// jsonRows reads objects one after the other, or a list of them.
func jsonRows(data []byte) (rows []rowJSON, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	list := bytes.HasPrefix(bytes.TrimSpace(data), []byte("["))
	if list {
		_, _ = d.Token() // it is the bracket
	}
	for !list || d.More() {
		var row struct {
			rowJSON
			Metrics map[string]*float64 `json:"metrics"`
		}
		if err := d.Decode(&row); errors.Is(err, io.EOF) && !list {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, jsonMistake(err, data))
		}
		row.rowJSON.Metrics = map[string]float64{}
		for name, v := range row.Metrics {
			if v != nil { // null is no value, and not 0
				row.rowJSON.Metrics[name] = *v
			}
		}
		rows = append(rows, row.rowJSON)
	}
	return rows, nil
}

// rowForms are what the fields of a row hold.
var rowForms = map[string]string{
	"": `an object, {"trial": 3, "metrics": {"cost": 2}}`, "trial": "a whole number", "outcome": "a text", "origin": "a text", "design": `an object, {"rows": 8}`,
	"metrics": `numbers by name, {"cost": 2}`, "reason": `an object, {"code": "too_hot"}`, "reason.need": "a number", "reason.have": "a number",
}

// jsonMistake says what is wrong with a row in the words of who wrote it.
func jsonMistake(err error, data []byte) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := strings.ToLower(strings.TrimPrefix(wrong.Field, "rowJSON."))
		want := cmp.Or(rowForms[field], "a text")
		if field == "" {
			return fmt.Errorf("it is JSON of another form, %s: want %s", article(wrong.Value), want)
		}
		return fmt.Errorf("%s: %s is there, want %s", field, article(wrong.Value), want)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		rest := data[max(0, min(int(wrong.Offset)-1, len(data))):]
		for _, word := range []string{"NaN", "Infinity", "nan", "inf"} {
			if bytes.HasPrefix(rest, []byte(word)) {
				return fmt.Errorf("%s is no number of JSON: leave out what has no value, and say an outcome of infeasible or failed", word)
			}
		}
	}
	return err
}

// article puts one before what encoding/json calls a value: "string", "number 1.5".
func article(value string) string {
	switch {
	case strings.HasPrefix(value, "number "):
		return "the " + value
	case value == "array", value == "object":
		return "an " + value
	case value == "bool":
		return "true or false"
	case value == "string":
		return "a text"
	}
	return "a " + value
}

func csvRows(spec *events.Spec, in io.Reader) (rows []rowJSON, err error) {
	r := csv.NewReader(in)
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	if len(head) == 1 && strings.ContainsAny(head[0], ";\t") {
		return nil, fmt.Errorf("the columns of the head %q are not separated by commas: want a, b and not a; b or a tab", head[0])
	}
	for i := range head {
		head[i] = strings.TrimSpace(head[i])
	}
	parameters, of := parameterColumns(spec, head), inspect.MeaningOf(spec)
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row := rowJSON{Design: map[string]any{}, Metrics: map[string]float64{}}
		for i, cell := range cells {
			if err := row.cell(spec, parameters[i], head[i], strings.TrimSpace(cell)); err != nil {
				return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
			}
		}
		if err := row.fill(of, spec, false); err != nil {
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}

// fill puts what has no value and means nothing in the design to its first level, at which
// a study has it: what is left empty, and with absent also what is not named.
func (row *rowJSON) fill(of *inspect.Meaning, spec *events.Spec, absent bool) error {
	var blank []string
	for i := range spec.Parameters {
		p := &spec.Parameters[i]
		v, there := row.Design[p.Name]
		if i == spec.FidelityColumn() || v != nil || !there && !absent {
			continue // a fidelity that is left empty is the full one
		}
		blank = append(blank, p.Name)
		if row.Design[p.Name] = 0.0; len(p.Labels) > 0 {
			row.Design[p.Name] = p.Labels[0]
		} else if len(p.Values) > 0 {
			row.Design[p.Name] = p.Values[0]
		}
	}
	if len(blank) == 0 {
		return nil
	}
	idle := of.Inactive(inspect.DesignOf(spec, row.Design))
	for _, name := range blank {
		switch {
		case slices.Contains(idle, name):
		case absent:
			delete(row.Design, name) // who reads the design says what is missing
		default:
			return noValue(name)
		}
	}
	return nil
}

// checkReason refuses a code that a program's answer could not have either.
func checkReason(r *events.Reason) error {
	if r == nil || codeForm.MatchString(r.Code) {
		return nil
	}
	if len(r.Code) > maxCode {
		return cli.Usagef("the code of the reason has %d bytes, at most %d are allowed: write a short word there, and the rest into the message", len(r.Code), maxCode)
	}
	like := strings.Trim(notInCodes.ReplaceAllString(strings.ToLower(r.Code), "_"), "_")
	return cli.Usagef("the code %q of the reason has other characters than a-z, 0-9, _ and -: write a word such as %s, and the rest into the message", r.Code, cmp.Or(like, "too_hot"))
}

// codeForm is that of the codes of programs and of the names of rules; maxCode is how long
// one of a program may be.
var (
	codeForm   = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	notInCodes = regexp.MustCompile(`[^a-z0-9]+`)
)

const maxCode = 64

// emptyCode refuses --infeasible and --failed that say nothing.
func emptyCode(c *cobra.Command) error {
	for _, name := range []string{"infeasible", "failed"} {
		if f := c.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() == "" {
			return cli.Usagef("--%s is empty: write the code of the reason, a word such as too_hot", name)
		}
	}
	return nil
}

func noValue(parameter string) error {
	return fmt.Errorf("the parameter %s has no value: only one that means nothing in the design may be left empty", parameter)
}

// parameterColumns says of each column which parameter it is, nil where it is none. Of
// parameters x and p_x, p_x may be either, and so may trial be a parameter or the log's:
// the whole head tells. Where every parameter that it names has its name of the log, p_x
// too, plain names are none. Where each has its plain name, those go before.
func parameterColumns(spec *events.Spec, head []string) []*events.Parameter {
	logged, plain := true, true
	for _, p := range spec.Parameters {
		hasLogged, hasPlain := slices.Contains(head, archiver.ParameterColumn(p.Name)), slices.Contains(head, p.Name)
		logged, plain = logged && (hasLogged || !hasPlain), plain && (hasPlain || !hasLogged)
	}
	found := make([]*events.Parameter, len(head))
	for i, name := range head {
		column := parameterOf(spec, func(p events.Parameter) bool { return archiver.ParameterColumn(p.Name) == name })
		own := parameterOf(spec, func(p events.Parameter) bool { return p.Name == name })
		switch {
		case logged, !plain && slices.Contains([]string{"trial", "outcome", "origin", "feasible", "reason", inspect.ReasonColumn}, name):
			own = nil
		case plain && own != nil:
			column = nil
		}
		found[i] = cmp.Or(column, own)
	}
	return found
}

func parameterOf(spec *events.Spec, is func(events.Parameter) bool) *events.Parameter {
	if i := slices.IndexFunc(spec.Parameters, is); i >= 0 {
		return &spec.Parameters[i]
	}
	return nil
}

// cell reads one cell below a head, of a parameter where p is not nil.
func (row *rowJSON) cell(spec *events.Spec, p *events.Parameter, head, text string) error {
	if p != nil {
		if _, twice := row.Design[p.Name]; twice {
			return twoColumns(p.Name)
		}
		if text == "" {
			row.Design[p.Name] = nil
			return nil
		}
		v, err := valueOf(p, text)
		row.Design[p.Name] = v
		return err
	}
	switch head {
	case "trial":
		n, err := strconv.Atoi(text)
		row.Trial = &n
		return err
	case "outcome":
		row.Outcome = text
		return nil
	case "origin", "feasible":
		return nil // that of another study
	case "reason", inspect.ReasonColumn:
		if text != "" {
			row.Reason = &events.Reason{Code: text}
		}
		return nil
	}
	if i := slices.IndexFunc(spec.Metrics, func(m events.Metric) bool {
		return m.Expr != "" && (archiver.MetricColumn(m.Name) == head || m.Name == head || m.Short() == head)
	}); i >= 0 || text == "" {
		return nil // computed anew
	}
	m, err := metricOf(spec, head)
	if err != nil && slices.ContainsFunc(spec.Parameters, func(p events.Parameter) bool { return p.Name == head }) {
		return twoColumns(head)
	}
	if err != nil {
		return err
	}
	row.Metrics[m.Name], err = inUnit(text, m.Unit)
	return err
}

func twoColumns(parameter string) error {
	return fmt.Errorf("there are two columns for the parameter %s: leave one of them out", parameter)
}

// asTried is a design by names as the trials of a study have it: what means nothing in it
// is at its first level.
func asTried(spec *events.Spec, of *inspect.Meaning, named map[string]any) (events.Design, error) {
	sp, err := spec.Space()
	if err != nil {
		return nil, err
	}
	p, err := study.PointOf(spec, sp, named)
	if err != nil {
		return nil, cli.Hinted(cli.ExitUsage, "", err)
	}
	idle := of.Inactive(sp.Values(p))
	for i := range spec.Parameters {
		if slices.Contains(idle, spec.Parameters[i].Name) {
			p[i] = 0
		}
	}
	return sp.Values(p), nil
}

// readDesigns reads designs to add.
func (a *app) readDesigns(c *cobra.Command, spec *events.Spec, path, origin string) ([]events.AddedDesign, error) {
	rows, err := a.readRows(c, spec, path)
	if err != nil {
		return nil, err
	}
	sp, err := spec.Space()
	if err != nil {
		return nil, err
	}
	var out []events.AddedDesign
	left := 0
	of := inspect.MeaningOf(spec)
	for i, row := range rows {
		if len(row.Design) > 0 {
			_ = row.fill(of, spec, true) // CheckAdded says what is missing
		}
		d := events.AddedDesign{Design: row.Design, Metrics: row.measured(spec), Outcome: row.Outcome, Reason: row.Reason, Origin: origin}
		switch {
		case slices.Contains([]string{events.OutcomeFailed, events.OutcomeStopped, study.TrialRunning, study.TrialAbandoned, "voided"}, row.Outcome):
			left++
			continue
		case row.Outcome == "" && len(d.Metrics) > 0:
			d.Outcome = events.OutcomeMeasured
		case row.Outcome != events.OutcomeInfeasible:
			d.Reason = nil
		}
		if err := cmp.Or(study.CheckAdded(spec, sp, &d), checkReason(d.Reason)); err != nil {
			return nil, cli.Usagef("read %s: row %d: %v", path, i+1, err)
		}
		out = append(out, d)
	}
	if left > 0 {
		a.Say("%s that failed, run, were stopped or voided are left out", cli.Plural(left, "row"))
	}
	if len(out) == 0 {
		return nil, cli.Usagef("%s holds no row that can be added", path)
	}
	return out, nil
}

// measured is what a row says about metrics that the evaluator measures, by
// their full names.
func (row *rowJSON) measured(spec *events.Spec) map[string]float64 {
	out := map[string]float64{}
	for name, v := range row.Metrics {
		if i := slices.IndexFunc(spec.Metrics, func(m events.Metric) bool { return m.Name == name || m.Short() == name }); i < 0 {
			out[name] = v // refused by name
		} else if spec.Metrics[i].Expr == "" {
			out[spec.Metrics[i].Name] = v
		}
	}
	return out
}
