package storage

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// blockBytes is what one read fetches, keepBlocks how many of a file are kept:
	// a Parquet reader goes through a column chunk by small reads, and back to
	// the footer.
	blockBytes = 4 << 20
	keepBlocks = 4
)

// Files implements Storage.
func (b *bucket) Files() fs.FS { return &view{b: b, known: map[string]object{}} }

// view shows a bucket as a file system. What it has listed it does not ask for
// again, and what it opens is the object that it listed.
type view struct {
	b *bucket

	mu    sync.Mutex // guards known
	known map[string]object
}

var (
	_ fs.ReadDirFS = (*view)(nil)
	_ fs.StatFS    = (*view)(nil)
)

// Open implements fs.FS. The journal's segments are one file.
func (v *view) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("open", name, fs.ErrInvalid)
	}
	if name == Manifest {
		j, err := v.b.readJournal()
		if err != nil {
			return nil, err
		}
		return &bucketFile{info: info{path.Base(name), object{size: int64(len(j.read))}}, blocks: []block{{0, j.read}}}, nil
	}
	o, err := v.find(name)
	if err != nil {
		return nil, err
	}
	return &bucketFile{b: v.b, name: name, info: info{path.Base(name), o}}, nil
}

func (v *view) find(name string) (object, error) {
	v.mu.Lock()
	o, known := v.known[name]
	v.mu.Unlock()
	if known {
		return o, nil
	}
	o, err := v.b.stat(name)
	if err == nil {
		v.keep(name, o)
	}
	return o, err
}

func (v *view) keep(name string, o object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known[name] = o
}

// Stat implements fs.StatFS. What is no object is a folder where objects are
// below it.
func (v *view) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("stat", name, fs.ErrInvalid)
	}
	if name == "." {
		return folderInfo(name), nil
	}
	o, err := v.find(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return info{path.Base(name), o}, err
	}
	below := false
	lerr := v.b.each(name+"/", true, 1, func(string, object) error {
		below = true
		return errEnough
	})
	switch {
	case below:
		return folderInfo(name), nil
	case lerr != nil:
		return nil, lerr
	}
	return nil, err
}

var errEnough = errors.New("enough")

// ReadDir implements fs.ReadDirFS.
func (v *view) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("readdir", name, fs.ErrInvalid)
	}
	prefix := ""
	if name != "." {
		prefix = name + "/"
	}
	var all []fs.DirEntry
	err := v.b.each(prefix, false, 0, func(key string, o object) error {
		rest := strings.TrimPrefix(key, prefix)
		if base, isFolder := strings.CutSuffix(rest, "/"); isFolder || rest == "" {
			if base != "" {
				all = append(all, fs.FileInfoToDirEntry(folderInfo(base)))
			}
			return nil
		}
		v.keep(key, o)
		all = append(all, fs.FileInfoToDirEntry(info{rest, o}))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// info describes an object or, without an ETag and a time, a folder.
type info struct {
	name string
	o    object
}

func folderInfo(name string) fs.FileInfo { return folderEntry{info{name: path.Base(name)}} }

// Name implements fs.FileInfo.
func (i info) Name() string { return i.name }

// Size implements fs.FileInfo.
func (i info) Size() int64 { return i.o.size }

// Mode implements fs.FileInfo.
func (i info) Mode() fs.FileMode { return 0o444 }

// ModTime implements fs.FileInfo.
func (i info) ModTime() time.Time { return i.o.at }

// IsDir implements fs.FileInfo.
func (i info) IsDir() bool { return false }

// Sys implements fs.FileInfo.
func (i info) Sys() any { return nil }

type folderEntry struct{ info }

// Mode implements fs.FileInfo.
func (folderEntry) Mode() fs.FileMode { return fs.ModeDir | 0o555 }

// IsDir implements fs.FileInfo.
func (folderEntry) IsDir() bool { return true }

// bucketFile reads an object in blocks.
type bucketFile struct {
	b    *bucket
	name string
	info info
	at   int64

	mu     sync.Mutex // guards blocks
	blocks []block
}

type block struct {
	from    int64
	content []byte
}

var _ io.ReaderAt = (*bucketFile)(nil)

// Stat implements fs.File.
func (f *bucketFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *bucketFile) Close() error { return nil }

// Read implements fs.File.
func (f *bucketFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p[:min(len(p), blockBytes)], f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *bucketFile) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at < 0 || at >= f.info.o.size {
			return n, io.EOF
		}
		blk, err := f.block(at)
		if err != nil {
			return n, err
		}
		m := copy(p[n:], blk.content[at-blk.from:])
		n, at = n+m, at+int64(m)
	}
	return n, nil
}

// block returns the one that a place is in, as the last of those that are kept.
func (f *bucketFile) block(at int64) (block, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, b := range f.blocks {
		if at >= b.from && at < b.from+int64(len(b.content)) {
			f.blocks = append(slices.Delete(f.blocks, i, i+1), b)
			return b, nil
		}
	}
	from := at - at%blockBytes
	content, _, _, err := f.b.fetch(f.name, from, min(blockBytes, f.info.o.size-from), f.info.o.etag)
	if err != nil {
		return block{}, err
	}
	if len(f.blocks) >= keepBlocks {
		f.blocks = slices.Delete(f.blocks, 0, 1)
	}
	b := block{from, content}
	f.blocks = append(f.blocks, b)
	return b, nil
}
