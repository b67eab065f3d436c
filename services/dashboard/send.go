package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"strings"
)

// render writes a page.
func render(w http.ResponseWriter, r *http.Request, pages *template.Template, name string, data any) {
	refuse(w, r, pages, http.StatusOK, name, data)
}

// refuse writes a page with a status of its own.
func refuse(w http.ResponseWriter, r *http.Request, pages *template.Template, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "draw the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	sendAs(w, r, status, "text/html; charset=utf-8", b.Bytes())
}

// answer writes JSON.
func answer(w http.ResponseWriter, r *http.Request, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "write the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, r, "application/json", append(b, '\n'))
}

// send writes a body, packed where the client takes that.
func send(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	sendAs(w, r, http.StatusOK, kind, body)
}

// sendAs is send with a status, which goes before what it says of the body.
func sendAs(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	const small = 1 << 10
	if len(body) < small || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(body) // a client that is gone needs no answer
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := gzip.NewWriter(w)
	_, _ = z.Write(body)
	_ = z.Close()
}

// charts is the vendored library, which is kept packed: it is most of what a page loads.
const charts = "echarts.min.js"

// readAsset returns a file of web, and whether it is packed.
func readAsset(name string) (b []byte, packed bool, err error) {
	if name == charts {
		b, err = web.ReadFile("web/vendor/" + name + ".gz")
		return b, true, err
	}
	b, err = web.ReadFile("web/" + name)
	return b, false, err
}

// asset serves a file of web, for ever: its address has its checksum.
func asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	b, packed, err := readAsset(name)
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	kind := types[path.Ext(name)]
	if err != nil || kind == "" || r.PathValue("sum") != sum(b) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	if !packed {
		send(w, r, kind, b)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Encoding", "gzip") // every browser takes it
	_, _ = w.Write(b)                          // a client that is gone needs no file
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

func assetURL(name string) (string, error) {
	b, _, err := readAsset(name)
	return "/assets/" + sum(b) + "/" + name, err
}
