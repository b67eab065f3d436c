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

	"apollo/evaluator/workload"
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
		if err != nil {
			return nil, err
		}
		if data, err = io.ReadAll(io.LimitReader(z, maxTableBytes+1)); err != nil {
			return nil, err
		}
	}
	if len(data) > maxTableBytes {
		return nil, fmt.Errorf("the table has more than %d bytes", maxTableBytes)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read the names of the columns: %w", err)
	}
	header = slices.Clone(header)
	at := slices.Index(header, column)
	if at < 0 {
		return nil, fmt.Errorf("there is no column %q, there are %q", column, header)
	}
	columns, any := make([]int, len(f.Params)), false
	for i, p := range f.Params {
		columns[i] = slices.Index(header, p.Name)
		any = any || columns[i] >= 0
	}
	if !any {
		return nil, fmt.Errorf("no column is a parameter of %s: %q", f.Name, header)
	}
	sums, counts := map[uint64]float64{}, map[uint64]float64{}
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
		v, err := strconv.ParseFloat(row[at], 64)
		if err != nil || !(v > 0 && v <= 100) {
			return nil, fmt.Errorf("line %d: column %q is %.40q, want an accuracy in percent, above 0 and at most 100", line, column, row[at])
		}
		if sums[key], counts[key] = sums[key]+v, counts[key]+1; len(sums) > maxRows {
			return nil, fmt.Errorf("the table has more than %d networks", maxRows)
		}
	}
	if len(sums) == 0 {
		return nil, errors.New("the table has no rows")
	}
	for key := range sums {
		sums[key] = thousandths(sums[key] / counts[key])
	}
	return &Known{family: f, measured: sums}, nil
}

// keyOf is the network of a row.
func keyOf(f *workload.Family, row []string, columns []int) (uint64, error) {
	values := f.Own()
	for i, c := range columns {
		if c < 0 {
			continue
		}
		v, err := strconv.ParseFloat(row[c], 64)
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
