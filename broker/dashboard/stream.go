package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// stream is one live page: server-sent events over one GET. The events are
//
//	view   the whole View: at the beginning, and when it changed; its id is a hash
//	same   the same as what Last-Event-ID names: nothing changed meanwhile
//	times  the Times, when they changed, at most once in Options.Fresh
//	end    no more comes; the data says why
//
// and a comment every Options.Heartbeat, so that a page can tell a quiet
// stream from a dead one. Views are whole: whatever was missed, the next one
// is true.
type stream struct {
	s      *Server
	w      http.ResponseWriter
	ctl    *http.ResponseController
	look   look
	access Access

	viewID    string // of the view that the page has
	timesSum  [sha256.Size]byte
	version   uint64 // of the snapshot that was looked at last
	looked    time.Time
	timesAt   time.Time
	wroteAt   time.Time
	checkedAt time.Time
}

func (s *Server) events(w http.ResponseWriter, r *http.Request, a Access) error {
	if !s.enter() {
		return problem(http.StatusServiceUnavailable, "too many live pages are connected to this node, or it stops")
	}
	defer s.leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	st := &stream{
		s: s, w: w, ctl: http.NewResponseController(w), look: parseLook(r.URL.Query(), s.o.MaxOpen),
		access: a, viewID: r.Header.Get("Last-Event-ID"), checkedAt: s.o.Now(),
	}
	if err := st.run(r); err != nil {
		s.o.Logger.Debug("live page ended", "remote", r.RemoteAddr, "err", err)
	}
	return nil
}

// run sends until the page goes, the key is revoked or the server closes.
func (st *stream) run(r *http.Request) error {
	// A server's ReadTimeout would end every stream: there is nothing to read.
	if err := st.ctl.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear the stream's read deadline: %w", err)
	}
	if err := st.open(); err != nil {
		return err
	}
	tick := time.NewTicker(st.s.o.Coalesce)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-st.s.closed:
			return st.event("end", "", "the node stops")
		case <-tick.C:
		}
		now := st.s.o.Now()
		if now.Sub(st.checkedAt) >= st.s.o.Recheck {
			st.checkedAt = now
			if a := st.s.o.Authorize(r); !a.Read || a.Store != st.access.Store {
				return st.event("end", "", "the key is no longer valid")
			}
		}
		if err := st.tick(now); err != nil {
			return err
		}
	}
}

func (st *stream) open() error {
	had := st.viewID
	if err := st.update(st.s.o.Now()); err != nil {
		return err
	}
	if had != "" && st.viewID == had {
		return st.event("same", st.viewID, struct{}{})
	}
	return nil
}

// tick looks at the Source when something changed, or when times are due.
func (st *stream) tick(now time.Time) error {
	if st.s.o.Source.Version() != st.version || now.Sub(st.looked) >= st.s.o.Fresh {
		if err := st.update(now); err != nil {
			return err
		}
	}
	if now.Sub(st.wroteAt) >= st.s.o.Heartbeat {
		return st.write(": alive\n\n")
	}
	return nil
}

func (st *stream) update(now time.Time) error {
	snap := st.s.snaps.get(st.s.o.Fresh)
	st.version, st.looked = snap.version, now
	view, times, seen := st.s.view(st.s.scoped(snap, st.access.Store), st.look)
	st.s.want(now, seen)
	if id := digest(view); id != st.viewID {
		if err := st.event("view", id, view); err != nil {
			return err
		}
		st.viewID, st.timesAt = id, time.Time{}
		if st.s.o.Metrics != nil {
			st.s.o.Metrics.Views.Inc()
		}
	}
	return st.sendTimes(now, times)
}

func (st *stream) sendTimes(now time.Time, t Times) error {
	if now.Sub(st.timesAt) < st.s.o.Fresh {
		return nil
	}
	at := t.At
	t.At = time.Time{}
	sum := sha256.Sum256(encode(t))
	if sum == st.timesSum && !st.timesAt.IsZero() {
		return nil
	}
	st.timesSum, st.timesAt, t.At = sum, now, at
	return st.event("times", "", t)
}

// digest names a view's content, without the instant when it was made.
func digest(v View) string {
	v.At = time.Time{}
	sum := sha256.Sum256(encode(v))
	return hex.EncodeToString(sum[:12])
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("dashboard: encode %T: %v", v, err)) // plain structs and texts cannot fail
	}
	return b
}

func (st *stream) event(name, id string, data any) error {
	if id != "" {
		id = "id: " + id + "\n"
	}
	// JSON has no line breaks of its own, so one data line is enough.
	return st.write("event: " + name + "\n" + id + "data: " + string(encode(data)) + "\n\n")
}

func (st *stream) write(text string) error {
	st.wroteAt = st.s.o.Now()
	// The deadline is on the socket's own clock, not on the injected one.
	deadline := time.Now().Add(st.s.o.WriteTimeout)
	if err := st.ctl.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("set the stream's deadline: %w", err)
	}
	if _, err := st.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	if err := st.ctl.Flush(); err != nil {
		return fmt.Errorf("flush the stream: %w", err)
	}
	return nil
}

// wanted remembers when a store's picture was last asked for.
type wanted struct {
	mu sync.Mutex // guards at
	at map[beat.StoreID]time.Time
}

// want asks for the pictures of the stores that somebody sees, each at most
// once in Options.WantEvery, however many look.
func (s *Server) want(now time.Time, seen []beat.StoreID) {
	if s.o.Operator == nil || len(seen) == 0 {
		return
	}
	var due []beat.StoreID
	s.wanted.mu.Lock()
	for store, at := range s.wanted.at {
		if now.Sub(at) >= s.o.WantEvery {
			delete(s.wanted.at, store)
		}
	}
	for _, store := range seen {
		if _, lately := s.wanted.at[store]; !lately {
			s.wanted.at[store] = now
			due = append(due, store)
		}
	}
	s.wanted.mu.Unlock()
	if len(due) > 0 {
		s.o.Operator.Want(due)
	}
}
