package broker_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

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

// inMemory is an embedded table for a test.
func inMemory(t *testing.T) *local.Store {
	t.Helper()
	o := local.DefaultOptions("", "us-east-1")
	o.InMemory = true
	store, err := local.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// What an operator says reaches the node, its page and its explanations.
func TestARegionExplainsWithWhatOperatorsSaid(t *testing.T) {
	store := inMemory(t)
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
	if _, raw = ask(t, "GET", base+"/v1/explain?store=alex", ""); !strings.Contains(string(raw), "No incident of the store itself is open.") {
		t.Errorf("%s", raw)
	}
	_, raw = ask(t, "GET", base+"/v1/stores", "")
	if !strings.Contains(string(raw), `"city":"Berlin"`) || !strings.Contains(string(raw), `"maintenance":"`) {
		t.Errorf("%s", raw)
	}
}

// Where a store is closed and silenced, what comes next says which of the two ends
// last, and what is told then.
func TestWhatComesNextWhereAStoreIsClosedAndSilenced(t *testing.T) {
	store := inMemory(t)
	b, stop := lives(t, store.Region("us-east-1"), &slow{began: make(chan struct{})})
	defer stop()
	base := "http://" + b.HTTPAddr().String()
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	for _, id := range []string{"short", "long"} {
		hours := `"hours":{"mon":["00:00-24:00"],"tue":["00:00-24:00"],"wed":["00:00-24:00"],"thu":["00:00-24:00"],"fri":["00:00-24:00"],"sat":["00:00-24:00"],"sun":["00:00-24:00"]}`
		for _, c := range [][3]string{
			{"PUT", "/v1/stores/" + id, `{"timezone":"UTC",` + hours + `,"dates":{"` + day(-1) + `":[],"` + day(0) + `":[],"` + day(1) + `":[],"` + day(2) + `":[]},"hosts":{"pos1":{}}}`},
			{"POST", "/v1/silences", `{"stores":["` + id + `"],"for":"` + map[string]string{"short": "1h", "long": "960h"}[id] + `","by":"anna"}`},
			{"POST", "/v1/heartbeat", `{"hostId":"pos1","storeId":"` + id + `","intervalMs":60000,"status":"fail"}`},
		} {
			if status, answer := ask(t, c[0], base+c[1], c[2]); status/100 != 2 {
				t.Fatalf("%s %s: %d %s", c[0], c[1], status, answer)
			}
		}
	}
	for _, c := range []struct {
		store       string
		says, nexts []string
	}{
		{"short", []string{"People are not told: closed until", ", and silenced by anna until"}, []string{
			"the silence ends, and the store is closed or has just opened: what is still wrong when it has been open for 10m0s is told then",
			"the store has been open for 10m0s; what is missing then is told as “did not come up”",
		}},
		{"long", []string{"People are not told: closed until", ", and silenced by anna until"}, []string{
			"the store has been open for 10m0s; what is missing then is not told to people yet: then it is silenced by anna until",
			"the silence ends; what is still wrong is told then",
		}},
	} {
		_, raw := ask(t, "GET", base+"/v1/explain?store="+c.store+"&host=pos1", "")
		var e dashboard.Explanation
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatalf("%s: %s", err, raw)
		}
		for _, want := range c.says {
			if !strings.Contains(strings.Join(e.Says, "\n"), want) {
				t.Errorf("%s: %q lacks %q", c.store, e.Says, want)
			}
		}
		var nexts []string
		for _, n := range e.Next {
			nexts = append(nexts, n.What)
		}
		if list := strings.Join(nexts, "\n"); !inOrder(list, c.nexts) {
			t.Errorf("%s: next is\n%s\nwant in this order\n%s", c.store, list, strings.Join(c.nexts, "\n"))
		}
	}
}

func inOrder(text string, parts []string) bool {
	for _, p := range parts {
		_, after, ok := strings.Cut(text, p)
		if !ok {
			return false
		}
		text = after
	}
	return true
}
