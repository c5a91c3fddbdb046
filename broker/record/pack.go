package record

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// Version is the newest version of a document that this software reads;
	// one that says nothing has the first.
	Version = 1
	// packAbove is the size from which a document is compressed, in bytes: a
	// small one is read by people, and costs one write unit anyway.
	packAbove = 4 << 10
	// packed is the first byte of a compressed document. JSON begins otherwise.
	packed = 0x01
	// maxDoc bounds a document that was compressed, in bytes: a notice of 10,000
	// items has 3 MB.
	maxDoc = 32 << 20
)

// Reason is why an item was set aside; "" is none.
type Reason string

// The reasons, which are also the labels of a metric.
const (
	// Unreadable is no document, or one that is not what its key says.
	Unreadable Reason = "unreadable"
	// Misplaced names another writer, subject or hour than its key.
	Misplaced Reason = "misplaced"
	// Newer was written by a newer version.
	Newer Reason = "newer"
)

// versioned is the part of every document that a reader looks at first.
type versioned struct {
	V int `json:"v,omitempty"`
}

// document is v as JSON, compressed where it is large. The same v gives the
// same bytes. It is nil where v has something that JSON does not, such as a date
// after the year 9999: no table takes an item without a document.
func document(v any) []byte {
	doc, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	if len(doc) < packAbove {
		return doc
	}
	var out bytes.Buffer
	out.WriteByte(packed)
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err == nil {
		_, err = w.Write(doc)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("record: compress: %v", err)) // a buffer takes all, and the level is one
	}
	return out.Bytes()
}

// read reads a document into v.
func read(doc []byte, v any) Reason {
	if len(doc) > 0 && doc[0] == packed {
		var ok bool
		if doc, ok = unpack(doc[1:]); !ok {
			return Unreadable
		}
	}
	var head versioned
	if json.Unmarshal(doc, &head) != nil {
		return Unreadable
	}
	if head.V > Version {
		return Newer
	}
	if head.V < 0 || json.Unmarshal(doc, v) != nil {
		return Unreadable
	}
	return ""
}

func unpack(doc []byte) ([]byte, bool) {
	var out bytes.Buffer
	_, err := out.ReadFrom(&bounded{from: flate.NewReader(bytes.NewReader(doc)), left: maxDoc})
	return out.Bytes(), err == nil
}

// bounded reads at most left bytes: a small item may be compressed from a huge
// one.
type bounded struct {
	from interface{ Read([]byte) (int, error) }
	left int
}

var errTooLong = errors.New("too long")

// Read is io.Reader's.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left -= n; b.left < 0 {
		return n, errTooLong
	}
	return n, err
}
