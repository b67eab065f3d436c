package studyfile

import "apollo/events"

// noise is what a study says of answers that differ; nil and 0 where it says
// nothing.
type noise struct {
	deterministic      *bool
	repeats, reference int64
}

// applyNoise decides whether the study deals with answers that differ: where it,
// or its program, says in words that they do. A program of which nobody says
// anything is taken at its word.
func (b *builder) applyNoise() {
	known := b.noise.deterministic != nil && !*b.noise.deterministic
	for _, name := range []string{"repeats", "reference"} {
		n := b.field("evaluator", name)
		b.when(n != nil && !known, n, codeContradicts, "Write deterministic: false beside it; or remove it.",
			"designs are measured again only where the study says that answers differ")
		b.when(n != nil && known && len(b.spec.Objectives) > 1, n, codeContradicts, "Remove it; or search one objective.",
			"designs are measured again only for one objective, and the study has %d", len(b.spec.Objectives))
	}
	if known && len(b.spec.Objectives) == 1 {
		b.spec.Evaluator.Noise = &events.Noise{Repeats: int(b.noise.repeats), Reference: int(b.noise.reference)}
	}
}
