package dashboard

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const jsonType = "application/json"

// read is a reading that misses no change.
func (s *Server) read(a Access) *snapshot { return s.scoped(s.snaps.get(s.o.Coalesce), a.Store) }

func (s *Server) getSummary(w http.ResponseWriter, _ *http.Request, a Access) error {
	snap := s.read(a)
	out := snap.summary
	out.At = snap.at
	writeJSON(w, http.StatusOK, jsonType, out)
	return nil
}

func (s *Server) getRegions(w http.ResponseWriter, _ *http.Request, a Access) error {
	writeJSON(w, http.StatusOK, jsonType, Page[Region]{Items: first(s.read(a).overview.Regions, maxLimit)})
	return nil
}

// getStores lists stores by id; state= and q= narrow it.
func (s *Server) getStores(w http.ResponseWriter, r *http.Request, a Access) error {
	p, err := parsePaging(r.URL.Query())
	if err != nil {
		return err
	}
	state, find := r.URL.Query().Get("state"), words(r.URL.Query().Get("q"))
	if state != "" {
		if err := new(presence.State).UnmarshalText([]byte(state)); err != nil {
			return problem(http.StatusBadRequest, err.Error())
		}
	}
	stores := s.read(a).stores
	if state != "" || len(find) > 0 {
		stores = filter(stores, func(x Store) bool { return (state == "" || x.State == state) && matches(&x, find) })
	}
	writeJSON(w, http.StatusOK, jsonType, page(stores, p, false, func(x Store) string { return string(x.Store) }))
	return nil
}

// getHosts lists the hosts of store=, or of all stores, by full name; state=
// narrows it.
func (s *Server) getHosts(w http.ResponseWriter, r *http.Request, a Access) error {
	q := r.URL.Query()
	p, err := parsePaging(q)
	if err != nil {
		return err
	}
	var state beat.HostState
	if name := q.Get("state"); name != "" {
		if err := state.UnmarshalText([]byte(name)); err != nil {
			return problem(http.StatusBadRequest, err.Error())
		}
	}
	keep := func(h Host) bool { return q.Get("state") == "" || h.State == state }
	// Of many stores those are asked that have such a host; one that is named, always.
	asks := func(x *Store) bool {
		if q.Get("state") == "" {
			return x.Hosts.total() > 0
		}
		return x.Hosts.of(state) > 0
	}
	stores := s.read(a).stores
	if q.Has("store") {
		id, err := beat.ParseStoreID(q.Get("store"))
		if err != nil {
			return problem(http.StatusBadRequest, err.Error())
		}
		i, ok := findStore(stores, id)
		if !ok {
			return notFound(id)
		}
		stores, asks = stores[i:i+1], func(*Store) bool { return true }
	}
	writeJSON(w, http.StatusOK, jsonType, page(s.gather(stores, p, asks, keep), p, false, hostKey))
	return nil
}

// findStore is where a store is, or would be, among those that are sorted by id.
func findStore(stores []Store, id beat.StoreID) (int, bool) {
	return slices.BinarySearchFunc(stores, id, func(x Store, id beat.StoreID) int { return cmp.Compare(x.Store, id) })
}

// hostKey orders hosts by store, then by id: the separator sorts below every
// character of a name.
func hostKey(h Host) string { return string(h.Store) + "\x00" + string(h.Host) }

// gather reads the hosts of those stores that it asks, in order, only as far as one
// page goes: each reading waits for the node's core.
func (s *Server) gather(stores []Store, p paging, asks func(*Store) bool, keep func(Host) bool) []Host {
	from, _, _ := strings.Cut(p.after, "\x00")
	first, _ := findStore(stores, beat.StoreID(from))
	var out []Host
	past := 0 // the hosts that the page may hold, and one more
	for i := first; i < len(stores); i++ {
		if !asks(&stores[i]) {
			continue
		}
		hosts, ok := s.o.Source.Hosts(stores[i].Store)
		if !ok {
			continue
		}
		hosts = filter(hosts, keep)
		sortHosts(hosts)
		out = append(out, hosts...)
		for _, h := range hosts {
			if hostKey(h) > p.after {
				past++
			}
		}
		if past > p.limit {
			break
		}
	}
	return out
}

// getIncidents lists incidents, the newest first; open=true or false narrows it.
func (s *Server) getIncidents(w http.ResponseWriter, r *http.Request, a Access) error {
	q := r.URL.Query()
	p, err := parsePaging(q)
	if err != nil {
		return err
	}
	open, store := q.Get("open"), q.Get("store")
	if open != "" && open != "true" && open != "false" {
		return problem(http.StatusBadRequest, "open is true or false")
	}
	items := filter(s.read(a).overview.Incidents, func(i Incident) bool {
		return (open == "" || i.Open == (open == "true")) && (store == "" || string(i.Store) == store)
	})
	writeJSON(w, http.StatusOK, jsonType, page(items, p, true, incidentKey))
	return nil
}

func (s *Server) getNotices(w http.ResponseWriter, r *http.Request, a Access) error {
	p, err := parsePaging(r.URL.Query())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, jsonType, page(s.read(a).overview.Notices, p, true, func(n Notice) string { return n.ID }))
	return nil
}

