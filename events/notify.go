package events

import (
	"errors"
	"net/url"
	"regexp"
)

// The events of a run that a study can ask to be told of.
const (
	OnCompleted = "completed"
	OnFailed    = "failed"
	OnPaused    = "paused"
	OnImproved  = "improved"
)

// Notify says whom to tell of an event of a study. It is no part of the
// study's identity.
type Notify struct {
	On string `json:"on" jsonschema:"enum=completed,enum=failed,enum=paused,enum=improved"`
	// Subject is below notify. on the bus, Webhook a URL. One of them is set.
	Subject string `json:"subject,omitempty"`
	Webhook string `json:"webhook,omitempty"`
}

// NotifySubject is where a study's notices go on the bus. They are not stored.
func NotifySubject(name string) string { return "notify." + name }

var notifyName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,7}$`)

// IsNotifySubject reports whether a study may be told of on a subject.
func IsNotifySubject(name string) bool {
	return len(name) <= MaxTextBytes && notifyName.MatchString(name)
}

// IsWebhook reports whether a text is the URL of a webhook: everybody who reads
// the study sees it, so it holds no user and no password.
func IsWebhook(text string) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= MaxWebhookBytes && (u.Scheme == "https" || u.Scheme == "http") &&
		u.Hostname() != "" && u.User == nil && u.Fragment == "" && u.Opaque == ""
}

// check refuses what a study file could not say.
func (n *Notify) check() error {
	switch n.On {
	case OnCompleted, OnFailed, OnPaused, OnImproved:
	default:
		return errors.New("it tells of an event that there is not")
	}
	if (n.Subject == "") == (n.Webhook == "") || n.Subject != "" && !IsNotifySubject(n.Subject) || n.Webhook != "" && !IsWebhook(n.Webhook) {
		return errors.New("it wants a subject or a webhook")
	}
	return nil
}
