package events

import "math/big"

// DesignCount is Designs of the study's space, exact also where its points have no index.
func (s *Spec) DesignCount() (*big.Int, error) {
	sp, err := s.Space()
	if err != nil {
		return nil, err
	}
	if !sp.Countable() {
		return sp.Count(), nil
	}
	n, err := Designs(s.Parameters)
	return new(big.Int).SetUint64(n), err
}
