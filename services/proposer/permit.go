package proposer

import (
	"context"
	"fmt"

	"apollo/events"
	"apollo/services/messages"
)

// mayChange refuses a command of an owner about a study of somebody else. The
// server binds the owner in the subject to who logs in.
func (c *command) mayChange(earlier []acceptedRun) *events.Mistake {
	switch {
	case c.owner == "":
		return nil
	case c.owner == events.ArchiverOwner:
		return &events.Mistake{
			Pointer: "/metadata/name", Code: "owner",
			Message: fmt.Sprintf("%q may only pause studies whose trials it cannot archive", c.owner),
			Hint:    "ask as another owner",
		}
	case len(earlier) == 0 || earlier[len(earlier)-1].owner == c.owner:
		return nil
	}
	return notYours(c.owner, &earlier[len(earlier)-1])
}

// notYours is the refusal of what only the owner of a study may ask.
func notYours(asks string, study *acceptedRun) *events.Mistake {
	whose := "of no owner"
	if study.owner != "" {
		whose = "of " + study.owner
	}
	return &events.Mistake{
		Pointer: "/metadata/name", Code: "owner",
		Message: fmt.Sprintf("study %q is %s, and the request comes from %s", study.key.Study, whose, asks),
		Hint:    "take another name, or ask its owner or an operator",
	}
}

// newOwner is the command with the owner that the new run of a study gets: an
// operator's fresh run stays with who had the study.
func (c command) newOwner(earlier []acceptedRun) command {
	if c.owner == "" && len(earlier) > 0 {
		c.owner = earlier[len(earlier)-1].owner
	}
	return c
}

// mayControl refuses a change by an owner of somebody else's study. An archiver
// may pause any, and nothing else.
func (p *Proposer) mayControl(ctx context.Context, c command, key messages.RunKey, verb string) (*events.Mistake, error) {
	if c.owner == "" || c.owner == events.ArchiverOwner && verb == "pause" {
		return nil, nil
	}
	earlier, err := p.accepted.of(ctx, p.Bus, key.Study)
	if err != nil {
		return nil, err
	}
	mistake := c.mayChange(earlier)
	if mistake != nil {
		mistake.Pointer = "/data/study"
	}
	return mistake, nil
}
