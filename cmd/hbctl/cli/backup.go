package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/hb-mesh/hb-mesh/cloud/local"
)

// backupCmd copies a node's embedded table into a file.
type backupCmd struct {
	File string `arg:"" help:"Where to write it; it must not exist."`
}

// Run fetches a backup, and keeps it only if it is whole.
func (c *backupCmd) Run(s *session) (err error) {
	if _, err := os.Lstat(c.File); err == nil {
		return usage("name a file that does not exist", "%s exists", c.File)
	}
	tmp, err := os.CreateTemp(filepath.Dir(c.File), ".hb-backup-")
	if err != nil {
		return &failure{exit: ExitFailed, what: "make the file", err: err, hint: "name a file in a folder that exists, and in which you may write"}
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // it has its name by then
	defer func() { err = errors.Join(err, tmp.Close()) }()
	size, err := s.api.download(s.ctx, "/v1/backup", tmp)
	if err != nil {
		return err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	if err := local.Check(tmp); err != nil {
		return &failure{exit: ExitFailed, what: "the backup did not arrive whole", err: err, hint: "nothing was kept; try again"}
	}
	if err := errors.Join(tmp.Sync(), os.Rename(tmp.Name(), c.File)); err != nil {
		return &failure{exit: ExitFailed, what: "keep the backup", err: err, hint: "nothing was kept: see that the folder has room, and that you may write in it"}
	}
	if s.out.json {
		return s.out.value(map[string]any{"file": c.File, "bytes": size})
	}
	return s.out.line("%s: %d bytes, whole", c.File, size)
}

// restoreCmd makes a data folder from a backup, offline.
type restoreCmd struct {
	File    string `arg:"" help:"A file of hbctl backup." type:"existingfile"`
	DataDir string `required:"" help:"The folder of the embedded table; it must be empty or missing, and no broker may run on it." placeholder:"DIR"`
}

// Run restores. It asks no broker.
func (c *restoreCmd) Run(s *session) (err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return &failure{exit: ExitFailed, what: "open the backup", err: err, hint: "name a file of hbctl backup that you may read"}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := local.Restore(c.DataDir, f); err != nil {
		hint := "nothing was written"
		if errors.Is(err, local.ErrNotEmpty) {
			hint = "nothing was written: name another folder with --data-dir, or move this one away"
		}
		return &failure{exit: ExitFailed, what: c.File, err: err, hint: hint}
	}
	if s.out.json {
		return s.out.value(map[string]any{"dataDir": c.DataDir})
	}
	return s.out.line("%s is restored: start the broker on it", c.DataDir)
}

// download copies an answer of the first address that answers into w.
func (c *client) download(ctx context.Context, path string, w io.Writer) (int64, error) {
	var silent error
	for _, base := range c.bases {
		req, err := c.request(ctx, base, call{method: http.MethodGet, path: path})
		if err != nil {
			return 0, err
		}
		res, err := c.http.Do(req)
		if err != nil {
			silent = errors.Join(silent, &noAnswer{base: base, err: plain(err)})
			continue
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			raw, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
			err := refusal(base, res, raw)
			if f := (*failure)(nil); res.StatusCode == http.StatusNotFound && errors.As(err, &f) {
				f.hint = "only the embedded table has backups here: DynamoDB has its own"
			}
			return 0, err
		}
		n, err := io.Copy(w, res.Body)
		if err != nil {
			return n, &failure{exit: ExitFailed, what: base + " ended within the backup", err: err, hint: "nothing was kept; try again"}
		}
		return n, nil
	}
	return 0, &failure{exit: ExitNoAnswer, what: silent.Error(), hint: "is it running? Name its address with --addr or HB_ADDR"}
}
