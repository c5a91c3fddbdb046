package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// waitForOthers is how long a list waits for the other addresses once one has
// answered: at night, with a region dead, a command must not be slow.
const waitForOthers = time.Second

// entry is what lists of both regions are joined by.
type entry struct {
	ID string `json:"id"`
	// OpenedAt orders incidents; a notice's id orders itself.
	OpenedAt time.Time `json:"openedAt"`
	// Told are the channels that were told from there: of two regions' words
	// about an incident the one that told it knows more.
	Told []string `json:"told"`
	raw  json.RawMessage
}

// listBoth reads a list from every address, since each region knows best what
// it told itself, and joins them by id, the newest first. It fails where no
// address answers, and where one refuses the key.
func (c *client) listBoth(ctx context.Context, path string, query url.Values) ([]json.RawMessage, error) {
	if len(c.bases) == 1 {
		return c.list(ctx, path, query)
	}
	type answer struct {
		items []json.RawMessage
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(c.bases))
	for _, base := range c.bases {
		one := *c
		one.bases = []string{base}
		go func() {
			items, err := one.list(ctx, path, query)
			answers <- answer{items, err}
		}()
	}
	joined := map[string]entry{}
	answered, failed := false, error(nil)
	var enough <-chan time.Time
	for range c.bases {
		select {
		case a := <-answers:
			if f := (*failure)(nil); errors.As(a.err, &f) && (f.status == http.StatusUnauthorized || f.status == http.StatusForbidden) {
				return nil, a.err
			}
			if a.err != nil {
				failed = a.err
				continue
			}
			if err := join(joined, a.items); err != nil {
				return nil, err
			}
			answered, enough = true, time.After(waitForOthers)
		case <-enough:
			return sorted(joined), nil
		}
	}
	if !answered {
		return nil, failed
	}
	return sorted(joined), nil
}

func join(into map[string]entry, items []json.RawMessage) error {
	for _, raw := range items {
		e := entry{raw: raw}
		if err := json.Unmarshal(raw, &e); err != nil {
			return &failure{exit: ExitFailed, what: "read the answer", err: err, hint: "is the region of another version?"}
		}
		if had, ok := into[e.ID]; !ok || len(e.Told) > len(had.Told) {
			into[e.ID] = e
		}
	}
	return nil
}

func sorted(joined map[string]entry) []json.RawMessage {
	all := make([]entry, 0, len(joined))
	for _, e := range joined {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(b.ID, a.ID)) })
	out := make([]json.RawMessage, len(all))
	for i := range all {
		out[i] = all[i].raw
	}
	return out
}
