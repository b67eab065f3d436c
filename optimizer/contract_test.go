package optimizer_test

import (
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

func TestRandomKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.Random{}, optimizertest.Options{
		Large:     100_000,
		NotBetter: map[string]string{"*": "it is random search"},
	})
}

func TestEvolutionKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.Evolution{}, optimizertest.Options{})
}

func TestGAKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, optimizer.GA{}, optimizertest.Options{})
}
