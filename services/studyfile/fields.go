package studyfile

import (
	"strings"

	"apollo/evaluator/accuracy"
	"apollo/evaluator/number"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/events/unit"
)

// document is the table of a study's keys. Objects come in the order in which
// people write them.
func document() *field {
	return &field{shape: objectShape, doc: "A study: what to search, what to measure, what to spend.", fields: []field{
		{name: "apiVersion", shape: textShape, required: true, enum: []string{"apollo/v1"}, doc: "Version of this format."},
		{name: "kind", shape: textShape, required: true, enum: []string{"Study"}, doc: "Kind of the document."},
		{name: "metadata", shape: objectShape, required: true, doc: "What the study is called.", fields: []field{
			{name: "name", shape: textShape, required: true, naming: label("a study"), in: at(func(b *builder) any { return &b.spec.Study }), doc: "Name of the study, a DNS label: 1 to 63 of a-z, 0-9 and \"-\".", page: "A second study of this name is refused unless it is the same one."},
			{name: "labels", shape: mapShape, most: events.MaxLabels, elem: &field{shape: textShape, most: events.MaxTextBytes}, in: at(func(b *builder) any { return &b.spec.Labels }), doc: "Notes for people and tools. They are no part of the study's identity.", page: "Keys have at most 256 bytes too."},
		}},
		{name: "spec", shape: objectShape, required: true, doc: "What the study does.", page: "All that follows.", fields: []field{
			{name: "seed", shape: integerShape, max: 1<<64 - 1, fallback: "0", in: at(func(b *builder) any { return &b.spec.Seed }), doc: "Seed of all randomness. The same study with the same seed tries the same designs."},
			{name: "space", shape: objectShape, required: true, need: keys{[]string{"template", "parameters"}, "the space has neither a template nor parameters", "Name a template (edge, systolic, …), or list parameters."}, doc: "The designs to search: a template, or parameters of your own.", fields: []field{
				{name: "template", shape: textShape, in: at(func(b *builder) any { return &b.spec.Template }), known: Catalog.templateNames, doc: "Name of a built-in space with its evaluator (`apollo space ls`).", page: "See [the model](model.md#templates)."},
				{name: "parameters", shape: listShape, nonempty: true, most: events.MaxParameters, in: at(func(b *builder) any { return many[events.Parameter]{&b.own} }), not: keys{[]string{"template"}, "a space has a template or parameters, not both", "Use restrict, fix and rules to narrow a template; leave the template out to declare parameters."}, doc: "Parameters of a space without template.", elem: &field{shape: objectShape, need: keys{append(ranged().names, "values"), "the parameter has no levels", "Write values: [1, 2, 4], or min and max."}, fields: []field{
					{name: "name", shape: textShape, required: true, naming: snake("a parameter"), in: at(func(p *events.Parameter) any { return &p.Name }), doc: "Name in snake_case, at most 63 characters.", page: "Unique, and no word of the rule language (`min`, `in`, …)."},
					{name: "unit", shape: textShape, naming: unitName(), fallback: "none: a count or a label", in: at(func(p *events.Parameter) any { return &p.Unit }), doc: "Unit of the values as the evaluator gets them: `B`, `B/s`, `s`, `mm2`, `Hz`, …"},
					{name: "values", shape: listShape, nonempty: true, most: events.MaxLevels, in: at(func(p *events.Parameter) any { return p }), not: ranged(), doc: "The levels: ascending numbers, or labels.", page: "Numbers in any order; labels (`[ws, os]`, at most 256 bytes each) keep theirs.", elem: &field{shape: valueShape}},
					{name: "min", shape: valueShape, doc: "First level of a range."},
					{name: "max", shape: valueShape, doc: "Last level of a range, at most.", page: "With a step, and with `log2`, it need not be a level itself."},
					{name: "step", shape: valueShape, fallback: "1", not: keys{[]string{"steps"}, "a range has step or steps, not both", "Remove one of them."}, doc: "Distance between the levels of a linear range.", page: "Required with a unit, and where `max` is no whole number of steps of 1 above `min`."},
					{name: "steps", shape: integerShape, min: 2, max: events.MaxLevels, doc: "Number of levels from `min` to `max`, both included, instead of `step`: real numbers, at equal distances, or with scale `log` in equal ratios."},
					{name: "scale", shape: textShape, enum: []string{"linear", "log2", "log"}, fallback: "linear", doc: "`linear`: min, min+step, … `log2`: min, 2 min, 4 min, … `log`: `steps` levels in equal ratios."},
					{name: "when", shape: textShape, most: events.MaxRuleLength / 2, in: at(func(p *events.Parameter) any { return &p.When }), doc: "Expression over other parameters: where it is false this parameter means nothing and stays at its first level."},
				}}},
				{name: "fix", shape: mapShape, most: events.MaxParameters, elem: &field{shape: valueShape}, doc: "Parameters held at one of their levels: `io_bandwidth: 25 GB/s`."},
				{name: "restrict", shape: mapShape, most: events.MaxParameters, in: at(func(b *builder) any { return b.restricted() }), elem: &field{shape: listShape, nonempty: true, most: events.MaxLevels, elem: &field{shape: valueShape}}, doc: "Parameters held to some of their levels: `cores: [1, 2, 4, 8]`.", page: "In any order."},
				{name: "rules", shape: listShape, most: events.MaxRules, in: at(func(b *builder) any { return many[events.Rule]{&b.spec.Rules} }), doc: "Conditions that every design must meet.", elem: &field{shape: objectShape, fields: []field{
					{name: "id", shape: textShape, required: true, naming: label("a rule"), in: at(func(r *events.Rule) any { return &r.ID }), doc: "Name of the rule, a DNS label; the log names it as a reason.", page: "Unique."},
					{name: "expr", shape: textShape, required: true, most: events.MaxRuleLength, in: at(func(r *events.Rule) any { return &r.Expr }), doc: "Expression over parameter names, true for legal designs. Numbers are in the parameters' units; `KiB`, `MiB` and `GiB` are constants.", page: "At most 200 syntax nodes: `pes_x * pes_y * pe_memory <= 64 * MiB`."},
				}}},
			}},
			{name: "workload", shape: objectShape, doc: "The networks that a design must run. Templates need it.", fields: []field{
				{name: "networks", shape: listShape, required: true, nonempty: true, most: events.MaxNetworks, in: at(func(b *builder) any { return many[events.Network]{&b.spec.Networks} }), doc: "Networks; with several, a metric is the weighted geometric mean, unless `search` makes one of them part of the design.", elem: &field{shape: objectShape, need: keys{[]string{"name", "family", "file", "layers"}, "the network has no name", "Write name: …, a built-in network (apollo workload ls), family: …, or file: …, a workload file."}, fields: []field{
					{name: "name", shape: textShape, fallback: "the name in the file", in: at(func(n *events.Network) any { return &n.Name }), known: func(c Catalog) []string { return c.NetworkNames }, doc: "Name of a built-in network (`apollo workload ls`); with `file` or `layers`, what to call it.", page: "Unique; required without `family`, `file` and `layers`."},
					{name: "family", shape: textShape, not: ownLayers(), in: at(func(n *events.Network) any { return &n.Family }), known: func(Catalog) []string { return workload.FamilyNames() }, doc: "Name of a family of networks, whose parameters become the design's; alone, and with `search`.", page: "See [families](#families)."},
					{name: "file", shape: textShape, most: events.MaxTextBytes, doc: "Workload file (`apollo workload import`), relative to the study file. A published study carries its `layers` instead.", page: "See [workloads](workloads.md)."},
					{name: "layers", shape: freeShape, in: at(func(n *events.Network) any { return &n.Workload }), not: keys{[]string{"file"}, "file and layers both say what the network is", "Remove one of the two."}, doc: "The workload itself, a document of schema `apollo.workload/v1`: what `file` becomes when a study is published."},
					{name: "weight", shape: numberShape, above: true, max: 1e6, fallback: "1", in: at(func(n *events.Network) any { return &n.Weight }), doc: "Weight in the geometric mean, relative to the other networks."},
					{name: "accuracy", shape: quantityShape, dimension: unit.Dimensionless, above: true, max: 1, fallback: "none", in: at(func(n *events.Network) any { return &n.Accuracy }), doc: "What the network is stated to reach, as you know it: `71.8 %`. Of all networks or none, with `search`.", page: "It makes `accuracy` a metric; see [the network as part of the design](#network)."},
					{name: "accuracies", shape: objectShape, not: keys{[]string{"file", "layers", "accuracy"}, "only a family has accuracies", "Write accuracy: …, of every network, in a study with search."}, doc: "How accurate the networks of a family are.", page: "See [accuracies](#accuracies).", fields: []field{
						{name: "scale", shape: textShape, required: true, enum: accuracy.Scales(), in: at(func(n *events.Network) any { return &n.Accuracies.Scale }), doc: "What the numbers can be compared with: `published` accuracies of fully trained networks, or those after a short `proxy` training."},
						{name: "only", shape: textShape, enum: []string{events.OnlyMeasured}, fallback: "none: networks that the table does not have are predicted", in: at(func(n *events.Network) any { return &n.Accuracies.Only }), doc: "`measured`: only networks of the table can be chosen, by the one parameter `network`."},
						{name: "table", shape: textShape, most: events.MaxTextBytes, doc: "CSV file, compressed by gzip or not, with a column for each parameter of the family and one with the accuracy in percent."},
						{name: "column", shape: textShape, most: events.MaxTextBytes, fallback: "`accuracy`", doc: "Name of that column."},
						{name: "predictor", shape: textShape, most: events.MaxTextBytes, fallback: "fitted to the table", doc: "JSON file of schema `apollo.accuracy/v1`."},
						{name: "source", shape: textShape, most: events.MaxTextBytes, fallback: "none", in: at(func(n *events.Network) any { return &n.Accuracies.Source }), doc: "Where the numbers come from, in words."},
						{name: "known", shape: freeShape, in: at(func(n *events.Network) any { return &n.Accuracies.Known }), not: keys{[]string{"table", "predictor"}, "the files and known both say what is known", "Remove known."}, doc: "What the files become when a study is published, a document of schema `apollo.accuracy/v1`."},
					}},
					{name: "batch", shape: integerShape, min: 1, max: 1 << 20, fallback: "the network's", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Batch }), doc: "Pictures or sequences that run at once."},
					{name: "sequence", shape: integerShape, min: 1, max: 1 << 20, fallback: "the network's", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Sequence }), doc: "Tokens of a sequence that come in, of networks that have them."},
					{name: "past", shape: integerShape, min: 1, max: 1 << 20, fallback: "the network's", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Past }), doc: "Tokens of a sequence that are in the cache already: `name: llama_8b_decode, past: 4096`."},
					{name: "generate", shape: integerShape, min: 2, max: 1 << 20, fallback: "the network's", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Generate }), doc: "Tokens that are generated after the prompt, of networks that do: `name: llama_8b, sequence: 1024, generate: 256`.", page: "See [generation](workloads.md#generation)."},
					{name: "attention", shape: textShape, enum: workload.Attentions(), fallback: "the network's", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Attention }), doc: "Where the scores of an attention are: `fused`, in the units, or `separate`, a tensor in memory."},
					{name: "weights", shape: textShape, enum: number.Names(), fallback: "`int8`", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Weights }), doc: "Format of the weights of a built-in network: `weights: int4, activations: fp16`.", page: "See [precision](workloads.md#precision)."},
					{name: "activations", shape: textShape, enum: number.Names(), fallback: "`int8`", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Activations }), doc: "Format of its activations."},
					{name: "accumulators", shape: textShape, enum: number.Names(), fallback: "`int32`; `fp32` where weights or activations are floating-point numbers", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Accumulators }), doc: "Format of its sums."},
					{name: "sparsity", shape: textShape, fallback: "none: every weight counts", not: ownLayers(), in: at(func(n *events.Network) any { return &n.Sparsity }), doc: "Which of its weights are zero: `2:4`, of four weights along the input channels two are kept, or the share that is kept anywhere, \"0.5\" in quotes.", page: "See [sparse weights](workloads.md#sparsity)."},
				}}},
				{name: "search", shape: textShape, enum: []string{events.SearchOne}, fallback: "none: a design runs all networks", in: at(func(b *builder) any { return &b.spec.Search }), doc: "`one`: a design runs one of the networks, and the parameter `network`, or those of a family, say which.", page: "See [the network as part of the design](#network)."},
			}},
			{name: "metrics", shape: listShape, most: events.MaxMetrics, in: at(func(b *builder) any { return many[events.Metric]{&b.computed} }), doc: "Metrics that are computed of what is measured.", page: "See [computed metrics](#computed-metrics).", elem: &field{shape: objectShape, fields: []field{
				{name: "name", shape: textShape, required: true, naming: metricName(), in: at(func(m *events.Metric) any { return &m.Name }), doc: "Name in snake_case without the unit: `cost`.", page: "Unique; " + strings.Join(derivedNames(), ", ") + " and [those of single networks](#one-network-the-worst-the-sum) need no `expr`."},
				{name: "unit", shape: textShape, naming: unitName(), fallback: "none: a plain number", in: at(func(m *events.Metric) any { return &m.Unit }), doc: "Unit of the number.", page: "It ends the column's name: `cost_mw`."},
				{name: "expr", shape: textShape, most: events.MaxRuleLength, in: at(func(m *events.Metric) any { return &m.Expr }), doc: "Expression over the metrics before it, with units: `energy / latency`."},
			}}},
			{name: "objectives", shape: listShape, required: true, nonempty: true, most: events.MaxObjectives, in: at(func(b *builder) any { return many[events.Objective]{&b.spec.Objectives} }), doc: "What to optimise. With several objectives the answer is the Pareto front.", page: "Each on another metric; see [several objectives](#several-objectives).", elem: &field{shape: objectShape, fields: []field{
				{name: "metric", shape: metricShape, required: true, in: at(func(o *events.Objective) any { return &o.Metric }), doc: "Name of a metric of the evaluator, without its unit: `latency`."},
				{name: "goal", shape: textShape, required: true, enum: []string{"minimize", "maximize"}, in: at(func(o *events.Objective) any { return &o.Goal }), doc: "Direction of the search."},
				{name: "target", shape: valueShape, in: at(func(o *events.Objective) any { return &o.Target }), doc: "Value, with unit, at which the study is done; with several targets, when one design reaches all.", page: "Only feasible designs count."},
				{name: "reference", shape: valueShape, in: at(func(o *events.Objective) any { return &o.Reference }), fallback: "the constraint's bound, twice the template's baseline (half of it where maximised), or from the first ten feasible trials", doc: "With several objectives: the worst value of interest, a corner of the hypervolume.", page: "See [several objectives](#several-objectives)."},
			}}},
			{name: "constraints", shape: listShape, most: events.MaxConstraints, in: at(func(b *builder) any { return many[events.Constraint]{&b.spec.Constraints} }), doc: "Bounds on metrics. A design outside is infeasible.", page: "One `max` and one `min` per metric.", elem: &field{shape: objectShape, need: keys{[]string{"max", "min"}, "the constraint has neither max nor min", "Write max: with a value and its unit."}, fields: []field{
				{name: "metric", shape: metricShape, required: true, in: at(func(c *events.Constraint) any { return &c.Metric }), doc: "Name of a metric of the evaluator, without its unit: `area`."},
				{name: "max", shape: valueShape, in: at(func(c *events.Constraint) any { return &c.Max }), doc: "Largest value that is allowed, with unit: `6.8 mm2`; or `110 % of baseline`.", page: "See [limits](#limits-relative-to-the-baseline)."},
				{name: "min", shape: valueShape, in: at(func(c *events.Constraint) any { return &c.Min }), doc: "Smallest value that is allowed, likewise."},
			}}},
			{name: "knownConstraints", shape: textShape, enum: []string{"checked", "hidden"}, fallback: "checked", in: at(func(b *builder) any { return &b.spec.KnownConstraints }), doc: "`checked`: rules and cheap metrics are checked before a design is sent, so that they cost no trial. `hidden`: every design costs a trial, as in experiments that follow the paper.", page: "Conditions (`when`) are checked all the same."},
			{name: "algorithm", shape: objectShape, doc: "The search strategy.", fields: []field{
				{name: "name", shape: textShape, required: true, in: at(func(b *builder) any { return &b.spec.Algorithm.Name }), known: func(c Catalog) []string { return c.AlgorithmNames }, doc: "Name of the strategy."},
				{name: "options", shape: freeShape, fallback: "the strategy's published defaults", in: at(func(b *builder) any { return &b.spec.Algorithm.Options }), doc: "Knobs of the strategy.", page: "An unknown or impossible one is a mistake. `policy` of `explore` is a file ([covering](#covering))."},
			}, fallback: "{name: default}"},
			{name: "prior", shape: objectShape, in: at(func(b *builder) any { return maybe[events.Source]{&b.prior} }), need: keys{[]string{"template", "exec"}, "the prior names nothing", "Write template: NAME, a built-in one, or exec: COMMAND."}, doc: "A fast model of what a slow evaluator measures, which the search asks for every design: one of `transfer.sources`, written short.", page: "See [a prior](transfer.md#a-prior).", fields: model()},
			{name: "start", shape: listShape, most: events.MaxStart, in: at(func(b *builder) any { return b.starts() }), elem: &field{shape: mapShape, most: events.MaxParameters, elem: &field{shape: valueShape}}, doc: "Designs that are tried first, in order: `- {rows: 8, cols: 16}`.", page: "See [designs of one's own](#designs-of-ones-own)."},
			{name: "transfer", shape: objectShape, in: at(func(b *builder) any { return maybe[events.Transfer]{&b.spec.Transfer} }), doc: "Earlier studies to learn from.", page: "See [transfer](transfer.md).", fields: []field{
				{name: "sources", shape: listShape, nonempty: true, most: events.MaxSources, in: at(func(t *events.Transfer) any { return many[events.Source]{&t.Sources} }), doc: "Studies by name, Parquet logs by path, models that are asked for every design, or `auto`: similar studies of the archive.", page: "`auto` takes up to five.", elem: &field{shape: objectShape, word: "auto", in: at(func(s *events.Source) any { return &s.Auto }), need: keys{[]string{"study", "parquet", "template", "exec"}, "the source names nothing", "Write study: NAME, parquet: PATTERN, template: NAME, or auto instead of the mapping."}, fields: append([]field{
					{name: "study", shape: textShape, naming: label("a study"), in: at(func(s *events.Source) any { return &s.Study }), doc: "Name of a study in the same log.", page: "Never this one."},
					{name: "run", shape: textShape, naming: run(), fallback: "the latest run", in: at(func(s *events.Source) any { return &s.Run }), not: keys{[]string{"parquet"}, "only a study has runs", "Remove it; the pattern names the run's files."}, doc: "Run of the study, 8 hex digits.", page: "Put digits in quotes."},
					{name: "parquet", shape: textShape, local: keys{message: "a published study cannot name files of the server", hint: "Name the source by study."}, most: events.MaxTextBytes, in: at(func(s *events.Source) any { return &s.Parquet }), not: keys{[]string{"study"}, "a source is a study or Parquet files, not both", "Write two sources."}, doc: "Path pattern of Parquet files, relative to the study file. Not in a published study.", page: "Only for `apollo run`."},
				}, model()...)}},
				{name: "method", shape: textShape, enum: []string{"auto", "merge", "seed", "gp", "rgpe", "rtm", "zero-shot"}, fallback: "auto", in: at(func(t *events.Transfer) any { return &t.Method }), doc: "How the sources are used: `merge` (same measurement, judged again), `seed` (their best designs first), `gp`, `rgpe`, `rtm` (seeds, and a prior mean), `zero-shot` (designs chosen from the logs alone); `auto`: by evidence, source by source."},
				{name: "seeds", shape: integerShape, max: events.MaxSeeds, fallback: "10", in: at(func(t *events.Transfer) any { return &t.Seeds }), doc: "Largest number of trials that start from the sources' best designs."},
				{name: "control", shape: quantityShape, dimension: unit.Dimensionless, max: 1, fallback: "0", in: at(func(t *events.Transfer) any { return &t.Control }), doc: "Share of trials that ignores the sources, to tell what they bring: `10%` or 0.1."},
			}},
			{name: "fork", shape: objectShape, in: at(func(b *builder) any { return maybe[events.Fork]{&b.spec.Fork} }), doc: "The run whose first trials this study begins with: `apollo study fork` writes it.", page: "See [forks](#forks).", fields: []field{
				{name: "study", shape: textShape, required: true, naming: label("a study"), in: at(func(f *events.Fork) any { return &f.Study }), doc: "Name of a study in the same log.", page: "Never this one."},
				{name: "run", shape: textShape, required: true, naming: run(), in: at(func(f *events.Fork) any { return &f.Run }), doc: "Run of the study, 8 hex digits.", page: "Put digits in quotes."},
				{name: "trials", shape: integerShape, required: true, min: 1, max: events.MaxTrials, in: at(func(f *events.Fork) any { return &f.Trials }), doc: "How many trials are shared, the first ones. They are part of `budget.trials`, which is more."},
			}},
			{name: "evaluator", shape: objectShape, fallback: "the template's", doc: "Who measures the designs. A space without template needs it.", fields: []field{
				{name: "name", shape: textShape, naming: label("an evaluator"), fallback: "the template's evaluator", in: at(func(b *builder) any { return &b.spec.Evaluator.Name }), doc: "Name of the evaluator, a DNS label.", page: "Required for your own, which may not have the name of a built-in one (`apollo evaluator ls`); `apollo evaluator run --name` gets it."},
				{name: "timeout", shape: quantityShape, dimension: unit.Time, above: true, max: events.MaxTimeoutSeconds, fallback: "30 s", in: at(func(b *builder) any { return &b.spec.Evaluator.TimeoutSeconds }), doc: "Longest time for one design."},
				{name: "attempts", shape: integerShape, min: 1, max: events.MaxAttempts, fallback: "3", in: at(func(b *builder) any { return &b.spec.Evaluator.Attempts }), doc: "How often a design is tried before it is failed."},
				{name: "exec", shape: textShape, nonempty: true, in: at(func(b *builder) any { return &b.program.Exec }), local: noProgram(), most: events.MaxExecBytes, doc: "Command that `apollo run` starts as the evaluator, in the folder of the study file; `{slot}` is the number of the process's slot. Not in a published study."},
				{name: "manual", shape: boolShape, fallback: "false", in: at(func(b *builder) any { return &b.spec.Evaluator.Manual }), doc: "`true`: nobody is asked; you measure.", page: "`apollo trial ask` prints designs, `apollo trial tell` takes what you measured. See [asking and telling](#asking-and-telling)."},
				{name: "startup", shape: quantityShape, dimension: unit.Time, above: true, max: events.MaxTimeoutSeconds, in: at(func(b *builder) any { return &b.program.StartupSeconds }), local: noProgram(), fallback: "30 s", doc: "Longest time for a process of `exec` to load, until it has described itself. It is no time of a design."},
				{name: "memory", shape: quantityShape, dimension: unit.Data, above: true, max: 1 << 50, in: at(func(b *builder) any { return &b.program.MemoryBytes }), local: noProgram(), fallback: "none", doc: "Most data of one process of `exec`, on Linux: `4 GiB`."},
				{name: "env", shape: mapShape, most: events.MaxParameters, in: at(func(b *builder) any { return &b.program.Env }), local: noProgram(), elem: &field{shape: textShape, most: events.MaxTextBytes}, doc: "Environment of the processes of `exec`; `{slot}` in a value is the number of the process's slot, from 0: `CUDA_VISIBLE_DEVICES: \"{slot}\"`."},
				{name: "maxFailures", shape: integerShape, max: events.MaxTrials, fallback: "20", in: at(func(b *builder) any { return &b.spec.Evaluator.MaxFailures }), doc: "Failed trials in a row that pause the study, those aside that lie nearer to a design that failed before the row than to one that was answered; 0 means never."},
				{name: "deterministic", shape: boolShape, fallback: "the template's; false for your own", in: at(func(b *builder) any { return &b.noise.deterministic }), doc: "`true` when the same design always gives the same answer.", page: "With `false` no hash across runs is promised, and a study with one objective [learns the noise](#noise)."},
				{name: "repeats", shape: integerShape, min: 1, max: events.MaxRepeats, fallback: "by rule", in: at(func(b *builder) any { return &b.noise.repeats }), doc: "How often each design is measured where answers differ; by rule: again only those that may be the best, every tenth trial.", page: "Needs `deterministic: false` and one objective. Every measurement is a trial."},
				{name: "reference", shape: integerShape, min: 2, max: events.MaxTrials, fallback: "never", in: at(func(b *builder) any { return &b.noise.reference }), doc: "Every so many-th trial measures the first design again, so that drift shows and is taken out.", page: "Needs `deterministic: false` and one objective."},
				{name: "metrics", shape: listShape, nonempty: true, most: events.MaxMetrics, fallback: "the template's", in: at(func(b *builder) any { return many[events.Metric]{&b.ownMetrics} }), doc: "What your own evaluator measures, in the order of its answer.", page: "Required for your own.", elem: &field{shape: objectShape, fields: []field{
					{name: "name", shape: textShape, required: true, naming: snake("a metric"), in: at(func(m *events.Metric) any { return &m.Name }), doc: "Name in snake_case without the unit: `latency`.", page: "Unique."},
					{name: "unit", shape: textShape, naming: unitName(), fallback: "none: a plain number", in: at(func(m *events.Metric) any { return &m.Unit }), doc: "Unit of the number that the evaluator returns: `s`, `ms`, `mm2`, `J`, `W`, `B`, `B/s`, `Hz`, `%`, …", page: "It ends the column's name: `latency_ms`."},
				}}},
			}},
			{name: "budget", shape: objectShape, fallback: "{trials: 400}", doc: "What the study may spend.", fields: []field{
				{name: "trials", shape: integerShape, min: 1, max: events.MaxTrials, fallback: "400", in: at(func(b *builder) any { return &b.spec.Budget.Trials }), doc: "Total number of trials."},
				{name: "wall", shape: quantityShape, dimension: unit.Time, max: events.MaxBudgetSeconds, fallback: "0: no bound", in: at(func(b *builder) any { return &b.spec.Budget.WallSeconds }), doc: "Longest time of a run: `2 h`.", page: "See [budgets of time](#budgets-of-time)."},
				{name: "evaluators", shape: quantityShape, dimension: unit.Time, max: events.MaxBudgetSeconds, fallback: "0: no bound", in: at(func(b *builder) any { return &b.spec.Budget.EvaluatorSeconds }), doc: "Most time that all evaluations take together: `40 h`.", page: "See [budgets of time](#budgets-of-time)."},
				{name: "batch", shape: integerShape, min: 1, max: events.MaxBatch, fallback: "1", in: at(func(b *builder) any { return &b.spec.Budget.Batch }), doc: "Designs in one work item.", page: "They must fit into [a message](events.md#how-large-a-message-can-be)."},
				{name: "parallelism", shape: integerShape, word: "auto", min: 1, max: events.MaxParallelism, fallback: "1 for a template's evaluator and a manual one, 4 for your own", in: at(func(b *builder) any { return &b.spec.Budget.Parallelism }), doc: "Work items in flight at most. It is no number of workers.", page: "The trials are the same with any number of those. `auto`: see [workers without work](#workers-without-work)."},
				{name: "lag", shape: integerShape, max: events.MaxLag, fallback: "0 with a parallelism of 1, else 2 x parallelism", in: at(func(b *builder) any { return &b.spec.Budget.Lag }), doc: "How many batches an ask may lag behind in strict order; with 0 it knows all before it."},
			}},
			{name: "stop", shape: objectShape, doc: "Conditions that end a study before its budget.", fields: []field{
				{name: "plateau", shape: objectShape, in: at(func(b *builder) any { return maybe[events.Plateau]{&b.spec.Stop.Plateau} }), doc: "End when the best design has stopped getting better.", fields: []field{
					{name: "trials", shape: integerShape, required: true, min: 1, max: events.MaxTrials, in: at(func(p *events.Plateau) any { return &p.Trials }), doc: "Number of trials without an improvement."},
					{name: "improvement", shape: quantityShape, dimension: unit.Dimensionless, max: 1, fallback: "0", in: at(func(p *events.Plateau) any { return &p.Improvement }), doc: "Smallest relative improvement that counts: `0.1%` or 0.001."},
				}},
			}},
			{name: "earlyStop", shape: objectShape, in: at(func(b *builder) any { return maybe[events.EarlyStop]{&b.spec.EarlyStop} }), doc: "Stop evaluations that are clearly worse than others by the values that they report on the way.", page: "Off without it. See [stopping early](#stopping-early).", fields: []field{
				{name: "rule", shape: textShape, enum: []string{events.RuleMedian}, fallback: "median", in: at(func(e *events.EarlyStop) any { return &e.Rule }), doc: "`median`: worse than the median of the finished feasible trials at the same step."},
				{name: "metric", shape: metricShape, fallback: "the objective's", in: at(func(e *events.EarlyStop) any { return &e.Metric }), doc: "The objective's metric, which evaluations report; no other, as its goal says what is worse."},
				{name: "after", shape: integerShape, min: 1, max: events.MaxTrials, fallback: "5", in: at(func(e *events.EarlyStop) any { return &e.After }), doc: "Finished feasible trials that must have a value at a step before one is stopped there."},
				{name: "warmup", shape: integerShape, max: events.MaxWarmup, fallback: "0", in: at(func(e *events.EarlyStop) any { return &e.Warmup }), doc: "First step at which an evaluation may be stopped."},
			}},
			{name: "fidelity", shape: objectShape, in: at(func(b *builder) any { return maybe[events.Fidelity]{&b.spec.Fidelity} }), doc: "A parameter that is a setting of the evaluator: cheaper values of it teach the search, its last value alone counts.", page: "Off without it. See [fidelity](#fidelity).", fields: []field{
				{name: "parameter", shape: textShape, required: true, in: at(func(f *events.Fidelity) any { return &f.Parameter }), doc: "Name of the parameter. Its last value, of numbers the largest, is the full one."},
			}},
			{name: "order", shape: textShape, enum: []string{"strict", "relaxed"}, fallback: "strict", in: at(func(b *builder) any { return &b.spec.Order }), doc: "`strict`: the trials never depend on timing. `relaxed`: an ask sees every result that has arrived, for slow evaluators with stragglers."},
			{name: "notify", shape: listShape, most: events.MaxNotify, in: at(func(b *builder) any { return many[events.Notify]{&b.spec.Notify} }), doc: "Whom to tell of what the study comes to.", page: "No part of the study's identity. See [notices](operate.md#notices).", elem: &field{shape: objectShape, need: keys{[]string{"subject", "webhook"}, "nobody is told", "Write subject: NAME or webhook: URL."}, fields: []field{
				{name: "on", shape: textShape, required: true, enum: []string{events.OnCompleted, events.OnFailed, events.OnPaused, events.OnImproved}, in: at(func(n *events.Notify) any { return &n.On }), doc: "The event to tell of."},
				{name: "subject", shape: textShape, naming: notifySubject(), in: at(func(n *events.Notify) any { return &n.Subject }), doc: "Name below `apollo.v1.notify.` on the bus: `vision.nightly`."},
				{name: "webhook", shape: textShape, naming: webhookURL(), not: keys{[]string{"subject"}, "a receiver has a subject or a webhook, not both", "Write two receivers."}, in: at(func(n *events.Notify) any { return &n.Webhook }), doc: "URL that gets the event as a signed POST, where the service allows its host.", page: "Everybody who may read the study sees it."},
			}}},
			{name: "duplicates", shape: textShape, enum: []string{"reuse"}, fallback: "reuse", in: at(func(b *builder) any { return &b.spec.Duplicates }), doc: "`reuse`: a design is never paid for twice in a study."},
		}},
	}}
}

