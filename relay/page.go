package relay

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
	"github.com/hb-mesh/hb-mesh/relay/uplink"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS []byte

// page is what the technician's page shows. Its marks are the names of its
// style's classes: good, soft, bad, and "" for what is not known.
type page struct {
	Store, Relay, Version, Mark, Verdict string
	Warnings                             []string
	Uplinks                              []pageUplink
	Hosts                                []pageHost
	Refused                              []pageRefused
	Up                                   int
	Journal, MQTT, HTTP, Door, Uptime    string
}

type pageUplink struct {
	Region, Address, Mark, State, Error, LastAck string
	Home                                         bool
}

type pageRefused struct{ Host, From, Why, Last string }

type pageHost struct {
	Host, Version, Mark, State, Why, Message, Conflict, LastBeat, Interval, From string
}

// mountPage adds the page to the LAN's HTTP door. It only shows: nothing can be
// changed here.
func (r *Relay) mountPage(mux *http.ServeMux) error {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("parse the page: %w", err)
	}
	hostname := r.hostname()
	mux.Handle("GET /{$}", byItsNames(hostname, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		if err := t.Execute(&b, r.page()); err != nil {
			r.log.Error("the page cannot be made", "err", err)
			http.Error(w, "the page cannot be made", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b.Bytes()) // the client is gone
	})))
	mux.HandleFunc("GET /page.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(pageCSS) // the client is gone
	})
	return nil
}

func (r *Relay) page() page {
	now := r.clock()
	p := page{
		Store: string(r.o.Store), Relay: string(r.o.Relay), Version: r.o.Version,
		MQTT: r.mqttAddr, HTTP: r.httpAddr, Door: "open", Uptime: ago(now.Mono),
		Warnings: r.warnings(),
	}
	if r.o.Keyed {
		p.Door = "keyed"
	}
	for _, u := range r.uplinks.Status() {
		p.Uplinks = append(p.Uplinks, pageUplinkOf(u, now.Wall))
	}
	bad := 0
	for _, v := range r.core.views() {
		h := pageHostOf(v, now.Wall)
		if v.State == beat.Up { // one that fails is shown as failing, as on the dashboard
			p.Up++
		}
		if h.Mark == "bad" {
			bad++
		}
		p.Hosts = append(p.Hosts, h)
	}
	for _, s := range r.core.refused() {
		p.Refused = append(p.Refused, pageRefused{
			Host: string(s.host), From: s.from.String(), Why: s.why.String(), Last: ago(now.Wall.Sub(s.last)) + " ago",
		})
	}
	depth, lost := r.journal.Backlog()
	p.Journal = count(depth, "transition waits", "transitions wait") + " for a region"
	if lost > 0 {
		p.Journal += ", " + count(lost, "was", "were") + " lost"
	}
	switch err := r.Status(); {
	case err != nil:
		p.Mark, p.Verdict = "bad", err.Error()
	case bad > 0:
		p.Mark, p.Verdict = "soft", "The relay works. "+count(bad, "host needs", "hosts need")+" a look."
	default:
		p.Mark, p.Verdict = "good", "All is well."
	}
	return p
}

func pageUplinkOf(u uplink.Status, now time.Time) pageUplink {
	p := pageUplink{
		Region: string(u.Region), Address: u.Address, Home: u.Home, Error: u.Error,
		Mark: "bad", State: "not connected", LastAck: "none yet",
	}
	if u.Open {
		p.Mark, p.State = "good", "connected"
	}
	if !u.Since.IsZero() {
		p.State += " for " + ago(now.Sub(u.Since))
	}
	if !u.LastAck.IsZero() {
		p.LastAck = ago(now.Sub(u.LastAck)) + " ago"
	}
	return p
}

func pageHostOf(v roster.View, now time.Time) pageHost {
	p := pageHost{
		Host: string(v.Host), Version: v.Version, State: v.State.String(), Message: v.Message,
		LastBeat: "none known", Interval: ago(v.Interval),
	}
	switch v.State {
	case beat.Up:
		p.Mark = "good"
		if v.Status == beat.Warn {
			p.Mark = "soft"
		}
	case beat.Failing, beat.Missing:
		p.Mark = "bad"
	case beat.Stopped, beat.Unknown, beat.Covered:
	}
	if v.State != beat.Up {
		p.Why = v.Reason.String() + ", " + ago(now.Sub(v.Since)) + " ago"
	}
	if v.Flapping {
		p.Why = strings.TrimPrefix(p.Why+"; it changes too often, and is shown so until it was calm for a minute", "; ")
	}
	if v.State == beat.Unknown {
		p.Why = "not yet back since the relay's start"
	}
	if !v.LastBeat.IsZero() {
		p.LastBeat = ago(now.Sub(v.LastBeat)) + " ago"
	}
	if v.Addr.IsValid() {
		p.From = v.Addr.String()
		if v.Via != "" {
			p.From += " (" + v.Via + ")"
		}
	}
	if v.Conflict[0].IsValid() {
		p.Conflict = fmt.Sprintf("two computers beat as this host: %v and %v", v.Conflict[0], v.Conflict[1])
	}
	return p
}

// count is a number with its words.
func count[N int | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ago is a duration in the unit that people would use.
func ago(d time.Duration) string {
	switch d = max(0, d); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	default:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
}
