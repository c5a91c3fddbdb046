package dashboard_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// screenshots is where the pictures go: a folder that git ignores.
const screenshots = "../../.cache/screenshots"

// patience is how long the browser may take for one thing, on a busy machine.
const patience = 20 * time.Second

// browse starts a browser of its own, with an empty profile.
func browse(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed: apt-get install -y chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(patience))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return ctx
}

func run(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func get[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// until waits for a JavaScript expression to be true.
func until(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(patience)))
	if err != nil {
		text := get(t, ctx, chromedp.Evaluate[string]("document.body.innerText"))
		t.Fatalf("never true: %s: %v; the page says:\n%s", expression, err, text)
	}
}

func says(text string) string { return fmt.Sprintf("document.body.innerText.includes(%q)", text) }

// screen is a size and a colour scheme of a visitor.
type screen struct {
	width, height int64
	scheme        string
}

var screens = []screen{{1440, 900, "light"}, {1440, 900, "dark"}, {390, 844, "light"}, {390, 844, "dark"}}

// use makes the browser a phone or a desk.
func (s screen) use() chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.EmulateViewport(s.width, s.height, chromedp.EmulateScale(1.5)),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}},
			})
			return err
		}),
	)
}

// shoot takes a picture of the page on every screen, and holds that none has
// to be scrolled sideways.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if err := os.MkdirAll(screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range screens {
		run(t, ctx, s.use())
		noOverflow(t, ctx, s.width)
		picture := get(t, ctx, chromedp.FullScreenshot(100))
		file := filepath.Join(screenshots, fmt.Sprintf("dashboard-%s-%d-%s.png", name, s.width, s.scheme))
		if err := os.WriteFile(file, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func noOverflow(t *testing.T, ctx context.Context, width int64) {
	t.Helper()
	over := get(t, ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
	if over > 0 {
		t.Errorf("at %d px the page is %d px too wide", width, over)
	}
}

func TestThePageShowsADemoStoreAndItsChangesAsTheyHappen(t *testing.T) {
	now := time.Now()
	f := demo(now)
	srv := httptest.NewServer(newServer(t, f, nil))
	t.Cleanup(srv.Close)
	ctx := browse(t)

	run(t, ctx, chromedp.Navigate(srv.URL))
	until(t, ctx, says("1 store up · 8 hosts up"))
	until(t, ctx, "document.querySelectorAll('.host[data-state=up]').length === 8")
	shoot(t, ctx, "well")

	for width := int64(320); width <= 1440; width += 70 {
		run(t, ctx, screen{width, 800, "light"}.use())
		noOverflow(t, ctx, width)
	}

	f.lose(now, 2, 5)
	until(t, ctx, says("2 hosts missing"))
	until(t, ctx, "document.querySelector('[data-host=pos3]').dataset.state === 'missing'")
	until(t, ctx, says("Not told yet: gathers with others"))
	shoot(t, ctx, "missing")
}

func TestThePageShowsAFleetInTrouble(t *testing.T) {
	now := time.Now()
	f := fleet(now)
	srv := httptest.NewServer(newServer(t, f, func(o *dashboard.Options) { o.Title = "Burger chain, cell 1" }))
	t.Cleanup(srv.Close)
	ctx := browse(t)

	run(t, ctx, chromedp.Navigate(srv.URL))
	until(t, ctx, says("2 stores down"))
	until(t, ctx, "document.querySelectorAll('.store').length === 60")
	until(t, ctx, says("60 of 1200 stores"))
	run(t, ctx, chromedp.Click(`.store:first-of-type button.head`))
	until(t, ctx, "document.querySelectorAll('.host').length === 8")
	shoot(t, ctx, "fleet")

	run(t, ctx, chromedp.SendKeys("#search", "store-0777"))
	until(t, ctx, says("store-0777"))
	until(t, ctx, "location.hash.includes('q=store-0777')")
}

// fleet is 1,200 stores, of which some have trouble of every kind, while the
// other region does not answer.
func fleet(now time.Time) *fake {
	f := demo(now)
	f.set(func(f *fake) {
		f.stores = nil
		for i := range 1200 {
			id := beat.StoreID(fmt.Sprintf("store-%04d", i))
			s := store(now, id, 8)
			switch {
			case i == 17 || i == 401:
				s.State, s.Reason, s.Since, s.Hosts = "down", "lost in both regions", now.Add(-47*time.Minute), dashboard.Counts{Covered: 8}
				s.Paths[0].View, s.Paths[1].View = "lost", "lost"
				inc := dashboard.Incident{Home: "us-west-2"}
				inc.ID, inc.Kind, inc.Store, inc.K, inc.Open, inc.Since = incident.ID(id), incident.StoreDown, id, 1, true, s.Since
				inc.OpenedAt, inc.SinceUncertaintyMs, inc.Reason = s.Since, 15000, "lost here, and the other region does not answer"
				inc.OneSided, inc.SeenFrom, inc.Waits = true, []beat.Region{"us-east-1"}, "us-west-2 tells it first; it was asked and does not answer"
				f.overview.Incidents = append(f.overview.Incidents, inc)
			case i == 90:
				s.State, s.Reason, s.Hosts = "relay-dead", "hosts beat directly", dashboard.Counts{Up: 5, Covered: 3}
			case i == 120:
				s.Hosts = dashboard.Counts{Up: 6, Failing: 1, Missing: 1}
			case i == 130:
				s.State, s.Reason = "degraded", "the relay reports to the other region"
			case i == 140:
				s.State, s.Reason = "suspect", "the session ended, within grace"
			case i%100 == 99:
				s.State, s.Hosts = "stopped", dashboard.Counts{Stopped: 8}
			}
			f.stores = append(f.stores, s)
			for h := range 8 {
				host := dashboard.Host{Store: id, Host: beat.HostID(fmt.Sprintf("register-with-a-long-name-%d.kitchen.example", h)), State: beat.Up, IntervalMs: 300000, Via: "relay", Since: s.Since, LastBeat: now.Add(-time.Minute)}
				if s.State == "down" {
					host.State = beat.Covered
				}
				f.hosts[id] = append(f.hosts[id], host)
			}
		}
		west := &f.overview.Regions[1]
		west.State, west.Since, west.Detail = dashboard.RegionUnreachable, now.Add(-9*time.Minute), "no answer by HTTPS: connection refused"
		west.Link = &dashboard.Health{Since: now.Add(-9 * time.Minute), Detail: "dial tcp: connection refused"}
		west.Table, west.Sessions = nil, nil
		f.overview.Regions[0].Channels[0].Health = dashboard.Health{Since: now.Add(-30 * time.Second), Detail: "sns: Throttling: Rate exceeded"}
	})
	return f
}

func TestHostProvidedTextIsTextAndNothingElse(t *testing.T) {
	f := demo(time.Now())
	evil := `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
	f.set(func(f *fake) {
		f.hosts["demo"][0].Message = evil
		f.overview.Activity[0].Text = evil + strings.Repeat("w", 200)
	})
	srv := httptest.NewServer(newServer(t, f, nil))
	t.Cleanup(srv.Close)
	ctx := browse(t)

	run(t, ctx, chromedp.Navigate(srv.URL))
	until(t, ctx, says("<img src=x"))
	until(t, ctx, "document.querySelectorAll('.host img, .lines img, .lines script').length === 0 && !document.title.includes('owned')")
	shoot(t, ctx, "hostile")
}
