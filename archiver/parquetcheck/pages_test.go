package parquetcheck

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

func TestClaimsOfPagesAreChecked(t *testing.T) {
	t.Parallel()
	uvarint := func(v ...uint64) (b []byte) {
		for _, x := range v {
			b = binary.AppendUvarint(b, x)
		}
		return b
	}
	tests := []struct {
		name string
		err  error
	}{
		{"a run of 2^31 values", checkRuns(append(uvarint(1<<32), 1), 1, 100)},
		{"2^28 packed groups", checkRuns(append(uvarint(1<<29|1), 1), 1, 100)},
		{"many runs", checkRuns(bytes.Repeat(append(uvarint(100<<1), 1), 1000), 1, 100)},
		{"a run without its value", checkRuns(uvarint(4), 8, 100)},
		{"2^31 differences", checkDelta(uvarint(128, 4, 1<<31-1, 0), 100)},
		{"a cut header", checkDelta([]byte{0x80}, 100)},
		{"a list of 2^31 structs", func() error { _, err := checkThrift(append([]byte{0x19, 0xfc}, uvarint(1<<31)...)); return err }()},
		{"nesting without end", func() error { _, err := checkThrift(bytes.Repeat([]byte{0x1c}, 10_000)); return err }()},
	}
	for _, tt := range tests {
		if tt.err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	if err := checkRuns(append(uvarint(100<<1), 1), 1, 100); err != nil {
		t.Errorf("an honest run: %v", err)
	}
}

func TestDecompressionBombsAreRefused(t *testing.T) {
	t.Parallel()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := enc.EncodeAll(make([]byte, 64<<20), nil)
	p := pageChecker{codec: format.Zstd}
	if _, err := p.decompress(bomb, 1000); err == nil {
		t.Errorf("%d bytes that claim 1000 and hold 64 MiB: no error", len(bomb))
	}
	if cap(p.buf) > 1<<20 {
		t.Errorf("the bomb took %d bytes", cap(p.buf))
	}
	if b, err := p.decompress(enc.EncodeAll([]byte("hello"), nil), 5); err != nil || string(b) != "hello" {
		t.Errorf("decompress = %q, %v", b, err)
	}
}

// The differences are read as the library writes them, and a short page that
// claims long strings is refused.
func TestDifferences(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 400 {
		want := make([]int64, n)
		for i := range want {
			want[i] = rng.Int64() >> rng.IntN(64)
		}
		b, err := parquet.DeltaBinaryPacked.EncodeInt64(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, rest, err := deltaInts(append(b, "rest"...), int64(n))
		if err != nil || !slices.Equal(got, want) || string(rest) != "rest" {
			t.Fatalf("%d differences: %v, %q follows", n, err, rest)
		}
	}
	word := bytes.Repeat([]byte("x"), 1<<16)
	const words = 1 << 12
	src, offsets := make([]byte, 0, words<<16), []uint32{0}
	for range words {
		src = append(src, word...)
		offsets = append(offsets, uint32(len(src)))
	}
	b, err := parquet.DeltaByteArray.EncodeByteArray(nil, src, offsets)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkPrefixes(b, words); err == nil {
		t.Errorf("%d bytes that claim %d: no error", len(b), len(src))
	}
}
