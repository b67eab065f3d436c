package main

import (
	"path/filepath"
	"strings"
	"time"

	"apollo/evaluator/workload"
	"apollo/services/cli"
)

// importSummary is one line of `workload import --summary`.
type importSummary struct {
	File   string `json:"file"`
	Format string `json:"format,omitempty"`
	// Ops of the file became Layers.
	Ops    int   `json:"ops"`
	Layers int   `json:"layers"`
	MACs   int64 `json:"macs"`
	Params int64 `json:"params"`
	// Seconds is the time of the import, without reading the file.
	Seconds float64 `json:"seconds"`
	// Unmodelled are operations of which only the bytes count; Error says why a
	// file is refused.
	Unmodelled []string `json:"unmodelled"`
	Error      string   `json:"error,omitempty"`
}

// summarise imports every file and prints a line for each. A file that is
// refused is a line too.
func (a *app) summarise(paths []string, o workload.ImportOptions) error {
	g := &cli.Grid{Header: []string{"FILE", "FORMAT", ">OPS", ">LAYERS", ">MMACS", ">PARAMETERS", ">TIME", "NOTE"}}
	lines := make([]importSummary, 0, len(paths))
	var items []any
	for _, path := range paths {
		s, err := summaryOf(path, o)
		if err != nil {
			return err
		}
		lines = append(lines, s)
		items = append(items, &s)
		note := strings.Join(s.Unmodelled, ", ")
		if s.Error != "" {
			g.Add(filepath.Base(path), s.Format, "", "", "", "", "", "refused: "+s.Error)
			continue
		}
		const mega = 1e6
		g.Add(filepath.Base(path), s.Format, cli.Count(int64(s.Ops)), cli.Count(int64(s.Layers)), cli.Significant(float64(s.MACs)/mega), cli.Count(s.Params), cli.Quantity(s.Seconds, "s"), note)
	}
	return a.Print(cli.Answer{Value: lines, Items: items, Grid: g, Text: g.Text})
}

func summaryOf(path string, o workload.ImportOptions) (importSummary, error) {
	s := importSummary{File: path, Unmodelled: []string{}}
	data, err := readModelFile(path)
	if err != nil {
		return s, err
	}
	start := time.Now()
	o.External = beside(path)
	w, r, err := workload.Import(path, data, o)
	s.Seconds = time.Since(start).Seconds()
	s.Format, s.Ops, s.Layers = r.Format, r.Ops, r.Layers
	if err != nil {
		s.Error = err.Error()
		return s, nil
	}
	t := w.Totals()
	s.MACs, s.Params = t.MACs, t.Params
	s.Unmodelled = append(s.Unmodelled, r.Unmodelled...)
	return s, nil
}
