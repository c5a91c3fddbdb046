package cli_test

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

// mesh is a region with one of everything.
var mesh = answers{
	"GET /v1/status": `{"message":"OK"}`,
	"GET /v1/regions": `{"items":[
		{"region":"us-east-1","self":true,"state":"ready","since":"2026-03-01T09:30:00Z","version":"1.0","sessions":12,"table":{"ok":true}},
		{"region":"us-west-2","self":false,"state":"unreachable","since":"2026-03-01T11:59:20Z","table":{"ok":false,"detail":"throttled"},"link":{"ok":false,"detail":"Post \"http://127.0.0.1:8081/v1/peer/ask\": dial tcp 127.0.0.1:8081: connect: connection refused"}}],"next":""}`,
	"GET /v1/stores": `{"items":[
		{"store":"berlin-1","state":"down","since":"2026-03-01T11:58:00Z","reason":"lost in both regions","home":"us-west-2","hosts":{"covered":8},
		 "paths":[{"region":"us-east-1","view":"lost"},{"region":"us-west-2","view":"lost"}]}],"next":"page2"}`,
	"GET /v1/stores page2": `{"items":[
		{"store":"demo","state":"up","since":"2026-02-27T11:00:00Z","reason":"the relay reports here","lastReport":"2026-03-01T11:59:59Z","home":"us-east-1","hosts":{"up":7,"missing":1},
		 "paths":[{"region":"us-east-1","view":"open"},{"region":"us-west-2"}]}],"next":""}`,
	"GET /v1/hosts": `{"items":[
		{"store":"demo","host":"pos1","state":"up","intervalMs":30000,"lastBeat":"2026-03-01T11:59:58Z","via":"relay","since":"2026-03-01T10:59:55Z"},
		{"store":"demo","host":"pos3","state":"failing","intervalMs":600000,"lastBeat":"2026-03-01T11:59:30Z","via":"direct","since":"2026-03-01T11:00:00Z",
		 "reason":"says fail","message":"printer \u001b[31mout of paper"}],"next":""}`,
	"GET /v1/incidents": `{"items":[
		{"id":"9f2c","kind":"store-down","store":"berlin-1","open":true,"since":"2026-03-01T11:58:00Z","seenFrom":["us-east-1","us-west-2"],"told":["sns","webhook"]},
		{"id":"41aa","kind":"host-missing","store":"demo","host":"pos3","open":true,"since":"2026-03-01T11:59:59Z","seenFrom":["us-east-1"],"waits":"gathers"}],"next":""}`,
	"GET /v1/notices": `{"items":[
		{"id":"01KB","at":"2026-03-01T11:58:04Z","region":"us-west-2","title":"Store down [berlin-1]","severity":"critical",
		 "channels":[{"name":"sns","mark":"sent"},{"name":"webhook","mark":"unsent","detail":"connection refused"}]}],"next":""}`,
	"GET /v1/history": `{"items":[
		{"at":"2026-03-01T08:00:00.125Z","store":"demo","host":"pos1","state":"up","reason":"first beat","number":1,"regions":["us-east-1","us-west-2"]},
		{"at":"2026-03-01T08:03:00Z","store":"demo","host":"pos3","state":"failing","reason":"says fail","number":2,"regions":["us-east-1"],"message":"no paper"}],"next":""}`,
	"GET /v1/keys": `{"items":[
		{"id":"abc","name":"demo","roles":["beat"],"store":"demo","static":true},
		{"id":"k2","roles":["read","admin"],"created":"2026-02-28T12:00:00Z"}],"next":""}`,
	"GET /v1/explain": explained(),
	"GET /v1/declared": `{"items":[{"store":"berlin-1","timezone":"Europe/Berlin","tags":{"city":"Berlin"},"hours":` + berlin + `,"hosts":{"pos1":{},"pos2":{"interval":"30s"}},"version":3,"at":"2026-02-28T12:00:00Z","by":"anna"},
		{"store":"demo","pin":"us-west-2","version":0}],"next":""}`,
	"GET /v1/stores/berlin-1":           `{"store":"berlin-1","timezone":"Europe/Berlin","tags":{"city":"Berlin","brand":"burger"},"hours":` + berlin + `,"dates":{"2026-12-25":[]},"hosts":{"pos1":{},"pos2":{"interval":"30s","tags":{"kind":"kds"}}},"pin":"us-east-1","version":3,"at":"2026-02-28T12:00:00Z","by":"anna"}`,
	"POST /v1/stores:apply":             `{"dryRun":false,"changes":[{"store":"alex","action":"create"},{"store":"ny-5th","action":"update","keys":["hours","tags"]}],"same":1,"failed":0}`,
	"PUT /v1/stores/demo/pin":           "204 ",
	"POST /v1/silences":                 `{"id":"01s","kind":"silence","stores":["demo"],"hosts":["pos3"],"from":"2026-03-01T12:00:00Z","until":"2026-03-01T14:00:00Z","by":"anna","why":"floor works"}`,
	"GET /v1/silences":                  `{"items":[{"id":"01s","kind":"silence","stores":["demo"],"hosts":["pos3"],"from":"2026-03-01T12:00:00Z","until":"2026-03-02T14:00:00Z","by":"anna","why":"floor works"}],"next":""}`,
	"DELETE /v1/silences/01s":           "204 ",
	"POST /v1/maintenance":              `{"id":"01m","kind":"maintenance","stores":["demo"],"from":"2026-03-01T22:00:00Z","until":"2026-03-01T23:00:00Z","by":"anna"}`,
	"GET /v1/maintenance":               `{"items":[],"next":""}`,
	"POST /v1/pauses":                   `{"id":"01p","kind":"pause","from":"2026-03-01T12:00:00Z","until":"2026-03-01T13:00:00Z","by":"anna","why":"migration"}`,
	"POST /v1/incidents/41aa/ack":       `{"id":"01a","kind":"ack","incident":"41aa","from":"2026-03-01T12:00:00Z","by":"anna"}`,
	"GET /v1/audit":                     `{"items":[{"id":"01z","at":"2026-03-01T11:00:00Z","region":"us-east-1","who":"anna","key":"k2","from":"10.0.0.7","action":"begin silence","what":["silence of demo/pos3"],"count":1}],"next":""}`,
	"POST /v1/keys":                     `{"id":"k3","roles":["beat"],"store":"demo","secret":"hbk_k3_secret"}`,
	"DELETE /v1/keys/k2":                "204 ",
	"DELETE /v1/stores/demo/hosts/pos3": "204 ",
	"POST /v1/heartbeat":                `{"message":"OK"}`,
}

