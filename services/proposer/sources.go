package proposer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/services/catalog"
	"apollo/services/study"
	"apollo/services/transfer"
)

// targetOf is a study as one that learns, with the checker of its evaluator; nil
// when it has none.
func targetOf(c catalog.Catalog, spec *events.Spec) (transfer.Target, evaluator.Checker, error) {
	t := transfer.Target{Spec: spec, Network: transfer.Layers(c.Network)}
	sp, err := spec.Space()
	if err != nil {
		return t, nil, err
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		return t, nil, err
	}
	var checker evaluator.Checker
	if spec.Template != "" {
		e, err := c.Bind(spec, sp.Params())
		if err != nil {
			return t, nil, err
		}
		checker, _ = e.(evaluator.Checker)
		t.Baseline = baselineOf(c, spec)
	}
	t.Legal = study.Legality(spec, sp, judge, checker)
	return t, checker, nil
}

// baselineOf is the template's baseline in the order of the study's parameters.
func baselineOf(c catalog.Catalog, spec *events.Spec) events.Design {
	t, ok := c.TemplateOf(spec)
	if !ok || len(t.Baseline) != len(t.Params) {
		return nil
	}
	d := make(events.Design, len(spec.Parameters))
	for i, p := range spec.Parameters {
		for k := range t.Params {
			if t.Params[k].Name == p.Name {
				d[i] = t.Baseline[k]
			}
		}
	}
	return d
}

// searches reports whether a study wants the archive to be searched.
func searches(spec *events.Spec) bool {
	if spec.Transfer == nil {
		return false
	}
	for _, s := range spec.Transfer.Sources {
		if s.Auto {
			return true
		}
	}
	return false
}

// errSourceMissing: the trials of a source cannot be opened now.
var errSourceMissing = errors.New("a source cannot be opened")

// learn loads the study's sources and notes what was loaded.
func (o *owner) learn(ctx context.Context, target transfer.Target) (study.Knowledge, error) {
	if o.cancelling || o.spec.Transfer == nil || len(o.spec.Transfer.Sources) == 0 {
		return study.Knowledge{}, nil
	}
	if o.proposer.Sources == nil && readsLogs(o.spec) {
		return study.Knowledge{}, errors.New("the study transfers from earlier ones, and this proposer has no trial logs")
	}
	pinned, started, err := o.pinned(ctx)
	if err != nil {
		return study.Knowledge{}, err
	}
	learner, err := transfer.NewLearner(target)
	if err != nil {
		return study.Knowledge{}, err
	}
	refs := pinnedRefs(o.spec.Transfer.Sources, pinned)
	if !started {
		if refs, _, err = searchedRefs(ctx, o.proposer.Sources, learner, o.spec.Transfer.Sources); err != nil {
			return study.Knowledge{}, err
		}
	}
	o.closeModels()
	for _, ref := range refs {
		if ref.Asked() {
			c, closing, err := askModel(ctx, learner, o.proposer.Catalog, o.proposer.Programs, o.spec, &ref.Source)
			if err != nil {
				return study.Knowledge{}, err
			}
			o.models = append(o.models, closing)
			o.tell(&c)
			continue
		}
		log, err := o.proposer.Sources.Open(ctx, ref.Source)
		if err != nil {
			return study.Knowledge{}, fmt.Errorf("%w: %w", errSourceMissing, err)
		}
		log.Rename, log.Use = ref.Rename, ref.use
		if !started {
			if log.Identity, err = measurer(ctx, o.proposer.Bus.Log(), ref.Source, log); err != nil {
				return study.Knowledge{}, err
			}
		}
		c, err := learner.Add(log, ref.why)
		if err != nil && ref.why != "" && !started {
			o.log.Warn("a source that the archive's search chose cannot be used", "source", c.Study, "error", err)
			continue
		}
		if err != nil {
			return study.Knowledge{}, err
		}
		o.tell(&c)
	}
	knowledge, pins := learner.Knowledge()
	o.pins = pins
	return knowledge, nil
}

