//go:build !unix

package external

// openNonblock is nothing here: folders hold no pipes.
const openNonblock = 0
