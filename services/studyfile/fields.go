package studyfile

import (
	"apollo/events"
	"apollo/services/studyfile/unit"
)

// shape is what a field takes.
type shape uint8

const (
	textShape shape = iota
	integerShape
	numberShape   // a plain number
	boolShape     // true or false
	quantityShape // a number with a unit of field.dimension
	valueShape    // a number with or without unit, or a label: meaning decides
	listShape     // items of field.elem
	objectShape   // the keys of field.fields
	mapShape      // any keys, values of field.elem
	freeShape     // anything
)

// field describes one key of a study document: the one table that the decoder,
// the JSON Schema and the documentation's test share.
type field struct {
	name string
	doc  string
	// fallback is the default in words; "" when there is none.
	fallback  string
	shape     shape
	required  bool
	enum      []string
	dimension unit.Dimension
	// min and max bound integers, numbers and, in base units, quantities.
	// Both 0 means no bound. above excludes min itself.
	min, max float64
	above    bool
	// most bounds the length of a list, a mapping or a text; 0 means no bound.
	// nonempty asks for at least one.
	most     int
	nonempty bool
	// pattern is what a text must match, for the JSON Schema; the decoder says
	// in words what is wrong instead.
	pattern string
	fields  []field
	elem    *field
	// word is a text that stands for a whole mapping; "" when there is none.
	word string
}

// Patterns of names.
const (
	labelPattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
	snakePattern = "^[a-z][a-z0-9_]{0,62}$"
	runPattern   = "^[0-9a-f]{8}$"
)

// Defaults of a study.
const (
	defaultTrials      = 400
	defaultBatch       = 16
	defaultParallelism = 4
	defaultTimeout     = 30 // seconds
	defaultAttempts    = 3
	defaultMaxFailures = 20
	defaultSeeds       = 10
)

// document is the table of a study's keys.
func document() *field {
	return &field{shape: objectShape, doc: "A study: what to search, what to measure, what to spend.", fields: []field{
		{name: "apiVersion", shape: textShape, required: true, enum: []string{"apollo/v1"}, doc: "Version of this format."},
		{name: "kind", shape: textShape, required: true, enum: []string{"Study"}, doc: "Kind of the document."},
		{name: "metadata", shape: objectShape, required: true, doc: "What the study is called.", fields: []field{
			{name: "name", shape: textShape, required: true, pattern: labelPattern, doc: "Name of the study, a DNS label: 1 to 63 of a-z, 0-9 and \"-\"."},
			{name: "labels", shape: mapShape, most: events.MaxLabels, elem: &field{shape: textShape, most: events.MaxTextBytes}, doc: "Notes for people and tools. They are no part of the study's identity."},
		}},
		{name: "spec", shape: objectShape, required: true, doc: "What the study does.", fields: specFields()},
	}}
}

