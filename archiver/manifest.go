package archiver

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"apollo/archiver/storage"
)

// ManifestName is the manifest's path below the data directory.
const ManifestName = storage.Manifest

const (
	// manifestVersion is the version of the manifest's records.
	manifestVersion = 1
	// snapshotVersion is that of a snapshot, which builds that do not know one must not
	// pass over; it is the latest.
	snapshotVersion = 2
)

// Position is a place in the stream of results: everything up to Sequence is
// on disk. Created tells a stream from one that was made anew.
type Position struct {
	Created  time.Time `json:"created"`
	Sequence uint64    `json:"sequence"`
	// Stored is when the stream stored that result: another time under the same
	// sequence tells a stream that was restored from an older copy. Zero where
	// nobody knows.
	Stored time.Time `json:"stored,omitzero"`
}

// fileEntry describes one Parquet file of the log.
type fileEntry struct {
	// Path is relative to the generation: study=…/run=…/part-….parquet.
	Path     string `json:"path"`
	Study    string `json:"study"`
	Run      string `json:"run"`
	Rows     int64  `json:"rows"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
	Trials   spans  `json:"trials"`
}

// record is one line of the manifest. A record is the commit: what it names is
// in the log, what it does not name is not.
type record struct {
	Version int `json:"version"`
	// Log is the identity of the data directory, in the first record.
	Log string `json:"log,omitempty"`
	// Writer is the archiver that writes from here on, in a log that several
	// machines can write to.
	Writer string `json:"writer,omitempty"`
	// Generation is the folder that current points to after this record.
	Generation int         `json:"generation"`
	Files      []fileEntry `json:"files,omitempty"`
	// Removed are the files that a compaction replaced.
	Removed  []string  `json:"removed,omitempty"`
	Position *Position `json:"position,omitempty"`
	// Read is how far the results are on disk but for the runs Behind, where
	// there are some; Position is before all that those lack.
	Read   *Position   `json:"read,omitempty"`
	Behind []behindRun `json:"behind,omitempty"`
	// Expired are the runs whose Removed files went on purpose: nothing of them
	// comes back.
	Expired []expiry `json:"expired,omitempty"`
	// Closed says that a run ended and all its trials are in the log.
	Closed *closure `json:"closed,omitempty"`
	// Differs says that a run on the bus is not the one in the log.
	Differs *difference `json:"differs,omitempty"`
	// Snapshot: the record is all that the manifest says, and those before it count no more.
	Snapshot *snapshot `json:"snapshot,omitempty"`
	// Announced counts the records whose files and closures the bus has been
	// told of.
	Announced int `json:"announced,omitempty"`
}

// closure is the end of a run.
type closure struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	State  string `json:"state"`
	Trials int64  `json:"trials"`
	// At is when that was recorded; older builds did not say it.
	At time.Time `json:"at,omitzero"`
}

// manifest is the journal of records, each a line of its CRC-32C and its JSON.
type manifest struct {
	journal storage.Journal
	// bytes is what a reader reads of it.
	bytes int
}

// errManifest says that a manifest is damaged before its last line.
var errManifest = storage.ErrDamaged

func manifestLine(r *record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s\n", checksum(b), b), nil
}

func checksum(b []byte) string {
	var sum [4]byte
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	sum[0], sum[1], sum[2], sum[3] = byte(c>>24), byte(c>>16), byte(c>>8), byte(c)
	return hex.EncodeToString(sum[:])
}

// readRecords calls f for each good record in order. Those before the last snapshot may be
// a part of what there was. It returns the length of
// the good part: a torn last line is not part of it.
func readRecords(b []byte, f func(*record) error) (int64, error) {
	const prefix = 9
	var good int64
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		r := record{}
		ok := whole && len(line) > prefix && line[prefix-1] == ' ' &&
			checksum(line[prefix:]) == string(line[:prefix-1]) && json.Unmarshal(line[prefix:], &r) == nil
		if !ok {
			if len(rest) > 0 {
				return good, fmt.Errorf("%w at byte %d", errManifest, good)
			}
			return good, nil
		}
		if r.Version > snapshotVersion {
			return good, fmt.Errorf("manifest: %w: its format is version %d, this build reads up to %d", ErrNewer, r.Version, snapshotVersion)
		}
		if err := f(&r); err != nil {
			return good, err
		}
		good += int64(len(line)) + 1
		b = rest
	}
	return good, nil
}

// openManifest reads the manifest and cuts a torn last line off. It returns
// fs.ErrNotExist when there is none.
func openManifest(files storage.Storage, f func(*record) error) (*manifest, error) {
	j, err := files.Journal()
	if err != nil {
		return nil, err
	}
	m := &manifest{journal: j}
	b := j.Content()
	size, err := readRecords(b, f)
	m.bytes = int(size)
	if err == nil && size < int64(len(b)) {
		err = j.Cut(size)
	}
	if err != nil {
		_ = m.close()
		return nil, fmt.Errorf("read %s: %w", files.Path(ManifestName), err)
	}
	return m, nil
}

// createManifest makes a manifest with its first record, whole or not at all.
func createManifest(files storage.Storage, first *record) (*manifest, error) {
	first.Version = manifestVersion
	line, err := manifestLine(first)
	if err != nil {
		return nil, err
	}
	j, err := files.NewJournal(line)
	if err != nil {
		return nil, err
	}
	return &manifest{journal: j, bytes: len(line)}, nil
}

// append writes one record and waits until it is durable.
func (m *manifest) append(r *record) error {
	r.Version = manifestVersion
	line, err := manifestLine(r)
	if err != nil {
		return err
	}
	if err := m.journal.Append(line); err != nil {
		return err
	}
	m.bytes += len(line)
	return nil
}

func (m *manifest) close() error { return m.journal.Close() }
