package archiver

import (
	"crypto/sha256"
	"encoding/hex"
	"io"

	"apollo/archiver/parquetcheck"
)

// checkSum compares the checksum of all that r holds.
func checkSum(r io.ReaderAt, want string) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, parquetcheck.MaxFileBytes)); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return parquetcheck.Corrupt("its SHA-256 is %.16s…, the manifest says %.16s…", got, want)
	}
	return nil
}
