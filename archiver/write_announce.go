package archiver

import (
	"slices"

	"apollo/events"
)

// Announcement is what one record of the manifest has to say on the bus.
type Announcement struct {
	Parts []events.ArchivePart
	// Ended is set when a run was closed.
	Ended *Ended
	id    int
}

// Ended says that a run is closed.
type Ended struct {
	State string
	Final events.ArchiveFinal
}

// Unannounced returns what was committed and not yet marked by MarkAnnounced, oldest
// first. After a crash it may hold what was told already.
func (s *Store) Unannounced() []Announcement {
	var list []Announcement
	for _, p := range s.idx.pending {
		n := Announcement{id: p.record}
		for _, f := range p.files {
			n.Parts = append(n.Parts, events.ArchivePart{
				Study: f.Study, Run: f.Run, Path: currentPath(f.Path),
				Rows: f.Rows, SHA256: f.SHA256, FirstSeq: f.FirstSeq, LastSeq: f.LastSeq,
			})
		}
		if c := p.closed; c != nil {
			n.Ended = &Ended{State: c.State, Final: events.ArchiveFinal{
				Study: c.Study, Run: c.Run,
				Trials: c.Trials, Glob: currentPath(runFolder(c.Study, c.Run) + "/*.parquet"),
			}}
		}
		list = append(list, n)
	}
	return list
}

// MarkAnnounced marks an announcement as made. It becomes durable with the next record.
func (s *Store) MarkAnnounced(n Announcement) {
	s.idx.announced = max(s.idx.announced, n.id)
	s.idx.pending = slices.DeleteFunc(s.idx.pending, func(p pendingAnnouncement) bool { return p.record <= n.id })
}
