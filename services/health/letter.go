package health

import (
	"time"

	"apollo/events"
)

// Letter is a dead letter as dlq prints it.
type Letter struct {
	// Number is its sequence, by which commands name it.
	Number uint64    `json:"letter"`
	Time   time.Time `json:"time"`
	Study  string    `json:"study"`
	events.DeadLetter
	// Whole: all of the message is there, so that it can be retried.
	Whole bool `json:"whole"`
}

// ReadLetter decodes a stored letter. Anyone with a client may store one that
// is none: it is shown as such.
func ReadLetter(m events.Message) Letter {
	l := Letter{Number: m.Seq, Time: m.Time, Study: events.StudyOf(m.Subject)}
	_, d, err := events.DecodeAs[events.DeadLetter](m.Data)
	if err != nil {
		d = events.DeadLetter{Service: "?", Reason: "unreadable: " + err.Error(), Subject: m.Subject}
	}
	l.DeadLetter, l.Whole = d, d.Whole()
	return l
}

// Bytes is the size of the message that the letter is about.
func (l *Letter) Bytes() int { return max(l.Size, len(l.Body)) }
