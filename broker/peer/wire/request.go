package wire

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// Kind is what a request asks for: the last part of its path.
type Kind string

// The kinds.
const (
	// Ask asks for the other region's views.
	Ask Kind = "ask"
	// Told asks what the other region told.
	Told Kind = "told"
	// Heard brings news, or none: then it is a probe.
	Heard Kind = "heard"
	// Forward brings verdicts.
	Forward Kind = "forward"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Ask, Told, Heard, Forward} }

// Request is one request of a region; what belongs to its Kind is set.
type Request struct {
	Kind     Kind
	Ask      *presence.Question
	Told     *incident.ToldQuestion
	News     []presence.News
	Verdicts []presence.Verdict
}

// Response answers a Request of the same Kind.
type Response struct {
	Ask  *presence.Answer
	Told *incident.ToldAnswer
	// State answers Heard and Forward.
	State State
}

// State is how a region is, in its own words.
type State struct {
	Node    string `json:"node"`
	Version string `json:"version,omitempty"`
	// Term is its own; Knows is the highest one of the asking region that it
	// knows of: a node that has a lower one was replaced.
	Term  int64 `json:"term,omitempty"`
	Knows int64 `json:"knows,omitempty"`
	// Settled says that it opens incidents from silence.
	Settled bool `json:"settled"`
	// Sessions is how many relays have an open session there.
	Sessions int `json:"sessions"`
	// TableOK says that its last call of the table worked.
	TableOK bool `json:"tableOk"`
}

// news is the body of a Heard.
type news struct {
	News []presence.News `json:"news"`
}

// forward is the body of a Forward.
type forward struct {
	Verdicts []presence.Verdict `json:"verdicts"`
}

// taken is the answer to news and forwards.
type taken struct {
	State State `json:"state"`
}

// Encode is the request's body, JSON.
func (r *Request) Encode() ([]byte, error) {
	switch r.Kind {
	case Ask:
		return encode(r.Ask)
	case Told:
		return encode(r.Told)
	case Heard:
		return encode(news{r.News})
	case Forward:
		return encode(forward{r.Verdicts})
	default:
		return nil, fmt.Errorf("%w: kind %q", ErrBody, r.Kind)
	}
}

// DecodeRequest reads the body of a request; every name in it is valid.
func DecodeRequest(kind Kind, raw []byte) (*Request, error) {
	r := &Request{Kind: kind}
	var err error
	switch kind {
	case Ask:
		var q presence.Question
		q, err = DecodeQuestion(raw)
		r.Ask = &q
	case Told:
		var q incident.ToldQuestion
		q, err = DecodeToldQuestion(raw)
		r.Told = &q
	case Heard:
		r.News, err = DecodeNews(raw)
	case Forward:
		r.Verdicts, err = DecodeVerdicts(raw)
	default:
		err = fmt.Errorf("%w: kind %.20q", ErrBody, kind)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Encode is the body of the answer to a request of that kind.
func (r *Response) Encode(kind Kind) ([]byte, error) {
	switch kind {
	case Ask:
		return encode(r.Ask)
	case Told:
		return encode(r.Told)
	default:
		return encode(taken{r.State})
	}
}

// DecodeResponse reads the answer to a request of that kind.
func DecodeResponse(kind Kind, raw []byte) (*Response, error) {
	r := &Response{}
	var err error
	switch kind {
	case Ask:
		var a presence.Answer
		a, err = DecodeAnswer(raw)
		r.Ask = &a
	case Told:
		var a incident.ToldAnswer
		a, err = DecodeToldAnswer(raw)
		r.Told = &a
	default:
		var t taken
		t, err = decode(bytes.TrimSpace(raw), func(t *taken) error { return checkWord(t.State.Node) })
		r.State = t.State
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return raw, nil
}
