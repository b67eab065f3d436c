package events

import (
	"apollo/events/rule"
	"apollo/events/wire"
)

// Limits of the contract. Lint and the server apply the same ones, so that a
// study that passes lint is not refused for its size later. All of them were
// chosen; docs/events.md, "Limits", says why each has its value.
const (
	// MaxTrials is the largest budget of a study.
	MaxTrials = 10_000_000
	// MaxBatch is the largest number of designs in one work item. A full batch
	// of the widest space stays below the streams' message size.
	MaxBatch = 1024
	// MaxParallelism is the largest number of batches in flight.
	MaxParallelism = 1024
	// MaxSlots is the largest number of work items that one worker takes at a time: its
	// notices name them all.
	MaxSlots = 512
	// MaxLag is the largest number of batches that an ask may lag behind.
	MaxLag = 4 * MaxParallelism
	// MaxAttempts is how often one design may be tried.
	MaxAttempts = 100
	// MaxRepeats is how often a study may measure every design.
	MaxRepeats = 100
	// MaxSteps is how many intermediate values of a trial are kept.
	MaxSteps = 64
	// MaxWarmup is the latest step before which no evaluation is stopped.
	MaxWarmup = 1_000_000_000
	// MaxTimeoutSeconds bounds the time of one evaluation: a week.
	MaxTimeoutSeconds = 7 * 24 * 3600
	// MaxBudgetSeconds bounds budgets of time: ten years of 365 days.
	MaxBudgetSeconds = 3650 * 24 * 3600
	// MaxParameters, MaxLevels and MaxMetrics bound the shape of a study.
	MaxParameters = 256
	MaxLevels     = 65536
	MaxMetrics    = 64
	// MaxObjectives is the largest number of objectives: the hypervolume is
	// computed exactly up to it.
	MaxObjectives = 4
	// MaxFrontBytes bounds what the front takes in an event: with the rest it
	// stays below the 1 MiB that a NATS server passes on unless configured. A
	// server that passes on less than twice as much has half of that.
	MaxFrontBytes = 512 << 10
	// MaxNetworks bounds the workload of a study.
	MaxNetworks = 64
	// MaxSources bounds the sources of a transfer.
	MaxSources = 256
	// MaxRules is the largest number of structural rules.
	MaxRules = 64
	// MaxRuleLength is the largest length of one rule's expression in bytes.
	MaxRuleLength = rule.MaxLength
	// MaxRuleNodes is the largest number of syntax nodes of one rule. A rule
	// has no loops, so it also bounds the cost of a check.
	MaxRuleNodes = rule.MaxNodes
	// MaxConstraints is the largest number of constraints: both sides of every
	// metric.
	MaxConstraints = 2 * MaxMetrics
	// MaxSeeds is the largest number of seed trials of a transfer.
	MaxSeeds = 1000
	// MaxStart is the largest number of designs that a study tries first.
	MaxStart = 1000
	// MaxAdded is the largest number of designs in one request.
	MaxAdded = 1000
	// MaxNotify is the largest number of receivers of a study's events,
	// MaxWebhookBytes the longest URL of one.
	MaxNotify       = 16
	MaxWebhookBytes = 1024
	// MaxLabels is the largest number of labels of a study.
	MaxLabels = 64
	// MaxTextBytes is the largest label of a level or of a study, path or pattern of
	// a study document.
	MaxTextBytes = 256
	// MaxExecBytes is the largest command line of a program: that of a container with
	// its mounts is long, and all of it has room in a request.
	MaxExecBytes = 2048
	// MaxCommandIDBytes is the largest id of a command: it becomes part of the ids
	// of the events that answer it.
	MaxCommandIDBytes = 256
	// MaxStudyDepth is the largest nesting of a study document. MaxYAMLBytes and
	// MaxYAMLKeys bound one in YAML: the library's parser takes time, and stack,
	// that grow with the square of the number of keys.
	MaxStudyDepth = 32
	MaxYAMLBytes  = 256 << 10
	MaxYAMLKeys   = 4096 // more than the largest study with every field has
	// MaxJSONDepth is the largest nesting of a JSON document.
	MaxJSONDepth = wire.MaxDepth
	// MaxSpecBytes is the largest study document, and the size limit of a
	// message on the command stream.
	MaxSpecBytes = 1 << 20
	// MaxEventBytes is the largest event, and the size limit of a message on
	// the other streams.
	MaxEventBytes = 8 << 20
	// DefaultPayload is what a NATS server passes on unless configured.
	DefaultPayload = 1 << 20
	// MaxDeadLetterBytes is how much of a message a dead letter keeps: an ordinary
	// work item or study as a whole, and too little to fill a disk with.
	MaxDeadLetterBytes = 64 << 10
	// MaxDeadLetters is how many dead letters of one service about one study are
	// kept; the oldest go. It is not below MaxParallelism: a study that lost
	// every work item in flight learns of each.
	MaxDeadLetters = 1024
	// MaxRejections is how many answers to requests that were refused are kept at
	// least; beyond twice as many the oldest go. MaxRejectedBytes is the largest
	// of them.
	MaxRejections    = 1024
	MaxRejectedBytes = 64 << 10
	// MaxReasonBytes is the largest message of a Reason; longer ones are cut.
	MaxReasonBytes = 1000
	// MaxCodeBytes is the largest code, layer or unit of a Reason.
	MaxCodeBytes = 200
	// MaxOriginBytes is the largest origin of a trial; longer ones are cut.
	MaxOriginBytes = 253
	// MaxTraceBytes is the largest trace context that travels with what follows
	// from a request; a longer one is dropped. A W3C traceparent has 55 bytes.
	MaxTraceBytes = 256
	// MaxExtras is the largest number of extra numbers of one trial.
	MaxExtras = 256
)
