package graph

import "math"

// Experts returns how many of a layer's experts so many tokens read, and how
// many rows each of these works on. Tokens choose at random: of E experts, T
// tokens that take k each read E(1-(1-k/E)^T) on average, and as many tokens go
// to each. Where the tokens do not divide by the experts, the last rows are
// filled up, as grouped products are.
func Experts(experts, chosen, tokens int64) (read, each int64) {
	left := math.Pow(1-float64(chosen)/float64(experts), float64(tokens))
	read = min(max(int64(math.Round(float64(experts)*(1-left))), chosen), experts)
	return read, (tokens*chosen + read - 1) / read
}
