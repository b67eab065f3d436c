package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/events/unit"
	"apollo/optimizer/space"
)

// Spec is a study after parsing: every default filled in, every number in its
// unit, every reference resolved. The accepted event carries it, and nothing
// later depends on the text that the user wrote.
type Spec struct {
	// Study is the study's name, a DNS label.
	Study  string            `json:"study"`
	Labels map[string]string `json:"labels,omitempty"`
	Seed   uint64            `json:"seed"`
	// Template names the space that Parameters come from; "" for a space that
	// the study declares itself.
	Template   string      `json:"template,omitempty"`
	Parameters []Parameter `json:"parameters"`
	Rules      []Rule      `json:"rules,omitempty"`
	Networks   []Network   `json:"networks,omitempty"`
	// Search says that a design runs one of the networks ("one"), the one that its
	// parameter "network" names; "" means that it runs all of them.
	Search string `json:"search,omitempty" jsonschema:"enum=one"`
	// Metrics are those of every row, in order: first what the evaluator
	// measures, then what is computed of it.
	Metrics     []Metric     `json:"metrics"`
	Objectives  []Objective  `json:"objectives"`
	Constraints []Constraint `json:"constraints,omitempty"`
	// KnownConstraints is "checked" (free checks cost no trial) or "hidden".
	KnownConstraints string    `json:"known_constraints" jsonschema:"enum=checked,enum=hidden"`
	Algorithm        Algorithm `json:"algorithm"`
	Transfer         *Transfer `json:"transfer,omitempty"`
	// Fork is the run whose first trials this study shares; nil for none.
	Fork      *Fork         `json:"fork,omitempty"`
	Evaluator EvaluatorSpec `json:"evaluator"`
	Budget    Budget        `json:"budget"`
	Stop      Stop          `json:"stop"`
	// EarlyStop is set where hopeless evaluations are stopped.
	EarlyStop *EarlyStop `json:"early_stop,omitempty"`
	// Fidelity is set where a parameter is a setting of the evaluator.
	Fidelity *Fidelity `json:"fidelity,omitempty"`
	// Start are the designs that are tried first, in order.
	Start []Design `json:"start,omitempty"`
	// Order is "strict" or "relaxed".
	Order string `json:"order" jsonschema:"enum=strict,enum=relaxed"`
	// Duplicates is "reuse": a design is never evaluated twice in a study.
	Duplicates string `json:"duplicates"`
	// Notify says whom to tell of the run's events.
	Notify []Notify `json:"notify,omitempty"`
}

// WithoutNotes returns the specification without what is no part of the study's
// identity: what people wrote for people, and whom to tell.
func (s *Spec) WithoutNotes() *Spec {
	bare := *s
	bare.Labels, bare.Notify = nil, nil
	return &bare
}

// Parameter is one parameter of the study's space after fix and restrict.
type Parameter struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit,omitempty"`
	Values []float64 `json:"values,omitempty"`
	Labels []string  `json:"labels,omitempty"`
	// When is a condition in the language of rules. Where it does not hold the
	// parameter means nothing: a design has its first level, and no rule binds
	// on it (docs/study-file.md). "" means that it always counts.
	When string `json:"when,omitempty"`
}

// Rule is a structural rule: a boolean expression over parameter names. A
// design for which it is false is not legal.
type Rule struct {
	ID   string `json:"id"`
	Expr string `json:"expr"`
}

// Network is one network of the workload.
type Network struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"`
	// SHA256 is the identity of the layer table, so that two studies that say
	// the same name measured the same network.
	SHA256 string `json:"sha256"`
	// Workload is the layer table of a network that is not built in, a
	// document of schema apollo.workload/v1: who evaluates needs no file.
	Workload json.RawMessage `json:"workload,omitempty"`
	// Accuracy is what the network is stated to reach, as a share; 0 means that the
	// study says nothing. Only where it searches the network.
	Accuracy float64 `json:"accuracy,omitempty"`
	// Family says that the network stands for all of a family, of which a design runs
	// the one that its parameters Chosen name; SHA256 is then of all of them and
	// what is known of their accuracies. Members is of their layers alone, and Own is
	// the SHA256 of the family's own network.
	Family     string     `json:"family,omitempty"`
	Members    string     `json:"members,omitempty"`
	Own        string     `json:"own,omitempty"`
	Chosen     []ChosenBy `json:"chosen,omitempty"`
	Accuracies Accuracies `json:"accuracies,omitzero"`
	NetworkSizes
}

