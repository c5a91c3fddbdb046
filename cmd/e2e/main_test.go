//go:build linux

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs are what the tests build and run.
var programs = []string{"hb-broker", "hb-relay", "hbctl", "hb-sim"}

// binaries is the folder of the programs, which are built once.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hb-e2e-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-ldflags", "-X main.version=" + testVersion, "-o", dir + "/"}
	for _, p := range programs {
		args = append(args, "../"+p)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return dir, errors.Join(err, errors.New(string(out)))
	}
	return dir, nil
})

// testVersion is what the programs say that they are.
const testVersion = "1.2.3-e2e"

func TestMain(m *testing.M) {
	dir, err := binaries()
	status := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot build what is to be tested:", err)
	} else {
		status = m.Run()
	}
	if dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// built is the path of one of the programs.
func built(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// tool is the path of a program that is not ours.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: run `make tools`", name)
	}
	return path
}
