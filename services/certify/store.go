package certify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"

	"apollo/internal/atomicfile"
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

// Any reports whether a data directory has proofs at all: to tell whose they are takes
// evaluations. One that cannot be read may have some.
func Any(data string) bool {
	found, err := os.ReadDir(filepath.Dir(Path(data, "")))
	return len(found) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

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
func Save(data string, proof *Proof) error { return write(Path(data, proof.Key), proof) }

// Ladder is what sweeps over the limits of a metric proved.
type Ladder struct {
	// Key is that of Problem.LadderKeys.
	Key string `json:"key"`
	// Study is the name of the study that was swept last.
	Study string `json:"study"`
	// Metric and Unit are the objective's, Limited and LimitUnit those of the metric
	// whose limit moves.
	Metric    string `json:"metric"`
	Unit      string `json:"unit"`
	Limited   string `json:"limited"`
	LimitUnit string `json:"limit_unit"`
	// Steps are the optima, by rising limit.
	Steps []Optimum `json:"steps"`
}

// Add adds steps: those under a limit that is there replace it.
func (l *Ladder) Add(steps []Optimum) {
	all := append(slices.Clone(steps), l.Steps...)
	slices.SortStableFunc(all, func(a, b Optimum) int { return cmp.Compare(a.Limit, b.Limit) })
	l.Steps = slices.CompactFunc(all, func(a, b Optimum) bool { return a.Limit == b.Limit })
}

func ladderPath(data, key string) string { return filepath.Join(data, "proofs", "sweep-"+key+".json") }

// LoadLadder reads what sweeps proved; false when nothing was swept. The error is for a
// file that cannot be read or is none of a sweep.
func LoadLadder(data, key string) (Ladder, bool, error) {
	var l Ladder
	path := ladderPath(data, key)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("read what a sweep proved: %w", err)
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, false, fmt.Errorf("read what a sweep proved, %s: %w", path, err)
	}
	if l.Key != key || !slices.IsSortedFunc(l.Steps, func(a, b Optimum) int { return cmp.Compare(a.Limit, b.Limit) }) {
		return l, false, fmt.Errorf("read what a sweep proved, %s: the file is damaged", path)
	}
	return l, true, nil
}

// ChangeLadder has a ladder changed that is read and written while no other process does,
// durably and at once: of sweeps that end together none loses what another one proved. A
// damaged file is an empty ladder, and damaged says what is wrong with it.
func ChangeLadder(data, key string, change func(l *Ladder, damaged error)) error {
	path := ladderPath(data, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write proof: %w", err)
	}
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("write proof %s: %w", path, err)
	}
	defer func() { _ = lock.Close() }() // it ends with the process at the latest
	l, _, err := LoadLadder(data, key)
	if err != nil {
		l = Ladder{}
	}
	l.Key = key
	change(&l, err)
	return write(path, &l)
}

// write writes a proof durably and at once.
func write(path string, proof any) error {
	b, err := json.MarshalIndent(proof, "", "  ")
	if err != nil {
		return fmt.Errorf("write proof %s: %w", path, err)
	}
	if err := atomicfile.Write(path, append(b, '\n')); err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	return nil
}
