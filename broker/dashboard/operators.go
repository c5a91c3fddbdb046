package dashboard

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The bounds of bodies, in bytes: of one setting, and of a whole stores file.
const (
	maxBody     = 256 << 10
	maxFileBody = 64 << 20
)

// fleet guards what operators say: it needs a key of the whole fleet.
func fleet(a Access, has bool) error {
	if !has {
		return missing("operators' settings")
	}
	if a.Store != "" {
		return problem(http.StatusForbidden, "this needs a key of the fleet; yours is bound to store "+string(a.Store))
	}
	return nil
}

// actor is who calls, by whatever name.
func actor(r *http.Request, a Access, name string) operator.Actor {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	return operator.Actor{Key: a.Who, Name: beat.CutText(name, 64), From: from}
}

// decodeBody reads one strict JSON object.
func decodeBody(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return problem(http.StatusBadRequest, "the body is no JSON that is known here: "+err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problem(http.StatusBadRequest, "the body is one JSON object")
	}
	return nil
}

func pathStore(r *http.Request) (beat.StoreID, error) {
	id, err := beat.ParseStoreID(r.PathValue("store"))
	if err != nil {
		return "", problem(http.StatusBadRequest, err.Error())
	}
	return id, nil
}

func (s *Server) getDeclared(w http.ResponseWriter, r *http.Request, a Access) error {
	id, err := pathStore(r)
	if err != nil {
		return err
	}
	if s.o.Declarations == nil {
		return missing("operators' settings")
	}
	if a.Store != "" && a.Store != id {
		return problem(http.StatusForbidden, "the key is bound to store "+string(a.Store))
	}
	d, ok := s.o.Declarations.Declared(id)
	if !ok {
		return fmt.Errorf("store %s is not declared: %w", id, ErrNotFound)
	}
	writeJSON(w, http.StatusOK, jsonType, d)
	return nil
}

// listDeclared lists all declarations, by store.
func (s *Server) listDeclared(w http.ResponseWriter, r *http.Request, a Access) error {
	if err := fleet(a, s.o.Declarations != nil); err != nil {
		return err
	}
	p, err := parsePaging(r.URL.Query())
	if err != nil {
		return err
	}
	ids := page(s.o.Declarations.Stores(), p, false, func(id beat.StoreID) string { return string(id) })
	out := Page[operator.Declared]{Items: []operator.Declared{}, Next: ids.Next}
	for _, id := range ids.Items {
		if d, ok := s.o.Declarations.Declared(id); ok {
			out.Items = append(out.Items, d)
		}
	}
	writeJSON(w, http.StatusOK, jsonType, out)
	return nil
}

func (s *Server) declare(w http.ResponseWriter, r *http.Request, a Access) error {
	id, err := pathStore(r)
	if err != nil {
		return err
	}
	if err := fleet(a, s.o.Declarations != nil); err != nil {
		return err
	}
	var in struct {
		setting.Entry
		By string `json:"by"`
	}
	if err := decodeBody(w, r, maxBody, &in); err != nil {
		return err
	}
	is, err := s.o.Declarations.Declare(r.Context(), actor(r, a, in.By), id, in.Entry)
	if err != nil {
		return fmt.Errorf("declare %s: %w", id, err)
	}
	writeJSON(w, http.StatusOK, jsonType, is)
	return nil
}

