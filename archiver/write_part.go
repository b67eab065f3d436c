package archiver

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"apollo/archiver/storage"
)

// partName matches the names of the archiver's own files.
func partName() *regexp.Regexp {
	return regexp.MustCompile(`^study=([a-z0-9-]+)/run=([a-z0-9-]+)/part-(\d{20})-(\d{20})(-\d+)?\.parquet$`)
}

func runFolder(study, run string) string { return "study=" + study + "/run=" + run }

// currentPath is a file's path as readers see it, relative to the data
// directory.
func currentPath(path string) string { return storage.Current + "/" + path }

// name returns where a file of the current generation lies.
func (s *Store) name(rel string) string { return s.files.Folder(s.idx.generation) + "/" + rel }

// writePart writes the waiting rows of a run as a file under its final name.
// The entry's path is set as soon as the file may be visible.
func (s *Store) writePart(o *openRun) (fileEntry, error) {
	rows := o.rows
	byTrial := func(a, b *Row) int { return cmp.Compare(a.Trial, b.Trial) }
	if !slices.IsSortedFunc(rows, byTrial) {
		slices.SortFunc(rows, byTrial)
	}
	e := entryOf(o.run.Spec.Study, o.run.ID, rows)
	content, err := s.encode(&e, o, rows)
	if err != nil {
		return fileEntry{}, err
	}
	if err := s.fail("rename.before"); err != nil {
		return fileEntry{}, err
	}
	err = s.underFreeName(&e, func(rel string) error { return s.files.Put(s.name(rel), content) })
	if err != nil {
		return e, err
	}
	return e, s.fail("rename.after")
}

func entryOf(study, run string, rows []*Row) fileEntry {
	e := fileEntry{Study: study, Run: run, Rows: int64(len(rows)), Trials: spansOf(rows)}
	e.FirstSeq = rows[0].StreamSeq
	for i := range rows {
		e.FirstSeq = min(e.FirstSeq, rows[i].StreamSeq)
		e.LastSeq = max(e.LastSeq, rows[i].StreamSeq)
	}
	return e
}

// underFreeName calls put with the first name for the entry that no file has: a
// stream that was made anew counts from 1 again. It sets the entry's path. In a
// shared storage no other archiver takes these names: what this one removes late
// is never another's.
func (s *Store) underFreeName(e *fileEntry, put func(rel string) error) error {
	base := fmt.Sprintf("%s/part-%020d-%020d", runFolder(e.Study, e.Run), e.FirstSeq, e.LastSeq)
	for i := s.names; ; i++ {
		e.Path = base + ".parquet"
		if i > 0 {
			e.Path = fmt.Sprintf("%s-%d.parquet", base, i)
		}
		if _, listed := s.idx.files[e.Path]; !listed {
			if err := put(e.Path); !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
}

// encode writes the rows as a Parquet file, and fills in the entry's size and
// checksum.
func (s *Store) encode(e *fileEntry, o *openRun, rows []*Row) ([]byte, error) {
	var buf bytes.Buffer
	if err := writeFile(&buf, o.cols, o.meta, s.codec, rows); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(buf.Bytes())
	e.Bytes, e.SHA256 = int64(buf.Len()), hex.EncodeToString(sum[:])
	return buf.Bytes(), nil
}