// measurer is who measures the run of a source that is a study of this bus, empty where
// the bus does not know it (any more).
func measurer(ctx context.Context, log events.Log, ref events.Source, source *archiver.SourceLog) (who events.Identity, err error) {
	if ref.Study == "" {
		return who, nil // a file may say any name
	}
	for _, what := range []string{"accepted", "bound"} {
		for m, err := range log.Read(ctx, 0, events.StudySubject(source.Study, source.Run, what)) {
			if err != nil {
				return who, fmt.Errorf("read the log: %w", err)
			}
			_, payload, err := events.Decode(m.Data)
			if err != nil {
				return who, fmt.Errorf("%s at %d: %w", m.Subject, m.Seq, err)
			}
			switch e := payload.(type) {
			case events.StudyAccepted:
				if pin := e.Pin(); pin != nil {
					who = *pin
				}
			case events.StudyBound:
				who = e.Identity
			}
		}
	}
	return who, nil
}

// closeModels ends the programs that the run asks.
func (o *owner) closeModels() {
	for _, closing := range o.models {
		if err := closing(); err != nil {
			o.log.Warn("end a program that the study asks", "error", err)
		}
	}
	o.models = nil
}

// readsLogs reports whether a study learns from what was measured before.
func readsLogs(spec *events.Spec) bool {
	return slices.ContainsFunc(spec.Transfer.Sources, func(s events.Source) bool { return !s.Asked() })
}

// tell says what was learned from a source, and what was not.
func (o *owner) tell(c *transfer.Candidate) {
	o.log.Info("source", "source", c.Study, "source_run", c.Run, "use", c.Use, "rows", c.Rows, "kept", c.Kept, "why", c.Why)
	for _, q := range c.Quarantine {
		o.log.Warn("rows of a source are not used", "source", c.Study, "reason", q.Reason, "rows", q.Rows)
	}
	for _, d := range c.Damaged {
		o.log.Warn("a file of a source cannot be read", "source", c.Study, "error", d)
	}
	for _, f := range c.LeftOut {
		o.log.Warn("a file of a source is not used", "source", c.Study, "error", f)
	}
	if c.Empty > 0 {
		o.log.Info("files of a source have no rows", "source", c.Study, "files", c.Empty)
	}
}

// sourceRef is a source to open; why is set where the archive's search chose it, use
// where the run began with it.
type sourceRef struct {
	events.Source
	why, use string
}

// pinnedRefs are the sources that a run started with.
func pinnedRefs(sources []events.Source, pinned []events.SourcePin) []sourceRef {
	var refs []sourceRef
	for _, ref := range sources {
		if ref.Auto {
			for len(pinned) > 0 && pinned[0].Why != "" {
				p := pinned[0]
				refs, pinned = append(refs, sourceRef{events.Source{Study: p.Study, Run: p.Run}, p.Why, p.Use}), pinned[1:]
			}
			continue
		}
		use := ""
		if len(pinned) > 0 {
			if ref.Study != "" {
				ref.Run = pinned[0].Run // not a later run of the same study
			}
			use, pinned = pinned[0].Use, pinned[1:]
		}
		refs = append(refs, sourceRef{Source: ref, use: use})
	}
	return refs
}

// PinnedSources are the sources of a study as a run began with them: of what the
// archive's search found, each by its name and run.
func PinnedSources(sources []events.Source, pinned []events.SourcePin) (out []events.Source) {
	for _, ref := range pinnedRefs(sources, pinned) {
		out = append(out, ref.Source)
	}
	return out
}

// searchedRefs are the sources that a study names, and what the archive's
// search finds where it asks for that; found is the whole ranking, nil without a
// search.
func searchedRefs(ctx context.Context, from Sources, learner *transfer.Learner, sources []events.Source) (refs []sourceRef, found []transfer.Ranked, err error) {
	named := map[string]bool{}
	for _, ref := range sources {
		named[ref.Study] = true
	}
	for _, ref := range sources {
		if !ref.Auto {
			refs = append(refs, sourceRef{Source: ref})
			continue
		}
		studies, err := from.Studies(ctx)
		if err != nil {
			return nil, nil, err
		}
		found = learner.Rank(studies, named)
		for _, r := range found {
			if r.Chosen {
				refs = append(refs, sourceRef{Source: events.Source{Study: r.Study, Run: r.Run}, why: r.Why})
			}
		}
	}
	return refs, found, nil
}

