package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/setting"
)

// byFlag says who asks for a change; the audit keeps it.
type byFlag struct {
	By string `help:"Who you are (default: your login name)." env:"HB_BY" placeholder:"NAME"`
}

func (b byFlag) by() string {
	if b.By != "" {
		return b.By
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// whenFlags are a rule's time and reason.
type whenFlags struct {
	For   time.Duration `help:"How long, such as 2h or 90m." placeholder:"DURATION"`
	Until string        `help:"Until when instead, such as 2026-12-01T06:00:00+01:00." placeholder:"TIME"`
	Why   string        `help:"What for; people see it." placeholder:"TEXT"`
	byFlag
}

// into writes the flags into a body. needed says that there must be an end.
func (w *whenFlags) into(body map[string]any, needed bool) error {
	switch {
	case w.For < 0 || w.For > 0 && w.Until != "":
		return usage("say --for 2h, or --until and a time", "--for and --until are one end, after now")
	case w.For > 0:
		body["for"] = w.For.String()
	case w.Until != "":
		at, err := time.Parse(time.RFC3339, w.Until)
		if err != nil {
			return usage("write it as 2026-12-01T06:00:00+01:00, with the zone", "%q is no time", w.Until)
		}
		body["until"] = at
	case needed:
		return usage("say --for 2h, or --until and a time", "how long is not said")
	}
	body["why"], body["by"] = w.Why, w.by()
	return nil
}

// subjectFlags are what a rule is about, beyond its arguments.
type subjectFlags struct {
	Tag map[string]string `help:"Only what has this tag; several times: all of them." placeholder:"NAME=VALUE"`
}

type ruleRow struct {
	ID string `json:"id"`
	setting.Match
	Incident string    `json:"incident"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	By       string    `json:"by"`
	Why      string    `json:"why"`
	Warning  string    `json:"warning"`
}

// make makes a rule. Its id is ours, so that it is one rule however many regions
// get it: one that does not answer may have made it all the same. Not every region
// knows every incident.
func (s *session) make(path string, body map[string]any) (raw json.RawMessage, err error) {
	body["id"] = s.newID()
	err = s.api.do(s.ctx, call{method: http.MethodPost, path: path, body: body, elsewhere: http.StatusNotFound}, &raw)
	return raw, err
}

// begin makes a rule and shows it.
func (s *session) begin(path, what string, body map[string]any) error {
	raw, err := s.make(path, body)
	if err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(raw)
	}
	var r ruleRow
	if err := json.Unmarshal(raw, &r); err != nil {
		return &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version? --json shows what it says"}
	}
	about := r.about()
	if !r.From.Before(s.now().Add(time.Minute)) {
		about += ", from " + s.out.clock(r.From)
	}
	if r.Warning != "" {
		if err := s.out.line("warning: %s. Is it mistyped, or still to come? hbctl stores and hbctl stores show list what is known", r.Warning); err != nil {
			return err
		}
	}
	if r.Until.IsZero() {
		return s.out.line("%s: %s, until it ends. Take it back with: hbctl %s end %s", what, about, strings.Fields(what)[0], r.ID)
	}
	return s.out.line("%s: %s, until %s. End it earlier with: hbctl %s end %s", what, about, s.out.clock(r.Until), what, r.ID)
}

func (r *ruleRow) about() string {
	if r.Incident != "" {
		return "incident " + r.Incident
	}
	return r.Words()
}

// rules lists the rules at a path, the oldest first: a region whose table fails
// does not know of what was said to the other one.
func (s *session) rules(path, none string) error {
	items, err := s.api.listBoth(s.ctx, path, nil)
	if err != nil {
		return err
	}
	if len(s.api.bases) > 1 { // those that are joined have the newest first
		slices.Reverse(items)
	}
	head := []string{"WHAT", "FROM", "UNTIL", "BY", "WHY", "ID"}
	return show(s.out, items, head, none, func(r ruleRow) []string {
		until := "it ends"
		if !r.Until.IsZero() {
			until = s.out.clock(r.Until)
		}
		return []string{r.about(), s.out.clock(r.From), until, r.By, r.Why, r.ID}
	})
}

// end ends a rule.
func (s *session) end(path, what, id, by string) error {
	k := call{method: http.MethodDelete, path: path + "/" + url.PathEscape(id), query: url.Values{"by": {by}}, elsewhere: http.StatusNotFound}
	err := s.api.do(s.ctx, k, nil)
	if f := (*failure)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
		f.hint = "hbctl " + what + " list shows those that are not over, with their ids"
	}
	if err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(map[string]string{"ended": id})
	}
	return s.out.line("%s %s is over; what is still down is told now", what, id)
}

// clock is an instant in this machine's zone, with its date where that is not
// today's.
func (p *printer) clock(t time.Time) string { return setting.Moment(t, p.now, p.now.Location()) }

type silenceCmd struct {
	Add  silenceAddCmd  `cmd:"" default:"withargs" help:"Hold back what people are told of stores or hosts (the default)."`
	List silenceListCmd `cmd:"" help:"List the silences."`
	End  silenceEndCmd  `cmd:"" help:"End a silence before its time."`
}

type silenceAddCmd struct {
	What []string `arg:"" optional:"" help:"Stores, or hosts as store/host; patterns with * and ? too."`
	Kind []string `help:"Only incidents of this kind, such as host-failing." placeholder:"KIND"`
	subjectFlags
	whenFlags
}

// Run begins a silence.
func (c *silenceAddCmd) Run(s *session) error {
	var stores, hosts []string
	for _, what := range c.What {
		store, host, isHost := strings.Cut(what, "/")
		if isHost && host == "" || store == "" {
			return usage("name a store, or a host as store/host", "%q is neither", what)
		}
		if isHost && len(c.What) > 1 {
			return usage("make one silence for each host, or use a pattern: 'demo/pos*'", "a silence of a host stands alone")
		}
		if stores = append(stores, store); isHost {
			hosts = append(hosts, host)
		}
	}
	if len(c.What)+len(c.Kind)+len(c.Tag) == 0 {
		return usage("name a store or store/host; hbctl pause is for everything", "what to silence is not said")
	}
	body := map[string]any{"stores": stores, "hosts": hosts, "kinds": c.Kind, "tags": c.Tag}
	if err := c.into(body, true); err != nil {
		return err
	}
	return s.begin("/v1/silences", "silence", body)
}

type silenceListCmd struct{}

// Run lists the silences.
func (*silenceListCmd) Run(s *session) error { return s.rules("/v1/silences", "nothing is silenced") }

type silenceEndCmd struct {
	ID string `arg:"" help:"The silence's id, as hbctl silence list shows it."`
	byFlag
}

// Run ends a silence.
func (c *silenceEndCmd) Run(s *session) error { return s.end("/v1/silences", "silence", c.ID, c.by()) }

type maintenanceCmd struct {
	Add  maintenanceAddCmd  `cmd:"" help:"Let stores be off for a while; after it they are expected up again."`
	List maintenanceListCmd `cmd:"" default:"withargs" help:"List the maintenance windows (the default)."`
	End  maintenanceEndCmd  `cmd:"" help:"End maintenance before its time."`
}

type maintenanceAddCmd struct {
	Stores []string `arg:"" optional:"" help:"The stores; '*' is all."`
	From   string   `help:"When it begins (default: now)." placeholder:"TIME"`
	subjectFlags
	whenFlags
}

// Run begins maintenance.
func (c *maintenanceAddCmd) Run(s *session) error {
	if len(c.Stores)+len(c.Tag) == 0 {
		return usage("name stores, '*' or --tag NAME=VALUE", "which stores is not said")
	}
	if slices.ContainsFunc(c.Stores, func(x string) bool { return strings.Contains(x, "/") }) {
		return usage("silence the host instead: hbctl silence STORE/HOST", "maintenance is of stores")
	}
	body := map[string]any{"stores": c.Stores, "tags": c.Tag}
	if c.From != "" {
		at, err := time.Parse(time.RFC3339, c.From)
		if err != nil {
			return usage("write it as 2026-12-01T06:00:00+01:00, with the zone", "%q is no time", c.From)
		}
		body["from"] = at
	}
	if err := c.into(body, true); err != nil {
		return err
	}
	return s.begin("/v1/maintenance", "maintenance", body)
}

type maintenanceListCmd struct{}

// Run lists the maintenance windows.
func (*maintenanceListCmd) Run(s *session) error {
	return s.rules("/v1/maintenance", "no store is in maintenance")
}

type maintenanceEndCmd struct {
	ID string `arg:"" help:"Its id, as hbctl maintenance list shows it."`
	byFlag
}

// Run ends maintenance.
func (c *maintenanceEndCmd) Run(s *session) error {
	return s.end("/v1/maintenance", "maintenance", c.ID, c.by())
}

type pauseCmd struct {
	Add  pauseAddCmd  `cmd:"" default:"withargs" help:"Tell people nothing, or nothing of some stores, for a while (the default)."`
	List pauseListCmd `cmd:"" help:"List the pauses."`
	End  pauseEndCmd  `cmd:"" help:"End a pause before its time."`
}

type pauseAddCmd struct {
	Stores []string `arg:"" optional:"" help:"Only these stores (default: everything)."`
	subjectFlags
	whenFlags
}

// Run begins a pause.
func (c *pauseAddCmd) Run(s *session) error {
	body := map[string]any{"stores": c.Stores, "tags": c.Tag}
	if err := c.into(body, true); err != nil {
		return err
	}
	return s.begin("/v1/pauses", "pause", body)
}

type pauseListCmd struct{}

// Run lists the pauses.
func (*pauseListCmd) Run(s *session) error { return s.rules("/v1/pauses", "nothing is paused") }

type pauseEndCmd struct {
	ID string `arg:"" help:"The pause's id, as hbctl pause list shows it."`
	byFlag
}

// Run ends a pause.
func (c *pauseEndCmd) Run(s *session) error { return s.end("/v1/pauses", "pause", c.ID, c.by()) }

type auditCmd struct {
	Day string `help:"The day in UTC (default: today)." placeholder:"YYYY-MM-DD"`
}

type auditRow struct {
	At     time.Time `json:"at"`
	Region string    `json:"region"`
	Who    string    `json:"who"`
	Key    string    `json:"key"`
	From   string    `json:"from"`
	Action string    `json:"action"`
	What   []string  `json:"what"`
	Count  int       `json:"count"`
}

// Run lists what operators did.
func (c *auditCmd) Run(s *session) error {
	day := c.Day
	if day == "" {
		day = s.now().UTC().Format(time.DateOnly)
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return usage("write the day as in --day 2026-01-31", "%q is no day", day)
	}
	items, err := s.api.list(s.ctx, "/v1/audit", filter("day", day))
	if err != nil {
		return err
	}
	head := []string{"AT (UTC)", "WHO", "KEY", "FROM", "REGION", "ACTION", "WHAT"}
	return show(s.out, items, head, "nobody changed anything on "+day, func(r auditRow) []string {
		what := strings.Join(r.What, ", ")
		if len(what) > 120 {
			what = strings.ToValidUTF8(what[:120], "") + "…"
		}
		return []string{r.At.UTC().Format(time.TimeOnly), r.Who, r.Key, r.From, r.Region, r.Action, what}
	})
}
