package dashboard

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A session is a cookie that anybody who knows the token can check: every server
// with the same token takes it, also after a restart.
const (
	sessionCookie = "apollo_session"
	sessionTime   = 30 * 24 * time.Hour
	// MinToken is how long a token is at least.
	MinToken = 16
)

// policy allows what the server itself serves: no inline script, no inline style,
// no frame, no other place.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guarded sets the headers of every answer and refuses who may not ask: without a
// token every name but the loopback's, so that a page elsewhere cannot read this one
// under a name of its own; with one whoever does not have it.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case foreign(r):
			http.Error(w, "a page of another site asks for this: only a link may lead here from there", http.StatusForbidden)
		case s.Token == "" && !s.Open && !loopback(r.Host):
			http.Error(w, "this page is served to the loopback only: ask for it by 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
		case s.Token == "" || s.knows(r, time.Now()) || r.URL.Path == "/login" || strings.HasPrefix(r.URL.Path, "/assets/"):
			next.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/api/"):
			h.Set("WWW-Authenticate", "Bearer")
			http.Error(w, "want the header Authorization: Bearer TOKEN, or the cookie of /login", http.StatusUnauthorized)
		default:
			http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		}
	}))
}

// foreign reports whether a page of another site has a browser ask for something, but for who
// follows a link: it can not read the answer, and would still take what the server has for
// others, listeners and evaluations.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
	}
	return false
}

// loopback reports whether a host, with or without a port, is this machine's own.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// knows reports whether a request comes from somebody who has the token.
func (s *Server) knows(r *http.Request, now time.Time) bool {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && s.isToken(bearer) {
		return true
	}
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	until, sign, _ := strings.Cut(c.Value, ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	return err == nil && now.Unix() < seconds && hmac.Equal([]byte(sign), []byte(s.sign(until)))
}

// isToken compares in a time that does not depend on what is right.
func (s *Server) isToken(text string) bool {
	a, b := sha256.Sum256([]byte(text)), sha256.Sum256([]byte(s.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func (s *Server) sign(until string) string {
	m := hmac.New(sha256.New, []byte(s.Token))
	fmt.Fprintf(m, "apollo dashboard session until %s", until)
	return hex.EncodeToString(m.Sum(nil))
}

// local is where a login leads: a place on this server, never another one.
func local(next string) string {
	// Browsers take a backslash for a slash, and leave control characters out.
	strange := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsFunc(next, strange) {
		return "/"
	}
	return next
}

// loginPage asks for the token.
type loginPage struct{ Next, Wrong string }

func (s *Server) login(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	next := local(r.FormValue("next"))
	if s.Token == "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	if r.Method != http.MethodPost {
		render(w, r, pages, "login", loginPage{Next: next})
		return
	}
	if !s.isToken(strings.TrimSpace(r.PostFormValue("token"))) {
		refuse(w, r, pages, http.StatusForbidden, "login", loginPage{next, "That is not the token. It is in the file that --http-auth names."})
		return
	}
	until := strconv.FormatInt(time.Now().Add(sessionTime).Unix(), 10)
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: until + "." + s.sign(until), Path: "/", MaxAge: int(sessionTime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
	})
	http.Redirect(w, r, next, http.StatusSeeOther)
}
