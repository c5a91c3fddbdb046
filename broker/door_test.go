package broker_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// call is what a node's door answers to who has a key of the fleet.
func (r *region) call(n *running, method, path, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+n.door+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("x-api-key", "key")
	res, err := r.client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// A standby shows nothing and takes nothing; the metrics and the status it has.
func TestAStandbyAnswersForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t)
		defer func() { _ = r.table.Close() }()
		a, b := r.pair()
		for _, c := range []struct{ method, path, body string }{
			{"GET", "/v1/summary", ""}, {"GET", "/v1/stores", ""}, {"GET", "/v1/events", ""}, {"GET", "/v1/keys", ""}, {"GET", "/v1/backup", ""},
			{"POST", "/v1/silences", `{"stores":["x"],"for":"1h"}`}, {"POST", "/v1/keys", `{"roles":["read"]}`},
			{"PUT", "/v1/stores/x", `{"tags":{"a":"b"}}`}, {"POST", "/v1/heartbeat", `{"hostId":"h","storeId":"x"}`},
		} {
			if code, said := r.call(b, c.method, c.path, c.body); code != http.StatusServiceUnavailable || !strings.Contains(said, "standby") {
				t.Errorf("%s %s: %d %s", c.method, c.path, code, said)
			}
		}
		if code, said := r.call(a, "GET", "/v1/summary", ""); code != http.StatusOK {
			t.Errorf("the active one: %d %s", code, said)
		}
		stop(t, a, b)
	})
}

// Who makes a key, ends one or retires a host has a line in the audit, as who
// changes a setting has.
func TestTheAuditHasAllChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t)
		defer func() { _ = r.table.Close() }()
		a := r.start("a", "127.0.0.1:1", "127.0.0.1:2", r.table.Region("us-east-1"))
		<-a.b.Ready()
		_, made := r.call(a, "POST", "/v1/keys", `{"name":"till","roles":["beat"],"store":"demo"}`)
		id, _, _ := strings.Cut(strings.TrimPrefix(made, `{"id":"`), `"`)
		r.call(a, "DELETE", "/v1/keys/"+id, "")
		r.call(a, "POST", "/v1/heartbeat", `{"hostId":"pos1","storeId":"demo"}`)
		r.call(a, "DELETE", "/v1/stores/demo/hosts/pos1", "")
		_, audit := r.call(a, "GET", "/v1/audit", "")
		for _, want := range []string{`"create key"`, "store demo", `"revoke key"`, id, `"forget host"`, "demo/pos1"} {
			if !strings.Contains(audit, want) {
				t.Errorf("the audit lacks %s: %s", want, audit)
			}
		}
		stop(t, a)
	})
}

func stop(t *testing.T, nodes ...*running) {
	t.Helper()
	for _, n := range nodes {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	}
}
