package accuracy

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator/workload"
	"apollo/internal/nearest"
)

// maxRows bounds a table; it is what a parameter of a study can have as levels.
const maxRows = 1 << 16

// milli is how many of the numbers that are packed are a percent.
const milli = 1000

// maxTableBytes bounds a table that is compressed; chosen: 200 bytes for each row.
const maxTableBytes = 200 * maxRows

// ReadTable reads a table in CSV, compressed by gzip or not: a column for every
// parameter of the family that differs, and one with the accuracy in percent,
// called column. Other columns are left alone; a parameter without a column is that
// of the family's own network. A network that stands in several rows has their
// mean. The error names the line and the column.
func ReadTable(f *workload.Family, data []byte, column string) (*Known, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) { // RFC 1952
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err == nil {
			data, err = io.ReadAll(io.LimitReader(z, maxTableBytes+1))
		}
		if err != nil {
			return nil, fmt.Errorf("the table is no whole file of gzip: %w", err)
		}
	}
	if len(data) > maxTableBytes {
		return nil, fmt.Errorf("the table has more than %d bytes", maxTableBytes)
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, errors.New("the table is in UTF-16, want UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))) // as spreadsheets begin CSV
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the table is empty, want the names of the columns in its first line")
	}
	if err != nil {
		return nil, fmt.Errorf("read the names of the columns: %w", err)
	}
	at, columns, err := columnsOf(f, header, column)
	if err != nil {
		return nil, err
	}
	sums, counts, most := map[uint64]float64{}, map[uint64]float64{}, 0.0
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		key, err := keyOf(f, row, columns)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(row[at]), 64)
		if err != nil || !(v > 0 && v <= 100) {
			return nil, fmt.Errorf("line %d: column %q is %.40q, want an accuracy in percent, above 0 and at most 100", line, column, row[at])
		}
		most = max(most, v)
		if sums[key], counts[key] = sums[key]+v, counts[key]+1; len(sums) > maxRows {
			return nil, fmt.Errorf("the table has more than %d networks", maxRows)
		}
	}
	if len(sums) == 0 {
		return nil, errors.New("the table has no rows")
	}
	if most <= 1 {
		return nil, fmt.Errorf("column %q has no value above 1: it holds shares, want percent, as 70.9 for 0.709", column)
	}
	for key := range sums {
		sums[key] = thousandths(sums[key] / counts[key])
	}
	return &Known{family: f, measured: sums}, nil
}

// columnsOf finds the column of the accuracies, and those of the family's parameters,
// -1 for one that has none. A name that is nearly a parameter's is refused: the
// parameter would be that of the family's own network in silence.
func columnsOf(f *workload.Family, header []string, column string) (at int, columns []int, err error) {
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = strings.TrimSpace(name)
	}
	column = strings.TrimSpace(column)
	if at = slices.Index(names, column); at < 0 && len(names) == 1 && strings.ContainsAny(names[0], ";\t") {
		return 0, nil, fmt.Errorf("columns are separated by commas, and the first line is %.80q", names[0])
	}
	if at < 0 {
		return 0, nil, fmt.Errorf("there is no column %q, there are %q", column, names)
	}
	if slices.Contains(names[at+1:], column) {
		return 0, nil, fmt.Errorf("two columns are called %q", column)
	}
	columns, found := slices.Repeat([]int{-1}, len(f.Params)), false
	for i, p := range f.Params {
		for k, name := range names {
			switch {
			case k == at || !strings.EqualFold(name, p.Name):
			case name != p.Name:
				return 0, nil, fmt.Errorf("column %.40q: the parameter of %s is called %q", name, f.Name, p.Name)
			case columns[i] >= 0:
				return 0, nil, fmt.Errorf("two columns are called %q", name)
			default:
				columns[i], found = k, true
			}
		}
	}
	var missing []string
	for i, p := range f.Params {
		if columns[i] < 0 {
			missing = append(missing, p.Name)
		}
	}
	for k, name := range names {
		if near := nearest.Name(name, missing); k != at && !slices.Contains(columns, k) && near != "" {
			return 0, nil, fmt.Errorf("column %.40q: did you mean the parameter %q? Without a column it is that of the family's own network; call the column otherwise if it is another", name, near)
		}
	}
	if !found {
		return 0, nil, fmt.Errorf("no column is a parameter of %s: %q", f.Name, names)
	}
	return at, columns, nil
}

// keyOf is the network of a row.
func keyOf(f *workload.Family, row []string, columns []int) (uint64, error) {
	values := f.Own()
	for i, c := range columns {
		if c < 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(row[c]), 64)
		values[i] = int64(v)
		if err != nil || float64(values[i]) != v || !slices.Contains(f.Params[i].Values, values[i]) {
			return 0, fmt.Errorf("column %q is %.40q, want one of %v", f.Params[i].Name, row[c], f.Params[i].Values)
		}
	}
	key, _ := f.Key(values)
	return key, nil
}

// thousandths rounds percents to what is packed.
func thousandths(percent float64) float64 { return math.Round(percent*milli) / milli }

// pack writes the table: for every network, in the order of their keys, the
// distance from the key before it, and the accuracy in thousandths of a percent.
func (k *Known) pack() (b []byte) {
	keys := make([]uint64, 0, len(k.measured))
	for key := range k.measured {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	before := uint64(0)
	for _, key := range keys {
		b = binary.AppendUvarint(b, key-before)
		b = binary.AppendUvarint(b, uint64(math.Round(k.measured[key]*milli)))
		before = key
	}
	return b
}

func (k *Known) unpack(b []byte) error {
	key, networks := uint64(0), k.family.Networks()
	for row := 0; len(b) > 0; row++ {
		step, n := binary.Uvarint(b)
		v, m := uint64(0), 0
		if n > 0 {
			v, m = binary.Uvarint(b[n:])
		}
		if n <= 0 || m <= 0 || row >= maxRows || step >= networks-key || row > 0 && step == 0 || v == 0 || v > 100*milli {
			return fmt.Errorf("the table is damaged at network %d", row)
		}
		key += step
		k.measured[key] = float64(v) / milli
		b = b[n+m:]
	}
	return nil
}