func (s *Server) setPin(w http.ResponseWriter, r *http.Request, a Access) error {
	id, err := pathStore(r)
	if err != nil {
		return err
	}
	if err := fleet(a, s.o.Declarations != nil); err != nil {
		return err
	}
	var in struct {
		Region beat.Region `json:"region"`
		By     string      `json:"by"`
	}
	if err := decodeBody(w, r, maxBody, &in); err != nil {
		return err
	}
	if in.Region == setting.NoPin {
		in.Region = ""
	}
	if err := s.o.Declarations.SetPin(r.Context(), actor(r, a, in.By), id, in.Region); err != nil {
		return fmt.Errorf("pin %s: %w", id, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// applyStores makes a whole file true, store by store.
func (s *Server) applyStores(w http.ResponseWriter, r *http.Request, a Access) error {
	if err := fleet(a, s.o.Declarations != nil); err != nil {
		return err
	}
	var in struct {
		Stores map[beat.StoreID]setting.Entry `json:"stores"`
		DryRun bool                           `json:"dryRun"`
		Prune  bool                           `json:"prune"`
		By     string                         `json:"by"`
	}
	if err := decodeBody(w, r, maxFileBody, &in); err != nil {
		return err
	}
	if len(in.Stores) == 0 || len(in.Stores) > setting.MaxStores {
		return problem(http.StatusUnprocessableEntity, fmt.Sprintf("stores has 1 to %d stores, not %d", setting.MaxStores, len(in.Stores)))
	}
	out, err := s.o.Declarations.Apply(r.Context(), actor(r, a, in.By), operator.Plan{Stores: in.Stores, DryRun: in.DryRun, Prune: in.Prune})
	if err != nil {
		return fmt.Errorf("apply stores: %w", err)
	}
	writeJSON(w, http.StatusOK, jsonType, out)
	return nil
}

// listRules lists the rules of a kind that are not over, by id.
func (s *Server) listRules(kind setting.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request, a Access) error {
		if s.o.Rules == nil {
			return missing("operators' settings")
		}
		p, err := parsePaging(r.URL.Query())
		if err != nil {
			return err
		}
		rules := filter(s.shown(s.o.Rules.Rules(), a.Store), func(x setting.Rule) bool { return x.Kind == kind })
		writeJSON(w, http.StatusOK, jsonType, page(rules, p, false, func(x setting.Rule) string { return x.ID }))
		return nil
	}
}

// ruleBody is what begins a rule. Its end is Until, or For after now. Its ID is
// who asks': the same one again, in either region, is the same rule.
type ruleBody struct {
	ID string `json:"id"`
	setting.Match
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	For   string    `json:"for"`
	Why   string    `json:"why"`
	By    string    `json:"by"`
}

func (s *Server) beginRule(kind setting.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request, a Access) error {
		if err := fleet(a, s.o.Rules != nil); err != nil {
			return err
		}
		var in ruleBody
		if err := decodeBody(w, r, maxBody, &in); err != nil {
			return err
		}
		rule := setting.Rule{ID: in.ID, Kind: kind, Match: in.Match, Incident: r.PathValue("id"), From: in.From, Until: in.Until, Why: in.Why}
		if in.For != "" {
			length, err := time.ParseDuration(in.For)
			if err != nil || length <= 0 || !in.Until.IsZero() {
				return problem(http.StatusUnprocessableEntity, "for is a duration such as 2h30m, and stands without until")
			}
			begin := in.From
			if begin.IsZero() {
				begin = s.o.Now()
			}
			rule.Until = begin.Add(length)
		}
		if err := knownKinds(&rule.Match); err != nil {
			return err
		}
		if kind == setting.Ack {
			id, err := s.openIncident(rule.Incident)
			if err != nil {
				return err
			}
			rule.Incident = id
		}
		made, err := s.o.Rules.Begin(r.Context(), actor(r, a, in.By), rule)
		if err != nil {
			return fmt.Errorf("begin %s: %w", kind, err)
		}
		writeJSON(w, http.StatusCreated, jsonType, begun{Rule: made, Warning: s.warning(&made.Match)})
		return nil
	}
}

// minPrefix is how many characters of an incident's id name it at least.
const minPrefix = 4

// openIncident is the id of the open incident that somebody names: by its id, or
// by the first characters of it that no other one has, in any case.
func (s *Server) openIncident(name string) (string, error) {
	var found []string
	for _, i := range s.snaps.get(s.o.Coalesce).overview.Incidents {
		id := string(i.ID)
		switch {
		case !i.Open:
		case strings.EqualFold(id, name):
			return id, nil
		case len(name) >= minPrefix && len(name) < len(id) && strings.EqualFold(id[:len(name)], name):
			found = append(found, fmt.Sprintf("%s (%s %s)", id, i.Kind, cmp.Or(strings.TrimSuffix(string(i.Store)+"/"+string(i.Host), "/"), string(i.Region))))
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("incident %.40q is not open: %w", name, ErrNotFound)
	case 1:
		id, _, _ := strings.Cut(found[0], " ")
		return id, nil
	default:
		slices.Sort(found)
		return "", problem(http.StatusUnprocessableEntity, fmt.Sprintf("%.40q begins the ids of %d open incidents: %s", name, len(found), strings.Join(found[:min(len(found), 10)], ", ")))
	}
}

func (s *Server) endRule(kind setting.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request, a Access) error {
		if err := fleet(a, s.o.Rules != nil); err != nil {
			return err
		}
		who := actor(r, a, r.URL.Query().Get("by"))
		if err := s.o.Rules.End(r.Context(), who, kind, r.PathValue("id")); err != nil {
			return fmt.Errorf("end %s: %w", kind, err)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// getAudit lists what operators did on day= (UTC, default today), newest first.
func (s *Server) getAudit(w http.ResponseWriter, r *http.Request, a Access) error {
	if err := fleet(a, s.o.Rules != nil); err != nil {
		return err
	}
	p, err := parsePaging(r.URL.Query())
	if err != nil {
		return err
	}
	day := s.o.Now().UTC()
	if text := r.URL.Query().Get("day"); text != "" {
		if day, err = time.Parse(time.DateOnly, text); err != nil {
			return problem(http.StatusBadRequest, "day is a date such as 2026-01-31, in UTC")
		}
	}
	lines, err := s.o.Rules.Audited(r.Context(), day)
	if err != nil {
		return fmt.Errorf("read the audit: %w", err)
	}
	writeJSON(w, http.StatusOK, jsonType, page(lines, p, true, func(x operator.Audit) string { return x.ID }))
	return nil
}
