package uplink_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// listen gives the mesh a group that logs into the returned buffer.
func (m *mesh) listen() *logBuffer {
	m.t.Helper()
	b := &logBuffer{}
	m.log = slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return b
}

func TestAWrongPasswordIsSaidOnceAMinuteInWordsThatHelp(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.options.Regions[0].Password = "wrong"
		log := m.listen()
		m.start()
		const want = "the region refuses user demo/r1: check regions[].user and password, and whether another relay of this name is at work"
		const warning = `level=WARN msg="the region refuses the user: check regions[].user and password" region=us-east-1 user=demo/r1`
		time.Sleep(50 * time.Second) // six attempts
		synctest.Wait()
		if n := strings.Count(log.String(), warning); n != 1 {
			t.Errorf("warned %d times in a minute, want once:\n%s", n, log)
		}
		if s := m.group.Status()[0]; s.Error != want {
			t.Errorf("the status says %q, want %q", s.Error, want)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(log.String(), warning); n != 2 {
			t.Errorf("warned %d times in two minutes, want twice:\n%s", n, log)
		}
	})
}

func TestTheSameErrorIsLoggedOnceAMinuteAndAnotherAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		m := newMesh(t, inMemory())
		m.east.refuses = true
		log := m.listen()
		m.start()
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "connection refused"); n != 1 {
			t.Errorf("told %d times in a minute, want once:\n%s", n, log)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(log.String(), "connection refused"); n != 2 {
			t.Errorf("told %d times in two minutes, want twice:\n%s", n, log)
		}
		m.east.set(func() { m.east.refuses = false })
		time.Sleep(30 * time.Second) // it is there
		m.east.cut()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "connection refused"); n != 3 {
			t.Errorf("told %d times after it was there, want it again at once:\n%s", n, log)
		}
	})
}
