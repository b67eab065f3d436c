package events

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
	// MaxLag is the largest number of batches that an ask may lag behind.
	MaxLag = 4 * MaxParallelism
	// MaxAttempts is how often one design may be tried.
	MaxAttempts = 100
	// MaxTimeoutSeconds bounds the time of one evaluation: a week.
	MaxTimeoutSeconds = 7 * 24 * 3600
	// MaxParameters, MaxLevels and MaxMetrics bound the shape of a study.
	MaxParameters = 256
	MaxLevels     = 65536
	MaxMetrics    = 64
	// MaxObjectives is the largest number of objectives: the hypervolume is
	// computed exactly up to it.
	MaxObjectives = 4
	// MaxFrontBytes bounds about what the front takes in an event: with the rest
	// it stays below the 1 MiB that a NATS server passes on unless configured.
	MaxFrontBytes = 512 << 10
	// MaxNetworks bounds the workload of a study.
	MaxNetworks = 64
	// MaxSources bounds the sources of a transfer.
	MaxSources = 256
	// MaxRules is the largest number of structural rules.
	MaxRules = 64
	// MaxRuleLength is the largest length of one rule's expression in bytes.
	MaxRuleLength = 1000
	// MaxRuleNodes is the largest number of syntax nodes of one rule. A rule
	// has no loops, so it also bounds the cost of a check.
	MaxRuleNodes = 200
	// MaxJSONDepth is the largest nesting of a JSON document.
	MaxJSONDepth = 64
	// MaxSpecBytes is the largest study document, and the size limit of a
	// message on the command stream.
	MaxSpecBytes = 1 << 20
	// MaxEventBytes is the largest event, and the size limit of a message on
	// the other streams.
	MaxEventBytes = 8 << 20
	// MaxDeadLetterBytes is how much of a message a dead letter keeps: in base64
	// it stays below the 1 MiB that a NATS server passes on unless configured.
	MaxDeadLetterBytes = 512 << 10
	// MaxReasonBytes is the largest message of a Reason; longer ones are cut.
	MaxReasonBytes = 1000
	// MaxCodeBytes is the largest code, layer or unit of a Reason.
	MaxCodeBytes = 200
	// MaxExtras is the largest number of extra numbers of one trial.
	MaxExtras = 256
)
