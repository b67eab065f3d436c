package suite

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/optimizer/space"
)

// table is a CSV file of measurements. Its first row names the columns: the
// parameters, then the value, then optionally "valid".
type table struct {
	params []space.Param
	// metric is the name of the value's column, unit what follows its last "_".
	metric, unit string
	rows         []space.Point
	values       []float64 // of rows; NaN where the row is not valid
}

// validColumn is the name of the column that says which rows count.
const validColumn = "valid"

// readTable reads CSV, also compressed by gzip. The error names the row, counted from the
// column names, row 1.
func readTable(r io.Reader) (*table, error) {
	buffered := bufio.NewReader(r)
	r = buffered
	const magic0, magic1 = 0x1f, 0x8b // RFC 1952, 2.3.1
	if head, err := buffered.Peek(2); err == nil && head[0] == magic0 && head[1] == magic1 {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		r = unzipped
	}
	c := csv.NewReader(r)
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: want a line of column names")
	}
	if err != nil {
		return nil, err
	}
	records, err := c.ReadAll()
	if err != nil {
		return nil, err
	}
	return newTable(header, records)
}

func newTable(header []string, records [][]string) (*table, error) {
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	last := len(header) - 1
	value, valid := last, -1
	if header[last] == validColumn {
		value, valid = last-1, last
	}
	if value < 1 {
		return nil, fmt.Errorf("row 1: %d columns: want parameters, then a value, then optionally %q", len(header), validColumn)
	}
	if len(records) == 0 {
		return nil, errors.New("there is no row below the column names")
	}
	t := &table{metric: header[value]}
	if t.metric == listedMetric {
		return nil, fmt.Errorf("row 1: the value's column must not be called %q", listedMetric)
	}
	if cut := strings.LastIndexByte(t.metric, '_'); cut > 0 {
		t.unit = t.metric[cut+1:]
	}
	var columns []int
	for i, name := range header[:value] {
		if p := inferParam(name, records, i); p.Len() > 1 {
			t.params = append(t.params, p)
			columns = append(columns, i)
		}
	}
	if len(columns) == 0 {
		return nil, errors.New("no parameter has two values: there is nothing to search")
	}
	for i, record := range records {
		if err := t.appendRow(record, columns, value, valid); err != nil {
			return nil, fmt.Errorf("row %d: %w", i+2, err)
		}
	}
	return t, t.repeated()
}

// inferParam makes a parameter of a column: ordinal when every cell is a finite
// number, categorical otherwise. A column of one value is no choice; the caller
// leaves it out.
func inferParam(name string, records [][]string, column int) space.Param {
	p := space.Param{Name: name}
	for _, record := range records {
		v, err := strconv.ParseFloat(record[column], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return inferLabels(name, records, column)
		}
		p.Values = append(p.Values, v)
	}
	slices.Sort(p.Values)
	p.Values = slices.Compact(p.Values)
	return p
}

func inferLabels(name string, records [][]string, column int) space.Param {
	p := space.Param{Name: name}
	for _, record := range records {
		p.Labels = append(p.Labels, record[column])
	}
	slices.Sort(p.Labels)
	p.Labels = slices.Compact(p.Labels)
	return p
}

// appendRow appends a row.
func (t *table) appendRow(record []string, columns []int, value, valid int) error {
	point := make(space.Point, len(columns))
	for i, column := range columns {
		p := t.params[i]
		v := space.Value{Label: record[column]}
		if !p.Categorical() {
			v = space.Value{}
			v.Num, _ = strconv.ParseFloat(record[column], 64) // inferParam parsed it
		}
		level, ok := p.Level(v)
		if !ok || record[column] == "" {
			return fmt.Errorf("column %q is empty", p.Name)
		}
		point[i] = level
	}
	ok := record[value] != ""
	if valid >= 0 {
		var err error
		if ok, err = strconv.ParseBool(record[valid]); err != nil {
			return fmt.Errorf("column %q is %q, want 0 or 1", validColumn, record[valid])
		}
	}
	measured := math.NaN()
	if ok {
		var err error
		if measured, err = strconv.ParseFloat(record[value], 64); err != nil || math.IsNaN(measured) || math.IsInf(measured, 0) {
			return fmt.Errorf("column %q is %q, want a finite number in a valid row", t.metric, record[value])
		}
	}
	t.rows = append(t.rows, point)
	t.values = append(t.values, measured)
	return nil
}

// repeated returns an error when two rows hold the same parameters.
func (t *table) repeated() error {
	first := map[string]int{}
	for i, p := range t.rows {
		key := fmt.Sprint(p)
		if j, again := first[key]; again {
			return fmt.Errorf("rows %d and %d have the same parameters", j+2, i+2)
		}
		first[key] = i
	}
	return nil
}
