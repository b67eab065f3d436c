//go:build race

package events_test

// underRace: the race detector lets a sync.Pool lose a quarter of what it is
// given, so that nothing which borrows from one is free of allocations.
const underRace = true
