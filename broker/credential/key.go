package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
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
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Store binds a key to one store ("": every store). Only beats and relays
	// have it: what reads or administers is of the fleet.
	Store beat.StoreID `json:"store,omitempty"`
	// Relay binds a login to one relay of Store ("": each of them).
	Relay beat.RelayID `json:"relay,omitempty"`
}

const maxName = 64

// Validate returns an error of class ErrInvalid that says what is wrong.
func (r Request) Validate() error {
	switch r.Role {
	case Beat, Relay:
	case Read, Admin:
		if r.Store != "" {
			return fmt.Errorf("%w: a key of role %s is of the fleet, it names no store", ErrInvalid, r.Role)
		}
	default:
		return fmt.Errorf("%w: the role is one of %s, %s, %s and %s", ErrInvalid, Beat, Read, Admin, Relay)
	}
	if r.Name != beat.CutText(r.Name, maxName) {
		return fmt.Errorf("%w: a name is at most %d bytes of plain text", ErrInvalid, maxName)
	}
	if r.Store != "" {
		if _, err := beat.ParseStoreID(string(r.Store)); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if r.Relay == "" {
		return nil
	}
	if r.Role != Relay || r.Store == "" {
		return fmt.Errorf("%w: only a login of role %s with a store names a relay", ErrInvalid, Relay)
	}
	if _, err := beat.ParseRelayID(string(r.Relay)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

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
	return k.Role == Relay && (k.Store == "" || k.Store == id.Store) && (k.Relay == "" || k.Relay == id.Relay)
}

// Grant is what one key text opens over HTTP.
type Grant struct {
	// Beat is whether it posts beats: for Store, or for all where it is "".
	Beat  bool
	Store beat.StoreID
	Read  bool
	Admin bool
}

// MayBeat says whether the grant posts beats of that store.
func (g Grant) MayBeat(store beat.StoreID) bool { return g.Beat && (g.Store == "" || g.Store == store) }

func (g *Grant) add(k *Key) {
	switch k.Role {
	case Beat:
		g.Beat, g.Store = true, k.Store
	case Read:
		g.Read = true
	case Admin:
		g.Read, g.Admin = true, true
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
