package parquetcheck

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// A page of a few bytes can claim billions of values: by its codec, by a
// run-length, by the header of a difference encoding. pageChecker reads every
// page of a column chunk and follows those claims before the library does. It
// is for files that no checksum vouches for.
type pageChecker struct {
	rows     int64
	optional bool
	kind     parquet.Kind
	codec    format.CompressionCodec
	buf      []byte
}

// plainDictionary is the old name of both dictionary encodings, which pyarrow
// and others still write.
const plainDictionary format.Encoding = 2

// CheckChunkPages checks all pages of the chunk; rows is the row group's.
func CheckChunkPages(r io.ReaderAt, c *format.ColumnChunk, rows int64, optional bool) error {
	m := &c.MetaData
	if m.NumValues != rows {
		return fmt.Errorf("%d values for %d rows", m.NumValues, rows)
	}
	start := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		start = m.DictionaryPageOffset
	}
	chunk := make([]byte, m.TotalCompressedSize)
	if _, err := r.ReadAt(chunk, start); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	p := pageChecker{rows: rows, optional: optional, kind: parquet.Kind(m.Type), codec: m.Codec}
	var values int64
	for len(chunk) > 0 {
		h, n, err := pageHeader(chunk)
		if err != nil {
			return err
		}
		size := int(h.CompressedPageSize)
		if size < 0 || size > len(chunk)-n || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPageBytes {
			return fmt.Errorf("a page of %d bytes, %d when decompressed", size, h.UncompressedPageSize)
		}
		got, err := p.page(h, chunk[n:n+size])
		if err != nil {
			return err
		}
		values += got
		chunk = chunk[n+size:]
	}
	if values != rows {
		return fmt.Errorf("the pages have %d values for %d rows", values, rows)
	}
	return nil
}

func pageHeader(b []byte) (*format.PageHeader, int, error) {
	n, err := checkThrift(b)
	if err != nil {
		return nil, 0, err
	}
	h := &format.PageHeader{}
	if err := thrift.Unmarshal(&thrift.CompactProtocol{}, b[:n], h); err != nil {
		return nil, 0, err
	}
	return h, n, nil
}

// page checks one page and returns how many values of the column it has.
func (p *pageChecker) page(h *format.PageHeader, b []byte) (int64, error) {
	want := int(h.UncompressedPageSize)
	switch h.Type {
	case format.DictionaryPage:
		d := h.DictionaryPageHeader
		if !d.Valid || d.V.NumValues < 0 {
			return 0, errors.New("a dictionary page without its header")
		}
		data, err := p.decompress(b, want)
		if err != nil {
			return 0, err
		}
		if int64(d.V.NumValues) > int64(len(data)) || d.V.Encoding != format.Plain && d.V.Encoding != plainDictionary {
			return 0, fmt.Errorf("a dictionary of %d values in %d bytes as %v", d.V.NumValues, len(data), d.V.Encoding)
		}
		return 0, nil
	case format.DataPage:
		d := h.DataPageHeader
		if !d.Valid || d.V.NumValues < 0 || int64(d.V.NumValues) > p.rows {
			return 0, fmt.Errorf("a page of %d values in a group of %d rows", d.V.NumValues, p.rows)
		}
		data, err := p.decompress(b, want)
		if err != nil {
			return 0, err
		}
		return int64(d.V.NumValues), p.v1(&d.V, data)
	case format.DataPageV2:
		d := h.DataPageHeaderV2
		if !d.Valid || d.V.NumValues < 0 || int64(d.V.NumValues) > p.rows || d.V.NumNulls < 0 || d.V.NumNulls > d.V.NumValues {
			return 0, fmt.Errorf("a page of %d values in a group of %d rows", d.V.NumValues, p.rows)
		}
		return int64(d.V.NumValues), p.v2(&d.V, b, want)
	}
	return 0, fmt.Errorf("a page of type %v", h.Type)
}

func (p *pageChecker) v1(d *format.DataPageHeader, data []byte) error {
	if p.optional {
		if d.DefinitionLevelEncoding != format.RLE || len(data) < 4 {
			return errors.New("definition levels are not RLE")
		}
		n := uint64(binary.LittleEndian.Uint32(data))
		if n > uint64(len(data)-4) {
			return errors.New("definition levels run out of the page")
		}
		if err := checkRuns(data[4:4+n], 1, int64(d.NumValues)); err != nil {
			return err
		}
		data = data[4+n:]
	}
	return p.values(d.Encoding, data, int64(d.NumValues))
}

func (p *pageChecker) v2(d *format.DataPageHeaderV2, b []byte, want int) error {
	rep, def := int(d.RepetitionLevelsByteLength), int(d.DefinitionLevelsByteLength)
	if rep < 0 || def < 0 || rep > len(b) || def > len(b)-rep || rep+def > want {
		return errors.New("levels run out of the page")
	}
	if p.optional {
		if err := checkRuns(b[rep:rep+def], 1, int64(d.NumValues)); err != nil {
			return err
		}
	}
	data := b[rep+def:]
	if !d.IsCompressed.Valid || d.IsCompressed.V {
		// Writers disagree whether the size counts the levels, which are never
		// compressed; the specification says that it does.
		var err error
		if data, err = p.decompressEither(data, want-rep-def, want); err != nil {
			return err
		}
	}
	return p.values(d.Encoding, data, int64(d.NumValues))
}

