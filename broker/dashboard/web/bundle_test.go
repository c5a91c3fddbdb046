package web_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/dashboard/web"
	"github.com/hb-mesh/hb-mesh/broker/incident"
)

const assets = "../assets"

func TestTheCommittedAssetsAreWhatTheSourcesMake(t *testing.T) {
	if err := web.Install(t.Context(), "."); err != nil {
		t.Fatal(err)
	}
	if err := web.Check(t.Context(), "."); err != nil {
		t.Error(err)
	}
	want, err := web.Bundle(".")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(assets)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := want[e.Name()]; !ok {
			t.Errorf("%s is committed, and nothing makes it", e.Name())
		}
	}
	for name, body := range want {
		got, err := os.ReadFile(filepath.Join(assets, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, body) {
			t.Errorf("%s is not what web/src makes: run go generate ./broker/dashboard", name)
		}
	}
}

// A kind that the page has no words for shows its name.
func TestThePageHasWordsForEveryKindOfIncident(t *testing.T) {
	source, err := os.ReadFile("src/incidents.tsx")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(source), `"`, "")
	for _, kind := range incident.Kinds() {
		if !strings.Contains(text, "\n  "+string(kind)+": { word: ") {
			t.Errorf("src/incidents.tsx has no words for %s", kind)
		}
	}
}

func TestTheLockPinsContentsAndNamesNoRegistry(t *testing.T) {
	raw, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		t.Fatal(err)
	}
	if len(lock.Packages) < 4 {
		t.Fatalf("got %d packages", len(lock.Packages))
	}
	for name, p := range lock.Packages {
		if name != "" && (p.Version == "" || !strings.HasPrefix(p.Integrity, "sha512-") || p.Resolved != "") {
			t.Errorf("%s: want a version, an integrity and no address, got %+v", name, p)
		}
	}
	for _, word := range []string{"registry", "resolved", "localhost", "127.0.0.1", ".tgz"} {
		if bytes.Contains(raw, []byte(word)) {
			t.Errorf("the lock holds %q", word)
		}
	}
}
