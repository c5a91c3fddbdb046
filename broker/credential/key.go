package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Role is what a key is for. A role includes no other, but Admin reads too: a
// key that leaks from a till's crontab can beat, and nothing else.
type Role string

// The roles.
const (
	// Beat posts beats over HTTP, for one store or for all.
	Beat Role = "beat"
	// Read reads the API and the dashboard.
	Read Role = "read"
	// Admin changes what the API changes, keys included, and reads.
	Admin Role = "admin"
	// Relay is the password of relays at the MQTT door.
	Relay Role = "relay"
)

// The errors that an answer to a person or a client is made of.
var (
	// ErrForbidden is a text that opens nothing here.
	ErrForbidden = errors.New("no such key")
	// ErrUnavailable is a text that cannot be judged: the keys were never read.
	ErrUnavailable = errors.New("the keys cannot be read")
	// ErrNotFound is an id that no key has.
	ErrNotFound = errors.New("no key has this id")
	// ErrStatic is a key of the configuration: it ends where it was written.
	ErrStatic = errors.New("the key is in the configuration")
	// ErrInvalid is a key that may not be made as it was asked for.
	ErrInvalid = errors.New("invalid key")
)

// Request is a key that somebody asks for.
type Request struct {
	// Name is for people: who has the key, or where it is. At most 64 bytes.
	Name string `json:"name,omitempty"`
	// Roles are at least one, each once. Relay is alone: a relay's password
	// opens no API.
	Roles []Role `json:"roles"`
	// Store binds the key to one store ("": every store).
	Store beat.StoreID `json:"store,omitempty"`
	// Relay binds a login to one relay of Store ("": each of them).
	Relay beat.RelayID `json:"relay,omitempty"`
}

const maxName = 64

// Validate returns an error of class ErrInvalid that says what is wrong.
func (r Request) Validate() error {
	if len(r.Roles) == 0 {
		return fmt.Errorf("%w: name at least one role", ErrInvalid)
	}
	for i, role := range r.Roles {
		switch {
		case role != Beat && role != Read && role != Admin && role != Relay:
			return fmt.Errorf("%w: role %q is not one of %s, %s, %s and %s",
				ErrInvalid, beat.CutText(string(role), maxName), Beat, Read, Admin, Relay)
		case slices.Contains(r.Roles[:i], role):
			return fmt.Errorf("%w: role %s is there twice", ErrInvalid, role)
		case role == Relay && len(r.Roles) > 1:
			return fmt.Errorf("%w: a login of role %s has no other role", ErrInvalid, Relay)
		}
	}
	if r.Name != beat.CutText(r.Name, maxName) {
		return fmt.Errorf("%w: a name is at most %d bytes of plain text", ErrInvalid, maxName)
	}
	return r.validateNames()
}

func (r Request) validateNames() error {
	if r.Store != "" {
		if _, err := beat.ParseStoreID(string(r.Store)); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if r.Relay == "" {
		return nil
	}
	if r.Store == "" || !r.has(Relay) {
		return fmt.Errorf("%w: only a login of role %s with a store names a relay", ErrInvalid, Relay)
	}
	if _, err := beat.ParseRelayID(string(r.Relay)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func (r *Request) has(role Role) bool { return slices.Contains(r.Roles, role) }

// Key is what people may see of a key: everything but its text.
type Key struct {
	ID string `json:"id"`
	Request
	Created time.Time `json:"created,omitzero"`
	// Revoked is when the key ended; zero: it opens.
	Revoked time.Time `json:"revoked,omitzero"`
	// Static is a key of the configuration.
	Static bool `json:"static,omitempty"`

	hash digest
}

// Live says whether the key opens anything.
func (k *Key) Live() bool { return k.Revoked.IsZero() }

// login says whether the key is the password of that relay.
func (k *Key) login(id beat.Identity) bool {
	return k.has(Relay) && (k.Store == "" || k.Store == id.Store) && (k.Relay == "" || k.Relay == id.Relay)
}

// Grant is what one key text opens over HTTP. In the configuration one text may
// be several keys: what they open is together here.
type Grant struct {
	// Key is the id of the key, for the audit.
	Key string
	// Beat is whether it posts beats: for BeatStore, or for all where it is "".
	Beat      bool
	BeatStore beat.StoreID
	// Read and Admin are of the API, for Store, or for the fleet where it is "".
	Read, Admin bool
	Store       beat.StoreID
}

// MayBeat says whether the grant posts beats of that store.
func (g Grant) MayBeat(store beat.StoreID) bool {
	return g.Beat && (g.BeatStore == "" || g.BeatStore == store)
}

func (g *Grant) add(k *Key) {
	if k.has(Beat) {
		g.Beat, g.BeatStore = true, k.Store
	}
	// An admin's scope outweighs a reader's.
	if admin := k.has(Admin); admin || k.has(Read) && !g.Read {
		g.Read, g.Admin, g.Store = true, g.Admin || admin, k.Store
	}
	if g.Key == "" || k.has(Admin) {
		g.Key = k.ID
	}
}

// Login is what one user name and password open at the MQTT door.
type Login struct {
	ID beat.Identity
	// Key is the id of the key that the password is (see Keyring.Live).
	Key string
}

type digest [sha256.Size]byte

func (d digest) equal(other digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

const (
	// textPrefix lets secret scanners, and people, see what leaked.
	textPrefix  = "hbk_"
	idBytes     = 8  // 13 characters; an id is no secret, it must only be new
	secretBytes = 20 // 160 bits, 32 characters
)

// letters have no capitals and nothing that must be escaped in a URL, a YAML
// file or a shell.
var letters = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// newText makes a key's id and text.
func newText() (id, text string) {
	var raw [idBytes + secretBytes]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	id = letters.EncodeToString(raw[:idBytes])
	return id, textPrefix + id + "_" + letters.EncodeToString(raw[idBytes:])
}

// idOf reads the id out of a text that newText may have made.
func idOf(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, textPrefix)
	if !ok {
		return "", false
	}
	id, secret, ok := strings.Cut(rest, "_")
	if !ok || len(id) != letters.EncodedLen(idBytes) || len(secret) != letters.EncodedLen(secretBytes) {
		return "", false
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '2' || c > '9') {
			return "", false
		}
	}
	return id, true
}
