package dashboard_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// reasons explains with what the code says of a host: broker/testdata, with
// the instants moved to now.
type reasons struct{ now time.Time }

func (r reasons) Explain(_ context.Context, store beat.StoreID, host beat.HostID) (dashboard.Explanation, error) {
	var e dashboard.Explanation
	raw, err := os.ReadFile("../testdata/explanation.json")
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	later := r.now.Sub(e.At)
	e.At, e.Since, e.Store, e.Host = r.now, e.Since.Add(later), store, host
	for i := range e.Next {
		if at := &e.Next[i].At; !at.IsZero() {
			*at = at.Add(later)
		}
	}
	return e, err
}

func TestThePageSaysWhyAndWhatHoldsNoticesBack(t *testing.T) {
	now := time.Now()
	f := demo(now)
	f.lose(now, 2, 5)
	until6 := now.Add(6 * time.Hour)
	f.set(func(f *fake) {
		f.stores[0].Closed, f.stores[0].Opens, f.stores[0].Zone = true, until6, "Europe/Berlin"
		f.stores[0].Tags = map[string]string{"city": "Berlin"}
		f.overview.Incidents[0].Held = &dashboard.Held{Kind: "silence", Why: "silenced by anna until 06:00 CET: new card reader", Until: until6}
		f.overview.Incidents[1].Held = &dashboard.Held{Kind: "ack", Why: "acknowledged by bob: electrician is on his way"}
		f.overview.Rules = []setting.Rule{
			{ID: "1", Kind: setting.Silence, Match: setting.Match{Stores: []string{"demo"}, Hosts: []string{"pos3"}}, From: now, Until: until6, By: "anna", Why: "new card reader"},
			{ID: "2", Kind: setting.Pause, Match: setting.Match{Tags: map[string]string{"city": "Bonn"}}, From: now, Until: now.Add(time.Hour), By: "bob", Why: "<b>migration</b>"},
			{ID: "3", Kind: setting.Ack, Incident: "i-pos6", From: now, By: "bob"},
		}
	})
	srv := httptest.NewServer(newServer(t, f, func(o *dashboard.Options) { o.Explainer = reasons{now} }))
	t.Cleanup(srv.Close)
	ctx := browse(t)

	run(t, ctx, chromedp.Navigate(srv.URL))
	until(t, ctx, "document.querySelectorAll('.rules li').length === 2")
	until(t, ctx, says("1 store, and it is closed"))
	until(t, ctx, says("demo/pos3 until"))
	until(t, ctx, says("<b>migration</b>"))
	until(t, ctx, says("by anna until 06:00 CET: new card reader"))
	until(t, ctx, says("by bob: electrician is on his way"))
	until(t, ctx, "document.querySelector('.store .tag.closed') !== null")
	shoot(t, ctx, "held")

	run(t, ctx, chromedp.Click(`[data-host=pos3] .why`))
	until(t, ctx, "document.querySelector('dialog[open]') !== null")
	until(t, ctx, says("its next beat ends this"))
	until(t, ctx, says("us-west-2 takes us-west-2 for its home"))
	until(t, ctx, `[...document.querySelectorAll('dialog tbody tr')].some((r) => r.innerText.split("\t").map((x) => x.trim()).join("|") === "home|us-east-1|us-west-2, pinned by an operator")`)
	shoot(t, ctx, "explain")
	run(t, ctx, chromedp.Click(`dialog .btn`))
	until(t, ctx, "document.querySelector('dialog') === null")
	run(t, ctx, chromedp.Click(`.facts .why`)) // and again, of the store
	until(t, ctx, "document.querySelector('dialog[open] .name')?.innerText === 'demo'")
}
