package workload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// CanonicalJSON returns the stored form: JSON with the fields in the order of
// the types, no insignificant space and no HTML escapes, ending in a newline.
// Two normalised workloads are equal exactly when these bytes are.
func (w *Workload) CanonicalJSON() ([]byte, error) {
	b, err := encode(w)
	if err != nil {
		return nil, fmt.Errorf("encode workload %q: %w", w.Name, err)
	}
	return b, nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// identity is what a cost model can see of a workload: no names and no
// source; edges are indices over inputs, then layers.
type identity struct {
	Schema    string          `json:"schema"`
	Precision Precision       `json:"precision"`
	Inputs    [][]int64       `json:"inputs"`
	Layers    []identityLayer `json:"layers"`
	Decode    json.RawMessage `json:"decode,omitempty"`
}

type identityLayer struct {
	Layer
	// The shallower fields win over the embedded ones of the same key.
	ID string `json:"id,omitempty"`
	In []int  `json:"in"`
}

// Identity returns the hex SHA-256 of the normalised form without names and
// source: the same network has the same identity under any spelling of its
// layer names. The workload must be normalised; the error names an edge that
// leads nowhere.
func (w *Workload) Identity() (string, error) {
	id := identity{Schema: w.Schema, Precision: w.Precision}
	at := make(map[string]int, len(w.Inputs)+len(w.Layers))
	for _, in := range w.Inputs {
		at[in.Name] = len(at)
		id.Inputs = append(id.Inputs, in.Shape)
	}
	for i := range w.Layers {
		l := identityLayer{Layer: w.Layers[i]}
		for _, name := range w.Layers[i].In {
			from, ok := at[name]
			if !ok {
				return "", fmt.Errorf("identify workload %q: layer %q reads %q, which is neither an input nor an earlier layer", w.Name, w.Layers[i].ID, name)
			}
			l.In = append(l.In, from)
		}
		at[w.Layers[i].ID] = len(at)
		id.Layers = append(id.Layers, l)
	}
	var err error
	if id.Decode, err = w.decodeIdentity(); err != nil {
		return "", err
	}
	b, err := encode(id)
	if err != nil {
		return "", fmt.Errorf("identify workload %q: %w", w.Name, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