// explained is what the code of a broker says of a host: its own test keeps it so.
func explained() string {
	raw, err := os.ReadFile("../../../broker/testdata/explanation.json")
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// berlin are the hours of a store.
const berlin = `{"mon":["10:00-22:00"],"tue":["10:00-22:00"],"wed":["10:00-22:00"],"thu":["10:00-22:00"],"fri":["10:00-02:00"],"sat":["10:00-02:00"],"sun":[]}`

func TestTablesArePrintedForPeople(t *testing.T) {
	f := region(t, mesh)
	for name, args := range map[string][]string{
		"status":            {"status"},
		"stores":            {"stores"},
		"hosts":             {"hosts"},
		"hosts-forget":      {"hosts", "forget", "demo/pos3"},
		"incidents":         {"incidents"},
		"notices":           {"notices"},
		"history":           {"history", "demo"},
		"history-of-a-host": {"history", "demo/pos3", "--day", "2026-03-01"},
		"explain":           {"explain", "demo/pos3"},
		"stores-apply":      {"stores", "apply", "../../../broker/setting/testdata/stores.yaml", "--by", "anna"},
		"stores-show":       {"stores", "show"},
		"stores-show-one":   {"stores", "show", "berlin-1"},
		"pin":               {"pin", "demo", "us-west-2", "--by", "anna"},
		"silence":           {"silence", "demo/pos3", "--for", "2h", "--why", "floor works", "--by", "anna"},
		"silence-list":      {"silence", "list"},
		"silence-end":       {"silence", "end", "01s", "--by", "anna"},
		"maintenance":       {"maintenance", "add", "demo", "--from", "2026-03-01T22:00:00Z", "--for", "1h", "--by", "anna"},
		"maintenance-list":  {"maintenance"},
		"pause":             {"pause", "--for", "1h", "--why", "migration", "--by", "anna"},
		"ack":               {"ack", "41aa", "--by", "anna"},
		"audit":             {"audit"},
		"keys":              {"keys", "list"},
		"keys-create":       {"keys", "create", "--store", "demo"},
		"keys-revoke":       {"keys", "revoke", "k2"},
		"beat":              {"beat", "pos9", "--interval", "30s"},
	} {
		t.Run(name, func(t *testing.T) {
			got := hbctl(t, append(args, "--addr", f.URL)...)
			if got.status != cli.ExitOK || got.stderr != "" {
				t.Fatalf("exit %d, stderr %q", got.status, got.stderr)
			}
			golden(t, name, strings.ReplaceAll(got.stdout, f.URL, "http://region"))
		})
	}
}

func TestJSONIsOneValueAndNothingElse(t *testing.T) {
	f := region(t, mesh)
	for name, test := range map[string]struct {
		args  []string
		array int // how many elements; -1: an object
	}{
		"stores, of two pages": {[]string{"stores"}, 2},
		"hosts":                {[]string{"hosts"}, 2},
		"incidents":            {[]string{"incidents"}, 2},
		"notices":              {[]string{"notices"}, 1},
		"history":              {[]string{"history", "demo/pos1"}, 1},
		"keys":                 {[]string{"keys"}, 2},
		"status":               {[]string{"status"}, -1},
		"a new key":            {[]string{"keys", "create"}, -1},
		"a revoked key":        {[]string{"keys", "revoke", "k2"}, -1},
		"a retired host":       {[]string{"hosts", "forget", "demo/pos3"}, -1},
		"a beat":               {[]string{"beat", "pos1"}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := hbctl(t, append(test.args, "--json", "--addr", f.URL)...)
			if got.status != cli.ExitOK || got.stderr != "" {
				t.Fatalf("exit %d, stderr %q", got.status, got.stderr)
			}
			var v any
			if err := json.Unmarshal([]byte(got.stdout), &v); err != nil {
				t.Fatalf("stdout is not one JSON value: %v\n%s", err, got.stdout)
			}
			switch v := v.(type) {
			case []any:
				if len(v) != test.array {
					t.Errorf("%d elements, want %d", len(v), test.array)
				}
			case map[string]any:
				if test.array != -1 {
					t.Error("an object, want an array")
				}
			default:
				t.Errorf("neither array nor object: %s", got.stdout)
			}
		})
	}
}

