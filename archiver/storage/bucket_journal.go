package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"sync"
)

const (
	// segmentBytes is how long a segment of a journal grows: an append writes
	// its segment again.
	segmentBytes = 128 << 10
	// segmentsAtOnce are read side by side.
	segmentsAtOnce = 8
)

// segments is a journal of objects manifest.log/00000001 and so on, of which
// only the last one changes, by a put on the condition that it is still the one
// that was read. So of two archivers one sees that it has lost. A restart is a segment of
// its own, and those before it go, the first one first: what is left has no gap.
type segments struct {
	b    *bucket
	read []byte
	// n is the number of the last segment, 0 while there is none. content is
	// what it holds, etag its version.
	n       int
	content []byte
	etag    string
	// fresh: nothing was appended since the journal was read.
	fresh bool
	// doubtful are contents of the last segment whose put failed, and may be
	// there after all.
	doubtful map[string]bool
}

func segmentName(n int) string { return fmt.Sprintf("%s/%08d", Manifest, n) }

// readJournal reads all segments. The error is fs.ErrNotExist when there is
// none, and ErrDamaged when one is missing between others.
func (b *bucket) readJournal() (j *segments, err error) {
	for range fetchTries { // what was listed may have been forgotten
		if j, err = b.readSegments(); j == nil || j.n == 0 || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return j, err
}

func (b *bucket) readSegments() (*segments, error) {
	j := &segments{b: b, fresh: true}
	first := 0
	err := b.eachSegment(func(n int) error {
		switch {
		case j.n == 0:
			first = n
		case n != j.n+1:
			return pathError("read", b.Path(Manifest), fmt.Errorf("%w: part %08d is missing", ErrDamaged, j.n+1))
		}
		j.n = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	if j.n == 0 {
		return nil, pathError("open", b.Path(Manifest), fs.ErrNotExist)
	}
	parts, errs := make([][]byte, j.n-first+1), make([]error, j.n-first+1)
	var all sync.WaitGroup
	room := make(chan struct{}, segmentsAtOnce)
	for i := range parts {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			content, o, _, err := b.fetch(segmentName(first+i), 0, -1, "")
			parts[i], errs[i] = content, err
			if i == len(parts)-1 {
				j.content, j.etag = content, o.etag
			}
		})
	}
	all.Wait()
	j.read = bytes.Join(parts, nil)
	return j, errors.Join(errs...)
}

// eachSegment calls f for the numbers of the segments, ascending.
func (b *bucket) eachSegment(f func(n int) error) error {
	return b.each(Manifest+"/", true, 0, func(key string, _ object) error {
		n, err := strconv.Atoi(path.Base(key))
		if err != nil {
			return nil //nolint:nilerr // a file of other people
		}
		return f(n)
	})
}

// Journal implements Storage.
func (b *bucket) Journal() (Journal, error) {
	j, err := b.readJournal()
	if err != nil {
		return nil, err
	}
	return j, nil
}

// NewJournal implements Storage. The old segments are copied beside, and go
// from the last one to the first, so that what a crash leaves is shorter and
// whole, or the new one. That has the next number: who forgets old segments late must not
// meet it.
func (b *bucket) NewJournal(first []byte) (Journal, error) {
	var old []string
	if err := b.List(Manifest, nil, func(name string, _ int64) error {
		old = append(old, path.Base(name))
		return nil
	}); err != nil {
		return nil, err
	}
	if len(old) > 0 {
		if err := b.keepJournal(old); err != nil {
			return nil, err
		}
	}
	j := &segments{b: b}
	for _, part := range old {
		if n, err := strconv.Atoi(part); err == nil {
			j.n = max(j.n, n)
		}
	}
	return j, j.Append(first)
}

func (b *bucket) keepJournal(old []string) error {
	for _, part := range old {
		content, _, _, err := b.fetch(Manifest+"/"+part, 0, -1, "")
		if err != nil {
			return err
		}
		err = errPrecondition
		for i := 1; errors.Is(err, errPrecondition); i++ {
			_, err = b.send(fmt.Sprintf("%s.damaged-%d/%s", Manifest, i, part), content, condition{not: "*"})
		}
		if err != nil {
			return err
		}
	}
	for i := range old {
		if err := b.Remove(Manifest + "/" + old[len(old)-1-i]); err != nil {
			return err
		}
	}
	return nil
}

// Content implements Journal. It gives the bytes once.
func (j *segments) Content() []byte {
	b := j.read
	j.read = nil
	return b
}

// Cut implements Journal. A put is whole: a torn line is not from here, and is
// for a rebuild.
func (j *segments) Cut(int64) error {
	return pathError("read", j.b.Path(Manifest), ErrDamaged)
}

// Append implements Journal. The first one goes into the last segment that was
// read, be it full: the archiver before may have written that one without an
// answer, and would write it again. If it had the answer it makes the segment
// after, which the second append takes.
func (j *segments) Append(line []byte) error {
	if j.etag == "" || j.CanRestart() {
		return j.put(j.n+1, line, condition{not: "*"})
	}
	return j.put(j.n, slices.Concat(j.content, line), condition{match: j.etag})
}

// CanRestart implements Journal: where the next line has a segment of its own. Before that
// an archiver that takes over would not see the new segment.
func (j *segments) CanRestart() bool { return !j.fresh && len(j.content) >= segmentBytes }

// Restart implements Journal.
func (j *segments) Restart(line []byte) error { return j.put(j.n+1, line, condition{not: "*"}) }

// Forget implements Journal.
func (j *segments) Forget() error {
	var old []int
	err := j.b.eachSegment(func(n int) error {
		if n < j.n {
			old = append(old, n)
		}
		return nil
	})
	for _, n := range old {
		if err == nil {
			err = j.b.Remove(segmentName(n))
		}
	}
	return err
}

func (j *segments) put(n int, content []byte, when condition) error {
	etag, err := j.b.send(segmentName(n), content, when)
	if errors.Is(err, errPrecondition) || errors.Is(err, fs.ErrNotExist) {
		etag, err = j.replace(n, content)
	}
	if err != nil {
		if j.doubtful == nil {
			j.doubtful = map[string]bool{}
		}
		j.doubtful[string(content)] = true
		return err
	}
	j.n, j.content, j.etag, j.fresh, j.doubtful = n, content, etag, false, nil
	return nil
}

// replace writes over a line whose append failed and was carried out after all;
// what another archiver wrote is left as it is.
func (j *segments) replace(n int, content []byte) (string, error) {
	is, o, _, err := j.b.fetch(segmentName(n), 0, -1, "")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrTaken
	case err != nil:
		return "", err
	case !j.doubtful[string(is)] && (n != j.n || !bytes.Equal(is, j.content)):
		return "", ErrTaken
	}
	etag, err := j.b.send(segmentName(n), content, condition{match: o.etag})
	if errors.Is(err, errPrecondition) || errors.Is(err, fs.ErrNotExist) {
		return "", ErrTaken
	}
	return etag, err
}

// Close implements Journal.
func (j *segments) Close() error { return nil }
