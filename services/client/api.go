package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"apollo/events"
)

// APIName and APIVersion are how the request/reply service is announced.
const (
	APIName    = "apollo"
	APIVersion = "1.0.0"
)

// API returns the request/reply endpoints of a proposer, for clients that
// would rather ask than follow subjects: "submit" takes what the submit
// subject takes and answers {"study","run","spec_sha256"} or {"errors":[…]};
// "get" takes a study's name and answers its view.
func API(bus events.Bus) map[string]func(ctx context.Context, request []byte) ([]byte, error) {
	return map[string]func(context.Context, []byte) ([]byte, error){
		"submit": func(ctx context.Context, body []byte) ([]byte, error) { return apiSubmit(ctx, bus, body) },
		"get":    func(ctx context.Context, body []byte) ([]byte, error) { return apiGet(ctx, bus, string(body)) },
	}
}

func apiSubmit(ctx context.Context, bus events.Bus, body []byte) ([]byte, error) {
	request, id, err := events.DecodeStudyRequest(body)
	if err != nil {
		return nil, err
	}
	var named struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(request.Study, &named); err != nil || !events.IsName(named.Metadata.Name) {
		return nil, errors.New("metadata.name must be a DNS label: a-z, 0-9 and -")
	}
	accepted, err := Submit(ctx, bus, "", named.Metadata.Name, id, request, nil)
	if r, ok := errors.AsType[*RejectedError](err); ok {
		return json.Marshal(r.StudyRejected)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"study": accepted.Study, "run": accepted.Run, "spec_sha256": accepted.SpecSHA256})
}

func apiGet(ctx context.Context, bus events.Bus, name string) ([]byte, error) {
	if !events.IsName(name) {
		return nil, fmt.Errorf("%q is no name of a study", name)
	}
	v, err := ReadStudy(ctx, bus.Log(), name, "")
	if err != nil {
		return nil, err
	}
	if err := ReadArchiveWaits(ctx, bus.Log(), v); err != nil {
		return nil, err
	}
	var front []events.BestTrial
	if v.front != nil && v.Summary == nil { // an ended run's summary has it
		front = v.front.Brief(events.FrontRoom(bus.MaxPayload()))
	}
	return json.Marshal(struct {
		Study       string             `json:"study"`
		Run         string             `json:"run"`
		State       string             `json:"state"`
		Reason      string             `json:"reason,omitempty"`
		Waiting     []events.Waiting   `json:"waiting,omitempty"`
		Budget      int                `json:"budget"`
		Proposed    int                `json:"proposed"`
		Best        *events.BestTrial  `json:"best"`
		Front       []events.BestTrial `json:"front,omitempty"`
		Hypervolume *float64           `json:"hypervolume,omitempty"`
		Reference   map[string]float64 `json:"reference,omitempty"`
		Summary     *events.Summary    `json:"summary,omitempty"`
	}{v.Study, v.Run, string(v.State), v.Reason, v.Waiting, v.Budget, v.Proposed, v.Best, front, v.Hypervolume, v.Reference, v.Summary})
}
