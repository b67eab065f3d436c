package archiver

import "apollo/archiver/parquetcheck"

// Why a file is not read.
var (
	// ErrNewer is wrapped by errors about files of a format version that this
	// build does not know.
	ErrNewer = parquetcheck.ErrNewer
	// ErrCorrupt is wrapped by errors about files that are damaged or no trial log.
	ErrCorrupt = parquetcheck.ErrCorrupt
	// ErrUnfit is wrapped by errors about files that are sound and hold what this
	// build does not read: a type, an encoding, a codec, too much of something.
	// The text names it.
	ErrUnfit = parquetcheck.ErrUnfit
)
