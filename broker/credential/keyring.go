package credential

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// DefaultRefreshEvery is how late a key that the other region made or
	// revoked is known here, the table's own delay apart.
	DefaultRefreshEvery = 60 * time.Second
	// DefaultTableTimeout bounds one read of a partition: a client waits for it
	// when its key is not known yet.
	DefaultTableTimeout = 2 * time.Second
	// DefaultMissRate is how many unknown keys are looked up in the table, in a
	// second: guesses must not become the table's bill.
	DefaultMissRate = 5
	// DefaultMissTTL is how long a key that the table did not have is not
	// looked up again.
	DefaultMissTTL = 10 * time.Second
)

// Static is a key of the configuration. Its text is the operator's own: any
// text will do, and a short one is the operator's risk.
type Static struct {
	Request
	Text string
}

// Options are what a Keyring is made of.
type Options struct {
	// Region is the head of the sort keys that this node writes.
	Region beat.Region
	Table  table.Table
	// Static are the keys of the configuration. Two may have one text, with
	// different roles.
	Static []Static

	RefreshEvery time.Duration
	TableTimeout time.Duration
	MissRate     float64
	MissTTL      time.Duration

	Logger  *slog.Logger
	Metrics *Metrics
}

// DefaultOptions lack Region and Table.
func DefaultOptions() Options {
	return Options{
		RefreshEvery: DefaultRefreshEvery, TableTimeout: DefaultTableTimeout,
		MissRate: DefaultMissRate, MissTTL: DefaultMissTTL,
	}
}

func (o *Options) validate() error {
	if _, err := beat.ParseRegion(string(o.Region)); err != nil {
		return err
	}
	if o.Table == nil {
		return errors.New("credential: no table")
	}
	if o.RefreshEvery <= 0 || o.TableTimeout <= 0 || o.MissRate <= 0 || o.MissTTL <= 0 {
		return errors.New("credential: refresh, timeout, miss rate and miss time must be above 0")
	}
	for i, s := range o.Static {
		if s.Text == "" {
			return fmt.Errorf("credential: static key %d has no text", i+1)
		}
		if err := s.Validate(); err != nil {
			return fmt.Errorf("credential: static key %d: %w", i+1, err)
		}
		for j := range i {
			if o.Static[j].doubles(&s) {
				return fmt.Errorf("credential: static keys %d and %d have one text and one role", j+1, i+1)
			}
		}
	}
	return nil
}

// doubles says that two keys leave it open what their text opens. Relay logins
// do not: each is for its own relays.
func (s *Static) doubles(other *Static) bool {
	return s.Text == other.Text && slices.ContainsFunc(s.Roles, func(r Role) bool { return r != Relay && other.has(r) })
}

// Keyring holds every key that a region knows. Its methods may be called from
// any goroutine; Grant and Login cost a hash and a map's look-up.
type Keyring struct {
	o      Options
	log    *slog.Logger
	m      *Metrics
	misses *misses

	// now is the snapshot that readers use without a lock.
	now atomic.Pointer[snapshot]
	// mu guards the replacement of the snapshot.
	mu sync.Mutex
}

// New checks the options. The keyring knows the static keys at once, and the
// table's after Load.
func New(o Options) (*Keyring, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	k := &Keyring{o: o, log: o.Logger, m: o.Metrics, misses: newMisses(o.MissRate, o.MissTTL)}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.m == nil {
		k.m = NewMetrics(nil)
	}
	var static []Key
	for i, s := range o.Static {
		static = append(static, Key{
			ID: fmt.Sprintf("static-%d", i+1), Request: s.Request, Static: true, hash: sha256.Sum256([]byte(s.Text)),
		})
	}
	k.now.Store(newSnapshot(nil, static, false))
	return k, nil
}

// Grant says what a key text opens over HTTP; it may read the table once. The
// errors are ErrForbidden, and ErrUnavailable where the table's keys were never
// read.
func (k *Keyring) Grant(ctx context.Context, text string) (Grant, error) {
	found, err := k.find(ctx, text, func(key *Key) bool { return !key.has(Relay) })
	if err != nil {
		return Grant{}, err
	}
	var g Grant
	for _, key := range found {
		g.add(key)
	}
	return g, nil
}

