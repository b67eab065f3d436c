package archiver

import (
	"errors"
	"io"
	"slices"

	"apollo/archiver/parquetcheck"
)

// windowRows is how many rows of a file that is not in order are in memory at
// a time; chosen: some 50 MB of rows, and 16 times reading a million.
const windowRows = 1 << 16

// windows gives the wanted rows of a file that is not in the order of their
// keys: it reads the keys, cuts their order into windows, and then the file once
// for each window. Memory is bounded by a window and the keys.
type windows struct {
	log    *logFile
	wanted map[runKey]bool
	size   int
	// starts are the first keys of the windows that are still to be read.
	starts []Key
	sorted []Row
}

func newWindows(log *logFile, wanted map[runKey]bool, size int) (*windows, error) {
	if n := log.pf.NumRows(); n > parquetcheck.MaxGroupRows {
		return nil, parquetcheck.Unfit("%d rows that are not sorted by study, run and trial: sort them first", n)
	}
	w := &windows{log: log, wanted: wanted, size: size}
	var keys []Key
	err := w.each(true, func(row *Row) error {
		keys = append(keys, row.Key())
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, Key.Compare)
	for i := 0; i < len(keys); i += size {
		w.starts = append(w.starts, keys[i])
	}
	// Rows of one key stay together.
	w.starts = slices.Compact(w.starts)
	return w, nil
}

// each calls f with the wanted rows in the order of the file. The row is
// valid during the call.
func (w *windows) each(keysOnly bool, f func(*Row) error) error {
	rows := w.log.rows(keysOnly)
	defer rows.close()
	for {
		row := Row{}
		err := rows.next(&row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !w.wanted[runKey{row.Study, row.Run}] {
			continue
		}
		if err := f(&row); err != nil {
			return err
		}
	}
}

// next gives the next row, or io.EOF.
func (w *windows) next(row *Row) error {
	for len(w.sorted) == 0 {
		if len(w.starts) == 0 {
			return io.EOF
		}
		if err := w.fill(); err != nil {
			return err
		}
	}
	*row, w.sorted = w.sorted[0], w.sorted[1:]
	return nil
}

// fill reads the next window.
func (w *windows) fill() error {
	low := w.starts[0]
	w.starts = w.starts[1:]
	var rows []Row
	err := w.each(false, func(row *Row) error {
		k := row.Key()
		if k.Compare(low) < 0 || len(w.starts) > 0 && k.Compare(w.starts[0]) >= 0 {
			return nil
		}
		if len(rows) == 2*w.size {
			return parquetcheck.Unfit("more than %d rows of study %s, run %s, trial %d", w.size, k.Study, k.Run, k.Trial)
		}
		rows = append(rows, *row)
		return nil
	})
	slices.SortStableFunc(rows, func(a, b Row) int { return a.Key().Compare(b.Key()) })
	w.sorted = rows
	return err
}
