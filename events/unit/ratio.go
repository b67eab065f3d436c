package unit

import (
	"fmt"
	"math"
	"strconv"
)

// Ratio returns what a number in one unit is multiplied by to be one in the
// other. The error says why there is none.
func Ratio(from, to string) (float64, error) {
	if from == to {
		return 1, nil
	}
	a, okA := Find(from)
	b, okB := Find(to)
	switch {
	case !okA || !okB:
		return 0, fmt.Errorf("its unit is %s there and %s here, and no rule converts them", quoted(from), quoted(to))
	case a.Dimension != b.Dimension:
		return 0, fmt.Errorf("it is %s (%s) there and %s (%s) here", a.Dimension.Phrase(), quoted(from), b.Dimension.Phrase(), quoted(to))
	}
	return math.Pow10(a.Exp-b.Exp) * (a.Factor / b.Factor), nil
}

func quoted(symbol string) string {
	if symbol == "" {
		return "no unit"
	}
	if _, known := Find(symbol); !known {
		return strconv.Quote(symbol) // it may come from anywhere
	}
	return symbol
}
