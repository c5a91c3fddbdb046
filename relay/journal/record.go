package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/fxamacker/cbor/v2"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// The keys: one state, a record per host and one of the LAN, an entry per
// number. Big-endian numbers iterate in their order.
var (
	stateKey    = []byte("s")
	lanKey      = []byte("l")
	hostPrefix  = []byte("h/")
	entryPrefix = []byte("t/")
)

// format is the version of the folder that this code writes.
const format = 1

// state is what the folder knows of itself.
type state struct {
	Format      int              `cbor:"1,keyasint"`
	Incarnation beat.Incarnation `cbor:"2,keyasint"`
	Acked       bool             `cbor:"3,keyasint,omitempty"`
	// EpochTop and NumberTop are the ends of the blocks that are reserved.
	EpochTop  beat.Epoch  `cbor:"4,keyasint,omitempty"`
	NumberTop beat.Number `cbor:"5,keyasint,omitempty"`
	// Lost counts the entries that were ever shed or refused.
	Lost uint64 `cbor:"6,keyasint,omitempty"`
}

// content is all that a folder holds, but for the records and entries.
type content struct {
	state     state
	index     index
	recordTop beat.Number // the highest number of a record
}

func hostKey(h beat.HostID) []byte { return append(append([]byte(nil), hostPrefix...), h...) }

func entryKey(n beat.Number) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(nil), entryPrefix...), uint64(n))
}

func encode(v any) []byte {
	out, err := cbor.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("journal: encode: %v", err)) // plain structs cannot fail
	}
	return out
}

func decodeRecord(raw []byte) (roster.Record, error) {
	var r roster.Record
	if err := cbor.Unmarshal(raw, &r); err != nil {
		return roster.Record{}, fmt.Errorf("host record: %w", err)
	}
	if _, err := beat.ParseHostID(string(r.Host)); err != nil {
		return roster.Record{}, fmt.Errorf("host record: %w", err)
	}
	return r, nil
}

func decodeTransition(raw []byte) (beat.Transition, error) {
	var t beat.Transition
	if err := cbor.Unmarshal(raw, &t); err != nil {
		return beat.Transition{}, fmt.Errorf("journal entry: %w", err)
	}
	return t, nil
}

// readLan is the LAN's record, or nil if there is none.
func readLan(txn *badger.Txn) (*roster.LanRecord, error) {
	item, err := txn.Get(lanKey)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("LAN record: %w", err)
	}
	r := &roster.LanRecord{}
	if err := item.Value(func(v []byte) error { return cbor.Unmarshal(v, r) }); err != nil {
		return nil, fmt.Errorf("LAN record: %w", err)
	}
	return r, nil
}

// scan calls each with the keys of a prefix in their order, from one on. The
// value is valid during the call only.
func scan(txn *badger.Txn, prefix, from []byte, each func(key, value []byte) error) error {
	o := badger.DefaultIteratorOptions
	o.Prefix = prefix
	o.PrefetchSize = 16
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek(from); it.ValidForPrefix(prefix); it.Next() {
		item := it.Item()
		if err := item.Value(func(v []byte) error { return each(item.Key(), v) }); err != nil {
			return err
		}
	}
	return nil
}

// load reads the whole folder once: what it returns without an error can be
// trusted until the disk fails again.
func load(db *badger.DB) (content, error) {
	var c content
	err := db.View(func(txn *badger.Txn) error {
		switch item, err := txn.Get(stateKey); {
		case err == nil:
			if err := item.Value(func(v []byte) error { return cbor.Unmarshal(v, &c.state) }); err != nil {
				return fmt.Errorf("state: %w", err)
			}
		case !errors.Is(err, badger.ErrKeyNotFound):
			return fmt.Errorf("state: %w", err)
		}
		if c.state.Format > format {
			return fmt.Errorf("format %d: %w", c.state.Format, ErrFormat)
		}
		err := scan(txn, hostPrefix, hostPrefix, func(_, v []byte) error {
			r, err := decodeRecord(v)
			c.recordTop = max(c.recordTop, r.Number)
			return err
		})
		if err != nil {
			return err
		}
		lan, err := readLan(txn)
		if err != nil {
			return err
		}
		if lan != nil {
			c.recordTop = max(c.recordTop, lan.Number)
		}
		return scan(txn, entryPrefix, entryPrefix, func(_, v []byte) error {
			t, err := decodeTransition(v)
			if err == nil {
				c.index.push(itemOf(t, len(v)))
			}
			return err
		})
	})
	if err != nil {
		return content{}, err
	}
	if c.state.Incarnation.IsZero() && (c.index.len() > 0 || c.recordTop > 0) {
		return content{}, fmt.Errorf("%d entries, and no incarnation", c.index.len())
	}
	return c, nil
}
