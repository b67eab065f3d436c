package proposer

import (
	"context"
	"fmt"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

// ownerTimes is how long the requests of each owner have kept all others waiting. Commands
// are carried out one after the other: nothing here is locked.
type ownerTimes struct {
	used map[string]usedTime
	// others are the owners of the commands that wait, as of looked.
	others map[string]bool
	looked time.Time
	blind  messages.Outage // of looks who waits
}

// usedTime is what is left at a moment of the time that an owner has used: it is forgotten
// at the pace of the limit.
type usedTime struct {
	left time.Duration
	at   time.Time
}

const (
	ownerWindow = time.Minute
	// lookForOthersEvery bounds what it costs to ask who waits.
	lookForOthersEvery = time.Second
)

// note adds what a command took: at most twice the limit is kept, so that an owner is
// served again after a minute.
func (t *ownerTimes) note(limit time.Duration, owner string, began, now time.Time) {
	if limit == 0 {
		return
	}
	if t.used == nil {
		t.used = map[string]usedTime{}
	}
	for who := range t.used {
		if t.of(limit, who, now) == 0 {
			delete(t.used, who)
		}
	}
	t.used[owner] = usedTime{min(2*limit, t.of(limit, owner, now)+now.Sub(began)), now}
}

// of is how much of the limit an owner has used lately.
func (t *ownerTimes) of(limit time.Duration, owner string, now time.Time) time.Duration {
	u := t.used[owner]
	return max(0, u.left-time.Duration(float64(now.Sub(u.at))*float64(limit)/float64(ownerWindow)))
}

// overTime refuses a command of an owner whose commands took long, while those of others
// wait; nil where they do not. What an archiver pauses cannot wait, nor what an operator does
// about a study. The run of a command that comes again may be accepted already.
func (p *Proposer) overTime(ctx context.Context, c *command, now time.Time) *events.Mistake {
	limit := p.Quota.OwnerTime
	used := p.times.of(limit, c.owner, now)
	never := c.again || c.owner == events.ArchiverOwner || c.owner == "" && c.verb != "submit"
	if limit == 0 || used <= limit || never || !p.othersWait(ctx, c.owner, now) {
		return nil
	}
	pointer, whose := "/data/verb", "without an owner"
	if c.verb == "submit" {
		pointer = "/spec"
	}
	if c.owner != "" {
		whose = "of " + c.owner
	}
	m := over(pointer, QuotaOwnerTime, fmt.Sprintf("requests %s took %s lately, and those of others wait: at most %s are for one owner then",
		whose, used.Round(time.Second), limit))
	m.Hint = fmt.Sprintf("ask again in a minute, and for less; or the operator for more: --%s of `apollo up` or `apollo serve proposer` raises it", QuotaOwnerTime)
	return m
}

// othersWait reports whether commands of other owners wait. What cannot be looked at does not.
func (p *Proposer) othersWait(ctx context.Context, owner string, now time.Time) bool {
	t := &p.times
	if now.Sub(t.looked) >= lookForOthersEvery {
		limited, cancel := context.WithTimeout(ctx, lookForOthersEvery)
		defer cancel()
		subjects, err := p.Bus.Subjects(limited, "cmd.>")
		if err != nil {
			t.blind.Failed(p.Logger.Warn, "look who waits", "error", err)
		} else {
			t.blind.Over(p.Logger.Info, "who waits can be looked at again")
		}
		t.looked, t.others = now, map[string]bool{}
		for _, s := range subjects {
			if who, _, _, ok := events.ParseCommandSubject(s); ok {
				t.others[who] = true
			}
		}
	}
	return len(t.others) > 1 || len(t.others) == 1 && !t.others[owner]
}
