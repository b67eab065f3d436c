package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"path"
	"strings"
	"time"
)

// file is one of an archive.
type file struct {
	name    string
	content []byte
	program bool
}

func (f *file) mode() int64 {
	if f.program {
		return 0o755
	}
	return 0o644
}

// pack writes the files below one folder, as a zip or a compressed tar by the
// archive's name. Nothing of this machine or this moment is in it: the same
// files give the same bytes.
func pack(w io.Writer, name string, files []file, at time.Time) error {
	if folder, ok := strings.CutSuffix(name, ".zip"); ok {
		return packZip(w, folder, files, at)
	}
	return packTar(w, strings.TrimSuffix(name, ".tar.gz"), files, at)
}

func packTar(w io.Writer, folder string, files []file, at time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for i := range files {
		f := &files[i]
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: path.Join(folder, f.name), Size: int64(len(f.content)), Mode: f.mode(),
			ModTime: at, Format: tar.FormatUSTAR,
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.content); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

func packZip(w io.Writer, folder string, files []file, at time.Time) error {
	z := zip.NewWriter(w)
	for i := range files {
		h := &zip.FileHeader{Name: path.Join(folder, files[i].name), Method: zip.Deflate, Modified: at.UTC()}
		h.SetMode(0o644)
		part, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := part.Write(files[i].content); err != nil {
			return err
		}
	}
	return z.Close()
}