func specFields() []field {
	return []field{
		{name: "seed", shape: integerShape, max: 1<<64 - 1, fallback: "0", doc: "Seed of all randomness. The same study with the same seed tries the same designs."},
		spaceField(),
		{name: "workload", shape: objectShape, doc: "The networks that a design must run. Templates need it.", fields: []field{
			{name: "networks", shape: listShape, required: true, nonempty: true, most: events.MaxNetworks, doc: "Networks; with several, a metric is the weighted geometric mean.", elem: &field{shape: objectShape, fields: []field{
				{name: "name", shape: textShape, fallback: "the name in the file", doc: "Name of a built-in network (apollo workload ls); with file or layers, what to call it."},
				{name: "file", shape: textShape, most: events.MaxTextBytes, doc: "Workload file (apollo workload import), relative to the study file. A published study carries its layers instead."},
				{name: "layers", shape: freeShape, doc: "The workload itself, a document of schema apollo.workload/v1: what file becomes when a study is published."},
				{name: "weight", shape: numberShape, above: true, max: 1e6, fallback: "1", doc: "Weight in the geometric mean, relative to the other networks."},
			}}},
		}},
		{name: "objectives", shape: listShape, required: true, nonempty: true, most: events.MaxObjectives, doc: "What to optimise. With several objectives the answer is the Pareto front.", elem: &field{shape: objectShape, fields: []field{
			{name: "metric", shape: textShape, required: true, doc: "Name of a metric of the evaluator, without its unit: latency."},
			{name: "goal", shape: textShape, required: true, enum: []string{"minimize", "maximize"}, doc: "Direction of the search."},
			{name: "target", shape: valueShape, doc: "Value, with unit, at which the study is done; with several targets, when one design reaches all."},
			{name: "reference", shape: valueShape, fallback: "the constraint's bound, twice the template's baseline (half of it where maximised), or from the first ten feasible trials", doc: "With several objectives: the worst value of interest, a corner of the hypervolume."},
		}}},
		{name: "constraints", shape: listShape, most: events.MaxConstraints, doc: "Bounds on metrics. A design outside is infeasible.", elem: &field{shape: objectShape, fields: []field{
			{name: "metric", shape: textShape, required: true, doc: "Name of a metric of the evaluator, without its unit: area."},
			{name: "max", shape: valueShape, doc: "Largest value that is allowed, with unit: 6.8 mm2."},
			{name: "min", shape: valueShape, doc: "Smallest value that is allowed, with unit."},
		}}},
		{name: "knownConstraints", shape: textShape, enum: []string{"checked", "hidden"}, fallback: "checked", doc: "checked: rules and cheap metrics are checked before a design is sent, so that they cost no trial. hidden: every design costs a trial, as in experiments that follow the paper."},
		{name: "algorithm", shape: objectShape, doc: "The search strategy.", fields: []field{
			{name: "name", shape: textShape, required: true, doc: "Name of the strategy."},
			{name: "options", shape: freeShape, fallback: "the strategy's published defaults", doc: "Knobs of the strategy."},
		}, fallback: "{name: default}"},
		transferField(),
		evaluatorField(),
		budgetField(),
		{name: "stop", shape: objectShape, doc: "Conditions that end a study before its budget.", fields: []field{
			{name: "plateau", shape: objectShape, doc: "End when the best design has stopped getting better.", fields: []field{
				{name: "trials", shape: integerShape, required: true, min: 1, max: events.MaxTrials, doc: "Number of trials without an improvement."},
				{name: "improvement", shape: quantityShape, dimension: unit.Dimensionless, max: 1, fallback: "0", doc: "Smallest relative improvement that counts: 0.1% or 0.001."},
			}},
		}},
		{name: "order", shape: textShape, enum: []string{"strict", "relaxed"}, fallback: "strict", doc: "strict: the trials never depend on timing. relaxed: an ask sees every result that has arrived, for slow evaluators with stragglers."},
		{name: "duplicates", shape: textShape, enum: []string{"reuse"}, fallback: "reuse", doc: "reuse: a design is never paid for twice in a study."},
	}
}

func spaceField() field {
	return field{name: "space", shape: objectShape, required: true, doc: "The designs to search: a template, or parameters of your own.", fields: []field{
		{name: "template", shape: textShape, doc: "Name of a built-in space with its evaluator: edge, systolic, eyeriss, nvdla, shidiannao, simba or gemmini (apollo space ls)."},
		{name: "parameters", shape: listShape, nonempty: true, most: events.MaxParameters, doc: "Parameters of a space without template.", elem: &field{shape: objectShape, fields: []field{
			{name: "name", shape: textShape, required: true, pattern: snakePattern, doc: "Name in snake_case, at most 63 characters."},
			{name: "unit", shape: textShape, fallback: "none: a count or a label", doc: "Unit of the values as the evaluator gets them: B, B/s, s, mm2, Hz, …"},
			{name: "values", shape: listShape, nonempty: true, most: events.MaxLevels, doc: "The levels: ascending numbers, or labels.", elem: &field{shape: valueShape}},
			{name: "min", shape: valueShape, doc: "First level of a range."},
			{name: "max", shape: valueShape, doc: "Last level of a range, at most."},
			{name: "step", shape: valueShape, fallback: "1", doc: "Distance between the levels of a linear range."},
			{name: "steps", shape: integerShape, min: 2, max: events.MaxLevels, doc: "Number of levels from min to max, both included, instead of step: real numbers, at equal distances, or with scale log in equal ratios."},
			{name: "scale", shape: textShape, enum: []string{"linear", "log2", "log"}, fallback: "linear", doc: "linear: min, min+step, … log2: min, 2 min, 4 min, … log: steps levels in equal ratios."},
			{name: "when", shape: textShape, most: events.MaxRuleLength / 2, doc: "Expression over other parameters: where it is false this parameter means nothing and stays at its first level."},
		}}},
		{name: "fix", shape: mapShape, most: events.MaxParameters, elem: &field{shape: valueShape}, doc: "Parameters held at one of their levels: io_bandwidth: 25 GB/s."},
		{name: "restrict", shape: mapShape, most: events.MaxParameters, elem: &field{shape: listShape, nonempty: true, most: events.MaxLevels, elem: &field{shape: valueShape}}, doc: "Parameters held to some of their levels: cores: [1, 2, 4, 8]."},
		{name: "rules", shape: listShape, most: events.MaxRules, doc: "Conditions that every design must meet.", elem: &field{shape: objectShape, fields: []field{
			{name: "id", shape: textShape, required: true, pattern: labelPattern, doc: "Name of the rule, a DNS label; the log names it as a reason."},
			{name: "expr", shape: textShape, required: true, most: events.MaxRuleLength, doc: "Expression over parameter names, true for legal designs. Numbers are in the parameters' units; KiB, MiB and GiB are constants."},
		}}},
	}}
}

