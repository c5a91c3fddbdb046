package peer

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The paths, all below Prefix: a server is mounted there.
const (
	Prefix      = "/v1/peer/"
	PathAsk     = Prefix + "ask"
	PathTold    = Prefix + "told"
	PathForward = Prefix + "forward"
	PathDrain   = Prefix + "drain"
)

// MaxBody bounds a request and an answer: a question about every store of a
// cell (50,000) is 9 MB.
const MaxBody = 16 << 20

// maxWord bounds what is said of an error, in bytes.
const maxWord = 256

// callName is a call, as its path and the metrics name it: a wire.Kind, or one
// of those below.
type callName string

const (
	callExplain callName = "explain"
	callDrain   callName = "drain"
)

// Calls are the names of all calls.
func Calls() []string {
	out := []string{string(callExplain), string(callDrain)}
	for _, k := range wire.Kinds() {
		out = append(out, string(k))
	}
	return out
}

// subject is the body of an explain.
type subject struct {
	Store beat.StoreID `json:"store"`
	Host  beat.HostID  `json:"host,omitempty"`
}

func readSubject(raw []byte) (subject, error) {
	var s subject
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%w: %w", wire.ErrBody, err)
	}
	if _, err := beat.ParseStoreID(string(s.Store)); err != nil {
		return s, fmt.Errorf("%w: %w", wire.ErrBody, err)
	}
	if s.Host == "" {
		return s, nil
	}
	if _, err := beat.ParseHostID(string(s.Host)); err != nil {
		return s, fmt.Errorf("%w: %w", wire.ErrBody, err)
	}
	return s, nil
}

// drain is the body of a drain: the term of who took over.
type drain struct {
	Term int64 `json:"term"`
}

func readDrain(raw []byte) (drain, error) {
	var d drain
	err := json.Unmarshal(raw, &d)
	if err == nil && d.Term < 1 {
		err = errors.New("no term")
	}
	if err != nil {
		return d, fmt.Errorf("%w: %w", wire.ErrBody, err)
	}
	return d, nil
}
