// Package workload holds networks as layer tables.
package workload

// Workload is a network.
type Workload struct{ Name string }
