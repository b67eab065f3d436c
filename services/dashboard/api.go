package dashboard

import (
	"fmt"
	"net/http"
	"strings"

	"apollo/services/compare"
	"apollo/services/inspect"
	"apollo/services/studyfile"
	"apollo/services/transfer"
)

// openAPI is the document of the API. A test writes it from routes, and checks answers
// against it.
const openAPI = "openapi.json"

// route is an address of the API: what serves it, and what its document says.
type route struct {
	method, path, summary string
	parameters            []parameter
	// body and answer are values of the types whose JSON it takes and gives; kind is the
	// type of an answer that is no JSON.
	body, answer any
	kind         string
	text         bool // it takes a study file
	// refused says with which status it is refused, beside 400, and why.
	refused map[int]string
	handle  http.HandlerFunc
}

// parameter is one of an address; several may be given where several is set.
type parameter struct {
	name, about string
	several     bool
	whole       bool // a number
	words       []string
}

// Why a request is refused, by its status.
const (
	noStudy   = "There is no such study or run."
	unread    = "The study cannot be read."
	crowded   = "The server is busy; Retry-After says when to ask again."
	noControl = "This server serves pages to read alone, or its user on the bus may not ask for that."
)

func (s *Server) routes() []route {
	run := parameter{name: "run", about: "The run; without it the latest."}
	ofStudy := map[int]string{http.StatusNotFound: noStudy, http.StatusUnprocessableEntity: unread, http.StatusServiceUnavailable: crowded}
	return []route{
		{
			method: "GET", path: "/api/v1/studies", summary: "The latest run of every study, those first that need attention.",
			answer: []Listed{}, handle: s.apiStudies,
		},
		{
			method: "POST", path: "/api/v1/studies", summary: "Submits a study file, in YAML or JSON, and waits until it is accepted. It may name no files and start no programs.",
			text: true, answer: SubmitAnswer{}, handle: s.apiSubmit,
			refused: map[int]string{
				http.StatusForbidden: noControl, http.StatusConflict: "The proposer refuses it, and says why.",
				http.StatusUnprocessableEntity: "It has mistakes: the answer is that of /api/v1/lint.",
				http.StatusBadGateway:          "The bus could not be asked.", http.StatusGatewayTimeout: "No proposer answered; the request stays queued.",
			},
		},
		{
			method: "POST", path: "/api/v1/lint", summary: "Says of a study file what `study lint -o json` prints: its mistakes, or what it means.",
			text: true, answer: studyfile.Lint{}, refused: map[int]string{http.StatusForbidden: noControl}, handle: s.apiLint,
		},
		{
			method: "GET", path: "/api/v1/studies/{study}", summary: "A run: counts, best or front, causes, origins, progress.",
			parameters: []parameter{run}, answer: StudyAnswer{}, refused: ofStudy, handle: s.apiStudy,
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/trials", summary: "50 trials of a run, as `trial ls -o jsonl` prints them.",
			parameters: []parameter{
				run,
				{name: "kind", about: "Only trials that ended so.", words: kinds()},
				{name: "why", about: "Only trials that are not feasible for this cause."},
				{name: "by", about: "Only trials of this origin."},
				{name: "in", about: "NAME:LOW:HIGH: only trials whose metric lies there, or whose parameter's level, counted from 0.", several: true},
				{name: "sort", about: "trial, a metric or a parameter; with - before it the largest first."},
				{name: "page", about: "Which page, from 1.", whole: true},
			},
			answer: TrialsAnswer{}, refused: ofStudy, handle: s.apiTrials,
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/trials/{trial}", summary: "A trial of a run, as /api/v1/studies/{study}/trials has it.",
			parameters: []parameter{run}, answer: TrialRow{}, refused: ofStudy, handle: s.apiTrial,
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/trials/{trial}/events", summary: "The events that a trial comes from: the proposal of its batch, and the answer to it.",
			parameters: []parameter{run}, answer: RawAnswer{}, refused: ofStudy, handle: s.apiRaw,
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/trials.csv", summary: "All trials as a file, as `trial ls -o csv` prints them.",
			parameters: []parameter{run}, kind: "text/csv; charset=utf-8", refused: ofStudy, handle: s.export("text/csv; charset=utf-8", "csv", writeCSV),
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/trials.parquet", summary: "All trials that have an answer as a Parquet file with the columns of the trial log.",
			parameters: []parameter{run}, kind: parquetType, refused: ofStudy, handle: s.export(parquetType, "parquet", writeParquet),
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/points", summary: "The trials of a run as columns, for charts; of very many every n-th.",
			parameters: []parameter{run}, answer: PointsAnswer{}, refused: ofStudy, handle: s.apiPoints,
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/importance", summary: "How much each parameter matters for the first objective, over feasible trials. It takes about a second.",
			parameters: []parameter{run}, answer: inspect.Importance{}, handle: s.apiImportance,
			refused: map[int]string{
				http.StatusNotFound: noStudy, http.StatusUnprocessableEntity: unread, http.StatusServiceUnavailable: crowded,
				http.StatusConflict: "Nothing can be said yet, and why.",
			},
		},
		{
			method: "GET", path: "/api/v1/studies/{study}/transfer", summary: "What the sources of a run brought, as `transfer report -o json` prints it.",
			parameters: []parameter{run}, answer: transfer.Report{}, handle: s.apiTransfer,
			refused: map[int]string{
				http.StatusNotFound: noStudy, http.StatusUnprocessableEntity: unread, http.StatusServiceUnavailable: crowded,
				http.StatusConflict: "The study has no sources.",
			},
		},
		{
			method: "POST", path: "/api/v1/studies/{study}/control", summary: "Pauses, resumes, stops, cancels or extends a study, or adds designs to it, and waits until that is done.",
			body: ControlRequest{}, answer: ControlAnswer{}, handle: s.control,
			refused: map[int]string{
				http.StatusNotFound: noStudy, http.StatusForbidden: noControl, http.StatusConflict: "The proposer refuses it, and says why.",
				http.StatusBadGateway: "The bus could not be asked.", http.StatusGatewayTimeout: "No proposer answered; the request stays queued.",
			},
		},
		{
			method: "GET", path: "/api/v1/compare", summary: "Studies with the same objectives side by side, as `compare -o json` prints them.",
			parameters: []parameter{{name: "study", about: fmt.Sprintf("A study, or STUDY/RUN; two to %d of them.", mostCompared), several: true}},
			answer:     compare.Report{}, refused: ofStudy, handle: s.apiCompare,
		},
		{
			method: "GET", path: "/api/v1/ladder", summary: "Studies that differ in one limit: the best under each, what a unit of it is worth, and what is proven.",
			parameters: []parameter{
				{name: "study", about: "A study on the ladder; without it the ladder with most studies."},
				{name: "limit", about: "The metric whose limit differs; without it the study's first limit."},
			},
			answer: LadderAnswer{}, handle: s.apiLadder,
			refused: map[int]string{http.StatusNotFound: "No study has such a limit beside one objective.", http.StatusServiceUnavailable: crowded},
		},
		{
			method: "GET", path: "/api/v1/health", summary: "Who is there and what is wrong.",
			answer: HealthAnswer{}, handle: s.apiHealth,
		},
		{
			method: "GET", path: "/api/v1/events", summary: "Server-sent events: the event change says that a study, or without one the list, is another one now.",
			parameters: []parameter{{name: "study", about: "The study; without it the list of all."}, run}, kind: "text/event-stream", refused: ofStudy, handle: s.changes,
		},
	}
}

const parquetType = "application/vnd.apache.parquet"

// register serves the API, and its document.
func (s *Server) register(mux *http.ServeMux) {
	for _, r := range s.routes() {
		handle := r.handle
		if r.method == http.MethodGet { // the others refuse every parameter themselves
			handle = asked(handle, r.parameters...)
		}
		mux.HandleFunc(r.method+" "+r.path, handle)
	}
	mux.HandleFunc("GET /api/"+openAPI, asked(func(w http.ResponseWriter, r *http.Request) {
		b, err := web.ReadFile("web/" + openAPI)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		send(w, r, "application/json", b)
	}))
}

// known lists the names of parameters for an error.
func known(parameters []parameter) string {
	var names []string
	for _, p := range parameters {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}
