// Package interop checks that other tools read what Apollo writes and write
// what Apollo reads: DuckDB, pyarrow, pandas and polars for the trial log, the nats
// command for the bus. It is a module of its own, so that cgo and what these
// need stay out of the product.
package interop
