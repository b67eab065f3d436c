package proposer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
	"apollo/services/studyfile"
	"apollo/services/tracing"
	"apollo/services/transfer"
)

// isYAML tells a study as people write it from what is broken JSON.
func isYAML(body []byte) bool {
	text := bytes.TrimSpace(body)
	return len(text) > 0 && len(text) <= events.MaxSpecBytes && !bytes.ContainsRune([]byte("{[\""), rune(text[0]))
}

// submit accepts or rejects a study request.
func (p *Proposer) submit(ctx context.Context, c command) error {
	request, _, err := events.DecodeStudyRequest(c.body)
	if err != nil && isYAML(c.body) {
		request, err = events.StudyRequested{Study: c.body}, nil
	}
	if err != nil {
		return p.reject(ctx, c, events.Mistake{
			Code: "malformed", Message: err.Error(),
			Hint: "publish a document of kind Study in JSON or YAML, or an apollo.study.requested.v1 event around it",
		})
	}
	var doc *studyfile.Document
	late := p.Quota.soon(ctx, func() { //nolint:contextcheck // it measures one design at most: the baseline
		doc, err = studyfile.Parse("request", request.Study, p.Catalog.Study(), studyfile.Options{Published: !p.Local, Slots: p.slotsOf})
	})
	if late != nil {
		return p.reject(ctx, c, *late)
	}
	if bad, ok := errors.AsType[*studyfile.Error](err); ok {
		return p.reject(ctx, c, bad.Mistakes...)
	}
	if err != nil {
		return p.reject(ctx, c, events.Mistake{Code: "malformed", Message: err.Error()})
	}
	spec := doc.Spec
	if spec.Study != c.study {
		return p.reject(ctx, c, events.Mistake{
			Pointer: "/metadata/name", Code: "subject",
			Message: fmt.Sprintf("the subject says study %q, the document %q", c.study, spec.Study),
			Hint:    "publish on " + events.SubmitSubject(spec.Study),
		})
	}
	earlier, err := p.accepted.of(ctx, p.Bus, c.study)
	if err != nil {
		return err
	}
	if mistake := c.mayChange(earlier); mistake != nil {
		return p.reject(ctx, c, *mistake)
	}
	key := messages.RunKey{Study: c.study, Run: runID(c)}
	again := slices.IndexFunc(earlier, func(e acceptedRun) bool { return e.command == c.id })
	if again < 0 {
		if mistake := checkMeasurer(&request, spec); mistake != nil {
			return p.reject(ctx, c, *mistake)
		}
		if mistake, err := p.refuse(ctx, earlier, spec, request.Fresh); err != nil || mistake != nil {
			if err != nil {
				return err
			}
			return p.reject(ctx, c, *mistake)
		}
		if mistake := p.Quota.spec(spec); mistake != nil {
			return p.reject(ctx, c, *mistake)
		}
		if mistake := p.checkWebhooks(spec); mistake != nil {
			return p.reject(ctx, c, *mistake)
		}
		if mistake := p.checkStudies(c.newOwner(earlier).owner, replaced(earlier)); mistake != nil {
			return p.reject(ctx, c, *mistake)
		}
		if mistake := events.CheckSizes(spec, p.Bus.MaxPayload()); mistake != nil {
			return p.reject(ctx, c, *mistake)
		}
		if mistake := p.checkSourcesSoon(ctx, spec, &request); mistake != nil {
			return p.reject(ctx, c, *mistake)
		}
		var forked *client.StudyView
		var mistake *events.Mistake
		late, err := p.Quota.fork(ctx, func(ctx context.Context) (err error) {
			forked, mistake, err = p.checkFork(ctx, spec, &request)
			return err
		})
		if err != nil {
			return err
		}
		if mistake = cmp.Or(late, mistake); mistake != nil {
			return p.reject(ctx, c, *mistake)
		}
		if err := p.at("accepted.before"); err != nil {
			return err
		}
		err = p.accept(ctx, c.newOwner(earlier), key, spec, &request, forked)
		if errors.Is(err, events.ErrTooLarge) {
			return p.reject(ctx, c, events.Mistake{Pointer: "/spec", Code: events.CodeTooLarge, Message: err.Error()})
		}
		if err != nil {
			return err
		}
		again = len(earlier)
	} else {
		key = earlier[again].key
	}
	// Also when it was accepted before: a crash may have come in between.
	if err := p.supersede(ctx, earlier[:again], key); err != nil {
		return err
	}
	if p.drives(c.study) {
		p.drive(ctx, key, c.newOwner(earlier[:again]).owner)
	}
	return nil
}

