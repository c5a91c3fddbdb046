package cli_test

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

// update rewrites the golden files: go test ./cmd/hbctl/cli -update.
var update = flag.Bool("update", false, "rewrite the golden files")

// now is when every command of a test runs.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fake is a region that answers by heart, and remembers what it was asked.
type fake struct {
	*httptest.Server

	mu       sync.Mutex // guards requests
	requests []string
}

// answers are the bodies by method and path; a status may precede a body.
type answers map[string]string

func region(t *testing.T, by answers) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.requests = append(f.requests, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" key="+r.Header.Get("X-Api-Key")+" "+string(body)))
		f.mu.Unlock()
		answer, ok := by[r.Method+" "+r.URL.Path]
		if next := r.URL.Query().Get("next"); next != "" {
			answer, ok = by[r.Method+" "+r.URL.Path+" "+next]
		}
		w.Header().Set("Content-Type", "application/json")
		switch status, rest, found := strings.Cut(answer, " "); {
		case !ok:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"title":"Not Found","status":404,"detail":"nobody knows it: not found"}`)
		case found && status == "403":
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, rest)
		case found && status == "500":
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, rest)
		case found && status == "503":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, rest)
		case found && status == "204":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, answer)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

// asked is the n-th request, from 0.
func (f *fake) asked(t *testing.T, n int) string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if n >= len(f.requests) {
		t.Fatalf("the region was asked %d times: %q", len(f.requests), f.requests)
	}
	return f.requests[n]
}

// ran is what one run left.
type ran struct {
	status         int
	stdout, stderr string
}

func hbctl(t *testing.T, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	o := cli.DefaultOptions()
	o.Args, o.Stdout, o.Stderr = args, &stdout, &stderr
	o.Now, o.NewID = func() time.Time { return now }, func() string { return "01own" }
	status := cli.Run(t.Context(), o)
	return ran{status, stdout.String(), stderr.String()}
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; go test -update accepts it\n--- got\n%s--- want\n%s", path, got, want)
	}
}