func (s *Server) getActivity(w http.ResponseWriter, _ *http.Request, a Access) error {
	writeJSON(w, http.StatusOK, jsonType, Page[Activity]{Items: first(s.read(a).overview.Activity, maxLimit)})
	return nil
}

// getHistory lists what happened in store= on day= (UTC, default today).
func (s *Server) getHistory(w http.ResponseWriter, r *http.Request, a Access) error {
	if s.o.Archive == nil {
		return missing("history")
	}
	q := r.URL.Query()
	p, err := parsePaging(q)
	if err != nil {
		return err
	}
	store, err := beat.ParseStoreID(q.Get("store"))
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	if a.Store != "" && a.Store != store {
		return problem(http.StatusForbidden, "the key is bound to store "+string(a.Store))
	}
	day := s.o.Now().UTC()
	if text := q.Get("day"); text != "" {
		if day, err = time.Parse(time.DateOnly, text); err != nil {
			return problem(http.StatusBadRequest, "day is a date such as 2026-01-31, in UTC")
		}
	}
	items, next, err := s.o.Archive.History(r.Context(), store, day, p.after, p.limit)
	if err != nil {
		return fmt.Errorf("read history of %s: %w", store, err)
	}
	out := Page[Entry]{Items: first(items, len(items))}
	if next != "" {
		out.Next = token(next)
	}
	writeJSON(w, http.StatusOK, jsonType, out)
	return nil
}

func (s *Server) forgetHost(w http.ResponseWriter, r *http.Request, a Access) error {
	if s.o.Operator == nil {
		return missing("operator's door")
	}
	store, err := beat.ParseStoreID(r.PathValue("store"))
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	host, err := beat.ParseHostID(r.PathValue("host"))
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	if a.Store != "" && a.Store != store {
		return problem(http.StatusForbidden, "the key is bound to store "+string(a.Store))
	}
	if err := s.o.Operator.Forget(r.Context(), store, host, actor(r, a, r.URL.Query().Get("by"))); err != nil {
		return fmt.Errorf("forget %s/%s: %w", store, host, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// keeper guards the keys: who makes keys could make one for anything.
func (s *Server) keeper(a Access) error {
	if s.o.Keys == nil {
		return missing("keys")
	}
	return fleetAdmin(a)
}

func fleetAdmin(a Access) error {
	if !a.Admin || a.Store != "" {
		return problem(http.StatusForbidden, "this needs a key of the fleet with the role admin")
	}
	return nil
}

func (s *Server) listKeys(w http.ResponseWriter, r *http.Request, a Access) error {
	if err := s.keeper(a); err != nil {
		return err
	}
	p, err := parsePaging(r.URL.Query())
	if err != nil {
		return err
	}
	keys, err := s.o.Keys.List(r.Context())
	if err != nil {
		return fmt.Errorf("list keys: %w", err)
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.ID, b.ID) })
	writeJSON(w, http.StatusOK, jsonType, page(keys, p, false, func(k Key) string { return k.ID }))
	return nil
}

// NewKey is the answer to POST /v1/keys: the only place that shows a secret.
type NewKey struct {
	Key
	Secret string `json:"secret"`
}

func (s *Server) createKey(w http.ResponseWriter, r *http.Request, a Access) error {
	if err := s.keeper(a); err != nil {
		return err
	}
	k, err := decodeKey(w, r)
	if err != nil {
		return err
	}
	made, secret, err := s.o.Keys.Create(r.Context(), k, actor(r, a, ""))
	if err != nil {
		return fmt.Errorf("create key: %w", err)
	}
	writeJSON(w, http.StatusCreated, jsonType, NewKey{Key: made, Secret: secret})
	return nil
}

// maxKeyBody bounds a request to make a key, in bytes.
const maxKeyBody = 4 << 10

// decodeKey checks the form; what may be combined is for Keys to say.
func decodeKey(w http.ResponseWriter, r *http.Request) (Key, error) {
	var in struct {
		Name  string       `json:"name"`
		Roles []Role       `json:"roles"`
		Store beat.StoreID `json:"store"`
		Relay beat.RelayID `json:"relay"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxKeyBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return Key{}, problem(http.StatusBadRequest, "the body is JSON with name, roles, store and relay: "+err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Key{}, problem(http.StatusBadRequest, "the body is one JSON object")
	}
	if len(in.Roles) == 0 {
		return Key{}, problem(http.StatusUnprocessableEntity, "name at least one role: beat, read, admin or relay")
	}
	if in.Store != "" {
		if _, err := beat.ParseStoreID(string(in.Store)); err != nil {
			return Key{}, problem(http.StatusUnprocessableEntity, err.Error())
		}
	}
	if in.Relay != "" {
		if _, err := beat.ParseRelayID(string(in.Relay)); err != nil {
			return Key{}, problem(http.StatusUnprocessableEntity, err.Error())
		}
	}
	return Key{Name: in.Name, Roles: in.Roles, Store: in.Store, Relay: in.Relay}, nil
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request, a Access) error {
	if err := s.keeper(a); err != nil {
		return err
	}
	if err := s.o.Keys.Revoke(r.Context(), r.PathValue("id"), actor(r, a, r.URL.Query().Get("by"))); err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