// noProgram refuses in a published study what says how to start a program.
func noProgram() keys {
	return keys{
		message: "a published study starts no programs", hint: "Remove it, and start the evaluator where it should run: apollo evaluator run --name NAME --exec COMMAND.",
	}
}

// model are the keys of a source that is asked. Its first two stand in every
// message that lists what a source can name.
func model() []field {
	return []field{
		{name: "template", shape: textShape, not: keys{[]string{"study", "parquet", "exec"}, "a source is one thing", "Write two sources."}, known: Catalog.templateNames, in: at(func(s *events.Source) any { return &s.Template }), doc: "Template that is asked for every design: its prediction is a prior that earns its weight.", page: "See [a prior](transfer.md#a-prior)."},
		{name: "exec", shape: textShape, local: noProgram(), nonempty: true, most: events.MaxExecBytes, not: keys{[]string{"study", "parquet"}, "a source is one thing", "Write two sources."}, in: at(func(s *events.Source) any { return &s.Exec }), doc: "Command of a fast program that is asked for every design, in the folder of the study file. Not in a published study.", page: "It speaks [the protocol of evaluators](plug-in-evaluator.md)."},
		{name: "metrics", shape: listShape, nonempty: true, most: events.MaxMetrics, fallback: "what the program describes", not: keys{[]string{"study", "parquet", "template"}, "only a program's metrics need saying", "Remove them."}, in: at(func(s *events.Source) any { return many[events.Column]{&s.Metrics} }), doc: "What the program answers.", elem: &field{shape: objectShape, fields: []field{
			{name: "name", shape: textShape, required: true, naming: snake("a metric"), in: at(func(m *events.Column) any { return &m.Name }), doc: "Name in snake_case without the unit: `latency`."},
			{name: "unit", shape: textShape, naming: unitName(), fallback: "none: a plain number", in: at(func(m *events.Column) any { return &m.Unit }), doc: "Unit of the number that it answers."},
		}}},
		{name: "rename", shape: mapShape, most: events.MaxParameters, elem: &field{shape: textShape, most: events.MaxTextBytes}, in: at(func(s *events.Source) any { return &s.Rename }), doc: "What this study calls parameters and metrics that have another name in the source: `io_bandwidth: dram_rate`.", page: "Metrics without their unit."},
		{name: "fix", shape: mapShape, most: events.MaxParameters, elem: &field{shape: valueShape}, not: keys{[]string{"study", "parquet"}, "only a model's parameters are fixed", "Remove it."}, in: at(func(s *events.Source) any { return &s.Fix }), doc: "Values of a model's parameters that this study does not have: `output_buffer: 128 KiB`."},
	}
}

// ranged are the keys of a range of levels.
func ranged() keys {
	return keys{[]string{"min", "max", "step", "steps", "scale"}, "a parameter has values or a range (min, max), not both", "Remove one of them."}
}

// ownLayers are the keys of a network that says itself what its layers are.
func ownLayers() keys {
	return keys{[]string{"file", "layers"}, "a network with layers of its own has no sizes", "Remove it, or name a built-in network."}
}
