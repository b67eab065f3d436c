package messages

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		say := func(msg string, args ...any) {
			got = append(got, strings.TrimSpace(fmt.Sprintln(append([]any{msg}, args...)...)))
		}
		var o Outage
		o.Over(say, "back")
		for range 130 {
			o.Failed(say, "gone", "why")
			time.Sleep(time.Second)
		}
		o.Over(say, "back")
		o.Over(say, "back")
		o.Failed(say, "gone", "again")
		want := []string{
			"gone why", "gone why times 61 since 1m0s", "gone why times 121 since 2m0s",
			"back times 130 since_first_failure 2m10s", "gone again",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the log differs from what is wanted (-want +got):\n%s", diff)
		}
	})
}
