package proposer

import (
	"apollo/events"
	"apollo/services/catalog"
	"apollo/services/transfer"
)

// Plan orders the studies of a campaign, and says from which earlier ones each learns.
// chains[i] says with which others the i-th does. The errors are those of a
// specification that no study can have.
func Plan(c catalog.Catalog, specs []*events.Spec, chains []string) (transfer.Course, error) {
	learners := make([]*transfer.Learner, len(specs))
	for i, spec := range specs {
		target, _, err := targetOf(c, spec)
		if err != nil {
			return transfer.Course{}, err
		}
		if learners[i], err = transfer.NewLearner(target); err != nil {
			return transfer.Course{}, err
		}
	}
	return transfer.Plan(chains, func(study, from int) float64 { return learners[study].Distance(specs[from]) }), nil
}
