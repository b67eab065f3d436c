package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

// newPage is the editor of a study file with what is said of it.
type newPage struct {
	Text                string
	Templates, Networks []choice
	Mistakes            []mistakeRow
	More                bool
	Facts               []field // of a study without mistakes
	Note                string  // what is not as somebody may think
	Refused             string  // why it was not submitted
	Closed              string  // why nobody may submit here
}

// mistakeRow is a mistake at its place.
type mistakeRow struct {
	Line, Column  int
	Text, Excerpt string
}

// SubmitAnswer is the study that was submitted.
type SubmitAnswer struct {
	Study string `json:"study"`
	Run   string `json:"run"`
}

// indexTime is how long a submitted study may take to come to the pages.
const indexTime = 3 * time.Second

// closed says why a server takes no studies; "" where it does.
func (s *Server) closed() string {
	switch {
	case !s.mayControl():
		return "--http-open serves pages to read: start the server with --http-auth FILE to submit studies here"
	case s.Alone != "":
		return "this process runs the study " + s.Alone + " alone: end it, and start `apollo up` on its data directory to submit others"
	}
	return ""
}

// linted is a study file that was read, and what lint says of it.
type linted struct {
	*studyfile.Document
	said  studyfile.Lint
	legal studyfile.Share
}

// read reads a study file as the proposer will: it may name no files of this machine. The
// baseline is evaluated and designs are drawn, so that few files are read at a time.
func (s *Server) read(r *http.Request, text string) (*linted, error) {
	if !s.admit(r) {
		return nil, r.Context().Err()
	}
	defer s.leave()
	doc, err := studyfile.Parse("study", []byte(text), inspect.Builtins().Study(), studyfile.Options{Published: true, Slots: s.slots}) //nolint:contextcheck // it measures one design at most: the baseline
	if err != nil {
		return nil, err
	}
	l := &linted{Document: doc}
	l.said, l.legal, err = doc.Lint()
	return l, err
}

// slots is how many designs the workers of an evaluator measure at a time.
func (s *Server) slots(evaluator string, started bool) (n int) {
	there, _ := s.roles.workers.Of(evaluator, time.Now())
	for _, w := range there {
		if !started && w.Study == "" {
			n += w.Slots
		}
	}
	return n
}

// newStudy serves the editor, and takes its form: to look at the text, or to submit it.
func (s *Server) newStudy(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	p, status := &newPage{}, http.StatusOK
	switch {
	case s.closed() != "":
		p.Closed, status = s.closed(), http.StatusForbidden
	case r.Method == http.MethodPost:
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form: "+err.Error(), http.StatusBadRequest)
			return
		}
		var accepted *events.StudyAccepted
		if accepted, status = s.edited(r, p); accepted != nil {
			http.Redirect(w, r, "/studies/"+url.PathEscape(accepted.Study)+"?"+url.Values{"run": {accepted.Run}}.Encode(), http.StatusSeeOther)
			return
		}
	default:
		p.begin(r.URL.Query())
	}
	p.choices(r.URL.Query())
	refuse(w, r, pages, status, "new", p)
}

// begin fills the editor with a first study of the template and network of an address.
func (p *newPage) begin(v url.Values) {
	first := studyfile.First{Name: "mine", Template: v.Get("template"), Objective: "latency", Networks: v["network"]}
	if first.Template == "" {
		first.Template = templateNames()[0]
	}
	var err error
	if p.Text, err = first.Text(templateNames()); err != nil {
		p.Refused = err.Error()
	}
}

func templateNames() (names []string) {
	for _, t := range inspect.Builtins().Templates {
		names = append(names, t.Name)
	}
	return names
}

// choices are the templates and networks that a first study may have.
func (p *newPage) choices(v url.Values) {
	for _, name := range templateNames() {
		p.Templates = append(p.Templates, choice{Text: name, Here: name == v.Get("template")})
	}
	network := cmp.Or(v.Get("network"), studyfile.FirstNetwork)
	for _, name := range inspect.Builtins().NetworkNames {
		p.Networks = append(p.Networks, choice{Text: name, Here: name == network})
	}
}

// edited looks at the text of a form and submits it where that is asked for; nil and a
// status where the page says what is wrong, or what the text means.
func (s *Server) edited(r *http.Request, p *newPage) (accepted *events.StudyAccepted, status int) {
	p.Text = strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n")
	doc, err := s.read(r, p.Text)
	if !p.look(doc, err) || r.PostFormValue("do") != "submit" {
		return nil, http.StatusOK
	}
	if accepted, err = s.submit(r, doc); err != nil {
		p.Refused, status = refusedStudy(err)
		return nil, status
	}
	return accepted, http.StatusSeeOther
}

