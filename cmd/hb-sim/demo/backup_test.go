package demo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

// What hbctl backup brings is what hbctl restore takes, and nothing less.
func TestABackupIsTakenAndRestored(t *testing.T) {
	m := startMesh(t, nil)
	m.in(10*time.Second, "eight hosts are up", func() bool { return len(m.list("hosts", "--state", "up")) == 8 })
	dir := t.TempDir()
	file := filepath.Join(dir, "mesh.backup")
	if _, errs, status := m.tryHbctl("backup", file, "--key", "wrong"); status != cli.ExitFailed || !strings.Contains(errs, "403") {
		t.Errorf("with a wrong key: exit %d, %s", status, errs)
	}
	m.hbctl("backup", file)
	if _, errs, status := m.tryHbctl("backup", file); status != cli.ExitUsage || !strings.Contains(errs, "exists") {
		t.Errorf("over a file: exit %d, %s", status, errs)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(dir, "torn")
	if err := os.WriteFile(torn, raw[:len(raw)-40], 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if _, errs, status := m.tryHbctl("restore", torn, "--data-dir", data); status != cli.ExitFailed || !strings.Contains(errs, "nothing was written") {
		t.Errorf("a torn file: exit %d, %s", status, errs)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("of a torn file something was written: %v", err)
	}
	m.hbctl("restore", file, "--data-dir", data)
	if _, errs, status := m.tryHbctl("restore", file, "--data-dir", data); status != cli.ExitFailed || !strings.Contains(errs, "not empty") {
		t.Errorf("into a folder in use: exit %d, %s", status, errs)
	}
	s, err := local.Open(local.DefaultOptions(data, "us-east-1", "us-west-2"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	page, err := s.Region("us-east-1").Query(t.Context(), "lease", "", "", 10)
	if err != nil || len(page.Items) == 0 {
		t.Errorf("the restored table has no lease: %v, %v", page.Items, err)
	}
	if held, err := filepath.Glob(filepath.Join(dir, ".hb-backup-*")); err != nil || len(held) > 0 {
		t.Errorf("left behind: %v, %v", held, err)
	}
}
