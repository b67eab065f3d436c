package optimizer_test

import (
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

func TestNSGA2KeepsTheContract(t *testing.T) {
	t.Parallel()
	o := optimizertest.Options{Programs: 60, Seeds: 7, Large: 3000}
	optimizertest.Run(t, optimizer.NSGA2{Population: 40}, o)
}

func TestNSGA2FindsFronts(t *testing.T) {
	t.Parallel()
	optimizertest.RunFronts(t, optimizer.NSGA2{Population: 40}, optimizertest.Options{Programs: 60, Seeds: 7, Large: 3000})
}
