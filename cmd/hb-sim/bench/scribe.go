package bench

import (
	"bytes"
	"sync"
)

// scribe keeps what a process says, for when it fails.
type scribe struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write takes down what the process says.
func (s *scribe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String is all that it said.
func (s *scribe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