// look notes what is said of a text, and reports whether it is a study.
func (p *newPage) look(doc *linted, err error) bool {
	if wrong, ok := errors.AsType[*studyfile.Error](err); ok {
		excerpts := wrong.Excerpts()
		for i, m := range wrong.Mistakes {
			p.Mistakes = append(p.Mistakes, mistakeRow{m.Line, m.Column, wrong.Sentence(i), excerpts[i]})
		}
		p.More = wrong.More
		return false
	}
	if err != nil {
		p.Refused = err.Error()
		return false
	}
	spec, legal := doc.Spec, doc.legal
	share := signs(fmt.Sprintf("%.3g %%", 100*legal.Value()))
	if !legal.Exact {
		share = "about " + share
	}
	p.Facts = []field{
		{"Study", doc.said.Study},
		{"Designs in the space", designs(legal.Size, doc.said.Designs.String())},
		{"Legal of them", share},
		{"Budget", cli.Plural(spec.Budget.Trials, "trial")},
		{"Search", spec.Algorithm.Name},
	}
	if f := spec.Fidelity; f != nil {
		p.Facts[1].Value += ", each value of " + f.Parameter + " counted"
	}
	if doc.Exec != "" {
		p.Note = "spec.evaluator.exec is left out: a study that is submitted starts no programs; `apollo evaluator run` does"
	}
	return true
}

// designs writes the size of a space, which may have very many digits.
func designs(size uint64, exact string) string {
	const written, shown = 1e15, 3
	if size < written {
		return cli.Count(int(size))
	}
	return fmt.Sprintf("about %s.%s × 10^%d", exact[:1], exact[1:shown], len(exact)-1)
}

func (s *Server) submit(r *http.Request, doc *linted) (*events.StudyAccepted, error) {
	ctx, cancel := context.WithTimeout(r.Context(), controlTime)
	defer cancel()
	accepted, err := client.Submit(ctx, s.Bus, s.Owner, doc.Spec.Study, "", events.StudyRequested{Study: doc.Normalised}, nil)
	s.Logger.Info("a study is submitted", "study", doc.Spec.Study, "remote", r.RemoteAddr, "error", err)
	if err == nil {
		s.awaitRun(ctx, accepted)
	}
	return accepted, err
}

// awaitRun waits until the pages know a run: who submits a study is sent to its page.
func (s *Server) awaitRun(ctx context.Context, accepted *events.StudyAccepted) {
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	for {
		if _, known := s.index.latest(accepted.Study, accepted.Run); known {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// refusedStudy says why a study was not taken, and with which status.
func refusedStudy(err error) (text string, status int) {
	if r, ok := errors.AsType[*client.RejectedError](err); ok {
		var lines []string
		for _, m := range r.Errors {
			line := m.Message
			if m.Hint != "" {
				line += ": " + m.Hint
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "\n"), http.StatusConflict
	}
	return refused(err)
}

// body reads a study file that is a request's body.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (text string, ok bool) {
	if why := s.closed(); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return "", false
	}
	if len(r.URL.Query()) > 0 {
		http.Error(w, "the address has parameters: there are none", http.StatusBadRequest)
		return "", false
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/yaml", "application/json", "text/plain":
	default:
		http.Error(w, fmt.Sprintf("Content-Type %.60q: want application/yaml or application/json", r.Header.Get("Content-Type")), http.StatusBadRequest)
		return "", false
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body: "+err.Error(), http.StatusBadRequest)
		return "", false
	}
	return string(b), true
}

// apiLint answers what `study lint -o json` prints.
func (s *Server) apiLint(w http.ResponseWriter, r *http.Request) {
	text, ok := s.body(w, r)
	if !ok {
		return
	}
	doc, err := s.read(r, text)
	if wrong, ok := errors.AsType[*studyfile.Error](err); ok {
		answer(w, r, wrong.Lint())
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, r, doc.said)
}

// apiSubmit submits a study file. One with mistakes is answered like lint does.
func (s *Server) apiSubmit(w http.ResponseWriter, r *http.Request) {
	text, ok := s.body(w, r)
	if !ok {
		return
	}
	doc, err := s.read(r, text)
	if wrong, ok := errors.AsType[*studyfile.Error](err); ok {
		b, err := json.Marshal(wrong.Lint())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sendAs(w, r, http.StatusUnprocessableEntity, "application/json", append(b, '\n'))
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	accepted, err := s.submit(r, doc)
	if err != nil {
		text, status := refusedStudy(err)
		http.Error(w, text, status)
		return
	}
	answer(w, r, SubmitAnswer{accepted.Study, accepted.Run})
}