func transferField() field {
	return field{name: "transfer", shape: objectShape, doc: "Earlier studies to learn from.", fields: []field{
		{name: "sources", shape: listShape, required: true, nonempty: true, most: events.MaxSources, doc: "Studies by name, Parquet logs by path, or auto: similar studies of the archive.", elem: &field{shape: objectShape, word: "auto", fields: []field{
			{name: "study", shape: textShape, pattern: labelPattern, doc: "Name of a study in the same log."},
			{name: "run", shape: textShape, pattern: runPattern, fallback: "the latest run", doc: "Run of the study, 8 hex digits."},
			{name: "parquet", shape: textShape, most: events.MaxTextBytes, doc: "Path pattern of Parquet files, relative to the study file. Not in a published study."},
		}}},
		{name: "method", shape: textShape, enum: transferMethods(), fallback: "auto", doc: "How the sources are used: merge (same measurement, judged again), seed (their best designs first), gp, rgpe, rtm (seeds, and a prior mean), zero-shot (designs chosen from the logs alone); auto: by evidence, source by source."},
		{name: "seeds", shape: integerShape, max: events.MaxSeeds, fallback: "10", doc: "Largest number of trials that start from the sources' best designs."},
		{name: "control", shape: quantityShape, dimension: unit.Dimensionless, max: 1, fallback: "0", doc: "Share of trials that ignores the sources, to tell what they bring: 10% or 0.1."},
	}}
}

func evaluatorField() field {
	return field{name: "evaluator", shape: objectShape, fallback: "the template's", doc: "Who measures the designs. A space without template needs it.", fields: []field{
		{name: "name", shape: textShape, pattern: labelPattern, fallback: "the template's evaluator", doc: "Name of the evaluator, a DNS label."},
		{name: "timeout", shape: quantityShape, dimension: unit.Time, above: true, max: events.MaxTimeoutSeconds, fallback: "30 s", doc: "Longest time for one design."},
		{name: "attempts", shape: integerShape, min: 1, max: events.MaxAttempts, fallback: "3", doc: "How often a design is tried before it is failed."},
		{name: "exec", shape: textShape, nonempty: true, most: events.MaxTextBytes, doc: "Command that apollo run starts as the evaluator, in the folder of the study file. Not in a published study."},
		{name: "maxFailures", shape: integerShape, max: events.MaxTrials, fallback: "20", doc: "Failed trials in a row that pause the study; 0 means never."},
		{name: "deterministic", shape: boolShape, fallback: "the template's; false for your own", doc: "true when the same design always gives the same answer."},
		{name: "metrics", shape: listShape, nonempty: true, most: events.MaxMetrics, fallback: "the template's", doc: "What your own evaluator measures, in the order of its answer.", elem: &field{shape: objectShape, fields: []field{
			{name: "name", shape: textShape, required: true, pattern: snakePattern, doc: "Name in snake_case without the unit: latency."},
			{name: "unit", shape: textShape, fallback: "none: a plain number", doc: "Unit of the number that the evaluator returns: s, ms, mm2, J, W, B, B/s, Hz, %, …"},
		}}},
	}}
}

func budgetField() field {
	return field{name: "budget", shape: objectShape, fallback: "{trials: 400}", doc: "What the study may spend.", fields: []field{
		{name: "trials", shape: integerShape, min: 1, max: events.MaxTrials, fallback: "400", doc: "Total number of trials."},
		{name: "batch", shape: integerShape, min: 1, max: events.MaxBatch, fallback: "a hundredth of the trials, 1 to 16; 1 for your own evaluator", doc: "Designs in one work item."},
		{name: "parallelism", shape: integerShape, min: 1, max: events.MaxParallelism, fallback: "4", doc: "Work items in flight at most. It is no number of workers."},
		{name: "lag", shape: integerShape, min: 1, max: events.MaxLag, fallback: "2 x parallelism", doc: "How many batches an ask may lag behind in strict order."},
	}}
}
