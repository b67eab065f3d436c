// Package archiver turns the trials of studies into Parquet files and back.
//
// A Store writes: it owns one data directory, keeps each trial once, and makes
// a file visible only when it is whole and on disk. Its manifest is the cursor
// into the stream of results, so that no trial is lost and none doubled,
// whatever moment the process dies at.
//
// Scan reads, also files that other tools wrote or that are damaged: what it
// cannot read it reports and sets aside. LoadSource gives an earlier study to
// the transfer of a later one.
//
// The format is specified in docs/trial-log.md. The package knows the events
// contract and the file system, and no message bus.
package archiver
