package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hb-mesh/hb-mesh/relay"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// A store's computers, and how often each beats.
const (
	mqttHosts = 40
	httpHosts = 20
	beatEvery = 2 * time.Second
)

// appliance is an hb-relay in a process of its own.
type appliance struct {
	cmd        *exec.Cmd
	dir        string
	mqtt, http string
	log        scribe
}

// relay is what a relay's process takes of its machine, in a store that is
// well.
func (b *Bench) relay(ctx context.Context) (rows []Row, err error) {
	m, regions, err := openMesh(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	a, err := b.startRelay(ctx, m, regions)
	if err != nil {
		return nil, err
	}
	defer a.kill()
	beating, stop := context.WithCancel(ctx)
	beats, wg := a.beatAll(beating)
	defer wg.Wait()
	defer stop()
	b.say("relay: %d hosts over MQTT and %d over HTTP, each beats every %v; measured for %v after %v", mqttHosts, httpHosts, beatEvery, b.plan.watch, b.plan.settle)
	wait(ctx, b.plan.settle)
	before, err := a.written()
	if err != nil {
		return nil, err
	}
	counted := beats.Load()
	wait(ctx, b.plan.watch)
	after, err := a.written()
	if err != nil {
		return nil, err
	}
	counted = beats.Load() - counted
	resident, err := a.status("VmRSS")
	if err != nil {
		return nil, err
	}
	b.say("relay: %d beats answered; resident %.1f MB, of it %s; to disk %d bytes (since its start %d), folder %+d bytes, %d files touched",
		counted, resident/1e6, a.parts(), after.disk-before.disk, before.disk, after.folder-before.folder, after.touched(before))
	if want := int64(b.plan.watch/beatEvery) * (mqttHosts + httpHosts) / 2; counted < want {
		return nil, fmt.Errorf("only %d beats were answered, want at least %d: %s", counted, want, a.log.String())
	}
	if before.disk == 0 {
		return nil, errors.New("this system does not count what a process writes: the relay has adopted its hosts, and written nothing")
	}
	return []Row{
		{Name: fmt.Sprintf("relay with %d hosts, resident memory", mqttHosts+httpHosts), Value: resident / 1e6, Unit: "MB", Goal: 64, AtMost: true},
		{
			Name:  fmt.Sprintf("relay with %d hosts, written in %v of steady beats", mqttHosts+httpHosts, b.plan.watch),
			Value: float64(max(after.disk-before.disk, after.folder-before.folder)), Unit: "bytes", AtMost: true,
		},
	}, nil
}

func (b *Bench) startRelay(ctx context.Context, m *mesh, regions []relay.Region) (*appliance, error) {
	mqtt, mqttErr := freeAddress()
	web, webErr := freeAddress()
	if err := errors.Join(mqttErr, webErr); err != nil {
		return nil, err
	}
	a := &appliance{dir: filepath.Join(m.dir, "relay"), mqtt: mqtt, http: web}
	args := []string{
		"--store", string(meshStore), "--relay", string(meshRelay), "--data", a.dir,
		"--mqtt-address", mqtt, "--http-address", web, "--limits-exempt-loopback",
	}
	for i, r := range regions {
		flag := "--regions-" + strconv.Itoa(i)
		args = append(args, flag+"-name", string(r.Name), flag+"-address", r.Address, flag+"-password", r.Password)
	}
	a.cmd = exec.CommandContext(ctx, b.o.Relay, args...)
	a.cmd.Stdout, a.cmd.Stderr = io.Discard, &a.log
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", b.o.Relay, err)
	}
	if err := answers(ctx, mqtt); err != nil {
		a.kill()
		return nil, fmt.Errorf("start %s: %w: %s", b.o.Relay, err, a.log.String())
	}
	return a, nil
}

func (a *appliance) kill() {
	_ = a.cmd.Process.Signal(syscall.SIGKILL)
	_ = a.cmd.Wait() // killed
}

// beatAll beats for all hosts until ctx ends; it counts the beats that were
// answered.
func (a *appliance) beatAll(ctx context.Context) (*atomic.Int64, *sync.WaitGroup) {
	beats, wg := new(atomic.Int64), new(sync.WaitGroup)
	for n := range mqttHosts + httpHosts {
		host := beat.HostID(fmt.Sprintf("pos%02d", n))
		send := a.post
		if n < mqttHosts {
			send = a.session
		}
		wg.Go(func() {
			wait(ctx, beatEvery*time.Duration(n)/(mqttHosts+httpHosts)) // spread as a store's are
			_ = send(ctx, host, beats)                                  // a beat that is lost is not counted
		})
	}
	return beats, wg
}

// session is a register with a connection and a will.
func (a *appliance) session(ctx context.Context, host beat.HostID, beats *atomic.Int64) error {
	c, err := connect(a.mqtt, login{id: string(host), willTopic: beat.TopicGone + string(host), keepalive: 60})
	if err != nil {
		return err
	}
	defer c.close()
	payload := beat.Beat{Interval: time.Minute}.EncodeMQTT()
	for ctx.Err() == nil {
		_ = c.conn.SetDeadline(time.Now().Add(patience))
		if err := c.publish(beat.TopicBeat+string(host), payload); err != nil {
			return err
		}
		beats.Add(1)
		wait(ctx, beatEvery)
	}
	return nil
}

// post is a register that runs curl: a connection for each beat.
func (a *appliance) post(ctx context.Context, host beat.HostID, beats *atomic.Int64) error {
	each := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		body := strings.NewReader(`{"hostId": "` + string(host) + `", "intervalMs": 60000}`)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.http+"/v1/heartbeat", body)
		if err != nil {
			return err
		}
		res, err := each.Do(req)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			beats.Add(1)
		}
		wait(ctx, beatEvery)
	}
	return nil
}

// writing is what was written at one instant.
type writing struct {
	disk   int64 // by the process, as the kernel counts it
	folder int64 // the size of the files
	files  map[string]time.Time
}

// touched is how many files changed since.
func (w writing) touched(since writing) (n int) {
	for name, at := range w.files {
		if !at.Equal(since.files[name]) {
			n++
		}
	}
	return n
}

func (a *appliance) written() (writing, error) {
	w := writing{files: map[string]time.Time{}}
	disk, err := a.field("io", "write_bytes")
	if err != nil {
		return w, err
	}
	w.disk = int64(disk)
	err = filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			w.folder += info.Size()
			w.files[path] = info.ModTime()
		}
		return err
	})
	return w, err
}

// status is a field of the process's status, in bytes.
func (a *appliance) status(name string) (float64, error) {
	v, err := a.field("status", name)
	return v * 1024, err
}

// parts is what the resident memory consists of.
func (a *appliance) parts() string {
	anonymous, _ := a.status("RssAnon") // for people only
	files, _ := a.status("RssFile")
	return fmt.Sprintf("own %.1f, mapped files %.1f", anonymous/1e6, files/1e6)
}

// field is a number of a file of the process in /proc.
func (a *appliance) field(file, name string) (float64, error) {
	path := filepath.Join("/proc", strconv.Itoa(a.cmd.Process.Pid), file)
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, a.log.String())
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseFloat(strings.Fields(rest)[0], 64)
		}
	}
	return 0, fmt.Errorf("%s says no %s", path, name)
}