func TestAnEmptyListIsAnEmptyArray(t *testing.T) {
	f := region(t, answers{"GET /v1/incidents": `{"items":[],"next":""}`})
	if got := hbctl(t, "incidents", "--json", "--addr", f.URL); strings.TrimSpace(got.stdout) != "[]" {
		t.Errorf("stdout %q, want []", got.stdout)
	}
	if got := hbctl(t, "incidents", "--addr", f.URL); got.stdout != "no open incidents\n" {
		t.Errorf("stdout %q", got.stdout)
	}
	stores := region(t, answers{"GET /v1/stores": `{"items":[],"next":""}`})
	if got := hbctl(t, "stores", "list", "--state", "down", "--addr", stores.URL); got.stdout != "no such stores\n" {
		t.Errorf("stdout %q", got.stdout)
	}
	if got := hbctl(t, "stores", "--addr", stores.URL); !strings.HasPrefix(got.stdout, "no stores yet") {
		t.Errorf("stdout %q", got.stdout)
	}
}

func TestRequestsSayWhatTheCommandMeans(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"the demo's key is the default":     {[]string{"notices"}, "GET /v1/notices?limit=1000 key=demo"},
		"another key":                       {[]string{"notices", "--key", "hbk_x"}, "GET /v1/notices?limit=1000 key=hbk_x"},
		"hosts of a store in one state":     {[]string{"hosts", "--store", "demo", "--state", "up"}, "GET /v1/hosts?limit=1000&state=up&store=demo key=demo"},
		"open incidents only":               {[]string{"incidents"}, "GET /v1/incidents?limit=1000&open=true key=demo"},
		"all incidents":                     {[]string{"incidents", "--all"}, "GET /v1/incidents?limit=1000 key=demo"},
		"history is today's":                {[]string{"history", "demo"}, "GET /v1/history?day=2026-03-01&limit=1000&store=demo key=demo"},
		"a beat with all that it may say":   {[]string{"beat", "pos1", "--store", "demo", "--interval", "30s", "--status", "fail", "--message", "no paper"}, `POST /v1/heartbeat key=demo {"hostId":"pos1","storeId":"demo","intervalMs":30000,"status":"fail","message":"no paper"}`},
		"a beat that says the least":        {[]string{"beat", "pos1"}, `POST /v1/heartbeat key=demo {"hostId":"pos1","status":"ok"}`},
		"a key of one store with one role":  {[]string{"keys", "create", "--name", "till", "--store", "demo"}, `POST /v1/keys key=demo {"name":"till","store":"demo","roles":["beat"]}`},
		"a key of the fleet with two roles": {[]string{"keys", "create", "--role", "read,admin"}, `POST /v1/keys key=demo {"roles":["read","admin"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := region(t, mesh)
			if got := hbctl(t, append(test.args, "--addr", f.URL)...); got.status != cli.ExitOK {
				t.Fatalf("exit %d, stderr %q", got.status, got.stderr)
			}
			if got := f.asked(t, 0); got != test.want {
				t.Errorf("asked %q\nwant  %q", got, test.want)
			}
		})
	}
}

func TestTheNextAddressIsAskedWhereOneDoesNotAnswer(t *testing.T) {
	f := region(t, mesh)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })

	for name, dead := range map[string]string{"refused": closedPort(t), "silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			got := hbctl(t, "stores", "--timeout", "200ms", "--addr", dead, "--addr", f.URL)
			if got.status != cli.ExitOK || got.stderr != "" {
				t.Errorf("exit %d, stderr %q", got.status, got.stderr)
			}
		})
	}
	t.Run("a key is made by one region only, if it may have got the request", func(t *testing.T) {
		got := hbctl(t, "keys", "create", "--timeout", "200ms", "--addr", silent.Addr().String(), "--addr", f.URL)
		if got.status != cli.ExitNoAnswer {
			t.Errorf("exit %d, want %d; stdout %q", got.status, cli.ExitNoAnswer, got.stdout)
		}
		got = hbctl(t, "keys", "create", "--addr", closedPort(t), "--addr", f.URL)
		if got.status != cli.ExitOK {
			t.Errorf("exit %d after a refused connection, stderr %q", got.status, got.stderr)
		}
	})
}

func TestErrorsSayWhatToDoNext(t *testing.T) {
	f := region(t, answers{
		"GET /v1/stores":     `403 {"message":"Forbidden"}`,
		"GET /v1/notices":    `<html>`,
		"GET /v1/incidents":  `500 {"title":"Internal Server Error","status":500,"detail":"the reason is in the log of the node"}`,
		"POST /v1/heartbeat": `403 {"message":"Forbidden"}`,
	})
	for name, test := range map[string]struct {
		args []string
		exit int
		want []string
	}{
		"a wrong key":                  {[]string{"stores", "--addr", f.URL}, cli.ExitFailed, []string{"403", "Forbidden", "--key", "HB_KEY"}},
		"a beat of another store":      {[]string{"beat", "pos1", "--store", "x", "--addr", f.URL}, cli.ExitFailed, []string{"403", "--key"}},
		"something else answers":       {[]string{"notices", "--addr", f.URL}, cli.ExitFailed, []string{"no JSON", "is this the HTTP address"}},
		"an unknown name":              {[]string{"hosts", "forget", "demo/nobody", "--addr", f.URL}, cli.ExitFailed, []string{"404", "nobody knows it", "hbctl hosts"}},
		"a region in trouble":          {[]string{"incidents", "--addr", f.URL}, cli.ExitFailed, []string{"500", "log"}},
		"nobody answers":               {[]string{"stores", "--addr", closedPort(t)}, cli.ExitNoAnswer, []string{"no answer", "refused", "--addr"}},
		"no demo":                      {[]string{"stores", "--port-offset", "40000"}, cli.ExitNoAnswer, []string{"48080", "48081", "make run"}},
		"no control":                   {[]string{"demo", "status", "--port-offset", "40000"}, cli.ExitNoAnswer, []string{"48099", "demo only"}},
		"half a command":               {[]string{"pin", "demo"}, cli.ExitUsage, []string{"region", "hbctl pin --help"}},
		"half a command of a group":    {[]string{"demo", "unplug"}, cli.ExitUsage, []string{"target", "hbctl demo unplug --help"}},
		"half a default command":       {[]string{"ack"}, cli.ExitUsage, []string{"incident", "hbctl ack --help"}},
		"a backup into no folder":      {[]string{"backup", "/no/such/folder/x"}, cli.ExitFailed, []string{"make the file: open /no/such/folder/", "in a folder that exists"}},
		"an unknown command":           {[]string{"explode"}, cli.ExitUsage, []string{"explode", "--help"}},
		"half a name":                  {[]string{"hosts", "forget", "pos3"}, cli.ExitUsage, []string{"pos3", "demo/pos3"}},
		"a day that is none":           {[]string{"history", "demo", "--day", "yesterday"}, cli.ExitUsage, []string{"yesterday", "--day 2026"}},
		"an address that is none":      {[]string{"stores", "--addr", "localhost"}, cli.ExitUsage, []string{"localhost", "host:port"}},
		"a host's name that is none":   {[]string{"beat", "-", "--addr", f.URL}, cli.ExitUsage, []string{"host id"}},
		"an interval out of range":     {[]string{"beat", "pos1", "--interval", "1ms"}, cli.ExitUsage, []string{"1s to 12h"}},
		"an offset beyond the ports":   {[]string{"stores", "--port-offset", "60000"}, cli.ExitUsage, []string{"68080"}},
		"no topic":                     {[]string{"subscribe", "email", "a@b.c"}, cli.ExitUsage, []string{"--topic"}},
		"a topic that is none":         {[]string{"subscribe", "email", "a@b.c", "--topic", "alerts"}, cli.ExitUsage, []string{"arn:aws:sns"}},
		"a queue that is none":         {[]string{"subscribe", "sqs", "alerts", "--topic", "arn:aws:sns:us-east-1:1:a"}, cli.ExitUsage, []string{"arn:aws:sqs"}},
		"a filter that is no policy":   {[]string{"subscribe", "email", "a@b.c", "--topic", "arn:aws:sns:us-east-1:1:a", "--filter", "[]"}, cli.ExitUsage, []string{"--filter"}},
		"nobody at the MQTT address":   {[]string{"beat", "pos1", "--mqtt", closedPort(t)}, cli.ExitNoAnswer, []string{"connect to", "2883"}},
		"an MQTT address that is none": {[]string{"beat", "pos1", "--mqtt", "relay"}, cli.ExitUsage, []string{"--mqtt 127.0.0.1:2883"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := hbctl(t, test.args...)
			if got.status != test.exit || got.stdout != "" {
				t.Errorf("exit %d, stdout %q; want %d and nothing", got.status, got.stdout, test.exit)
			}
			for _, want := range test.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, got.stderr)
				}
			}
			if what, _, _ := strings.Cut(got.stderr, "\n"); strings.Count(what, "no such file") > 1 {
				t.Errorf("it is said twice: %s", what)
			}
		})
	}
}

func TestAddressAndKeyComeFromTheEnvironment(t *testing.T) {
	f := region(t, mesh)
	t.Setenv("HB_ADDR", closedPort(t)+","+f.URL)
	t.Setenv("HB_KEY", "from-env")
	if got := hbctl(t, "stores"); got.status != cli.ExitOK {
		t.Fatalf("exit %d, stderr %q", got.status, got.stderr)
	}
	if got, want := f.asked(t, 0), "GET /v1/stores?limit=1000 key=from-env"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func TestHelpIsNoError(t *testing.T) {
	got := hbctl(t, "--help")
	if got.status != cli.ExitOK || !strings.Contains(got.stdout, "hosts forget") || got.stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", got.status, got.stdout, got.stderr)
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}