// ChosenBy is a parameter that chooses a network of a family. Own is its value for
// the family's own network, NoOwn where no value chooses that.
type ChosenBy struct {
	Name string  `json:"name"`
	Own  float64 `json:"own"`
}

// NoOwn is no value of a parameter that chooses a network.
const NoOwn = -1

// HasOwn reports whether a design can choose the family's own network.
func (n *Network) HasOwn() bool {
	return !slices.ContainsFunc(n.Chosen, func(c ChosenBy) bool { return c.Own == NoOwn })
}

// Accuracies say how accurate the networks of a family are.
type Accuracies struct {
	// Scale is "published" or "proxy"; "" means that the study does not ask.
	Scale string `json:"scale,omitempty" jsonschema:"enum=published,enum=proxy"`
	// Source is where the numbers come from, in words.
	Source string `json:"source,omitempty"`
	// Only "measured" leaves the networks that a table has, which the parameter
	// "network" numbers from the least to the most accurate one.
	Only string `json:"only,omitempty" jsonschema:"enum=measured"`
	// Known is a document of schema apollo.accuracy/v1; empty for what the build
	// knows of the family.
	Known json.RawMessage `json:"known,omitempty"`
}

// OnlyMeasured is the value of Accuracies.Only.
const OnlyMeasured = "measured"

// member is the network that a design chooses from a family: named by the values
// that are not the family's own network's.
func (n *Network) member(params []Parameter, design Design) (one Network, ok bool) {
	one = Network{Name: n.Name, Weight: n.Weight, SHA256: n.Own, NetworkSizes: n.NetworkSizes}
	before := ":"
	for _, c := range n.Chosen {
		at := slices.IndexFunc(params, func(p Parameter) bool { return p.Name == c.Name })
		if at < 0 || at >= len(design) {
			return Network{}, false
		}
		if v := design[at].Num; v != c.Own {
			one.Name += before + c.Name + "=" + strconv.FormatFloat(v, 'f', -1, 64)
			before = ","
		}
	}
	if before != ":" {
		sum := sha256.Sum256([]byte(n.Members + " " + strings.TrimPrefix(one.Name, n.Name)))
		one.SHA256 = hex.EncodeToString(sum[:])
	}
	return one, true
}

// AccuracyPercent is the accuracy in percent, as it was written: a share of 0.709 is
// 70.9.
func (n *Network) AccuracyPercent() float64 {
	const percent, digits = 100, 1e12 // a product of two decimals has noise in its last digits
	return math.Round(percent*digits*n.Accuracy) / digits
}

// NetworkSizes are those of a built-in network that has them, and the formats of
// its numbers; 0 and "" mean the
// network's own.
type NetworkSizes struct {
	// Batch is how many pictures or sequences run at once, Sequence how many
	// tokens of a sequence come in, Past how many are in the cache already.
	Batch    int64 `json:"batch,omitempty"`
	Sequence int64 `json:"sequence,omitempty"`
	Past     int64 `json:"past,omitempty"`
	// Generate is how many tokens are made after a prompt.
	Generate int64 `json:"generate,omitempty"`
	// Attention says where scores are: "fused" or "separate".
	Attention string `json:"attention,omitempty"`
	// Weights, Activations and Accumulators are the formats of the network's
	// numbers: "int4", "fp16".
	Weights      string `json:"weights,omitempty"`
	Activations  string `json:"activations,omitempty"`
	Accumulators string `json:"accumulators,omitempty"`
	// Sparsity says which weights are zero: "2:4", or their density, "0.5".
	Sparsity string `json:"sparsity,omitempty"`
}