// Candidates says what each source of a study is good for, and in what order
// the archive's search puts the studies that it finds; found is nil when the
// study does not ask for a search. A source that does not fit says so in its
// Refused. The errors are those of the specification and of reading the archive.
func Candidates(ctx context.Context, catalog catalog.Catalog, from Sources, open Programs, spec *events.Spec) (all []transfer.Candidate, found []transfer.Ranked, err error) {
	target, checker, err := targetOf(catalog, spec)
	if err != nil {
		return nil, nil, err
	}
	learner, err := transfer.NewLearner(target)
	if err != nil {
		return nil, nil, err
	}
	if spec.Transfer == nil {
		return nil, nil, nil
	}
	var asked []func() error
	defer func() {
		for _, closing := range asked {
			err = cmp.Or(err, closing())
		}
	}()
	refs, found, err := searchedRefs(ctx, from, learner, spec.Transfer.Sources)
	if err != nil {
		return nil, nil, err
	}
	for _, ref := range refs {
		if ref.Asked() {
			c, closing, err := askModel(ctx, learner, catalog, open, spec, &ref.Source)
			if err == nil {
				asked = append(asked, closing)
			} else if c.Refused == "" {
				return nil, nil, err
			}
			all = append(all, c)
			continue
		}
		log, err := from.Open(ctx, ref.Source)
		if err != nil {
			all = append(all, transfer.Candidate{Study: ref.Study + ref.Parquet, Run: ref.Run, Why: ref.why, Refused: err.Error()})
			continue
		}
		log.Rename = ref.Rename
		c, _ := learner.Add(log, ref.why) // its Refused says the error
		all = append(all, c)
	}
	knowledge, _ := learner.Knowledge()
	return all, found, markUnordered(catalog, spec, checker, &knowledge, all)
}

// markUnordered marks the sources that the study's search drops.
func markUnordered(catalog catalog.Catalog, spec *events.Spec, checker evaluator.Checker, knowledge *study.Knowledge, all []transfer.Candidate) error {
	algorithm, err := optimizer.New(spec.Algorithm.Name, spec.Algorithm.Options)
	if err != nil {
		return err
	}
	template, _ := catalog.Template(spec.Template)
	machine, err := study.New(study.Config{
		Spec: spec, Algorithm: algorithm, Checker: checker, Baseline: baselineOf(catalog, spec), Features: template.Features,
	})
	if err != nil {
		return err
	}
	dropped, err := machine.Unordered(knowledge)
	for i := range all {
		all[i].Unordered = slices.Contains(dropped, all[i].Study+"/"+all[i].Run)
	}
	return err
}

// pinned returns the sources that the run started with; started is false when
// it did not start yet.
func (o *owner) pinned(ctx context.Context) (pins []events.SourcePin, started bool, err error) {
	for m, err := range o.proposer.Bus.Log().Read(ctx, 0, events.StudySubject(o.key.Study, o.key.Run, "started")) {
		if err != nil {
			return nil, false, fmt.Errorf("read the log: %w", err)
		}
		_, e, err := events.DecodeAs[events.StudyStarted](m.Data)
		return e.Sources, true, err
	}
	return nil, false, nil
}

// checkPins refuses to go on with other sources than the run began with: it
// would quietly become a different study.
func (o *owner) checkPins(pinned []events.SourcePin) error {
	if o.cancelling || transfer.Same(pinned, o.pins) {
		return nil
	}
	for i, p := range pinned {
		if i >= len(o.pins) || !transfer.Same(pinned[i:i+1], o.pins[i:i+1]) {
			return fmt.Errorf("source %s (run %s, %d trials, %.12s) has changed or is missing since the study started: restore it, or start a fresh run",
				p.Study, p.Run, p.Trials, p.SHA256)
		}
	}
	return errors.New("the study has more sources now than when it started: restore them, or start a fresh run")
}
