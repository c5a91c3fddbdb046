package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Actor is who asks for a change.
type Actor struct {
	// Key is the id of the API key, Name what the person calls itself (default:
	// the key), From the address that the call came from.
	Key, Name, From string
}

func (a Actor) name() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Key
}

// afterwards is how long an ended rule's document stays in the table: longer
// than any document of it may be late.
const afterwards = 7 * 24 * time.Hour

// here says whether stores and pins are written in this region.
func (d *Desk) here() error {
	if d.o.Region == d.o.SettingsRegion {
		return nil
	}
	return fmt.Errorf("%w: stores and pins are written in %s, and this is %s; ask %s, or, if it is gone for long, set settingsRegion in both configurations",
		ErrElsewhere, d.o.SettingsRegion, d.o.Region, d.o.SettingsRegion)
}

// put writes the next version of a setting. d.work is held; the caller
// publishes.
func (d *Desk) put(ctx context.Context, who Actor, s setting.Setting) (setting.Setting, error) {
	old, _, _ := d.latest(s.Key())
	s.Version, s.At, s.By = old.Version+1, d.o.Now().UTC().Truncate(time.Millisecond), beat.CutText(who.name(), 64)
	if err := d.validate(&s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	doc, err := setting.Encode(&s)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	w := table.Write{If: table.IfAbsent, Item: table.Item{
		Key: table.OperatorKey(d.o.Region, string(s.Kind), s.ID), Doc: doc, Rev: s.Version, Expires: expires(&s, &old.Setting),
	}}
	if own, ok := d.own(s.Key()); ok {
		w.If, w.Rev = table.IfRev, own
	}
	err = d.write(ctx, w)
	if errors.Is(err, table.ErrUnknown) {
		// If it is there, the first write did it.
		if err = d.write(ctx, w); errors.Is(err, table.ErrConflict) && d.stands(ctx, w.Item) {
			err = nil
		}
	}
	d.m.Writes.WithLabelValues(table.Outcome(err)).Inc()
	switch {
	case err == nil:
	case errors.Is(err, table.ErrConflict):
		// Not as it was remembered: it is read before the next change.
		d.readSoon(table.Bucket(s.ID))
		return s, fmt.Errorf("%s %s: %w", s.Kind, s.ID, ErrConflict)
	default:
		return s, fmt.Errorf("%w: write %s %s: %w", ErrUnavailable, s.Kind, s.ID, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	b := table.Bucket(s.ID)
	if d.known[b] == nil {
		d.known[b] = map[owned]kept{}
	}
	d.known[b][owned{d.o.Region, s.Key()}] = keep(s)
	return s, nil
}

func (d *Desk) validate(s *setting.Setting) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.compiler.Validate(s)
}

// readSoon lets the next refresh read a partition.
func (d *Desk) readSoon(b int) {
	now := d.o.Now()
	d.writing.Lock()
	defer d.writing.Unlock()
	d.again[b] = again{at: now, pause: d.o.RefreshEvery}
}

// expires is when a document may vanish: a declaration's, and that of its
// deletion, never does.
func expires(s, old *setting.Setting) time.Time {
	rule := s.Rule
	if rule == nil {
		rule = old.Rule
	}
	switch {
	case s.Kind == setting.Declared || s.Kind == setting.Pin:
		return time.Time{}
	case rule == nil || rule.Until.IsZero():
		return s.At.Add(setting.MaxRule)
	default:
		return rule.Until.Add(afterwards)
	}
}

// own is the version of this region's own document.
func (d *Desk) own(key setting.Key) (int64, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	k, ok := d.known[table.Bucket(key.ID)][owned{d.o.Region, key}]
	return k.Version, ok
}

func (d *Desk) write(ctx context.Context, w table.Write) error {
	ctx, cancel := context.WithTimeout(ctx, d.o.TableTimeout)
	defer cancel()
	return d.o.Table.Write(ctx, w)
}

// stands says whether the table has just that item.
func (d *Desk) stands(ctx context.Context, it table.Item) bool {
	ctx, cancel := context.WithTimeout(ctx, d.o.TableTimeout)
	defer cancel()
	page, err := d.o.Table.Query(ctx, it.PK, it.SK, "", 1)
	return err == nil && len(page.Items) == 1 && page.Items[0].SK == it.SK && string(page.Items[0].Doc) == string(it.Doc)
}

// finish tells what was changed: this region's head, the audit and a snapshot.
// d.work is held. The changes stand, whatever becomes of it.
func (d *Desk) finish(ctx context.Context, who Actor, action string, what []string, changed []setting.Key) {
	h, now := d.heads[d.o.Region], d.o.Now()
	for _, key := range changed {
		h[table.Bucket(key.ID)] = now.UnixNano()
	}
	d.heads[d.o.Region] = h
	doc, err := json.Marshal(headDoc{V: 1, Stamps: h[:]})
	if err != nil {
		panic(fmt.Sprintf("operator: encode: %v", err)) // numbers cannot fail
	}
	if err := d.write(ctx, table.Write{Item: table.Item{Key: table.OperatorHeadKey(d.o.Region), Doc: doc, Rev: 1}}); err != nil {
		d.log.Warn("the other region hears of this change with its hourly reading only", "err", err)
	}
	d.audit(ctx, who, action, what)
	d.log.Info("operators' settings changed", "action", action, "count", len(what), "who", who.name(), "key", who.Key, "from", who.From)
	d.publish()
}

// newID makes an id: those that are made later sort later. d.work is held.
func (d *Desk) newID() string {
	return strings.ToLower(ulid.MustNew(ulid.Timestamp(d.o.Now()), d.ids).String())
}

// repeated is the rule that a call which is made once more made before: who got
// no answer asks again, here or in the other region. Another rule of that id is
// ErrConflict. d.work is held.
func (d *Desk) repeated(r *setting.Rule) (is *setting.Rule, err error) {
	it, _, ok := d.latest(setting.Key{Kind: r.Kind, ID: r.ID})
	switch {
	case !ok:
		return nil, nil
	case it.Deleted || it.Rule == nil || it.Rule.Incident != r.Incident || !it.Rule.Equal(&r.Match):
		return nil, fmt.Errorf("%s %.64q was ended, or is of something else: %w", r.Kind, r.ID, ErrConflict)
	default:
		return it.Rule, nil
	}
}

// Begin makes a silence, pause, maintenance window or acknowledgement. Its By is
// ours, and its ID where it has none; a zero From is now.
func (d *Desk) Begin(ctx context.Context, who Actor, r setting.Rule) (setting.Rule, error) {
	d.work.Lock()
	defer d.work.Unlock()
	if r.ID == "" {
		r.ID = d.newID()
	} else if is, err := d.repeated(&r); err != nil || is != nil {
		if is != nil {
			r = *is
		}
		return r, err
	}
	r.By = beat.CutText(who.name(), 64)
	now := d.o.Now().UTC().Truncate(time.Second)
	if r.From.IsZero() {
		r.From = now
	}
	if r.Over(now) {
		return r, fmt.Errorf("%w: until: %s is over already", ErrInvalid, r.Until.Format(time.RFC3339))
	}
	r.From, r.Until = r.From.UTC().Truncate(time.Second), r.Until.UTC().Truncate(time.Second)
	s, err := d.put(ctx, who, setting.Setting{Kind: r.Kind, ID: r.ID, Rule: &r})
	if err != nil {
		return r, err
	}
	d.finish(ctx, who, "begin "+string(r.Kind), []string{describe(&r)}, []setting.Key{s.Key()})
	return r, nil
}

// End ends a rule before its time. One that is over already is ErrNotFound.
func (d *Desk) End(ctx context.Context, who Actor, kind setting.Kind, id string) error {
	d.work.Lock()
	defer d.work.Unlock()
	it, _, ok := d.latest(setting.Key{Kind: kind, ID: id})
	if !ok || it.Deleted || it.Rule == nil || it.Rule.Over(d.o.Now()) {
		return fmt.Errorf("%s %.64q: %w, or it is over", kind, id, ErrNotFound)
	}
	s, err := d.put(ctx, who, setting.Setting{Kind: kind, ID: id, Deleted: true})
	if err != nil {
		return err
	}
	d.finish(ctx, who, "end "+string(kind), []string{describe(it.Rule)}, []setting.Key{s.Key()})
	return nil
}

// Rules are those that are not over, in force or still to come.
func (d *Desk) Rules() []setting.Rule { return d.Fleet().Rules(d.o.Now()) }

// SetPin makes a region tell a store's incidents; "" ends the pin.
func (d *Desk) SetPin(ctx context.Context, who Actor, store beat.StoreID, region beat.Region) error {
	if err := d.here(); err != nil {
		return err
	}
	d.work.Lock()
	defer d.work.Unlock()
	changed, err := d.pin(ctx, who, store, region)
	if err == nil && changed {
		d.finish(ctx, who, "pin", []string{fmt.Sprintf("%s to %s", store, orNone(region))}, []setting.Key{{Kind: setting.Pin, ID: string(store)}})
	}
	return err
}

func orNone(region beat.Region) string {
	if region == "" {
		return setting.NoPin
	}
	return string(region)
}

// pin writes a pin that is not there yet. d.work is held.
func (d *Desk) pin(ctx context.Context, who Actor, store beat.StoreID, region beat.Region) (changed bool, err error) {
	if region != "" && len(d.o.Regions) > 0 && !slices.Contains(d.o.Regions, region) {
		return false, fmt.Errorf("%w: pin: %s is not among the regions %v", ErrInvalid, region, d.o.Regions)
	}
	old, _, ok := d.latest(setting.Key{Kind: setting.Pin, ID: string(store)})
	if ok = ok && !old.Deleted; !ok && region == "" || ok && old.Pin == region {
		return false, nil
	}
	_, err = d.put(ctx, who, setting.Setting{Kind: setting.Pin, ID: string(store), Pin: region, Deleted: region == ""})
	return err == nil, err
}

// describe is a rule for the audit.
func describe(r *setting.Rule) string {
	what := r.Words()
	if r.Incident != "" {
		what = "incident " + r.Incident
	}
	if !r.Until.IsZero() {
		what += " until " + r.Until.UTC().Format(time.RFC3339)
	}
	if r.Why != "" {
		what += ": " + r.Why
	}
	return fmt.Sprintf("%s (%s)", beat.CutText(what, 1000), r.ID)
}