// Metric is one number of a trial. Name ends in the unit: "latency_s"; of one network
// it is "latency_s.resnet50_v1".
type Metric struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Cheap bool   `json:"cheap,omitempty"`
	// Expr computes the metric from those before it, which it names without
	// their unit: "energy / latency" (see NewDeriver). Whoever reads an answer
	// evaluates it; the evaluator is not asked. "" for what is measured.
	Expr string `json:"expr,omitempty"`
}

// Short is the name as people write it, without the unit: "latency".
func (m Metric) Short() string { return unit.Bare(m.Name, m.Unit) }

// Measured returns the metrics that the evaluator is asked for.
func (s *Spec) Measured() []Metric {
	if i := slices.IndexFunc(s.Metrics, func(m Metric) bool { return m.Expr != "" }); i >= 0 {
		return s.Metrics[:i:i]
	}
	return s.Metrics
}

// Objective is a direction on a metric. Target, in the metric's unit, ends the
// study when the best feasible trial reaches it; with several objectives, when
// one trial reaches every target.
type Objective struct {
	Metric string   `json:"metric"`
	Goal   string   `json:"goal" jsonschema:"enum=minimize,enum=maximize"`
	Target *float64 `json:"target,omitempty"`
	// Reference, in the metric's unit, is the worst value of interest: its
	// corner of the hypervolume. Only with several objectives; without it the
	// tenth feasible trial fixes one (docs/study-file.md).
	Reference *float64 `json:"reference,omitempty"`
}

// MapperGoal returns what mappers of a template minimise for the study's
// objectives: "energy" when it has an energy but no time or rate among them,
// "energy_delay" when it has both, else "", which is latency.
func (s *Spec) MapperGoal() string {
	has := func(metric, goal string) bool {
		return slices.ContainsFunc(s.Objectives, func(o Objective) bool {
			return ofAllNetworks(o.Metric) == metric && o.Goal == goal || s.computedFrom(o.Metric, metric)
		})
	}
	time := has("latency_s", "minimize") || has("time_to_first_token_s", "minimize") || has("decode_rate_token_per_s", "maximize")
	switch energy := has("energy_j", "minimize") || has("energy_per_token_j", "minimize"); {
	case energy && time:
		return "energy_delay"
	case energy:
		return "energy"
	}
	return ""
}

// ofAllNetworks is the metric of all networks of which a metric of one is a part.
func ofAllNetworks(metric string) string {
	base, _, _ := strings.Cut(metric, ".")
	return base
}

// computedFrom reports whether the expression of a metric names another one, or a
// metric that is computed from it.
func (s *Spec) computedFrom(metric, of string) bool {
	i := s.MetricIndex(metric)
	if i < 0 || s.Metrics[i].Expr == "" {
		return false
	}
	inputs := MetricInputs(s.Metrics[:i], s.Metrics[i])
	return slices.ContainsFunc(inputs, func(name string) bool { return ofAllNetworks(name) == of || s.computedFrom(name, of) })
}

// Constraint bounds a metric, in the metric's unit.
type Constraint struct {
	Metric string   `json:"metric"`
	Max    *float64 `json:"max,omitempty"`
	Min    *float64 `json:"min,omitempty"`
}

// Algorithm names a strategy; Options are its exported fields.
type Algorithm struct {
	Name    string          `json:"name"`
	Options json.RawMessage `json:"options,omitempty"`
}

// Transfer names the studies that knowledge comes from.
type Transfer struct {
	Sources []Source `json:"sources"`
	// Seeds is the largest number of seed trials in all.
	Seeds int `json:"seeds"`
	// Method says how the sources are used: merge, seed, gp, rgpe, rtm or
	// zero-shot. "" means that the evidence decides, source by source.
	Method string `json:"method,omitempty"`
	// Control is the share of trials that ignores the sources, 0 to 1.
	Control float64 `json:"control,omitempty"`
}

// Fork is a run whose first trials another study begins with. They are the same
// trials, with their numbers, batches and answers; nothing is measured again.
type Fork struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	// Trials is how many are shared. They are part of the budget's trials.
	Trials int `json:"trials"`
}

