package dashboard

import (
	"fmt"
	"net/http"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Explanation is why a store or host is in its state: for somebody who was
// woken by it, the words first and the evidence below.
type Explanation struct {
	At time.Time `json:"at"`
	// Region answers: the region of this node.
	Region beat.Region  `json:"region"`
	Store  beat.StoreID `json:"store"`
	Host   beat.HostID  `json:"host,omitempty"`
	// State is the subject's, Since when it entered it.
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"`
	// Says are whole sentences: what is, why, who is told and who is not.
	Says []string `json:"says"`
	// Evidence is what each region holds, this one's first.
	Evidence []Evidence `json:"evidence"`
	// Next is what happens if nothing else does, in the order of time.
	Next []Expected `json:"next"`
	// Zone is the store's time zone, where one is declared.
	Zone string `json:"zone,omitempty"`
}

// Evidence is what one region holds of a subject.
type Evidence struct {
	Region beat.Region `json:"region"`
	// Missing is why there is none: the region did not answer.
	Missing string `json:"missing,omitempty"`
	// Facts are in the order in which people read them; both regions use the
	// same names for the same things.
	Facts []Fact `json:"facts,omitempty"`
}

// Fact is one thing that a region knows, such as session: open, epoch 812.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Expected is what happens at an instant if nothing else does before.
type Expected struct {
	At   time.Time `json:"at,omitzero"`
	What string    `json:"what"`
}

// explain answers for store= and host=.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, a Access) error {
	if s.o.Explainer == nil {
		return missing("explanations")
	}
	q := r.URL.Query()
	store, err := beat.ParseStoreID(q.Get("store"))
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	if a.Store != "" && a.Store != store {
		return problem(http.StatusForbidden, "the key is bound to store "+string(a.Store))
	}
	var host beat.HostID
	if q.Get("host") != "" {
		if host, err = beat.ParseHostID(q.Get("host")); err != nil {
			return problem(http.StatusBadRequest, err.Error())
		}
	}
	e, err := s.o.Explainer.Explain(r.Context(), store, host)
	if err != nil {
		return fmt.Errorf("explain %s: %w", store, err)
	}
	if a.Store != "" {
		e.bare()
	}
	e.Says, e.Evidence, e.Next = first(e.Says, len(e.Says)), first(e.Evidence, len(e.Evidence)), first(e.Next, len(e.Next))
	writeJSON(w, http.StatusOK, jsonType, e)
	return nil
}
