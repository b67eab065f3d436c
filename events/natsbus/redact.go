package natsbus

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"apollo/events"
)

// redact is events.Redact that also knows the secrets of this connection, which an
// error of the client may quote without their URL.
func (c Config) redact(text string) string {
	for _, secret := range c.secrets() {
		text = strings.ReplaceAll(text, secret, events.Hidden)
	}
	return events.Redact(text)
}

// secrets are what nobody may read, the longest first: one may be a part of
// another.
func (c Config) secrets() []string {
	found := append([]string{c.Token, c.Password}, c.hidden...)
	for part := range strings.SplitSeq(c.URL, ",") {
		_, rest, named := strings.Cut(part, "://")
		if !named {
			rest = part // the client adds the scheme
		}
		at := strings.LastIndex(rest, "@")
		if at < 0 {
			continue
		}
		user, password, two := strings.Cut(rest[:at], ":")
		if !two {
			password = user // a token
		}
		found = append(found, rest[:at], password)
		if plain, err := url.PathUnescape(password); err == nil {
			found = append(found, plain)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	// A shorter one is a part of every other word.
	const shortest = 4
	return slices.DeleteFunc(slices.Compact(found), func(s string) bool { return len(s) < shortest })
}

// checkURL refuses what is no list of URLs in words of its own: those of the
// parser quote parts of a password.
func (c Config) checkURL() error {
	for part := range strings.SplitSeq(c.URL, ",") {
		part = strings.TrimSpace(part)
		if !strings.Contains(part, "://") {
			part = "nats://" + part // as the client does
		}
		if _, err := url.Parse(part); err != nil {
			return fmt.Errorf("%s is no URL of a server: write special characters of a user, password or token as %%2F for / and the like", c.redact(part))
		}
	}
	return nil
}

// redactedError is an error whose text is safe to print.
type redactedError struct {
	err  error
	text string
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// redactError returns err with a text that is safe to print.
func (c Config) redactError(err error) error {
	if err == nil {
		return nil
	}
	text := c.redact(err.Error())
	if text == err.Error() {
		return err
	}
	return &redactedError{err, text}
}
