package demo_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// event is a notice as the webhook gets it.
type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
		Title    string   `json:"title"`
		SeenFrom []string `json:"seenFrom"`
		Items    []item   `json:"items"`
		More     int      `json:"more"`
		// Suppressed: people were not told.
		Suppressed bool `json:"suppressed"`
	} `json:"data"`
}

type item struct {
	Kind, Change, Store, Host, Incident string
	K                                   int
	DurationMs                          int64
}

func (i item) String() string {
	return fmt.Sprintf("%s %s %s/%s", i.Kind, i.Change, i.Store, i.Host)
}

// receiver is the webhook's other end.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex // guards what follows
	items  []item
	events []event
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var e event
		if err := json.NewDecoder(req.Body).Decode(&e); err != nil || e.Type != "hb.notice.v1" {
			t.Errorf("the webhook got no notice: %v, type %q", err, e.Type)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.items = append(r.items, e.Data.Items...)
		r.events = append(r.events, e)
	}))
	t.Cleanup(r.Close)
	return r
}

// about are the items of a store's host, or of the store itself ("").
func (r *receiver) about(store, host string) []item {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []item
	for _, i := range r.items {
		if i.Store == store && i.Host == host {
			found = append(found, i)
		}
	}
	return found
}

// count is how many items came in all.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.items)
}

// since are the items that came after the first n.
func (r *receiver) since(n int) []item {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]item(nil), r.items[n:]...)
}

// messages is how many came in all.
func (r *receiver) messages() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// suppressed says whether people were not told of the last message.
func (r *receiver) suppressed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events) > 0 && r.events[len(r.events)-1].Data.Suppressed
}

// of is how many messages after the first n are about a change.
func (r *receiver) of(n int, change string) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events[n:] {
		if len(e.Data.Items) > 0 && e.Data.Items[0].Change == change {
			count++
		}
	}
	return count
}

// stores is in how many messages after the first n each store has a change,
// and how many more stores those that are too long to list all of them count.
func (r *receiver) stores(n int, change string) (in map[string]int, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in = map[string]int{}
	for _, e := range r.events[n:] {
		for _, i := range e.Data.Items {
			if i.Store != "" && i.Host == "" && i.Change == change {
				in[i.Store]++
			}
		}
		if len(e.Data.Items) > 0 && e.Data.Items[0].Change == change {
			more += e.Data.More
		}
	}
	return in, more
}
