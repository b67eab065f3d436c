package certify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Proof is a State on disk, with what it is about.
type Proof struct {
	// Key is Problem.Key.
	Key string `json:"key"`
	// Study is the name of the study that was certified first.
	Study string `json:"study"`
	// Metric and Unit are the objective's.
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	State
	// Design and Metrics are the optimum's; nil before one is proven.
	Design  map[string]any     `json:"design"`
	Metrics map[string]float64 `json:"metrics"`
}

// Path is the file of a proof below a data directory.
func Path(data, key string) string { return filepath.Join(data, "proofs", key+".json") }

// Load reads the proof with a key from a data directory; false when there is
// none. The error is for a file that cannot be read or is not a proof.
func Load(data, key string) (Proof, bool, error) {
	var proof Proof
	path := Path(data, key)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return proof, false, nil
	}
	if err != nil {
		return proof, false, fmt.Errorf("read proof: %w", err)
	}
	if err := json.Unmarshal(b, &proof); err != nil {
		return proof, false, fmt.Errorf("read proof %s: %w", path, err)
	}
	if proof.Key != key || proof.Done > proof.Groups || proof.Done < 0 || proof.Proven && proof.Done != proof.Groups {
		return proof, false, fmt.Errorf("read proof %s: the file is damaged", path)
	}
	return proof, true, nil
}

// Save writes a proof into a data directory, durably and at once.
func Save(data string, proof *Proof) error {
	path := Path(data, proof.Key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write proof: %w", err)
	}
	b, err := json.MarshalIndent(proof, "", "  ")
	if err != nil {
		return fmt.Errorf("write proof %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".proof-*")
	if err != nil {
		return fmt.Errorf("write proof: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // without effect after the rename
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write proof %s: %w", path, err)
	}
	return nil
}
