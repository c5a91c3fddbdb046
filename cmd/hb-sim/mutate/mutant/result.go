package mutant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// What caught a mutant where no property did.
const (
	byCompiler = "the compiler"
	byTests    = "unit tests"
	byBreaking = "a panic or no end"
)

// Result is what became of a mutant.
type Result struct {
	Key      string `json:"key"`
	Name     string `json:"name"`
	Breaks   string `json:"breaks"`
	CaughtBy string `json:"caughtBy"` // "": it survived so far
	What     string `json:"what,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`   // the seed that broke a property
	Played   uint64 `json:"played,omitempty"` // how many seeds were played
	Tested   bool   `json:"unit,omitempty"`   // the unit tests ran
	Drawn    bool   `json:"drawn,omitempty"`
}

func (r *Result) String() string {
	by := r.CaughtBy
	switch {
	case by == "" && r.Drawn && !r.Tested:
		by = "not yet caught"
	case by == "":
		by = "SURVIVES"
	}
	return fmt.Sprintf("%-15s %6d seeds  %s", by, r.Played, r.Name)
}

// ledger is the file of results: the last line of a key counts.
type ledger struct {
	file string
	all  map[string]Result
}

func openLedger(file string) (*ledger, error) {
	l := &ledger{file: file, all: map[string]Result{}}
	raw, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read results: %w", err)
	}
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		var r Result
		if json.Unmarshal(line, &r) == nil && r.Key != "" {
			l.all[r.Key] = r
		}
	}
	return l, nil
}

// keep appends a result to the file.
func (l *ledger) keep(r Result) error {
	l.all[r.Key] = r
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.file), 0o750); err != nil {
		return fmt.Errorf("keep a result: %w", err)
	}
	f, err := os.OpenFile(l.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep a result: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Close())
}
