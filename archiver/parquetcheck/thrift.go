package parquetcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Thrift's compact protocol says the length of a list before its elements, and
// decoders allocate by it. walker checks that a footer or page header is whole
// and claims no more than its bytes can hold, before anything is decoded.
//
// Reference: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
type walker struct {
	b []byte
	i int
	// structs counts elements of lists of structs: they are what decoding
	// makes large in memory.
	structs int
}

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// Limits chosen well above any real file of this format: a file of 1,000 row
// groups with 100 columns has 1e5 column chunks.
const (
	maxThriftDepth   = 24
	maxThriftStructs = 1 << 20
)

var errThrift = errors.New("malformed thrift")

// checkThrift walks one struct at the start of b and returns its length.
func checkThrift(b []byte) (int, error) {
	w := walker{b: b}
	if err := w.structure(0); err != nil {
		return 0, err
	}
	return w.i, nil
}

func (w *walker) octet() (byte, error) {
	if w.i >= len(w.b) {
		return 0, errThrift
	}
	w.i++
	return w.b[w.i-1], nil
}

func (w *walker) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.b[w.i:])
	if n <= 0 {
		return 0, errThrift
	}
	w.i += n
	return v, nil
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.b)-w.i) {
		return errThrift
	}
	w.i += int(n)
	return nil
}

func (w *walker) structure(depth int) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("%w: nested too deep", errThrift)
	}
	for {
		head, err := w.octet()
		if err != nil {
			return err
		}
		if head == 0 {
			return nil
		}
		if head>>4 == 0 {
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		kind := head & 0xf
		if kind == thriftTrue || kind == thriftFalse {
			continue
		}
		if err := w.value(kind, depth); err != nil {
			return err
		}
	}
}

func (w *walker) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := w.uvarint()
		return err
	case thriftDouble:
		return w.skip(8)
	case thriftBinary:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thriftList, thriftSet:
		return w.list(depth)
	case thriftMap:
		return w.mapping(depth)
	case thriftStruct:
		return w.structure(depth + 1)
	}
	return fmt.Errorf("%w: type %d", errThrift, kind)
}

func (w *walker) list(depth int) error {
	head, err := w.octet()
	if err != nil {
		return err
	}
	size := uint64(head >> 4)
	if size == 15 {
		if size, err = w.uvarint(); err != nil {
			return err
		}
	}
	return w.elements(size, depth, head&0xf)
}

func (w *walker) mapping(depth int) error {
	size, err := w.uvarint()
	if err != nil || size == 0 {
		return err
	}
	kinds, err := w.octet()
	if err != nil {
		return err
	}
	return w.elements(size, depth, kinds>>4, kinds&0xf)
}

func (w *walker) elements(size uint64, depth int, kinds ...byte) error {
	// Every element takes a byte at least.
	if size > uint64(len(w.b)-w.i) {
		return fmt.Errorf("%w: a list of %d elements in %d bytes", errThrift, size, len(w.b)-w.i)
	}
	if depth > maxThriftDepth {
		return fmt.Errorf("%w: nested too deep", errThrift)
	}
	for range size {
		for _, kind := range kinds {
			if kind == thriftStruct {
				w.structs++
			}
			if w.structs > maxThriftStructs {
				return fmt.Errorf("%w: more than %d elements", errThrift, maxThriftStructs)
			}
			if err := w.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
