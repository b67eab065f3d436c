package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"apollo/internal/roots"
)

// Headers of a webhook, as Standard Webhooks names them.
const (
	headerID        = "Webhook-Id"
	headerTime      = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// maxAnswer is how much of an answer is read, so that its connection serves again.
const maxAnswer = 4 << 10

// Sign returns the signature of a webhook.
func Sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// post sends one notice. The policy holds here too: a log may say what no
// proposer has accepted.
func (n *Notifier) post(ctx context.Context, x *notice) error {
	if err := n.Policy.Check(x.to.Webhook); err != nil {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, x.to.Webhook, bytes.NewReader(x.data))
	if err != nil {
		return fmt.Errorf("%w: %w", errForGood, err)
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/cloudevents+json")
	request.Header.Set("User-Agent", "apollo")
	request.Header.Set(headerID, x.id)
	request.Header.Set(headerTime, now)
	request.Header.Set(headerSignature, Sign(n.Policy.Key, x.id, now, x.data))
	client := n.client(request.URL)
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // only its status counts
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return fmt.Errorf("it answers %s", answer.Status)
	default:
		return fmt.Errorf("%w: it answers %s", errForGood, answer.Status)
	}
}

// client follows no redirects and no proxy: both would lead past the policy.
func (n *Notifier) client(to *url.URL) *http.Client {
	roots.Ensure()
	dialer := &net.Dialer{Timeout: answerTime}
	if !n.Policy.Local && !n.Policy.lists(to) {
		dialer.Control = control
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: answerTime, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
