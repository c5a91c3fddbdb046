package cli_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

func TestWhatARuleSends(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"silence", "demo/pos3", "--for", "2h", "--why", "floor works"}, `"for":"2h0m0s","hosts":["pos3"],"id":"01own","kinds":null,"stores":["demo"],"tags":null,"why":"floor works"`},
		{[]string{"silence", "add", "demo", "berlin-1", "--tag", "city=Berlin", "--kind", "host-failing", "--until", "2026-03-02T06:00:00+01:00"},
			`"kinds":["host-failing"],"stores":["demo","berlin-1"],"tags":{"city":"Berlin"},"until":"2026-03-02T06:00:00+01:00"`},
		{[]string{"pause", "--for", "1h"}, `POST /v1/pauses key=demo {"by":"anna","for":"1h0m0s","id":"01own"`},
		{[]string{"maintenance", "add", "--tag", "a=b", "--for", "1h"}, `POST /v1/maintenance key=demo {"by":"anna","for":"1h0m0s","id":"01own","stores":null,"tags":{"a":"b"}`},
		{[]string{"silence", "end", "01s"}, `DELETE /v1/silences/01s?by=anna`},
		{[]string{"pin", "demo", "none"}, `PUT /v1/stores/demo/pin key=demo {"by":"anna","region":"none"}`},
	} {
		f := region(t, mesh)
		got := hbctl(t, append(c.args, "--by", "anna", "--addr", f.URL)...)
		if sent := f.asked(t, 0); got.status != cli.ExitOK || !strings.Contains(strings.ReplaceAll(sent, `"by":"anna",`, `"by":"anna",`), c.want) {
			t.Errorf("%v: exit %d, %s; sent %s", c.args, got.status, got.stderr, sent)
		}
	}
}

func TestWrongRulesAreNotSent(t *testing.T) {
	f := region(t, mesh)
	for _, args := range [][]string{
		{"silence", "--for", "2h"}, {"silence", "demo"}, {"silence", "demo/", "--for", "2h"}, {"silence", "demo/pos1", "demo/pos2", "--for", "2h"},
		{"silence", "demo", "--for", "2h", "--until", "2026-03-02T06:00:00Z"}, {"silence", "demo", "--until", "tomorrow"}, {"pause"},
		{"maintenance", "add", "--for", "2h"}, {"maintenance", "add", "demo/pos1", "--for", "2h"}, {"maintenance", "add", "demo", "--from", "noon", "--for", "2h"},
		{"explain", "demo/"}, {"audit", "--day", "today"}, {"stores", "apply", "nowhere.yaml"},
	} {
		got := hbctl(t, append(args, "--addr", f.URL)...)
		if got.status != cli.ExitUsage || strings.Count(got.stderr, "\n") < 2 {
			t.Errorf("%v: exit %d, %q", args, got.status, got.stderr)
		}
	}
	if len(f.requests) > 0 {
		t.Errorf("sent %q", f.requests)
	}
}

