package ring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"
)

const (
	// startTimeout is how long ministack may take until it answers; on an idle
	// machine it takes 0.3 s.
	startTimeout = 60 * time.Second
	healthEvery  = 25 * time.Millisecond
	// tailBytes is how much of its output is kept for an error.
	tailBytes = 2 << 10
)

// errNoStart is an emulator that ends before it answers: another program may have
// taken its port.
var errNoStart = errors.New("ended at its start")

// process is one running emulator.
type process struct {
	port   int
	cmd    *exec.Cmd
	ended  chan struct{}
	output tail
}

// startProcess starts program on a port of 127.0.0.1 and waits until it answers.
func startProcess(ctx context.Context, program string, port int, tmp string) (*process, error) {
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(),
		"BIND_HOST=127.0.0.1",
		"MINISTACK_HOST=127.0.0.1",
		"TMPDIR="+tmp, // it leaves files of its process ids there
		"GATEWAY_PORT="+strconv.Itoa(port),
		// It must forget: what a former run left would be found as new.
		"PERSIST_STATE=0",
	)
	p, err := launch(cmd, port)
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, p.healthy); err != nil {
		p.kill()
		return nil, fmt.Errorf("ministack %w", err)
	}
	return p, nil
}

// launch starts an emulator that will serve a port.
func launch(cmd *exec.Cmd, port int) (*process, error) {
	p := &process{port: port, cmd: cmd, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	dieWithParent(p.cmd)
	started := make(chan error, 1)
	go func() {
		// The kernel ties "die with the parent" to the thread that started the
		// child, so that thread must last as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := p.cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = p.cmd.Wait() // how it ended says nothing: it is always by a signal
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// await waits until it answers.
func (p *process) await(ctx context.Context, healthy func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if healthy(ctx) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("on port %d %w: %s", p.port, errNoStart, p.output.String())
		case <-ctx.Done():
			return fmt.Errorf("on port %d does not answer: %w: %s", p.port, ctx.Err(), p.output.String())
		case <-time.After(healthEvery):
		}
	}
}

func (p *process) healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url()+"/_ministack/health", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close()) == nil && resp.StatusCode == http.StatusOK
}

func (p *process) url() string { return "http://127.0.0.1:" + strconv.Itoa(p.port) }

// kill ends it by SIGKILL and waits. What it held is lost, as it always is.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}

// freePort is a port of 127.0.0.1 that nothing listened on a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// checkPort says in plain words that a port is used.
func checkPort(port int) error {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return fmt.Errorf("port %d cannot be used (is another make aws running?): %w", port, err)
	}
	return l.Close()
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

// Write implements io.Writer; it never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
