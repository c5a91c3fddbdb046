//go:build linux

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupt sends Ctrl-C, and says how long the end took.
func (p *process) interrupt() time.Duration {
	p.t.Helper()
	begin := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	p.ended()
	if status := p.cmd.ProcessState.ExitCode(); status != 0 {
		p.t.Errorf("%s ended with status %d:\n%s", p.name, status, p.log.String())
	}
	return time.Since(begin)
}

// demoPorts are the contract's.
var demoPorts = []int{1883, 1884, 2883, 8080, 8081, 8090, 8099}

// freeOffset finds room for all ports of the demo.
func freeOffset(t testing.TB) int {
	t.Helper()
next:
	for offset := 11000; offset < 20000; offset += 171 {
		for _, port := range demoPorts {
			ln, err := net.Listen("tcp", loopback(port+offset))
			if err != nil {
				continue next
			}
			_ = ln.Close()
		}
		return offset
	}
	t.Fatal("no room for the demo's ports")
	return 0
}

func TestTheDemoIsUpAndEndsWithin3Seconds(t *testing.T) {
	offset := freeOffset(t)
	flag := "--port-offset=" + strconv.Itoa(offset)
	p := run(t, exec.Command(built(t, "hb-sim"), "demo", flag))
	for _, port := range []int{8080, 8081, 8090} {
		s := &server{process: p, http: loopback(port + offset)}
		s.ready(t)
	}
	within(t, patience, "hbctl lists one store and eight hosts up", func() bool {
		count := func(args ...string) int {
			status, out, errs := once(t, exec.Command(built(t, "hbctl"), append(args, flag, "--json")...))
			var rows []json.RawMessage
			if err := json.Unmarshal([]byte(out), &rows); status != 0 || err != nil {
				t.Fatalf("hbctl %v: %d %s %v", args, status, errs, err)
			}
			return len(rows)
		}
		return count("stores") == 1 && count("hosts", "--state", "up") == 8
	})
	status, _, stderr := once(t, exec.Command(built(t, "hb-sim"), "demo", flag))
	if used := strconv.Itoa(8080 + offset); status != 1 || !strings.Contains(stderr, used) || !strings.Contains(stderr, "--port-offset") {
		t.Errorf("a second demo: status %d, %q; want 1, the port %s and the flag named", status, stderr, used)
	}
	if took := p.interrupt(); took > patience/2 {
		t.Errorf("Ctrl-C took %v, want at most 3 s on a quiet machine", took)
	}
}

// The examples start against what make aws starts, with the environment that
// it prints.
func TestTheExamplesStartOnWhatMakeAWSStarts(t *testing.T) {
	ports := map[string]int{"us-east-1": freePort(t), "us-west-2": freePort(t)}
	aws := run(t, exec.Command(built(t, "hb-sim"), "aws", fmt.Sprintf("--port=%d,%d", ports["us-east-1"], ports["us-west-2"])))
	within(t, time.Minute, "hb-sim aws prints its environment", func() bool {
		if !aws.alive() {
			t.Fatalf("hb-sim aws ended: %s", aws.log.String())
		}
		return strings.Count(aws.log.String(), "AWS_ENDPOINT_URL_SQS") == 2
	})
	var env []string
	for line := range strings.Lines(aws.log.String()) {
		if words, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			env = append(env, strings.Fields(words)...)
		}
	}
	dir := t.TempDir()
	http := map[string]string{"8080": loopback(freePort(t)), "8081": loopback(freePort(t))}
	var brokers []*server
	for _, b := range []struct{ region, mqtt, http, aws string }{{"us-east-1", "1883", "8080", "4566"}, {"us-west-2", "1884", "8081", "4567"}} {
		example := "broker-" + b.region + ".yaml"
		s := &server{owner: t, program: "hb-broker", http: http[b.http]}
		s.config = edit(t, example, filepath.Join(dir, example), map[string]string{
			"127.0.0.1:" + b.mqtt: anyPort, "127.0.0.1:8080": http["8080"], "127.0.0.1:8081": http["8081"],
			"127.0.0.1:" + b.aws: loopback(ports[b.region]),
		}, "")
		cmd := exec.Command(built(t, s.program), "--config", s.config)
		cmd.Env = environment(env...)
		s.process = run(t, cmd)
		brokers = append(brokers, s)
	}
	for _, s := range brokers {
		s.ready(t)
	}
	if took := aws.interrupt(); took > patience/2 {
		t.Errorf("Ctrl-C took %v", took)
	}
	for _, port := range ports {
		if c, err := net.Dial("tcp", loopback(port)); err == nil {
			_ = c.Close()
			t.Errorf("a ministack still listens on port %d", port)
		}
	}
}

// The demo looks at start whether the machine allows what its stores need, and
// says what to do.
func TestTheDemoSaysWhatItsStoresNeed(t *testing.T) {
	sim := []string{built(t, "hb-sim"), "demo", "--stores=2000", "--port-offset=" + strconv.Itoa(freeOffset(t))}
	for _, c := range []struct {
		says  string
		limit string // of open files
		want  []string
	}{
		{"fewer files than the stores take", "1000", []string{"--stores 2000 needs 8496 open files", "allows 1000", "ulimit -Hn 8496", "take at most 125 stores"}},
		{"fewer than the demo itself takes", "300", []string{"allows 300", "take at most 1 stores"}},
	} {
		t.Run(c.says, func(t *testing.T) {
			cmd := exec.Command(tool(t, "bash"), append([]string{"-c", "ulimit -Sn " + c.limit + "; ulimit -Hn " + c.limit + `; exec "$0" "$@"`}, sim...)...)
			status, out, errs := once(t, cmd)
			if status == 0 {
				t.Errorf("it starts: %s", out)
			}
			for _, w := range c.want {
				if !strings.Contains(errs, w) {
					t.Errorf("it does not say %q: %s", w, errs)
				}
			}
		})
	}
}
