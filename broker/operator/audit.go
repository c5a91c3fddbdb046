package operator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Audit is one line of what operators did.
type Audit struct {
	ID     string      `json:"id"`
	At     time.Time   `json:"at"`
	Region beat.Region `json:"region"`
	// Who called itself so, with the key of this id, from this address.
	Who  string `json:"who,omitempty"`
	Key  string `json:"key,omitempty"`
	From string `json:"from,omitempty"`
	// Action is a word or two; What is what it was done to, at most maxWhat;
	// Count is how many there were.
	Action string   `json:"action"`
	What   []string `json:"what,omitempty"`
	Count  int      `json:"count"`
}

// maxWhat bounds a line: a file of 50,000 stores is one.
const maxWhat = 100

type auditDoc struct {
	V int `json:"v"`
	Audit
}

// Note writes a line about a change that was made elsewhere, such as of a key.
// The change stands, whatever becomes of the line.
func (d *Desk) Note(ctx context.Context, who Actor, action string, what ...string) {
	d.work.Lock()
	defer d.work.Unlock()
	d.audit(context.WithoutCancel(ctx), who, action, what)
	d.log.Info("operators' change", "action", action, "what", strings.Join(what, ", "), "who", who.name(), "key", who.Key, "from", who.From)
}

// audit writes a line, or says in the log that there is none. d.work is held.
func (d *Desk) audit(ctx context.Context, who Actor, action string, what []string) {
	if err := d.writeLine(ctx, who, action, what); err != nil {
		d.log.Error("a change has no line in the audit", "action", action, "what", strings.Join(what, ", "), "who", who.name(), "key", who.Key, "from", who.From, "err", err)
	}
}

// writeLine writes a line. d.work is held.
func (d *Desk) writeLine(ctx context.Context, who Actor, action string, what []string) error {
	at := d.o.Now().UTC()
	a := Audit{
		ID: d.newID(), At: at.Truncate(time.Millisecond), Region: d.o.Region, Who: beat.CutText(who.Name, 64), Key: who.Key, From: who.From,
		Action: action, What: what, Count: len(what),
	}
	if len(a.What) > maxWhat {
		a.What = a.What[:maxWhat]
	}
	doc, err := json.Marshal(auditDoc{1, a})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return d.write(ctx, table.Write{Item: table.Item{
		Key: table.AuditKey(d.o.Region, at, a.ID), Doc: doc, Rev: 1, Expires: at.Add(d.o.AuditFor),
	}})
}

// Audited are the lines of a UTC day, of both regions, newest first. The error
// is ErrUnavailable.
func (d *Desk) Audited(ctx context.Context, day time.Time) ([]Audit, error) {
	ctx, cancel := context.WithTimeout(ctx, d.o.TableTimeout)
	defer cancel()
	items, err := table.QueryAll(ctx, d.o.Table, table.AuditPK(day), "")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var out []Audit
	for _, it := range items {
		var doc auditDoc
		if json.Unmarshal(it.Doc, &doc) != nil || doc.V != 1 {
			d.m.Unread.WithLabelValues("audit").Inc()
			continue
		}
		out = append(out, doc.Audit)
	}
	slices.SortFunc(out, func(a, b Audit) int { return cmp.Compare(b.ID, a.ID) })
	return out, nil
}
