package archiver

import (
	"crypto/sha256"
	"encoding/hex"
	"io"

	"apollo/archiver/parquetcheck"
)

// sumOf returns the checksum of all that r holds.
func sumOf(r io.ReaderAt) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, parquetcheck.MaxFileBytes)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// checkSum compares the checksum of all that r holds.
func checkSum(r io.ReaderAt, want string) error {
	got, err := sumOf(r)
	if err != nil {
		return err
	}
	if got != want {
		return parquetcheck.Corrupt("its SHA-256 is %.16s…, the manifest says %.16s…", got, want)
	}
	return nil
}
