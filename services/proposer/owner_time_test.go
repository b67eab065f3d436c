package proposer

import (
	"testing"
	"time"

	"apollo/events"
)

// An owner over the limit is refused while others wait, whatever he used: for a minute. What
// comes again, and what an operator or an archiver does about a study, is not.
func TestQuotaOfOwnersTimeRefuses(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Second
	now := time.Now()
	for _, c := range []struct {
		name    string
		command command
		after   time.Duration
		refused bool
	}{
		{"submit", command{owner: "ada", verb: "submit"}, 0, true},
		{"submit of no owner", command{verb: "submit"}, 0, true},
		{"control", command{owner: "ada", verb: "cancel"}, 0, true},
		{"submit after half a minute", command{owner: "ada", verb: "submit"}, ownerWindow / 2, true},
		{"submit after a minute", command{owner: "ada", verb: "submit"}, ownerWindow, false},
		{"submit that comes again", command{owner: "ada", verb: "submit", again: true}, 0, false},
		{"operator's control", command{verb: "cancel"}, 0, false},
		{"archiver's pause", command{owner: events.ArchiverOwner, verb: "pause"}, 0, false},
	} {
		at := now.Add(c.after)
		p := &Proposer{Quota: Quota{OwnerTime: limit}}
		p.times.note(limit, c.command.owner, now.Add(-time.Hour), now)
		p.times.looked, p.times.others = at, map[string]bool{"eve": true}
		if m := p.overTime(t.Context(), &c.command, at); (m != nil) != c.refused {
			t.Errorf("%s: %v, want refused: %t", c.name, m, c.refused)
		}
	}
}
