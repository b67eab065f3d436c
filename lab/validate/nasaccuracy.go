package validate

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math"

	"apollo/evaluator/accuracy"
	"apollo/evaluator/workload"
	"apollo/internal/correlation"
)

// nasAccuracies judges the predictor of accuracies by networks that were left out, a
// tenth of them at a time, and the table in the program by the file. macs are those
// of the file's rows.
func nasAccuracies(t *table, f *workload.Family, rows []nasRow, macs []float64) ([]Row, error) {
	const column, tenths = "val_top1", 10
	var file bytes.Buffer // without the rows that are bad
	w := csv.NewWriter(&file)
	header := make([]string, len(t.column))
	for name, at := range t.column {
		header[at] = name
	}
	if err := errors.Join(w.Write(header), w.WriteAll(t.rows)); err != nil {
		return nil, err
	}
	k, err := accuracy.ReadTable(f, file.Bytes(), column)
	if err != nil {
		return nil, err
	}
	known, err := accuracy.Builtin(f, accuracy.Proxy)
	if err != nil {
		return nil, err
	}
	same := agreement{metric: "accuracies in the program, thousandths of a percent"}
	var measured []float64
	for i := range rows {
		theirs, _ := k.At(rows[i].values)
		ours, interval := known.At(rows[i].values)
		if interval > 0 {
			ours = 0 // predicted is not there
		}
		const milli = 1000
		same.compare(f.Called(rows[i].values), int64(math.Round(milli*theirs)), int64(math.Round(milli*ours)))
		measured = append(measured, theirs)
	}
	rank := math.NaN()
	fit, err := k.Fit(tenths)
	switch {
	case err == nil:
		rank = correlation.Spearman(fit.Predicted, fit.Measured)
	case !errors.Is(err, accuracy.ErrFewNetworks):
		return nil, err
	}
	return []Row{same.row(1), ranked("accuracy of networks left out, Spearman (theirs: MACs)", correlation.Spearman(macs, measured), rank, 0.99)}, nil
}
