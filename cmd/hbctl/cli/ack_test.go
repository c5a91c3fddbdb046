package cli_test

import (
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/hbctl/cli"
)

// Whoever was woken types what the notice shows: the first characters of an id, or
// the store.
func TestAnAckNamesIncidentsByWhatPeopleRead(t *testing.T) {
	const made = `{"id":"01a","kind":"ack","incident":"X","from":"2026-03-01T12:00:00Z","by":"anna"}`
	mesh := answers{
		"GET /v1/incidents": `{"items":[
			{"id":"9F2C41AA","kind":"store-down","store":"berlin-1","open":true},
			{"id":"9F2C80Q2","kind":"host-missing","store":"demo","host":"pos3","open":true},
			{"id":"K5M1O0L8","kind":"host-failing","store":"demo","host":"pos4","open":true},
			{"id":"9F2CR1R1","kind":"region-down","region":"us-west-2","open":true}],"next":""}`,
		"POST /v1/incidents/9F2C41AA/ack": made, "POST /v1/incidents/9F2C80Q2/ack": made, "POST /v1/incidents/K5M1O0L8/ack": made,
	}
	for _, c := range []struct {
		says, what, acked, stderr string
	}{
		{"the first characters, in any case", "k5m1", "K5M1O0L8", ""},
		{"a whole id", "9F2C41AA", "9F2C41AA", ""},
		{"a host: what is open of it", "demo/pos3", "9F2C80Q2", ""},
		{"a store: all that is open of it and its hosts", "demo", "9F2C80Q2 K5M1O0L8", ""},
		{"what begins several ids is refused with a list", "9f2c", "", "9F2C41AA (store-down berlin-1), 9F2C80Q2 (host-missing demo/pos3), 9F2CR1R1 (region-down us-west-2)"},
		{"too few characters name nothing", "k5", "", "names no open incident"},
		{"neither does a host that is well", "demo/pos1", "", "names no open incident"},
	} {
		t.Run(c.says, func(t *testing.T) {
			f := region(t, mesh)
			got := hbctl(t, "ack", c.what, "--why", "on it", "--by", "anna", "--addr", f.URL)
			var acked []string
			for _, r := range f.requests[1:] {
				id, body, _ := strings.Cut(strings.TrimPrefix(r, "POST /v1/incidents/"), "/ack key=demo ")
				if body != `{"by":"anna","id":"01own","why":"on it"}` {
					t.Errorf("sent %s", r)
				}
				acked = append(acked, id)
			}
			if strings.Join(acked, " ") != c.acked || !strings.Contains(got.stderr, c.stderr) || (c.stderr == "") != (got.status == cli.ExitOK) {
				t.Errorf("exit %d, acknowledged %v, want %q\n%s%s", got.status, acked, c.acked, got.stdout, got.stderr)
			}
		})
	}
}