// values checks the claims of an encoded sequence of at most n values.
func (p *pageChecker) values(enc format.Encoding, data []byte, n int64) error {
	switch enc {
	case format.Plain, format.ByteStreamSplit:
		return nil
	case plainDictionary, format.RLEDictionary:
		if len(data) == 0 {
			return nil
		}
		if data[0] > 32 {
			return fmt.Errorf("indexes of %d bits", data[0])
		}
		return checkRuns(data[1:], uint(data[0]), n)
	case format.RLE:
		if p.kind != parquet.Boolean || len(data) < 4 {
			return errors.New("RLE is for booleans")
		}
		size := uint64(binary.LittleEndian.Uint32(data))
		if size > uint64(len(data)-4) {
			return errors.New("booleans run out of the page")
		}
		return checkRuns(data[4:4+size], 1, n)
	case format.DeltaBinaryPacked:
		return checkDelta(data, n)
	case format.DeltaLengthByteArray:
		return checkLengths(data, n)
	case format.DeltaByteArray:
		return checkPrefixes(data, n)
	}
	return Unfit("encoding %v: rewrite the file with another one", enc)
}

// runSlack is how many values more than a page has its runs may hold: packed
// groups are filled up to 8 values by the specification, and to 32 or more by
// some writers.
const runSlack = 512

// checkRuns follows a hybrid of run-lengths and bit-packed runs: they may hold
// at most n values and some padding.
func checkRuns(b []byte, width uint, n int64) error {
	var count int64
	for len(b) > 0 {
		head, used := binary.Uvarint(b)
		if used <= 0 {
			return errors.New("a run without a length")
		}
		b = b[used:]
		var bytes uint64
		if head&1 == 1 {
			groups := head >> 1
			if groups > uint64(n+runSlack)/8 {
				return fmt.Errorf("a run of %d groups for %d values", groups, n)
			}
			count += int64(groups) * 8
			bytes = groups * uint64(width)
		} else {
			if head>>1 > uint64(n) {
				return fmt.Errorf("a run of %d for %d values", head>>1, n)
			}
			count += int64(head >> 1)
			bytes = uint64(width+7) / 8
		}
		if bytes > uint64(len(b)) {
			return errors.New("a run ends outside the page")
		}
		b = b[bytes:]
		if count > n+runSlack {
			return fmt.Errorf("runs of %d for %d values", count, n)
		}
	}
	return nil
}

// checkDelta reads the header of a DELTA_BINARY_PACKED sequence.
func checkDelta(b []byte, n int64) error {
	var total uint64
	for i := range 3 {
		v, used := binary.Uvarint(b)
		if used <= 0 {
			return errors.New("a header of differences is cut off")
		}
		// Block size, miniblocks per block, total count.
		if i == 2 {
			total = v
		}
		b = b[used:]
	}
	if total > uint64(n) {
		return fmt.Errorf("differences of %d for %d values", total, n)
	}
	return nil
}

// checkLengths adds up the lengths of a DELTA_LENGTH_BYTE_ARRAY sequence.
func checkLengths(b []byte, n int64) error {
	lengths, b, err := deltaInts(b, n)
	if err != nil {
		return err
	}
	var sum int64
	for _, l := range lengths {
		if l < 0 {
			return errors.New("a negative length")
		}
		sum += l
	}
	if sum > int64(len(b)) {
		return fmt.Errorf("strings of %d bytes in a page of %d", sum, len(b))
	}
	return nil
}

func (p *pageChecker) decompressEither(b []byte, want, other int) ([]byte, error) {
	data, err := p.decompress(b, want)
	if err != nil && other != want {
		data, err = p.decompress(b, other)
	}
	return data, err
}

// decompress returns exactly want bytes or an error. The result is valid until
// the next call.
func (p *pageChecker) decompress(b []byte, want int) ([]byte, error) {
	if want < 0 {
		return nil, errors.New("a page of negative size")
	}
	switch p.codec {
	case format.Uncompressed:
		if len(b) != want {
			return nil, fmt.Errorf("a page of %d bytes says %d", len(b), want)
		}
		return b, nil
	case format.Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || n != want {
			return nil, fmt.Errorf("a page of %d bytes says %d", n, want)
		}
		return snappy.Decode(p.buf[:0], b)
	case format.Gzip:
		zr, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return p.readExactly(zr, want)
	case format.Brotli:
		return p.readExactly(brotli.NewReader(bytes.NewReader(b)), want)
	case format.Zstd:
		zr, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxMemory(2*maxPageBytes), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		defer zr.Close()
		return p.readExactly(zr, want)
	}
	return nil, Unfit("codec %v", p.codec)
}

func (p *pageChecker) readExactly(r io.Reader, want int) ([]byte, error) {
	if cap(p.buf) < want+1 {
		p.buf = make([]byte, want+1)
	}
	n, cause := io.ReadFull(r, p.buf[:want+1])
	if n != want || !errors.Is(cause, io.ErrUnexpectedEOF) && !errors.Is(cause, io.EOF) {
		if cause == nil {
			cause = io.ErrShortBuffer
		}
		return nil, fmt.Errorf("a page says %d bytes and has %d or more (%w)", want, n, cause)
	}
	return p.buf[:want], nil
}
