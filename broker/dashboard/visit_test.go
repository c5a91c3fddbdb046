package dashboard_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
)

// hole is a way to a server that can swallow everything, without a FIN: as a
// phone's network does that changed from Wi-Fi to nothing.
type hole struct {
	net.Listener
	to string

	mu   sync.Mutex // guards what follows
	shut bool
	open *sync.Cond
}

func dig(t *testing.T, to string) *hole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{Listener: l, to: to}
	h.open = sync.NewCond(&h.mu)
	t.Cleanup(func() { h.swallow(false); _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go h.pipe(c)
		}
	}()
	return h
}

func (h *hole) swallow(yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut = yes
	h.open.Broadcast()
}

func (h *hole) pipe(c net.Conn) {
	up, err := net.Dial("tcp", h.to)
	if err != nil {
		_ = c.Close()
		return
	}
	go h.copy(up, c)
	h.copy(c, up)
}

// copy moves bytes, and holds them back while the hole swallows.
func (h *hole) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		h.mu.Lock()
		for h.shut {
			h.open.Wait()
		}
		h.mu.Unlock()
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func TestThePageSaysWhenItsDataIsOldAndComesBack(t *testing.T) {
	now := time.Now()
	f := demo(now)
	srv := httptest.NewServer(newServer(t, f, func(o *dashboard.Options) {
		o.Coalesce, o.Fresh, o.Heartbeat = 50*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
	}))
	t.Cleanup(srv.Close)
	way := dig(t, srv.Listener.Addr().String())
	ctx := browse(t)

	run(t, ctx, chromedp.Navigate("http://"+way.Addr().String()))
	until(t, ctx, says("Live"))
	until(t, ctx, says("8 hosts up"))

	way.swallow(true) // no error reaches the browser: the stream is silent, and that is all
	until(t, ctx, says("Connection lost, data from"))
	until(t, ctx, "document.title.startsWith('(not connected)')")
	if !get(t, ctx, chromedp.Evaluate[bool](says("8 hosts up"))) {
		t.Error("what was known is gone")
	}
	until(t, ctx, says("Last known"))
	shoot(t, ctx, "lost")

	f.lose(now, 3)
	way.swallow(false)
	until(t, ctx, says("1 host missing"))
	until(t, ctx, "!"+says("Connection lost"))
}

func TestWhereReadsAreNotOpenThePageAsksForAKey(t *testing.T) {
	var urls sync.Map
	s := newServer(t, demo(time.Now()), func(o *dashboard.Options) { o.Authorize = keyed })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		urls.Store(r.URL.String(), true)
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	ctx := browse(t)

	run(t, ctx, chromedp.Navigate(srv.URL))
	until(t, ctx, says("Enter an API key"))
	run(t, ctx, chromedp.SendKeys("#key", "guess\r"))
	until(t, ctx, says("This key was refused"))
	shoot(t, ctx, "door")
	run(t, ctx, chromedp.SendKeys("#key", "reader\r"))
	until(t, ctx, says("8 hosts up"))
	run(t, ctx, chromedp.Reload())
	until(t, ctx, says("8 hosts up"))
	run(t, ctx, chromedp.Click(".btn.quiet"))
	until(t, ctx, says("Enter an API key"))
	for _, url := range []string{"/v1/events?key=reader", "/v1/events?x-api-key=reader"} {
		if _, ok := urls.Load(url); ok {
			t.Errorf("the key was in the URL %s", url)
		}
	}
	urls.Range(func(url, _ any) bool {
		if u := url.(string); u != "/" && u != "/v1/events" && len(u) > 8 && u[:8] != "/assets/" {
			t.Errorf("the page asked for %s", u)
		}
		return true
	})
}

// panelScript is a panel as another program would add it.
const panelScript = `
const box = window.hbMesh.panels.mount({ id: "demo", title: "Break things" });
if (box !== window.hbMesh.panels.mount({ id: "demo", title: "again" })) throw new Error("two boxes of one id");
const rows = document.createElement("div");
rows.className = "rows";
for (const name of ["register/pos3", "relay", "wan/us-east-1", "region/us-west-2"]) {
  const row = document.createElement("div");
  row.className = "row";
  const label = document.createElement("span");
  label.textContent = name;
  const button = document.createElement("button");
  button.className = "switch";
  button.setAttribute("role", "switch");
  button.setAttribute("aria-checked", String(name !== "relay"));
  button.setAttribute("aria-label", name);
  button.onclick = () => window.hbMesh.fetch("/demo/" + name, { method: "POST" });
  row.append(label, button);
  rows.append(row);
}
box.append(rows);
window.hbMesh.onView((view) => { box.dataset.headline = view.summary.headline; });
`

func TestAnotherProgramAddsAPanel(t *testing.T) {
	now := time.Now()
	f := demo(now)
	mux := http.NewServeMux()
	newServer(t, f, func(o *dashboard.Options) { o.Scripts = []string{"/demo/panel.js"} }).Mount(mux)
	mux.HandleFunc("GET /demo/panel.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, panelScript)
	})
	var posted atomic.Int32
	mux.HandleFunc("POST /demo/{what...}", func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get(dashboard.RequestHeader) != "" && r.PathValue("what") == "register/pos3" {
			posted.Add(1)
			f.lose(now, 2)
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	ctx := browse(t)

	run(t, ctx, chromedp.Navigate(srv.URL))
	until(t, ctx, "document.querySelectorAll('.panel .switch').length === 4")
	until(t, ctx, "document.querySelector('.panel [data-headline]').dataset.headline === '1 store up · 8 hosts up'")
	run(t, ctx, chromedp.Click(`.switch[aria-label="register/pos3"]`))
	until(t, ctx, says("1 host missing"))
	until(t, ctx, "document.querySelectorAll('.panel .switch').length === 4") // the page drew itself again around it
	if posted.Load() != 1 {
		t.Errorf("posted %d times", posted.Load())
	}
	shoot(t, ctx, "panel")
}
