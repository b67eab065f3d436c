package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"apollo/archiver"
	"apollo/archiver/storage"
	"apollo/events"
	"apollo/services/proposer"
)

// trialLogs gives transfer the trial log of a place, and other Parquet files by
// path or URL.
type trialLogs struct{ place string }

var _ proposer.Sources = trialLogs{}

// Open implements proposer.Sources.
func (t trialLogs) Open(_ context.Context, ref events.Source) (*archiver.SourceLog, error) {
	written := ref.Parquet
	files, err := t.files(&ref)
	if err != nil {
		return nil, err
	}
	log, err := archiver.OpenSource(files, ref)
	if cause := errors.Unwrap(err); cause != nil && written != "" {
		// The archiver knows the pattern below the folder alone.
		err = fmt.Errorf("load source %q: %w", written, cause)
	}
	return log, err
}

// Whole opens a study of which every row can be read.
func (t trialLogs) Whole(_ context.Context, ref events.Source) (*archiver.SourceLog, error) {
	files, err := t.files(&ref)
	if err != nil {
		return nil, err
	}
	return archiver.OpenWhole(files, ref)
}

// Load reads a whole study into memory.
func (t trialLogs) Load(_ context.Context, ref events.Source) (archiver.Source, error) {
	files, err := t.files(&ref)
	if err != nil {
		return archiver.Source{}, err
	}
	return archiver.LoadSource(files, ref)
}

// files are where a source lies; its path becomes relative to them.
func (t trialLogs) files(ref *events.Source) (fs.FS, error) {
	place := t.place
	if ref.Parquet != "" {
		place, ref.Parquet = splitPattern(ref.Parquet)
	}
	return archiver.Files(place)
}

// Studies implements proposer.Sources.
func (t trialLogs) Studies(context.Context) ([]archiver.LoggedStudy, error) {
	files, err := archiver.Files(t.place)
	if err != nil {
		return nil, err
	}
	return archiver.Studies(files)
}

// splitPattern cuts a path pattern into the folder before its first wildcard, or
// before the first folder called column=value, and the pattern below it.
func splitPattern(pattern string) (dir, below string) {
	parts := strings.Split(filepath.ToSlash(pattern), "/")
	last := len(parts) - 1
	for i, part := range parts {
		if strings.ContainsAny(part, `*?[\=`) {
			last = i
			break
		}
	}
	dir = strings.Join(parts[:last], "/")
	switch {
	case last == 0:
		dir = "."
	case dir == "":
		dir = "/"
	}
	if !storage.Remote(dir) {
		dir = filepath.FromSlash(dir)
	}
	return dir, strings.Join(parts[last:], "/")
}
