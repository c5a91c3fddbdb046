package dashboard

import (
	"fmt"
	"net/http"
)

// getBackup streams a copy of the table. It holds what every store said and who
// has keys, so it takes a key of the fleet.
func (s *Server) getBackup(w http.ResponseWriter, _ *http.Request, a Access) error {
	if err := fleetAdmin(a); err != nil {
		return err
	}
	if s.o.Backup == nil {
		return fmt.Errorf("a backup of this table: %w", ErrNotFound)
	}
	name := fmt.Sprintf("hb-mesh-%s-%s.backup", s.o.Region, s.o.Now().UTC().Format("20060102T150405Z"))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	// What was sent so far has no sum at its end: whoever reads it knows.
	if err := s.o.Backup(w); err != nil {
		s.o.Logger.Warn("a backup ended early", "err", err)
		panic(http.ErrAbortHandler) // so that the answer is not taken for a whole one
	}
	return nil
}