// checkMeasurer refuses what a request says about who measures, where it cannot
// be so.
func checkMeasurer(request *events.StudyRequested, spec *events.Spec) *events.Mistake {
	switch {
	case request.Program == nil && request.EvaluatorVersion != "":
		return &events.Mistake{
			Pointer: "/data/evaluator_version", Code: "contradicts", Message: "a version without a program names nobody",
			Hint: "leave it out: the first answer decides who measures",
		}
	case request.Program == nil:
		return nil
	case spec.Evaluator.Manual:
		return &events.Mistake{
			Pointer: "/data/program", Code: "contradicts", Message: "the evaluator is manual: no program measures it", Hint: "leave it out",
		}
	case spec.Evaluator.Version != "":
		return &events.Mistake{
			Pointer: "/data/program", Code: "contradicts", Message: fmt.Sprintf("the evaluator %q is built in: no program measures it", spec.Evaluator.Name),
			Hint: "leave it out, or name an evaluator of your own",
		}
	case len(request.Program.Args) == 0:
		return &events.Mistake{Pointer: "/data/program/args", Code: "missing", Message: "the program has no arguments, not even its name"}
	case len(request.EvaluatorVersion) > events.MaxCodeBytes:
		return &events.Mistake{
			Pointer: "/data/evaluator_version", Code: "too_long",
			Message: fmt.Sprintf("the version has %d bytes, at most %d are allowed", len(request.EvaluatorVersion), events.MaxCodeBytes),
		}
	}
	return nil
}

// checkWebhooks refuses a study that wants one called which this service does
// not call.
func (p *Proposer) checkWebhooks(spec *events.Spec) *events.Mistake {
	for i := range spec.Notify {
		hook := spec.Notify[i].Webhook
		if hook == "" {
			continue
		}
		err := errors.New("this service calls no webhooks")
		if p.Webhooks != nil {
			err = p.Webhooks(hook)
		}
		if err != nil {
			return &events.Mistake{
				Pointer: fmt.Sprintf("/spec/notify/%d/webhook", i), Code: "unsupported", Message: err.Error(),
				Hint: "name a subject instead, or ask the operator: `apollo serve proposer --notify-hosts` and APOLLO_NOTIFY_KEY",
			}
		}
	}
	return nil
}

// refuse says why a study cannot start beside its earlier runs.
func (p *Proposer) refuse(ctx context.Context, earlier []acceptedRun, spec *events.Spec, fresh bool) (*events.Mistake, error) {
	if len(earlier) == 0 || fresh {
		return nil, nil
	}
	last := earlier[len(earlier)-1]
	if last.sum == events.SpecSHA256(spec) {
		return &events.Mistake{
			Pointer: "/metadata/name", Code: "duplicate",
			Message: fmt.Sprintf("study %q exists already, with the same content (run %s)", spec.Study, last.key.Run),
			Hint:    "apollo study show " + spec.Study + " shows it; ask with fresh for a new run",
		}, nil
	}
	have, _, err := readAccepted(ctx, p.Bus, events.StudySubject(last.key.Study, last.key.Run, "accepted"))
	if err != nil {
		return nil, err
	}
	if have == nil {
		return nil, fmt.Errorf("run %s of %s was removed just now", last.key.Run, spec.Study)
	}
	return DifferentStudy(spec.Study, &have.Spec, spec), nil
}

// DifferentStudy is the refusal of a study whose name another one has: it
// shows the difference.
func DifferentStudy(name string, have, want *events.Spec) *events.Mistake {
	var message strings.Builder
	fmt.Fprintf(&message, "study %q exists already with another content:", name)
	differences := events.DiffSpecs(have, want)
	for _, d := range differences {
		message.WriteString("\n  " + d)
	}
	hint := "give it another name, or ask with fresh for a new run"
	if grown := *want; grown.Budget.Trials > have.Budget.Trials {
		grown.Budget.Trials = have.Budget.Trials
		if events.SpecSHA256(&grown) == events.SpecSHA256(have) {
			hint = fmt.Sprintf("apollo study extend %s --trials %d goes on with it", name, want.Budget.Trials)
		}
	}
	return &events.Mistake{Pointer: "/metadata/name", Code: "duplicate", Message: message.String(), Hint: hint}
}

// checkSourcesSoon is checkSources with an end: the commands of all studies wait
// behind this one. Of sources that take longer the run's owner says what is
// wrong with them.
func (p *Proposer) checkSourcesSoon(ctx context.Context, spec *events.Spec, request *events.StudyRequested) *events.Mistake {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	checked := make(chan *events.Mistake, 1)
	p.wg.Go(func() { checked <- p.checkSources(ctx, spec, request) })
	select {
	case mistake := <-checked:
		return mistake
	case <-ctx.Done():
		p.Logger.Warn("the sources of a study take long: it is accepted without a look at them", "study", spec.Study)
		return nil
	}
}

