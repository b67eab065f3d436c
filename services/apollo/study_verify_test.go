package main

import (
	"strings"
	"testing"

	"apollo/services/proposer"
)

// A difference accuses the log only where its build is this one for sure.
func TestVerifyNamesTheBuilds(t *testing.T) {
	t.Parallel()
	this := thisBuild().name()
	for name, test := range map[string]struct{ other, wrote, want string }{
		"another": {"0.9", "0.9", "the build that wrote the log: 0.9 wrote it, and this is " + this},
		"none":    {"", "", `another build may have written: the log says build ""`},
	} {
		err := differenceError(&proposer.Difference{Build: test.other}, test.wrote)
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