func TestAFileThatIsWrongIsNotSent(t *testing.T) {
	f := region(t, mesh)
	path := filepath.Join(t.TempDir(), "stores.yaml")
	if err := os.WriteFile(path, []byte("stores:\n  alex:\n    hour: closed\n  Bob:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := hbctl(t, "stores", "apply", path, "--addr", f.URL)
	if got.status != cli.ExitUsage || !strings.Contains(got.stderr, path+":3: stores.alex.hour: unknown key") || !strings.Contains(got.stderr, path+":4: stores.Bob") || len(f.requests) > 0 {
		t.Errorf("exit %d, %s", got.status, got.stderr)
	}
}

func TestAHostIsAdopted(t *testing.T) {
	f := region(t, answers{
		"GET /v1/stores/listed": `{"store":"listed","version":2,"tags":{"a":"b"},"hosts":{"pos1":{"interval":"30s"}},"pin":"us-east-1"}`,
		"PUT /v1/stores/listed": `{"store":"listed"}`, "PUT /v1/stores/new": `{"store":"new"}`,
		"GET /v1/stores/open": `{"store":"open","version":1}`,
	})
	for _, c := range []struct{ host, sent, says string }{
		{"listed/pos2", `PUT /v1/stores/listed key=demo {"tags":{"a":"b"},"hosts":{"pos1":{"interval":"30s"},"pos2":{}},"pin":"us-east-1","by":"anna"}`, "is adopted"},
		{"new/pos1", `PUT /v1/stores/new key=demo {"hosts":{"pos1":{}},"by":"anna"}`, "is adopted"},
		{"listed/pos1", "", "declared already"}, {"open/pos1", "", "adopts every host"},
	} {
		f.requests = nil
		got := hbctl(t, "hosts", "adopt", c.host, "--by", "anna", "--addr", f.URL)
		sent := ""
		if len(f.requests) > 1 {
			sent = f.requests[1]
		}
		if got.status != cli.ExitOK || sent != c.sent || !strings.Contains(got.stdout, c.says) {
			t.Errorf("%s: exit %d, %s%s; sent %s", c.host, got.status, got.stdout, got.stderr, sent)
		}
	}
}

// Each region knows best what it told itself: of an incident that both know the
// one that told it is shown, and notices of both are.
func TestListsOfBothRegionsAreJoined(t *testing.T) {
	east := region(t, answers{
		"GET /v1/incidents": `{"items":[{"id":"A","kind":"store-down","store":"alex","open":true,"openedAt":"2026-03-01T11:00:00Z","waits":"is told by us-west-2"}],"next":""}`,
		"GET /v1/notices":   `{"items":[],"next":""}`,
	})
	west := region(t, answers{
		"GET /v1/incidents": `{"items":[{"id":"B","kind":"store-down","store":"bob","open":true,"openedAt":"2026-03-01T11:30:00Z"},` +
			`{"id":"A","kind":"store-down","store":"alex","open":true,"openedAt":"2026-03-01T11:00:01Z","told":["sns"]}],"next":""}`,
		"GET /v1/notices": `{"items":[{"id":"01KB","region":"us-west-2","title":"Store down [alex]","channels":[{"name":"sns","mark":"sent"}]}],"next":""}`,
	})
	got := hbctl(t, "incidents", "--addr", east.URL, "--addr", west.URL)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if got.status != cli.ExitOK || len(lines) != 3 || !strings.Contains(lines[1], "bob") || !strings.Contains(lines[2], "sns") {
		t.Errorf("exit %d, %s%s", got.status, got.stdout, got.stderr)
	}
	if got := hbctl(t, "notices", "--addr", east.URL, "--addr", west.URL); !strings.Contains(got.stdout, "Store down [alex]") {
		t.Errorf("%s%s", got.stdout, got.stderr)
	}
	west.Close()
	if got := hbctl(t, "incidents", "--addr", west.URL, "--addr", east.URL); got.status != cli.ExitOK || !strings.Contains(got.stdout, "alex") {
		t.Errorf("with one region: exit %d, %s%s", got.status, got.stdout, got.stderr)
	}
	east.Close()
	if got := hbctl(t, "incidents", "--addr", west.URL, "--addr", east.URL); got.status != cli.ExitNoAnswer {
		t.Errorf("with none: exit %d, %s", got.status, got.stderr)
	}
}

// The region that does not write settings says so, and the next is asked.
func TestTheRegionThatWritesSettingsIsFound(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"title":"Conflict","status":409,"detail":"stores are written in us-east-1"}`)
	}))
	t.Cleanup(other.Close)
	f := region(t, mesh)
	if got := hbctl(t, "pin", "demo", "us-west-2", "--addr", other.URL, "--addr", f.URL); got.status != cli.ExitOK {
		t.Errorf("exit %d, %s", got.status, got.stderr)
	}
	got := hbctl(t, "pin", "demo", "us-west-2", "--addr", other.URL)
	if got.status != cli.ExitFailed || !strings.Contains(got.stderr, "written in us-east-1") || !strings.Contains(got.stderr, "--addr") {
		t.Errorf("exit %d, %s", got.status, got.stderr)
	}
}

// A rule has its id from here, so that both regions may get it: where one does not
// answer, has no table or does not know of the incident, the next is asked.
func TestARuleIsMadeInTheRegionThatCan(t *testing.T) {
	const none = `503 {"title":"Service Unavailable","status":503,"detail":"the table does not answer; try again in a few seconds"}`
	const incidents = `{"items":[{"id":"9F2C41AA","kind":"store-down","store":"demo","open":true}],"next":""}`
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, c := range []struct {
		says  string
		first string
		args  []string
		sent  string
	}{
		{"a region that stands still", silent.Addr().String(), []string{"silence", "demo", "--for", "2h"}, `POST /v1/silences key=demo {"by":"anna","for":"2h0m0s","hosts":null,"id":"01own"`},
		{"one that refuses connections", closedPort(t), []string{"pause", "--for", "2h"}, `POST /v1/pauses key=demo {"by":"anna","for":"2h0m0s","id":"01own"`},
		{"one without its table", region(t, answers{"POST /v1/maintenance": none}).URL, []string{"maintenance", "add", "demo", "--for", "2h"}, `POST /v1/maintenance key=demo {"by":"anna","for":"2h0m0s","id":"01own"`},
		{"one that stands still as its incidents are asked for", silent.Addr().String(), []string{"ack", "demo"}, `POST /v1/incidents/9F2C41AA/ack key=demo {"by":"anna","id":"01own","why":""}`},
		{"one that does not know of the incident", region(t, answers{"GET /v1/incidents": `{"items":[],"next":""}`}).URL, []string{"ack", "9f2c"}, `POST /v1/incidents/9F2C41AA/ack key=demo {"by":"anna","id":"01own","why":""}`},
		{"one that has not heard of the silence yet", region(t, answers{}).URL, []string{"silence", "end", "01s"}, `DELETE /v1/silences/01s?by=anna key=demo`},
	} {
		t.Run(c.says, func(t *testing.T) {
			const made = `{"id":"01own","kind":"silence","stores":["demo"],"from":"2026-03-01T12:00:00Z","until":"2026-03-01T14:00:00Z"}`
			f := region(t, answers{
				"GET /v1/incidents": incidents, "POST /v1/silences": made, "POST /v1/pauses": made, "POST /v1/maintenance": made,
				"POST /v1/incidents/9F2C41AA/ack": made, "DELETE /v1/silences/01s": "204 ",
			})
			got := hbctl(t, append(c.args, "--by", "anna", "--timeout", "500ms", "--addr", c.first, "--addr", f.URL)...)
			if last := f.asked(t, len(f.requests)-1); got.status != cli.ExitOK || got.stderr != "" || !strings.HasPrefix(last, c.sent) {
				t.Errorf("exit %d, %s%s; sent %s", got.status, got.stdout, got.stderr, last)
			}
		})
	}
	t.Run("where none can, the reason is told", func(t *testing.T) {
		f := region(t, answers{"POST /v1/silences": none})
		got := hbctl(t, "silence", "demo", "--for", "2h", "--timeout", "200ms", "--addr", silent.Addr().String(), "--addr", f.URL)
		if got.status != cli.ExitFailed || !strings.Contains(got.stderr, "the table does not answer") || !strings.Contains(got.stderr, "--addr") {
			t.Errorf("exit %d, %s", got.status, got.stderr)
		}
		got = hbctl(t, "silence", "end", "01x", "--addr", f.URL)
		if got.status != cli.ExitFailed || !strings.Contains(got.stderr, "hbctl silence list") {
			t.Errorf("exit %d, %s", got.status, got.stderr)
		}
	})
}

// A silence that only one region knows is in the list, once.
func TestRulesOfBothRegionsAreListed(t *testing.T) {
	const first = `{"id":"01a","kind":"silence","stores":["demo"],"from":"2026-03-01T11:00:00Z","until":"2026-03-01T14:00:00Z"}`
	const second = `{"id":"01b","kind":"silence","stores":["alex"],"from":"2026-03-01T12:00:00Z","until":"2026-03-01T14:00:00Z"}`
	ailing := region(t, answers{"GET /v1/silences": `{"items":[` + first + `],"next":""}`})
	well := region(t, answers{"GET /v1/silences": `{"items":[` + first + `,` + second + `],"next":""}`})
	got := hbctl(t, "silence", "list", "--addr", ailing.URL, "--addr", well.URL)
	demo, alex := strings.Index(got.stdout, "01a"), strings.Index(got.stdout, "01b")
	if got.status != cli.ExitOK || demo < 0 || alex < demo || strings.Count(got.stdout, "01a") != 1 {
		t.Errorf("exit %d, %s%s", got.status, got.stdout, got.stderr)
	}
}

// What matches nothing is taken, and said.
func TestARuleOfNothingIsWarnedOf(t *testing.T) {
	f := region(t, answers{"POST /v1/silences": `{"id":"01s","kind":"silence","stores":["dmeo"],"from":"2026-03-01T12:00:00Z","until":"2026-03-01T14:00:00Z","warning":"it matches no store now"}`})
	got := hbctl(t, "silence", "dmeo", "--for", "2h", "--addr", f.URL)
	if got.status != cli.ExitOK || !strings.HasPrefix(got.stdout, "warning: it matches no store now.") || !strings.Contains(got.stdout, "silence: dmeo, until") {
		t.Errorf("exit %d, %s%s", got.status, got.stdout, got.stderr)
	}
}

// Whoever types a host's name alone is told its full name, where it is the only one.
func TestAHostWithoutItsStoreIsExplained(t *testing.T) {
	f := region(t, answers{"GET /v1/hosts": `{"items":[{"store":"demo","host":"pos3"},{"store":"demo","host":"pos4"},{"store":"alex","host":"pos4"}],"next":""}`})
	for name, want := range map[string]string{"pos3": "hbctl explain demo/pos3\n", "pos4": "hbctl explain STORE/HOST;", "pos5": "hbctl explain STORE/HOST;"} {
		if got := hbctl(t, "explain", name, "--addr", f.URL); got.status != cli.ExitFailed || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: exit %d, %s", name, got.status, got.stderr)
		}
	}
}