// checkSources tries every source before the study is accepted, so that the
// user hears at once what is missing.
func (p *Proposer) checkSources(ctx context.Context, spec *events.Spec, request *events.StudyRequested) *events.Mistake {
	if spec.Transfer == nil {
		return nil
	}
	if p.Sources == nil && readsLogs(spec) {
		return &events.Mistake{
			Pointer: "/spec/transfer", Code: "sources", Message: "this proposer has no trial logs to transfer from",
			Hint: "start it with --data",
		}
	}
	target, _, err := targetOf(p.Catalog, spec)
	if err != nil {
		return &events.Mistake{Pointer: "/spec", Code: "spec", Message: err.Error()}
	}
	if request.Program != nil {
		target.Identity = &events.Identity{Version: request.EvaluatorVersion, Program: request.Program.Digest()}
	}
	learner, err := transfer.NewLearner(target)
	if err != nil {
		return &events.Mistake{Pointer: "/spec", Code: "spec", Message: err.Error()}
	}
	for i, ref := range spec.Transfer.Sources {
		if mistake := p.checkSource(ctx, learner, spec, ref); mistake != nil {
			mistake.Pointer, mistake.Code = fmt.Sprintf("/spec/transfer/sources/%d", i), "source"
			return mistake
		}
	}
	return nil
}

func (p *Proposer) checkSource(ctx context.Context, learner *transfer.Learner, spec *events.Spec, ref events.Source) *events.Mistake {
	if ref.Auto {
		return nil // what it finds fits
	}
	if ref.Asked() {
		m, closing, err := openModel(ctx, p.Catalog, p.Programs, spec, &ref)
		if err == nil {
			err = errors.Join(learner.CheckModel(m), closing())
		}
		if err != nil {
			return &events.Mistake{Message: fmt.Sprintf("the model cannot be asked: %v", err), Hint: "rename: and fix: of the source say what its parameters and metrics are here"}
		}
		return nil
	}
	if ref.Study != "" {
		if view, err := client.ReadStudy(ctx, p.Bus.Log(), ref.Study, ref.Run); err == nil && !view.State.Terminal() {
			return &events.Mistake{
				Message: fmt.Sprintf("study %q is still %s", ref.Study, view.State),
				Hint:    "its trials must not move: wait until it has ended",
			}
		}
	}
	source, err := p.Sources.Open(ctx, ref)
	if err != nil {
		hint := "run that study first, or name another source"
		if ref.Parquet != "" {
			hint = "the path is relative to the study file; `apollo transfer candidates` shows what is found"
		}
		return &events.Mistake{Message: err.Error(), Hint: hint}
	}
	source.Rename = ref.Rename
	if source.Identity, err = measurer(ctx, p.Bus.Log(), ref, source); err != nil {
		p.Logger.Warn("nobody knows who measured a source", "study", spec.Study, "source", source.Study, "error", err)
	}
	if err := learner.Check(source); err != nil {
		return &events.Mistake{
			Message: fmt.Sprintf("study %q cannot be a source: %v", source.Study, err),
			Hint:    "`apollo transfer candidates` shows what fits and what does not",
		}
	}
	return nil
}

// accept opens the run. Losing the fence means that it is open already. A fork is
// measured by who measured the other run, nil where the study is none.
func (p *Proposer) accept(ctx context.Context, c command, key messages.RunKey, spec *events.Spec, request *events.StudyRequested, forked *client.StudyView) error {
	e := events.StudyAccepted{Study: key.Study, Run: key.Run, Spec: *spec, SpecSHA256: events.SpecSHA256(spec), Command: c.id, Owner: c.owner}
	switch {
	case spec.Evaluator.Manual:
		e.Identity = new(events.ManualIdentity())
	case spec.Evaluator.Version != "":
		e.Identity = &events.Identity{Version: spec.Evaluator.Version}
	case request.Program != nil:
		e.Identity = &events.Identity{Version: request.EvaluatorVersion, Program: request.Program.Digest()}
		e.Program = request.Program.WithoutSecrets()
	case forked != nil && forked.Identity != nil:
		e.Identity, e.Program = forked.Identity, forked.Program
	default:
		e.Binds = true
	}
	span := tracing.Begin(ctx, p.Tracer, c.header, "accept", trace.SpanKindConsumer, tracing.Run(key.Study, key.Run)...)
	m := events.Message{Subject: events.StudySubject(key.Study, key.Run, "accepted"), ID: "accepted." + c.study + "." + key.Run, Header: span.Header()}
	err := messages.Append(ctx, p.Bus.Log(), m, "proposer", e, events.Fence{Filter: events.RunFilter(key.Study, key.Run)})
	span.End(err)
	if errors.Is(err, events.ErrFenced) {
		return nil
	}
	return err
}

// supersede cancels the unfinished run before a fresh one.
func (p *Proposer) supersede(ctx context.Context, earlier []acceptedRun, by messages.RunKey) error {
	if len(earlier) == 0 {
		return nil
	}
	last := earlier[len(earlier)-1].key
	if view, err := client.ReadStudy(ctx, p.Bus.Log(), last.Study, last.Run); err == nil && view.State.Terminal() {
		return nil
	}
	_, err := p.send(ctx, last, &events.StudyControl{
		Study: last.Study, Run: last.Run, ID: "superseded." + by.Run, Verb: "cancel",
	})
	return err
}
