package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// built is what web/build made of web/src; see web/bundle.go.
//
//go:generate go run ./web/build
//go:embed assets
var built embed.FS

// files serves the page and its assets from memory.
type files struct {
	index  file
	assets map[string]file
}

type file struct {
	body []byte
	etag string
}

func newFile(body []byte) file {
	sum := sha256.Sum256(body)
	return file{body: body, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// indexPage has no inline script or style: the CSP allows none.
const indexPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<title>hb-mesh</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/app.css">
<script type="module" src="/assets/app.js"></script>
{{range .Scripts}}<script type="module" src="{{.}}"></script>
{{end}}</head>
<body>
<div id="app"><p class="boot">Loading…</p></div>
<noscript><p class="boot">This page needs JavaScript. The same facts are at <a href="/v1/summary">/v1/summary</a>.</p></noscript>
</body>
</html>
`

func newFiles(o Options) (*files, error) {
	t, err := template.New("index").Parse(indexPage)
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, struct{ Scripts []string }{o.Scripts}); err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	f := &files{index: newFile(b.Bytes()), assets: map[string]file{}}
	entries, err := fs.ReadDir(built, "assets")
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	for _, e := range entries {
		body, err := built.ReadFile(path.Join("assets", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read asset %s: %w", e.Name(), err)
		}
		f.assets[e.Name()] = newFile(body)
	}
	return f, nil
}

func (f *files) mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { f.index.serve(w, r, "index.html") })
	mux.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if a, ok := f.assets[name]; ok {
			a.serve(w, r, name)
			return
		}
		http.NotFound(w, r)
	})
}

// serve lets a browser keep a file, and ask every time whether it still holds:
// after an upgrade no page runs old code against a new API.
func (f file) serve(w http.ResponseWriter, r *http.Request, name string) {
	armour(w)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", f.etag)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.body))
}
