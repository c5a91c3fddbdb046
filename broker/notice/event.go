package notice

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// EventType is the type of every event.
const EventType = "hb.notice.v1"

// Event is the contract's CloudEvent: what programs get.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	Type            string    `json:"type"`
	Source          string    `json:"source"`
	ID              string    `json:"id"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// Data is the event's data; absent fields are left out.
type Data struct {
	Title    string   `json:"title"`
	Text     string   `json:"text"`
	Severity Severity `json:"severity"`
	// ChannelKey is the same for the same transitions on the same channel,
	// whichever region tells them and however often: a receiver that has seen
	// it may drop the event.
	ChannelKey string          `json:"channelKey"`
	SeenFrom   []beat.Region   `json:"seenFrom,omitempty"`
	Items      []incident.Item `json:"items"`
	// More counts the items that did not fit.
	More int `json:"more,omitempty"`
	// Suppressed says that people are not told now, and Why; Quiet that nobody
	// need wake.
	Suppressed bool   `json:"suppressed,omitempty"`
	Why        string `json:"why,omitempty"`
	Quiet      bool   `json:"quiet,omitempty"`
	Link       string `json:"link,omitempty"`
}

func event(n incident.Notice, m Message, o RenderOptions) ([]byte, error) {
	items := fit(n.Items)
	return encode(Event{
		SpecVersion: "1.0", Type: EventType, Source: o.Source, ID: n.ID, Time: n.At.UTC(), DataContentType: "application/json",
		Data: Data{
			Title: m.Title, Text: m.Text, Severity: m.Severity, ChannelKey: channelKey(n.Items, o.Channel),
			SeenFrom: n.SeenFrom, Items: items, More: len(n.Items) - len(items), Link: link(n, o),
			Suppressed: n.Suppressed, Why: n.Why, Quiet: n.Quiet,
		},
	})
}

// encode is JSON without the escapes that only a page needs: they cost room.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// fit cleans the items, and keeps as many as MaxEvent holds.
func fit(items []incident.Item) []incident.Item {
	out := make([]incident.Item, 0, len(items))
	size := 0
	for _, it := range items {
		it.Since = it.Since.UTC()
		it.Message = beat.CutText(it.Message, maxItemText)
		if size += it.Quoted(); size > MaxEvent {
			break
		}
		out = append(out, it)
	}
	return out
}

const maxItemText = 256

// channelKey hashes the notice's transitions, in no order, for one channel.
func channelKey(items []incident.Item, channel incident.Channel) string {
	lines := make([]string, 0, len(items))
	for i := range items {
		lines = append(lines, fmt.Sprintf("%s %d\n", items[i].Incident, items[i].K))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(string(channel) + "\n" + strings.Join(lines, "")))
	return hex.EncodeToString(sum[:16])
}
