package credential

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// what is the kind of our items among the settings (table.SettingKey).
const what = "key"

// readers bounds the partitions that are read at once: one after another, a
// slow table would delay each start by 64 of its answers.
const readers = 16

// record is one region's item of a key. Each is whole: the region that revokes
// a key repeats what the one that made it wrote.
type record struct {
	V       int       `json:"v"`
	Hash    string    `json:"hash"` // SHA-256 of the text, in hexadecimal
	Created time.Time `json:"created,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
	Request
}

func (k *Keyring) item(key Key) table.Item {
	r := record{V: 1, Hash: hex.EncodeToString(key.hash[:]), Created: key.Created, Revoked: key.Revoked, Request: key.Request}
	doc, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("credential: encode: %v", err)) // a plain struct cannot fail
	}
	return table.Item{Key: table.SettingKey(k.o.Region, what, key.ID), Doc: doc, Rev: 1}
}

// decode reads an item; ok is false for a setting that is no key.
func decode(it table.Item) (key Key, ok bool, err error) {
	_, rest, _ := strings.Cut(it.SK, "#")
	kind, id, found := strings.Cut(rest, "#")
	if !found || kind != what {
		return Key{}, false, nil
	}
	var r record
	if err := json.Unmarshal(it.Doc, &r); err != nil {
		return Key{}, false, fmt.Errorf("item %s %s: %w", it.PK, it.SK, err)
	}
	key = Key{ID: id, Request: r.Request, Created: r.Created, Revoked: r.Revoked}
	if len(r.Hash) != hex.EncodedLen(sha256.Size) {
		return Key{}, false, fmt.Errorf("item %s %s: bad hash", it.PK, it.SK)
	}
	if _, err := hex.Decode(key.hash[:], []byte(r.Hash)); err != nil {
		return Key{}, false, fmt.Errorf("item %s %s: %w", it.PK, it.SK, err)
	}
	return key, true, nil
}

// read reads the keys of one partition of the settings.
func (k *Keyring) read(ctx context.Context, pk string) ([]Key, error) {
	ctx, cancel := context.WithTimeout(ctx, k.o.TableTimeout)
	defer cancel()
	items, err := table.QueryAll(ctx, k.o.Table, pk, "")
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", pk, err)
	}
	var keys []Key
	for _, it := range items {
		key, ok, err := decode(it)
		if err != nil {
			// One spoilt item must not lock out everybody else.
			k.log.Error("a key in the table cannot be read, it opens nothing", "err", err)
			continue
		}
		if ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Load reads every key from the table.
func (k *Keyring) Load(ctx context.Context) error {
	found := make([][]Key, table.Buckets)
	g, reads := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for b := range table.Buckets {
		g.Go(func() (err error) {
			found[b], err = k.read(reads, table.SettingsPK(b))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		k.m.Refreshes.WithLabelValues("failed").Inc()
		return err
	}
	all := slices.Concat(found...)
	k.m.Refreshes.WithLabelValues("ok").Inc()
	k.join(all, true)
	return nil
}

// Run loads the keys every RefreshEvery, until ctx ends. While the table does
// not answer, what is known stays.
func (k *Keyring) Run(ctx context.Context) error {
	tick := time.NewTicker(k.o.RefreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := k.Load(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("keys not refreshed", "err", err)
		}
	}
}

// lookUp reads one key that is not in memory, if the limits let it, and says
// whether something was read.
func (k *Keyring) lookUp(ctx context.Context, id string) bool {
	now := time.Now()
	if v := k.misses.allow(id, now); v != allowed {
		k.m.Misses.WithLabelValues(string(v)).Inc()
		return false
	}
	keys, err := k.read(ctx, table.SettingsPK(table.Bucket(id)))
	if err != nil {
		k.m.Misses.WithLabelValues("failed").Inc()
		k.log.Warn("an unknown key was not looked up", "err", err)
		return false
	}
	for i := range keys {
		if keys[i].ID == id {
			k.join(keys, false)
			k.m.Misses.WithLabelValues("found").Inc()
			return true
		}
	}
	k.misses.absent(id, now)
	k.m.Misses.WithLabelValues("absent").Inc()
	return false
}

// Create makes a key and returns its text, which nobody can be shown again.
// Errors are of class ErrInvalid, or the table's; after table.ErrUnknown a key
// that nobody knows may be there: it is in List after the next refresh.
func (k *Keyring) Create(ctx context.Context, r Request) (Key, string, error) {
	if err := r.Validate(); err != nil {
		return Key{}, "", err
	}
	id, text := newText()
	key := Key{ID: id, Request: r, Created: time.Now().UTC().Truncate(time.Millisecond), hash: sha256.Sum256([]byte(text))}
	w := table.Write{Item: k.item(key), If: table.IfAbsent}
	err := k.write(ctx, w)
	if errors.Is(err, table.ErrUnknown) {
		// The id is new: if the second write finds it there, the first did it.
		if err = k.write(ctx, w); errors.Is(err, table.ErrConflict) {
			err = nil
		}
	}
	if err != nil {
		return Key{}, "", fmt.Errorf("write key: %w", err)
	}
	k.join([]Key{key}, false)
	return key, text, nil
}

// Revoke ends a key for ever: here at once, in the other region after the
// table's delay and its refresh. A key that is revoked already stays so. Errors
// are ErrNotFound, ErrStatic, or the table's.
func (k *Keyring) Revoke(ctx context.Context, id string) error {
	known := k.now.Load().byID[id]
	if known == nil {
		k.lookUp(ctx, id)
		known = k.now.Load().byID[id]
	}
	switch {
	case known == nil:
		return ErrNotFound
	case known.Static:
		return ErrStatic
	case !known.Revoked.IsZero():
		return nil
	}
	key := *known
	key.Revoked = time.Now().UTC().Truncate(time.Millisecond)
	w := table.Write{Item: k.item(key)}
	err := k.write(ctx, w)
	if errors.Is(err, table.ErrUnknown) {
		err = k.write(ctx, w) // the same item again does no harm
	}
	if err != nil {
		return fmt.Errorf("write revocation: %w", err)
	}
	k.join([]Key{key}, false)
	return nil
}

func (k *Keyring) write(ctx context.Context, w table.Write) error {
	ctx, cancel := context.WithTimeout(ctx, k.o.TableTimeout)
	defer cancel()
	return k.o.Table.Write(ctx, w)
}

// FirstAdmin makes an admin key where no live one is known, neither in the
// table nor in the configuration, and returns its text to be shown once; "" is
// a region that has one. Call it after Load, on the active node.
func (k *Keyring) FirstAdmin(ctx context.Context) (string, error) {
	for _, key := range k.now.Load().byID {
		if key.has(Admin) && key.Store == "" && key.Live() {
			return "", nil
		}
	}
	_, text, err := k.Create(ctx, Request{Name: "first admin", Roles: []Role{Admin}})
	return text, err
}