// Login says whether user, which is store/relay, may log in with password. Its
// errors are those of Grant.
func (k *Keyring) Login(ctx context.Context, user string, password []byte) (Login, error) {
	id, err := beat.ParseIdentity(user)
	if err != nil {
		return Login{}, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	found, err := k.find(ctx, string(password), func(key *Key) bool { return key.login(id) })
	if err != nil {
		return Login{}, err
	}
	return Login{ID: id, Key: found[0].ID}, nil
}

// Live says whether the key with this id opens anything: a session outlives
// the instant at which its password was checked, not the key.
func (k *Keyring) Live(id string) bool {
	key := k.now.Load().byID[id]
	return key != nil && key.Live()
}

// List is every key, by age; revoked ones too (see Key.Live); those of the
// configuration first.
func (k *Keyring) List() []Key {
	snap := k.now.Load()
	out := make([]Key, 0, len(snap.byID))
	for _, key := range snap.byID {
		out = append(out, *key)
	}
	slices.SortFunc(out, func(a, b Key) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// find returns the live keys of a text that fit, at least one.
func (k *Keyring) find(ctx context.Context, text string, fits func(*Key) bool) ([]*Key, error) {
	if text == "" || len(text) > maxText {
		return nil, ErrForbidden
	}
	hash := digest(sha256.Sum256([]byte(text)))
	snap := k.now.Load()
	if found := snap.live(hash, fits); len(found) > 0 {
		return found, nil
	}
	id, ok := idOf(text)
	if !ok || snap.byID[id] != nil {
		return nil, snap.refuse()
	}
	if !k.lookUp(ctx, id) {
		return nil, snap.refuse()
	}
	if found := k.now.Load().live(hash, fits); len(found) > 0 {
		return found, nil
	}
	return nil, ErrForbidden
}

// maxText is the longest text that is worth a hash.
const maxText = 512

// join takes what was read or written into the snapshot.
func (k *Keyring) join(keys []Key, loaded bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.now.Load()
	snap := newSnapshot(old, keys, loaded)
	k.now.Store(snap)
	k.m.Keys.Set(float64(len(snap.byID)))
}

// snapshot is never changed once it is made.
type snapshot struct {
	byID   map[string]*Key
	byHash map[digest][]*Key
	loaded bool
}

// newSnapshot joins keys to old (nil: nothing). It never takes a key or a
// revocation back.
func newSnapshot(old *snapshot, keys []Key, loaded bool) *snapshot {
	s := &snapshot{byID: make(map[string]*Key), byHash: make(map[digest][]*Key), loaded: loaded}
	if old != nil {
		s.loaded = s.loaded || old.loaded
		maps.Copy(s.byID, old.byID)
	}
	for i := range keys {
		key := keys[i]
		if was := s.byID[key.ID]; was != nil {
			key = joined(*was, key)
		}
		s.byID[key.ID] = &key
	}
	for _, key := range s.byID {
		if key.Live() {
			s.byHash[key.hash] = append(s.byHash[key.hash], key)
		}
	}
	for _, same := range s.byHash {
		slices.SortFunc(same, func(a, b *Key) int { return strings.Compare(a.ID, b.ID) })
	}
	return s
}

// joined is the same whichever comes first: the regions' items of a key differ
// in the revocation only, and the earlier one stands.
func joined(a, b Key) Key {
	if a.Revoked.IsZero() || !b.Revoked.IsZero() && b.Revoked.Before(a.Revoked) {
		a.Revoked = b.Revoked
	}
	return a
}

func (s *snapshot) live(hash digest, fits func(*Key) bool) []*Key {
	var found []*Key
	for _, key := range s.byHash[hash] {
		if key.hash.equal(hash) && fits(key) {
			found = append(found, key)
		}
	}
	return found
}

// refuse is the error for a text that the snapshot does not have.
func (s *snapshot) refuse() error {
	if !s.loaded {
		return ErrUnavailable
	}
	return ErrForbidden
}
