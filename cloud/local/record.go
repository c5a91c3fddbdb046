package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// record is an item as it is stored, with what decides who wrote last.
type record struct {
	// stamp is the instant of the write, in ns of the wall clock made strictly
	// monotonic: unique in a Store.
	stamp   uint64
	deleted bool
	rev     int64
	expires int64 // s of the Unix epoch; 0: never
	doc     []byte
}

const (
	recordVersion = 1
	recordHead    = 1 + 1 + 3*8
	flagDeleted   = 1
)

var errRecord = errors.New("a stored item is damaged")

func recordOf(it table.Item, stamp uint64) record {
	r := record{stamp: stamp, rev: it.Rev, doc: it.Doc}
	if !it.Expires.IsZero() {
		r.expires = max(1, it.Expires.Unix())
	}
	return r
}

func (r record) encode() []byte {
	b := make([]byte, 0, recordHead+len(r.doc))
	b = append(b, recordVersion, 0)
	if r.deleted {
		b[1] = flagDeleted
	}
	b = binary.BigEndian.AppendUint64(b, r.stamp)
	b = binary.BigEndian.AppendUint64(b, uint64(r.rev))
	b = binary.BigEndian.AppendUint64(b, uint64(r.expires))
	return append(b, r.doc...)
}

// decodeRecord reads b; the record's doc is part of b.
func decodeRecord(b []byte) (record, error) {
	if len(b) < recordHead || b[0] != recordVersion {
		return record{}, errRecord
	}
	r := record{
		deleted: b[1] == flagDeleted,
		stamp:   binary.BigEndian.Uint64(b[2:]),
		rev:     int64(binary.BigEndian.Uint64(b[10:])),
		expires: int64(binary.BigEndian.Uint64(b[18:])),
	}
	if len(b) > recordHead {
		r.doc = b[recordHead:]
	}
	return r, nil
}

// live says whether reads and conditions see the record.
func (r record) live(now time.Time) bool {
	return !r.deleted && (r.expires == 0 || r.expires > now.Unix())
}

func (r record) item(k table.Key) table.Item {
	it := table.Item{Key: k, Rev: r.rev, Doc: bytes.Clone(r.doc)}
	if r.expires != 0 {
		it.Expires = time.Unix(r.expires, 0).UTC()
	}
	return it
}

// The keys of the database. Names hold no NUL, so it separates them and the
// items of a partition sort by their sort keys.
//
//	i <region> 0 <pk> 0 <sk>        an item of a region's replica
//	q <from> 0 <to> 0 <stamp>       an item on its way
//	m stamp                         the last stamp
const (
	itemSpace  = 'i'
	queueSpace = 'q'
)

var stampKey = []byte("mstamp")

func partitionPrefix(region beat.Region, pk string) []byte {
	b := make([]byte, 0, len(region)+len(pk)+64)
	b = append(append(b, itemSpace), region...)
	b = append(append(b, 0), pk...)
	return append(b, 0)
}

func itemKey(region beat.Region, k table.Key) []byte {
	return append(partitionPrefix(region, k.PK), k.SK...)
}

func queuePrefix(from, to beat.Region) []byte {
	b := append([]byte{queueSpace}, from...)
	b = append(append(b, 0), to...)
	return append(b, 0)
}

func queueKey(from, to beat.Region, stamp uint64) []byte {
	return binary.BigEndian.AppendUint64(queuePrefix(from, to), stamp)
}

// queueValue is the key and the record as it was written: what is carried is
// that write, not what the item has become since.
func queueValue(k table.Key, rec []byte) []byte {
	b := make([]byte, 0, len(k.PK)+len(k.SK)+2+len(rec))
	b = append(append(b, k.PK...), 0)
	b = append(append(b, k.SK...), 0)
	return append(b, rec...)
}

func splitQueueValue(b []byte) (table.Key, []byte, error) {
	pk, rest, ok := bytes.Cut(b, []byte{0})
	sk, rec, ok2 := bytes.Cut(rest, []byte{0})
	if !ok || !ok2 {
		return table.Key{}, nil, errRecord
	}
	return table.Key{PK: string(pk), SK: string(sk)}, rec, nil
}
