package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/study"
)

// controlTime is how long a request about a study may wait for a proposer.
const controlTime = 20 * time.Second

// ControlRequest asks for another state of a study, as `apollo study pause`, resume,
// stop, cancel and extend do, or for designs in it, as `apollo trial add` does.
type ControlRequest struct {
	Verb string `json:"verb"`
	// Run is the run that is meant; "" means the latest.
	Run string `json:"run,omitempty"`
	// Trials is the new total for extend.
	Trials int `json:"trials,omitempty"`
	// Force resumes or extends also a run whose trials are not archived any more.
	Force bool `json:"force,omitempty"`
	// Designs are those of add, by the names of the study's parameters.
	Designs []map[string]any `json:"designs,omitempty"`
}

// ControlAnswer is the run after a request, as the commands print it.
type ControlAnswer struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	State  string `json:"state"`
	Budget int    `json:"budget"`
}

// controlVerbs are what the server asks for.
func controlVerbs() []string { return []string{"pause", "resume", "stop", "cancel", "extend", "add"} }

// mayControl reports whether who got past guarded may change studies: whoever has the
// token, and without one the loopback. A page that is open to everybody is read-only.
func (s *Server) mayControl() bool { return s.Token != "" || !s.Open }

// control carries a request out as the command line does, and waits until it is. A
// form is led back to the page of the study.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	if !s.mayControl() {
		http.Error(w, "--http-open serves pages to read: start the server with --http-auth FILE to change studies here", http.StatusForbidden)
		return
	}
	request, isForm, err := readControl(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.settle(r)
	view, there := s.index.latest(r.PathValue("study"), request.Run)
	if !there {
		http.Error(w, "there is no such study or run: / lists the studies", http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), controlTime)
	defer cancel()
	now, err := s.steer(ctx, &view, request)
	s.Logger.Info("a study is controlled", "study", view.Study, "run", view.Run, "verb", request.Verb, "trials", request.Trials, "force", request.Force, "remote", r.RemoteAddr, "error", err)
	switch {
	case err != nil:
		text, status := refused(err)
		http.Error(w, text, status)
	case isForm:
		http.Redirect(w, r, "/studies/"+url.PathEscape(view.Study), http.StatusSeeOther)
	default:
		answer(w, r, ControlAnswer{now.Study, now.Run, string(now.State), now.Budget})
	}
}

// steer sends the request unless the run is so already, and returns the run after it.
func (s *Server) steer(ctx context.Context, view *client.StudyView, request *ControlRequest) (*client.StudyView, error) {
	c := events.StudyControl{Study: view.Study, Run: view.Run, Verb: request.Verb, Trials: request.Trials, Force: request.Force}
	for _, design := range request.Designs {
		c.Designs = append(c.Designs, events.AddedDesign{Design: design})
	}
	if !study.Holds(&c, view.State, view.Budget) {
		if err := client.Control(ctx, s.Bus, s.Owner, c); err != nil {
			return nil, err
		}
	}
	return client.ReadStudy(ctx, s.Bus.Log(), view.Study, view.Run)
}

// readControl reads a request that is JSON or a form, and refuses what it does not know.
func readControl(r *http.Request) (request *ControlRequest, isForm bool, err error) {
	request = &ControlRequest{}
	if len(r.URL.Query()) > 0 {
		return nil, false, errors.New("the address has parameters: want verb, run, trials, force and designs in the body")
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/json":
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(request); err != nil {
			return nil, false, fmt.Errorf("the body: %w: want an object with verb, and run, trials, force or designs", err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, false, errors.New("the body goes on after its object: want one object")
		}
	case "application/x-www-form-urlencoded":
		if isForm, err = true, r.ParseForm(); err != nil {
			return nil, false, fmt.Errorf("the form: %w", err)
		}
		if err := request.form(r.PostForm); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, fmt.Errorf("Content-Type %.60q: want application/json or a form", r.Header.Get("Content-Type"))
	}
	return request, isForm, request.check()
}

func (c *ControlRequest) form(v url.Values) (err error) {
	for name := range v {
		if !slices.Contains([]string{"verb", "run", "trials", "design"}, name) {
			return fmt.Errorf("the form has a field %.60q: want verb, run, trials and design", name)
		}
	}
	if text := v.Get("design"); text != "" {
		var design map[string]any
		if err := json.Unmarshal([]byte(text), &design); err != nil {
			return fmt.Errorf("design: %w: want an object of parameters", err)
		}
		c.Designs = append(c.Designs, design)
	}
	if c.Verb, c.Run = v.Get("verb"), v.Get("run"); c.Verb != "extend" {
		return nil // the field of the total is sent with every button
	}
	if c.Trials, err = strconv.Atoi(v.Get("trials")); err != nil {
		return fmt.Errorf("trials %.60q: want the new total number of trials", v.Get("trials"))
	}
	return nil
}

func (c *ControlRequest) check() error {
	switch {
	case !slices.Contains(controlVerbs(), c.Verb):
		return fmt.Errorf("verb %.60q: want one of %q", c.Verb, controlVerbs())
	case c.Verb == "extend" && c.Trials < 1:
		return errors.New("extend wants trials, the new total number of trials")
	case c.Verb != "extend" && c.Trials != 0:
		return fmt.Errorf("%s takes no trials: extend does", c.Verb)
	case c.Verb == "add" && (len(c.Designs) == 0 || len(c.Designs) > events.MaxAdded):
		return fmt.Errorf("add wants designs, 1 to %d of them", events.MaxAdded)
	case c.Verb != "add" && len(c.Designs) > 0:
		return fmt.Errorf("%s takes no designs: add does", c.Verb)
	case c.Force && c.Verb != "resume" && c.Verb != "extend":
		return fmt.Errorf("%s takes no force: resume and extend do", c.Verb)
	}
	return nil
}

// refused says why a request was not carried out, and with which status.
func refused(err error) (text string, status int) {
	_, rejected := errors.AsType[*client.RejectedError](err)
	switch {
	case rejected:
		return err.Error(), http.StatusConflict
	case errors.Is(err, events.ErrDenied):
		return "the dashboard's user on the bus may not ask for that: give it the role submitter, and --owner: " + err.Error(), http.StatusForbidden
	case errors.Is(err, client.ErrNoAnswer), errors.Is(err, context.DeadlineExceeded):
		return "no proposer answered: the request stays queued; start one with `apollo up` or `apollo serve proposer`", http.StatusGatewayTimeout
	}
	return "ask for it: " + err.Error(), http.StatusBadGateway
}

// controls are the buttons of a study's page.
type controls struct {
	Action, Run   string
	Verbs         []choice // Link is the verb
	Least, Budget int
	Cancel        bool
}

// controls returns the buttons that a run's state leaves; nil for none.
func (s *snapshot) controls() *controls {
	c := &controls{
		Action: "/api/v1/studies/" + url.PathEscape(s.view.Study) + "/control", Run: s.view.Run, Least: s.view.Budget + 1, Budget: s.view.Budget,
	}
	pause, resume, stop := choice{Text: "Pause", Link: "pause"}, choice{Text: "Resume", Link: "resume"}, choice{Text: "Stop", Link: "stop"}
	switch s.view.State {
	case study.Running:
		c.Verbs, c.Cancel = []choice{pause, stop}, true
	case study.Paused:
		c.Verbs, c.Cancel = []choice{resume, stop}, true
	case study.Completed, study.Stopped:
	default:
		return nil
	}
	return c
}
