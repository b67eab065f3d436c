package events

import "regexp"

// Hidden stands where a secret was.
const Hidden = "…"

var (
	// A URL ends at a space, a quote or a comma: the client takes a comma for the
	// next URL, so that no password of one that works holds it. What comes before
	// the last @ is a user and a password, or a token.
	userInfo = regexp.MustCompile(`://[^\s"',<>]*@`)
	// A query may hold anything, and no server needs one to be recognised.
	query = regexp.MustCompile(`(://[^\s"',<>?]*)\?[^\s"',<>]*`)
)

// Redact takes users, passwords, tokens and queries out of the URLs of a text,
// for everything that people or logs get to see.
func Redact(text string) string {
	return query.ReplaceAllString(userInfo.ReplaceAllString(text, "://"+Hidden+"@"), "$1?"+Hidden)
}
