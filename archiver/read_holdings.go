package archiver

import (
	"fmt"
	"io/fs"
)

// Holding is what the log has of a study, of all its runs.
type Holding struct {
	Study string `json:"study"`
	Runs  int    `json:"runs"`
	Files int    `json:"files"`
	// Rows are trials: one for each of a run.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
}

// Holdings says what a data directory has of every study, in the order in which they came.
// It reads the manifest alone. The error is for a manifest that is damaged or cannot be
// read; a folder without one holds nothing.
func Holdings(fsys fs.FS) ([]Holding, error) {
	x, err := readIndex(fsys)
	if err != nil {
		return nil, fmt.Errorf("read what the log holds: %w", err)
	}
	var out []Holding
	at := map[string]int{}
	for _, k := range x.order {
		run := x.runs[k]
		if len(run.files) == 0 {
			continue
		}
		i, known := at[k.study]
		if !known {
			i = len(out)
			at[k.study] = i
			out = append(out, Holding{Study: k.study})
		}
		h := &out[i]
		h.Runs++
		for _, path := range run.files {
			h.Files++
			h.Rows += x.files[path].Rows
			h.Bytes += x.files[path].Bytes
		}
	}
	return out, nil
}
