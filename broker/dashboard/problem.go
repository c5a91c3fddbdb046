package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/hb-mesh/hb-mesh/broker/operator"
)

// Problem is an error of the API, as RFC 9457 has it.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what is wrong, and what to do next.
	Detail string `json:"detail,omitempty"`
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

func problem(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

// problemOf is what a caller may know of err; false: it is ours to log.
func problemOf(err error) (*Problem, bool) {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p, true
	case errors.Is(err, operator.ErrElsewhere), errors.Is(err, operator.ErrConflict):
		return problem(http.StatusConflict, err.Error()), true
	case errors.Is(err, ErrNotFound), errors.Is(err, operator.ErrNotFound):
		return problem(http.StatusNotFound, err.Error()), true
	case errors.Is(err, ErrInvalid), errors.Is(err, operator.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, err.Error()), true
	case errors.Is(err, ErrUnavailable), errors.Is(err, operator.ErrUnavailable):
		return problem(http.StatusServiceUnavailable, "the table does not answer; try again in a few seconds"), true
	}
	return problem(http.StatusInternalServerError, "the reason is in the log of the node"), false
}

func (p *Problem) write(w http.ResponseWriter) {
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody to tell
}
