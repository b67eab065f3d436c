// Package accuracy says how accurate the networks of a family are: as a table has
// it, or as a ridge regression on that table predicts it, with an interval.
//
// A predictor is a weight for every level of every parameter and for every pair
// of levels of two, so that a prediction is a sum of table entries. Its interval
// holds 95 % of the networks that were left out in cross-validation; of networks
// that are unlike those of the table it says nothing.
package accuracy
