package studyfile

import (
	"math/big"

	"apollo/events"
)

// lintSample is how many designs of a space that is too large to enumerate are
// looked at: it gives the share of legal designs within half a percent.
const lintSample = 100_000

// Lint is what is said of a study file: its mistakes, or what it means.
type Lint struct {
	OK     bool   `json:"ok"`
	Study  string `json:"study,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Designs are those of the space, each once (events.Designs), in which each value of a fidelity counts;
	// LegalShare is the share of them that the rules and the constraints on cheap metrics leave.
	Designs    *big.Int         `json:"designs,omitempty"`
	LegalShare *float64         `json:"legal_share,omitempty"`
	Spec       *events.Spec     `json:"spec,omitempty"`
	Mistakes   []events.Mistake `json:"mistakes"`
}

// Lint says what the study means, and how its share of legal designs is known.
func (d *Document) Lint() (Lint, Share, error) {
	designs, err := d.Spec.DesignCount()
	if err != nil {
		return Lint{}, Share{}, err
	}
	legal := d.LegalShare(lintSample)
	return Lint{
		OK: true, Study: d.Spec.Study, SHA256: events.SpecSHA256(d.Spec), Designs: designs,
		LegalShare: new(legal.Value()), Spec: d.Spec, Mistakes: []events.Mistake{},
	}, legal, nil
}

// Lint says what is wrong.
func (e *Error) Lint() Lint { return Lint{Mistakes: e.Mistakes} }

// Excerpts are the lines of the mistakes, each with the carets below it; "" for one
// that is on no line.
func (e *Error) Excerpts() []string {
	out := make([]string, len(e.found))
	for i, f := range e.found {
		if f.text != "" {
			line, caret := excerpt(f.text, f.place.column, f.place.width)
			out[i] = line + "\n" + caret
		}
	}
	return out
}

// Sentence is a mistake in words: where it is, what, and what to do.
func (e *Error) Sentence(i int) string { return e.found[i].what() }
