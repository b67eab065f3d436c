package workload

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// maxFile bounds a hand-written table, in bytes.
const maxFile = 64 << 20

// Parse reads a workload in YAML or JSON, strictly: an unknown or repeated
// field is an error with its line. The result is normalised. name is the
// file's name, for errors.
func Parse(name string, data []byte) (*Workload, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("read workload %s: %d bytes, the limit is %d", name, len(data), maxFile)
	}
	var w Workload
	if err := unmarshal(data, &w, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read workload %s: %w", name, err)
	}
	if err := w.Normalise(); err != nil {
		return nil, fmt.Errorf("read workload %s: %w", name, err)
	}
	return &w, nil
}

// unmarshal is yaml.UnmarshalWithOptions; the library panics on some malformed
// documents, which is an error here.
func unmarshal(data []byte, v any, options ...yaml.DecodeOption) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed YAML: %v", r)
		}
	}()
	return yaml.UnmarshalWithOptions(data, v, options...)
}