// DiffMeasurement says in which fields two specifications differ that say what a
// trial is: the space, the networks, the metrics, who measures, and what is
// optimised. It is empty where trials of one may be trials of the other; limits,
// rules, strategy, seed and budget may differ.
func DiffMeasurement(have, want *Spec) []string {
	return DiffSpecs(have.measurement(), want.measurement())
}

func (s *Spec) measurement() *Spec {
	m := &Spec{
		Template: s.Template, Parameters: s.Parameters, Networks: s.Networks, Metrics: s.Metrics, Fidelity: s.Fidelity,
		Evaluator: EvaluatorSpec{Name: s.Evaluator.Name, Version: s.Evaluator.Version, Manual: s.Evaluator.Manual, Deterministic: s.Evaluator.Deterministic},
	}
	m.Objectives = slices.Clone(s.Objectives)
	for i := range m.Objectives {
		m.Objectives[i].Target, m.Objectives[i].Reference = nil, nil
	}
	return m
}

// Source is a study by name (its latest run, or the named one), Parquet files
// by path pattern, whatever the archive holds that is similar, or a model that is
// asked for every design: a template, or a program. Exactly one of Study, Parquet,
// Auto, Template and Exec is set.
type Source struct {
	Study   string `json:"study,omitempty"`
	Run     string `json:"run,omitempty"`
	Parquet string `json:"parquet,omitempty"`
	Auto    bool   `json:"auto,omitempty"`
	// Template is asked in the version Version: another one has other numbers.
	Template string `json:"template,omitempty"`
	Version  string `json:"version,omitempty"`
	// Exec is the command of a program of the proposer's machine, and Metrics what
	// it answers; none means that it says so itself.
	Exec    string   `json:"exec,omitempty"`
	Metrics []Column `json:"metrics,omitempty"`
	// Rename says what this study calls parameters and metrics of the source that
	// have another name there; metrics without their unit.
	Rename map[string]string `json:"rename,omitempty"`
	// Fix holds the values of a model's parameters that this study does not have:
	// a number in the parameter's unit, or a text with a unit or label.
	Fix map[string]any `json:"fix,omitempty"`
}

// Asked reports whether the source is a model that is asked.
func (s *Source) Asked() bool { return s.Template != "" || s.Exec != "" }

// EvaluatorSpec says who measures and how patient to be.
type EvaluatorSpec struct {
	// Name is the token in the work and result subjects, a DNS label.
	Name string `json:"name"`
	// Version is the one of the template's evaluator that the study began with;
	// "" for a user's own evaluator. It is part of the study's identity: answers
	// of two versions of a model do not belong into one study.
	Version string `json:"version,omitempty"`
	// TimeoutSeconds bounds one design's evaluation.
	TimeoutSeconds float64 `json:"timeout_seconds"`
	// Attempts is how often one design is tried before it is failed.
	Attempts int `json:"attempts"`
	// Deterministic is false for evaluators whose answer may differ when asked
	// again; no hash across runs is promised then.
	Deterministic bool `json:"deterministic"`
	// MaxFailures consecutive failed trials pause the study; 0 means never.
	MaxFailures int `json:"max_failures"`
	// Manual: nobody takes work. A person, or a program of theirs, asks for the
	// designs and tells what they measured (ManualIdentity).
	Manual bool `json:"manual,omitempty"`
	// Noise is set where answers differ and the study deals with it; nil means that
	// every design is measured once and taken at its word.
	Noise *Noise `json:"noise,omitempty"`
}

// Noise says how a study deals with an evaluator whose answers differ.
type Noise struct {
	// Repeats is how often every design is measured; 0 means by rule: again only
	// those that may be the best.
	Repeats int `json:"repeats"`
	// Reference says that every so many-th trial measures the first design again,
	// so that drift shows; 0 means never.
	Reference int `json:"reference,omitempty"`
}

