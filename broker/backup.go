package broker

import (
	"fmt"
	"net/http"
	"time"
)

// mountBackup serves a copy of the table to administrators, where the table can
// give one.
func (b *Broker) mountBackup(a *api) {
	if b.o.Backup == nil {
		return
	}
	b.gate.Mount("GET /v1/backup", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.authorize(r).Admin {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"title":"Forbidden","status":403,"detail":"a backup takes a key with the role admin"}`)) // who asked may have left
			return
		}
		name := fmt.Sprintf("hb-mesh-%s-%s.backup", b.o.Region, time.Now().UTC().Format("20060102T150405Z"))
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		w.Header().Set("Cache-Control", "no-store")
		// What was sent so far has no sum at its end: whoever reads it knows.
		if err := b.o.Backup(w); err != nil {
			b.log.Warn("a backup ended early", "err", err)
			panic(http.ErrAbortHandler) // so that the answer is not taken for a whole one
		}
	}))
}
