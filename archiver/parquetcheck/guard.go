// Package parquetcheck checks what a Parquet file claims before the library
// believes it: sizes, counts, nesting, pages. It knows nothing of trials.
package parquetcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits of files that are read. They bound memory, and lie far above what the
// archiver and the usual tools write (row groups of 1e5 to 1e6 rows).
const (
	MaxFileBytes    = 16 << 30
	maxFooterBytes  = 16 << 20
	maxColumns      = 4096
	MaxGroupRows    = 4 << 20
	maxFileRows     = 1 << 32
	MaxChunkBytes   = 512 << 20
	maxPageBytes    = 128 << 20
	maxSchemaLevels = 16
)

// ErrNewer is wrapped by errors about files of a format version that this
// build does not know.
var ErrNewer = errors.New("written by a newer version")

// ErrCorrupt is wrapped by errors about files that are damaged or no trial log.
var ErrCorrupt = errors.New("not a readable trial log")

// Corrupt is an error that wraps ErrCorrupt.
func Corrupt(form string, args ...any) error {
	return fmt.Errorf("%w: "+form, append([]any{ErrCorrupt}, args...)...)
}

// ErrUnfit is wrapped by errors about files that are sound and hold what this
// build does not read: a type, an encoding, a codec, too much of something.
// The text names it.
var ErrUnfit = errors.New("not read here")

// Unfit is an error that wraps ErrUnfit.
func Unfit(form string, args ...any) error {
	return fmt.Errorf("%w: "+form, append([]any{ErrUnfit}, args...)...)
}

// Guarded runs f and turns a panic of the Parquet library into an error.
func Guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Corrupt("%v", p)
		}
	}()
	return f()
}

// OpenGuarded opens a Parquet file after every claim of its footer has been
// checked against the file's size and the limits.
func OpenGuarded(r io.ReaderAt, size int64) (f *parquet.File, err error) {
	err = Guarded(func() error {
		meta, err := readFooter(r, size)
		if err != nil {
			return err
		}
		if err := checkSchema(meta.Schema); err != nil {
			return err
		}
		if err := checkGroups(meta, size); err != nil {
			return err
		}
		f, err = parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		if err != nil {
			return Corrupt("%v", err)
		}
		return nil
	})
	return f, err
}

func readFooter(r io.ReaderAt, size int64) (*format.FileMetaData, error) {
	const magic, tail = 4, 8
	if size < magic+tail {
		return nil, Corrupt("%d bytes are too few", size)
	}
	if size > MaxFileBytes {
		return nil, Corrupt("%d bytes are more than the limit of %d", size, int64(MaxFileBytes))
	}
	var head, end [8]byte
	if _, err := r.ReadAt(head[:magic], 0); err != nil {
		return nil, fmt.Errorf("read the head: %w", err)
	}
	if _, err := r.ReadAt(end[:], size-tail); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the tail: %w", err)
	}
	if string(head[:magic]) == "PARE" || string(end[4:]) == "PARE" {
		return nil, Unfit("it is encrypted")
	}
	if string(head[:magic]) != "PAR1" || string(end[4:]) != "PAR1" {
		return nil, Corrupt("the file does not begin and end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if n > size-magic-tail || n > maxFooterBytes {
		return nil, Corrupt("a footer of %d bytes in a file of %d", n, size)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-tail-n); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the footer: %w", err)
	}
	used, err := checkThrift(footer)
	if err != nil {
		return nil, Corrupt("the footer is malformed")
	}
	meta := &format.FileMetaData{}
	if err := thrift.Unmarshal(&thrift.CompactProtocol{}, footer[:used], meta); err != nil {
		return nil, Corrupt("decode the footer: %v", err)
	}
	if meta.EncryptionAlgorithm.Value != nil {
		return nil, Unfit("it is encrypted")
	}
	if used != len(footer) {
		return nil, Corrupt("the footer is malformed")
	}
	return meta, nil
}

// checkSchema bounds the depth of the column tree: the library walks it by
// recursion.
func checkSchema(schema []format.SchemaElement) error {
	if len(schema) == 0 || len(schema) > maxColumns {
		return Corrupt("a schema of %d elements", len(schema))
	}
	open := []int{1}
	for i := range schema {
		for len(open) > 0 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
		}
		if len(open) == 0 || len(open) > maxSchemaLevels {
			return Corrupt("the schema is no tree of at most %d levels", maxSchemaLevels)
		}
		open[len(open)-1]--
		if n := schema[i].NumChildren; n.Valid && n.V != 0 {
			if n.V < 0 || int(n.V) > len(schema) {
				return Corrupt("column %q has %d children", schema[i].Name, n.V)
			}
			open = append(open, int(n.V))
		}
	}
	for _, n := range open {
		if n != 0 {
			return Corrupt("the schema lacks %d columns", n)
		}
	}
	return nil
}

func checkGroups(meta *format.FileMetaData, size int64) error {
	var rows int64
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		if group.NumRows < 0 {
			return Corrupt("row group %d has %d rows", g, group.NumRows)
		}
		if group.NumRows > MaxGroupRows {
			return Unfit("row group %d has %d rows, the limit is %d", g, group.NumRows, MaxGroupRows)
		}
		rows += group.NumRows
		if group.NumRows == 0 {
			continue // nothing of it is read: some writers leave offsets of 0
		}
		for c := range group.Columns {
			if err := checkChunk(&group.Columns[c], size); err != nil {
				return Corrupt("row group %d, column %d: %v", g, c, err)
			}
			if m := &group.Columns[c].MetaData; m.TotalCompressedSize > MaxChunkBytes {
				return Unfit("row group %d, column %d has %d bytes, the limit is %d", g, c, m.TotalCompressedSize, MaxChunkBytes)
			}
		}
	}
	if rows != meta.NumRows {
		return Corrupt("the row groups have %d rows, the file says %d", rows, meta.NumRows)
	}
	if rows > maxFileRows {
		return Unfit("%d rows are more than the limit of %d", rows, int64(maxFileRows))
	}
	return nil
}

// CheckCodec refuses the codecs that are not read. first is the chunk of the
// first row group: the library decodes every chunk of a column with its codec.
func CheckCodec(c, first *format.ColumnChunk) error {
	switch c.MetaData.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Zstd, format.Brotli:
	default:
		// The library reads LZ4_RAW silently wrong.
		return fmt.Errorf("codec %v: rewrite the file with zstd, snappy or gzip", c.MetaData.Codec)
	}
	if c.MetaData.Codec != first.MetaData.Codec {
		return fmt.Errorf("the codec changes from %v to %v: rewrite the file with one codec", first.MetaData.Codec, c.MetaData.Codec)
	}
	if c.FilePath != "" || c.CryptoMetadata.Value != nil || len(c.EncryptedColumnMetadata) > 0 {
		return errors.New("the data are encrypted or in another file")
	}
	return nil
}

func checkChunk(c *format.ColumnChunk, size int64) error {
	m := &c.MetaData
	if c.FilePath != "" || c.CryptoMetadata.Value != nil || len(c.EncryptedColumnMetadata) > 0 {
		return nil // it matters where it is read
	}
	start := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		start = m.DictionaryPageOffset
	}
	const magic = 4
	if start < magic || m.TotalCompressedSize < 0 || start > size-m.TotalCompressedSize || m.NumValues < 0 {
		return fmt.Errorf("%d bytes at %d lie outside the file of %d bytes", m.TotalCompressedSize, start, size)
	}
	return nil
}
