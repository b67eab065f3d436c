package parquetcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errDelta = errors.New("differences are cut off or malformed")

// Limits of a DELTA_BINARY_PACKED header; writers use 128 and 4.
const (
	maxDeltaBlock = 1 << 16
	maxDeltaMini  = 1 << 10
)

// deltaInts decodes a DELTA_BINARY_PACKED sequence of at most n values and
// returns what follows it.
func deltaInts(b []byte, n int64) (values []int64, rest []byte, err error) {
	var head [4]uint64 // block size, miniblocks in it, values, first value
	for i := range head {
		v, used := binary.Uvarint(b)
		if used <= 0 {
			return nil, nil, errDelta
		}
		head[i], b = v, b[used:]
	}
	block, minis, total := head[0], head[1], head[2]
	if total > uint64(n) {
		return nil, nil, fmt.Errorf("differences of %d for %d values", total, n)
	}
	if total == 0 {
		return nil, b, nil
	}
	if block == 0 || block > maxDeltaBlock || minis == 0 || minis > maxDeltaMini || block%minis != 0 || block/minis%8 != 0 {
		return nil, nil, errDelta
	}
	last := zigzag(head[3])
	values = append(values, last)
	for len(values) < int(total) {
		least, used := binary.Uvarint(b)
		if used <= 0 || uint64(len(b)-used) < minis {
			return nil, nil, errDelta
		}
		widths := b[used : used+int(minis)]
		b = b[used+int(minis):]
		for _, width := range widths {
			if len(values) == int(total) {
				break // what is not needed is not written
			}
			size := int(width) * int(block/minis) / 8
			if width > 64 || size > len(b) {
				return nil, nil, errDelta
			}
			for i := 0; i < int(block/minis) && len(values) < int(total); i++ {
				last += zigzag(least) + int64(packed(b, i*int(width), uint(width)))
				values = append(values, last)
			}
			b = b[size:]
		}
	}
	return values, b, nil
}

func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// packed reads width bits, the lowest first.
func packed(b []byte, at int, width uint) uint64 {
	var v uint64
	for got := uint(0); got < width; {
		shift := uint(at) % 8
		take := min(8-shift, width-got)
		v |= uint64(b[at/8]>>shift) & (1<<take - 1) << got
		got += take
		at += int(take)
	}
	return v
}

// checkPrefixes adds up the strings of a DELTA_BYTE_ARRAY sequence: each
// repeats the beginning of the one before, so that a few bytes may claim much.
func checkPrefixes(b []byte, n int64) error {
	prefixes, b, err := deltaInts(b, n)
	if err != nil {
		return err
	}
	suffixes, b, err := deltaInts(b, n)
	if err != nil {
		return err
	}
	if len(prefixes) != len(suffixes) {
		return fmt.Errorf("%d prefixes and %d suffixes", len(prefixes), len(suffixes))
	}
	var last, all, own int64
	for i, p := range prefixes {
		s := suffixes[i]
		if p < 0 || p > last || s < 0 || s > int64(len(b)) {
			return errors.New("a string is longer than its parts")
		}
		last = p + s
		own += s
		all += last
		if all > maxPageBytes || own > int64(len(b)) {
			return fmt.Errorf("strings of %d bytes in a page of %d", all, len(b))
		}
	}
	return nil
}
