package archiver

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/compress"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// codec compresses the pages of one store with one encoder. The library's
// codec takes its encoders from a pool that every collection empties, and each
// new one clears 16 MiB for its window. Its own codec is also shared by the
// whole process: its encoders hold channels, which must not wander between
// the bubbles of testing/synctest.
type codec struct {
	parquetzstd.Codec // its format, and decoding
	encoder           *zstd.Encoder
}

// windowBytes is how far back the encoder looks: a page of 10,000 rows is
// smaller.
const windowBytes = 1 << 20

func newCodec() compress.Codec {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(windowBytes), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(fmt.Sprintf("archiver: zstd: %v", err)) // the options are constants
	}
	return &codec{encoder: encoder}
}

// Encode implements compress.Codec.
func (c *codec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}
