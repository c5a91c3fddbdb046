package journal

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/roster"
)

// Content is all that a journal's folder holds.
type Content struct {
	Incarnation beat.Incarnation  `json:"incarnation"`
	Acked       bool              `json:"acked"`
	EpochTop    beat.Epoch        `json:"epochTop"`
	NumberTop   beat.Number       `json:"numberTop"`
	Lost        uint64            `json:"lost"`
	Hosts       []roster.Record   `json:"hosts"`
	Lan         *roster.LanRecord `json:"lan,omitempty"`
	Entries     []beat.Transition `json:"entries"`
}

// Dump reads the journal of a data folder that no process has open, as Open
// would find it, and changes nothing in it: it reads a copy.
func Dump(dir string) (_ Content, err error) {
	temp, err := os.MkdirTemp("", "hb-journal-")
	if err != nil {
		return Content{}, fmt.Errorf("dump journal: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	source, replica := filepath.Join(dir, folderName), filepath.Join(temp, folderName)
	if err := os.CopyFS(replica, os.DirFS(source)); err != nil {
		return Content{}, fmt.Errorf("dump journal: %w", err)
	}
	db, c, err := openDB(replica, slog.New(slog.DiscardHandler))
	if err != nil {
		return Content{}, fmt.Errorf("dump journal: %w", err)
	}
	out := Content{
		Incarnation: c.state.Incarnation, Acked: c.state.Acked, EpochTop: c.state.EpochTop,
		NumberTop: c.state.NumberTop, Lost: c.state.Lost,
	}
	err = db.View(func(txn *badger.Txn) error {
		err := scan(txn, hostPrefix, hostPrefix, func(_, v []byte) error {
			r, err := decodeRecord(v)
			out.Hosts = append(out.Hosts, r)
			return err
		})
		if err != nil {
			return err
		}
		if out.Lan, err = readLan(txn); err != nil {
			return err
		}
		return scan(txn, entryPrefix, entryPrefix, func(_, v []byte) error {
			t, err := decodeTransition(v)
			out.Entries = append(out.Entries, t)
			return err
		})
	})
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Content{}, fmt.Errorf("dump journal: %w", err)
	}
	return out, nil
}
