package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/proposer"
)

// trialLogs gives transfer the trial log of a data directory, and other
// Parquet files by path.
type trialLogs struct{ dir string }

var _ proposer.Sources = trialLogs{}

// Open implements proposer.Sources.
func (t trialLogs) Open(_ context.Context, ref events.Source) (*archiver.SourceLog, error) {
	dir := t.dir
	if ref.Parquet != "" {
		dir, ref.Parquet = splitPattern(ref.Parquet)
	}
	return archiver.OpenSource(os.DirFS(dir), ref)
}

// Load reads a whole study into memory.
func (t trialLogs) Load(_ context.Context, ref events.Source) (archiver.Source, error) {
	dir := t.dir
	if ref.Parquet != "" {
		dir, ref.Parquet = splitPattern(ref.Parquet)
	}
	return archiver.LoadSource(os.DirFS(dir), ref)
}

// Studies implements proposer.Sources.
func (t trialLogs) Studies(context.Context) ([]archiver.LoggedStudy, error) {
	return archiver.Studies(os.DirFS(t.dir))
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
	return filepath.FromSlash(dir), strings.Join(parts[last:], "/")
}
