package setting

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Kind is what a setting says. It is the middle of the sort key.
type Kind string

// The kinds.
const (
	// Declared is a store's declaration; its id is the store's.
	Declared Kind = "store"
	// Pin is the region that tells a store's incidents; its id is the store's.
	Pin Kind = "pin"
	// Silence holds back what people are told, by what it matches.
	Silence Kind = "silence"
	// Maintenance is a time in which stores may be off, and are expected up
	// again after it.
	Maintenance Kind = "maintenance"
	// Pause holds back everything, or some stores', for at most MaxPause.
	Pause Kind = "pause"
	// Ack says that a person deals with one incident.
	Ack Kind = "ack"
)

// Setting is one document.
type Setting struct {
	Kind Kind
	ID   string
	// Version is 1 or more, and grows with each change of the setting.
	Version int64
	// At and By say when it was written, and by whom.
	At time.Time
	By string
	// Deleted is a setting that is over. The document stays, so that no late
	// one brings it back.
	Deleted bool
	// One of these, by Kind, where the setting is not deleted.
	Store *Declaration
	Pin   beat.Region
	Rule  *Rule

	store *Store
}

// Errors of Decode.
var (
	// ErrNewer is a document of a later format: it is set aside.
	ErrNewer = errors.New("written by a newer version")
	// ErrSpoilt is a document that says nothing that can be read.
	ErrSpoilt = errors.New("not a setting")
)

// format is the version of the documents that this code writes and reads.
const format = 1

// MaxDocument bounds a document, in bytes.
const MaxDocument = 256 << 10

type document struct {
	V       int          `json:"v"`
	Kind    Kind         `json:"kind"`
	ID      string       `json:"id"`
	Version int64        `json:"version"`
	At      time.Time    `json:"at"`
	By      string       `json:"by,omitempty"`
	Deleted bool         `json:"deleted,omitempty"`
	Store   *Declaration `json:"store,omitempty"`
	Pin     beat.Region  `json:"pin,omitempty"`
	Rule    *Rule        `json:"rule,omitempty"`
}

// Encode writes a setting that Validate took.
func Encode(s *Setting) ([]byte, error) {
	doc, err := json.Marshal(document{
		V: format, Kind: s.Kind, ID: s.ID, Version: s.Version, At: s.At.UTC(), By: s.By, Deleted: s.Deleted,
		Store: s.Store, Pin: s.Pin, Rule: s.Rule,
	})
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", s.Kind, s.ID, err)
	}
	if len(doc) > MaxDocument {
		return nil, fmt.Errorf("encode %s %s: %d bytes, a setting has at most %d", s.Kind, s.ID, len(doc), MaxDocument)
	}
	return doc, nil
}

// Decode reads one document. Its errors are ErrNewer and ErrSpoilt, wrapped.
func Decode(doc []byte) (Setting, error) { return NewCompiler().Decode(doc) }

// Decode reads one document, and shares with others what they have in common.
func (c *Compiler) Decode(doc []byte) (Setting, error) {
	var d document
	// The version alone first: a newer document may have other types.
	var head struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(doc, &head); err != nil {
		return Setting{}, fmt.Errorf("%w: %w", ErrSpoilt, err)
	}
	if head.V > format {
		return Setting{}, fmt.Errorf("%w: format %d, this version reads %d", ErrNewer, head.V, format)
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return Setting{}, fmt.Errorf("%w: %w", ErrSpoilt, err)
	}
	s := Setting{
		Kind: d.Kind, ID: d.ID, Version: d.Version, At: d.At, By: d.By, Deleted: d.Deleted,
		Store: d.Store, Pin: d.Pin, Rule: d.Rule,
	}
	if head.V < 1 || s.Version < 1 {
		return Setting{}, fmt.Errorf("%w: no version", ErrSpoilt)
	}
	if err := c.Validate(&s); err != nil {
		return Setting{}, fmt.Errorf("%w: %w", ErrSpoilt, err)
	}
	return s, nil
}

// Validate checks a setting, and readies it for Join.
func (c *Compiler) Validate(s *Setting) error {
	switch s.Kind {
	case Declared, Pin:
		if _, err := beat.ParseStoreID(s.ID); err != nil {
			return err
		}
	case Silence, Maintenance, Pause, Ack:
		if !plainID(s.ID) {
			return fmt.Errorf("id %q: want 1 to 64 of a-z, A-Z, 0-9 and -", clip(s.ID))
		}
	default:
		return fmt.Errorf("unknown kind %q", clip(string(s.Kind)))
	}
	if s.Deleted {
		s.Store, s.Pin, s.Rule, s.store = nil, "", nil, nil
		return nil
	}
	return c.validateBody(s)
}

func (c *Compiler) validateBody(s *Setting) error {
	var err error
	switch {
	case s.Kind == Declared && s.Store != nil:
		s.store, err = c.Compile(beat.StoreID(s.ID), s.Store)
	case s.Kind == Pin:
		_, err = beat.ParseRegion(string(s.Pin))
	case s.Rule != nil:
		if s.Rule.ID != s.ID || s.Rule.Kind != s.Kind {
			return fmt.Errorf("the rule is of %s %q, not of %s %q", s.Rule.Kind, clip(s.Rule.ID), s.Kind, clip(s.ID))
		}
		err = s.Rule.Validate()
	default:
		return fmt.Errorf("a %s without its content", s.Kind)
	}
	return err
}