// Budget bounds a study.
type Budget struct {
	// Trials is the total number of trials.
	Trials int `json:"trials"`
	// Batch is the number of designs in a work item.
	Batch int `json:"batch"`
	// Parallelism is the number of batches in flight at most.
	Parallelism int `json:"parallelism"`
	// WallSeconds is how long the run may last, from its acceptance or its last
	// extension on; 0 means no bound. Its owner says in the log that it is over.
	WallSeconds float64 `json:"wall_seconds,omitempty"`
	// EvaluatorSeconds bounds the sum of what the evaluations took, as results say;
	// 0 means no bound. It is judged on what was told, like a target.
	EvaluatorSeconds float64 `json:"evaluator_seconds,omitempty"`
	// Lag: batch k is asked after telling exactly the batches below k-Lag.
	Lag int `json:"lag"`
}

// Stop holds the conditions that end a study before its budget.
type Stop struct {
	Plateau *Plateau `json:"plateau,omitempty"`
}

// Plateau ends a study when Trials trials went by without the best improving
// by the relative Improvement.
type Plateau struct {
	Trials      int     `json:"trials"`
	Improvement float64 `json:"improvement"`
}

// MeasuredConstraints are those on metrics that the evaluator is asked for.
func (s *Spec) MeasuredConstraints() []Constraint {
	measured := len(s.Measured())
	computed := func(c Constraint) bool { return s.MetricIndex(c.Metric) >= measured }
	if !slices.ContainsFunc(s.Constraints, computed) {
		return s.Constraints
	}
	return slices.DeleteFunc(slices.Clone(s.Constraints), computed)
}

// SearchOne is the value of Spec.Search for designs that run one of the networks: the
// one that the label of their NetworkParameter names, or the one of a family that the
// parameters Network.Chosen name.
const (
	SearchOne        = "one"
	NetworkParameter = "network"
)

// NetworksOf returns the networks that a design runs; none for a design that names
// no network of the study.
func (s *Spec) NetworksOf(design Design) []Network {
	if s.Search != SearchOne {
		return s.Networks
	}
	if f := s.SearchedFamily(); f != nil {
		if n, ok := f.member(s.Parameters, design); ok {
			return []Network{n}
		}
		return nil
	}
	at := slices.IndexFunc(s.Parameters, func(p Parameter) bool { return p.Name == NetworkParameter })
	if at < 0 || at >= len(design) {
		return nil
	}
	i := slices.IndexFunc(s.Networks, func(n Network) bool { return n.Name == design[at].Label })
	if i < 0 {
		return nil
	}
	return s.Networks[i : i+1]
}

// SearchedFamily is the family that the study's designs choose their network from;
// nil where there is none.
func (s *Spec) SearchedFamily() *Network {
	if s.Search != SearchOne || len(s.Networks) == 0 || s.Networks[0].Family == "" {
		return nil
	}
	return &s.Networks[0]
}

// Chooses reports whether a parameter of the study chooses the network.
func (s *Spec) Chooses(param string) bool {
	if f := s.SearchedFamily(); f != nil {
		return slices.ContainsFunc(f.Chosen, func(c ChosenBy) bool { return c.Name == param })
	}
	return s.Search != "" && param == NetworkParameter
}

// OwnParameters are the parameters but those of the network, where it is searched.
func (s *Spec) OwnParameters() []Parameter {
	if s.Search == "" {
		return s.Parameters
	}
	return slices.DeleteFunc(slices.Clone(s.Parameters), func(p Parameter) bool { return s.Chooses(p.Name) })
}

// Space returns the lattice of the study's parameters. A spec from an accepted
// event always has one; the error names the parameter otherwise.
func (s *Spec) Space() (space.Space, error) {
	params := make([]space.Param, len(s.Parameters))
	for i, p := range s.Parameters {
		params[i] = space.Param{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels}
	}
	return space.New(params...)
}

// MetricIndex returns the index of the metric called name, or -1.
func (s *Spec) MetricIndex(name string) int {
	for i := range s.Metrics {
		if s.Metrics[i].Name == name {
			return i
		}
	}
	return -1
}
