package beat

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Errors that the parsers of names return, wrapped with the name at fault.
var (
	ErrStoreID  = errors.New("a store id is 1 to 63 of a-z, 0-9 and -, and starts with a letter or digit")
	ErrRelayID  = errors.New("a relay id is 1 to 63 of a-z, 0-9 and -, and starts with a letter or digit")
	ErrRegion   = errors.New("a region is 1 to 63 of a-z, 0-9 and -, and starts with a letter or digit")
	ErrHostID   = errors.New("a host id is 1 to 100 of A-Z, a-z, 0-9, ., _ and -, and starts with a letter or digit")
	ErrIdentity = errors.New("an identity is store/relay")
)

const (
	maxLabel  = 63
	maxHostID = 100

	// MaxHosts is how many hosts one relay watches.
	MaxHosts = 256
)

type (
	// StoreID names a restaurant: [a-z0-9][a-z0-9-]{0,62}.
	StoreID string
	// RelayID names the appliance in a store; its grammar is a store's.
	RelayID string
	// HostID names a computer within its store: [A-Za-z0-9][A-Za-z0-9._-]{0,99}.
	HostID string
	// Region names where a broker runs, for example us-east-1; its grammar is a store's.
	Region string
)

// Identity is who a relay is: its store and its own id. Its text, store/relay,
// is the relay's MQTT user name and client id.
type Identity struct {
	Store StoreID
	Relay RelayID
}

func (i Identity) String() string { return string(i.Store) + "/" + string(i.Relay) }

// ParseStoreID returns ErrStoreID, wrapped, for anything that is no store id.
func ParseStoreID(s string) (StoreID, error) {
	if !isLabel(s) {
		return "", fmt.Errorf("store %q: %w", clip(s), ErrStoreID)
	}
	return StoreID(s), nil
}

// ParseRelayID returns ErrRelayID, wrapped, for anything that is no relay id.
func ParseRelayID(s string) (RelayID, error) {
	if !isLabel(s) {
		return "", fmt.Errorf("relay %q: %w", clip(s), ErrRelayID)
	}
	return RelayID(s), nil
}

// ParseRegion returns ErrRegion, wrapped, for anything that is no region.
func ParseRegion(s string) (Region, error) {
	if !isLabel(s) {
		return "", fmt.Errorf("region %q: %w", clip(s), ErrRegion)
	}
	return Region(s), nil
}

// ParseHostID returns ErrHostID, wrapped, for anything that is no host id.
func ParseHostID(s string) (HostID, error) {
	if !validHostID(s) {
		return "", fmt.Errorf("host %q: %w", clip(s), ErrHostID)
	}
	return HostID(s), nil
}

// ParseIdentity reads store/relay; it returns ErrIdentity, ErrStoreID or
// ErrRelayID, wrapped.
func ParseIdentity(s string) (Identity, error) {
	store, relay, ok := strings.Cut(s, "/")
	if !ok {
		return Identity{}, fmt.Errorf("identity %q: %w", clip(s), ErrIdentity)
	}
	st, err := ParseStoreID(store)
	if err != nil {
		return Identity{}, err
	}
	re, err := ParseRelayID(relay)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Store: st, Relay: re}, nil
}

func isLabel(s string) bool {
	if len(s) == 0 || len(s) > maxLabel || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func validHostID(s string) bool {
	if len(s) == 0 || len(s) > maxHostID || !alphanumeric(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// clip keeps a hostile name from filling a log line.
func clip(s string) string {
	if len(s) > maxHostID+1 {
		return s[:maxHostID+1] + "…"
	}
	return s
}

// MaxCounter bounds epochs, seqs and numbers: nobody counts so far, and who
// claims to would leave nothing above it for the relay itself.
const MaxCounter = 1 << 62

type (
	// Incarnation is 128 random bits made with a relay's database. A lost disk
	// or a restored copy means a new one.
	Incarnation [16]byte
	// Boot is 128 random bits of one start of a relay's process.
	Boot [16]byte
	// Epoch is a relay's connection number: one counter for all its uplinks,
	// raised before every CONNECT and never reused. It is compared only within
	// one region.
	Epoch uint64
	// Number is a relay's count of transitions: the journal's key, and in a
	// picture the transition that put a host into its state. 0 is none.
	Number uint64
	// Seq counts the reports of one epoch, from 1 (the birth).
	Seq uint64
)

func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }
func (b Boot) String() string        { return hex.EncodeToString(b[:]) }

// MarshalText is 32 hexadecimal digits.
func (i Incarnation) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, i[:]), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (i *Incarnation) UnmarshalText(text []byte) error {
	inc, err := ParseIncarnation(string(text))
	*i = inc
	return err
}

// MarshalText is 32 hexadecimal digits.
func (b Boot) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b[:]), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (b *Boot) UnmarshalText(text []byte) error {
	inc, err := ParseIncarnation(string(text))
	*b = Boot(inc)
	return err
}

// IsZero says whether no incarnation is known.
func (i Incarnation) IsZero() bool { return i == Incarnation{} }

// IsZero says whether no boot is known.
func (b Boot) IsZero() bool { return b == Boot{} }

// ParseIncarnation reads 32 hexadecimal digits.
func ParseIncarnation(s string) (Incarnation, error) {
	var inc Incarnation
	if len(s) != 2*len(inc) { // hex.Decode trusts that its target is long enough
		return Incarnation{}, fmt.Errorf("incarnation %q: want 32 hexadecimal digits", clip(s))
	}
	if _, err := hex.Decode(inc[:], []byte(s)); err != nil {
		return Incarnation{}, fmt.Errorf("incarnation %q: want 32 hexadecimal digits", clip(s))
	}
	return inc, nil
}
