package proposer

import (
	"testing"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

// An item that several gave back is held once; one that is in hand again, or was answered,
// is not held until it comes again.
func TestItemsThatComeAgainAreCountedOnce(t *testing.T) {
	t.Parallel()
	o := &owner{key: messages.RunKey{Study: "own", Run: "00000001"}, machine: &study.Machine{}}
	item := func(study string, batch int) events.PresentItem {
		return events.PresentItem{Study: study, Run: "00000001", Batch: batch, Since: events.Micros(batch)}
	}
	known := []events.Presence{
		{Returned: []events.PresentItem{item("other", 3), item("other", 4), item("own", 0)}},
		{Returned: []events.PresentItem{item("other", 3)}, Items: []events.PresentItem{item("other", 4), item("other", 5)}},
	}
	if got := o.comeAgain(known); got != 1 {
		t.Errorf("%d items come again, want batch 3 of the other study alone", got)
	}
	known[1].MoreReturned = 7
	if got := o.comeAgain(known); got != 8 {
		t.Errorf("%d items come again, want batch 3 and the 7 without a name", got)
	}
	if _, text := o.givenBack(known); text != "" {
		t.Errorf("%q of a batch that nobody waits for", text)
	}
}
