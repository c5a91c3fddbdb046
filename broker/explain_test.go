package broker_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/cloud/local"
)

// ask calls a region's API with the key of the tests.
func ask(t *testing.T, method, url, body string) (status int, answer []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-api-key", "key")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var raw json.RawMessage
	if res.ContentLength != 0 && res.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
			t.Fatal(err)
		}
	}
	return res.StatusCode, raw
}

// What an operator says reaches the node, its page and its explanations.
func TestARegionExplainsWithWhatOperatorsSaid(t *testing.T) {
	lo := local.DefaultOptions("", "us-east-1")
	lo.InMemory = true
	store, err := local.Open(lo)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	b, stop := lives(t, store.Region("us-east-1"), &slow{began: make(chan struct{})})
	defer stop()
	base := "http://" + b.HTTPAddr().String()

	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/heartbeat", `{"hostId":"pos1","storeId":"alex","intervalMs":60000}`, 200},
		{"PUT", "/v1/stores/alex", `{"timezone":"Europe/Berlin","dates":{"2000-01-01":[]},"tags":{"city":"Berlin"}}`, 200},
		{"POST", "/v1/maintenance", `{"stores":["alex"],"for":"2h","by":"anna","why":"new switch"}`, 201},
		{"GET", "/v1/explain?store=nobody", "", 404},
	} {
		if status, answer := ask(t, c.method, base+c.path, c.body); status != c.status {
			t.Fatalf("%s %s: %d %s", c.method, c.path, status, answer)
		}
	}
	var e dashboard.Explanation
	status, raw := ask(t, "GET", base+"/v1/explain?store=alex&host=pos1", "")
	if err := json.Unmarshal(raw, &e); err != nil || status != 200 {
		t.Fatalf("%d %s", status, raw)
	}
	says := strings.Join(e.Says, "\n")
	if e.State != "up" || e.Zone != "Europe/Berlin" || !strings.Contains(says, "The store is in maintenance until") || !strings.Contains(says, "No incident of it is open.") {
		t.Errorf("%s", raw)
	}
	if len(e.Evidence) != 1 || len(e.Evidence[0].Facts) < 5 || len(e.Next) < 2 {
		t.Errorf("%s", raw)
	}
	_, raw = ask(t, "GET", base+"/v1/stores", "")
	if !strings.Contains(string(raw), `"city":"Berlin"`) || !strings.Contains(string(raw), `"maintenance":"`) {
		t.Errorf("%s", raw)
	}
}
