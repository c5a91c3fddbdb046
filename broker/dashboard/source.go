package dashboard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/operator"
	"github.com/hb-mesh/hb-mesh/broker/setting"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Errors that a Source, an Operator, an Archive and Keys return, wrapped; any
// other is an internal one, logged and not shown.
var (
	// ErrNotFound is a store, host or key that nobody knows: 404.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable is a table that does not answer: 503, a retry helps.
	ErrUnavailable = errors.New("unavailable")
	// ErrInvalid is a request that can never succeed: 422, with its words.
	ErrInvalid = errors.New("invalid")
)

// Source is the memory of the node. Its methods answer at once, without I/O;
// the slices that they return belong to the caller.
type Source interface {
	// Version grows with every change of what Overview, Stores and Hosts
	// return, except for the times of reports, beats and answers alone. It is
	// polled often, and takes no lock that a Step holds for long.
	Version() uint64
	// Overview is all but the stores.
	Overview() Overview
	// Stores are the rollups of all stores, in any order.
	Stores() []Store
	// Hosts are a store's hosts, in any order; false: there is no such store.
	Hosts(store beat.StoreID) ([]Host, bool)
}

// Operator does what people ask for.
type Operator interface {
	// Want asks the relays of stores for their whole pictures, because somebody
	// looks at them. It returns at once; what a relay does is its affair. The
	// dashboard names a store at most once in WantEvery.
	Want(stores []beat.StoreID)
	// Forget retires a host for good, here and at its relay. who is for the
	// audit. The error is nil, ErrNotFound or ErrUnavailable.
	Forget(ctx context.Context, store beat.StoreID, host beat.HostID, who operator.Actor) error
}

// Archive reads the past from the table.
type Archive interface {
	// History is a page of a store's transitions of one UTC day, oldest first:
	// at most limit entries after the token start ("": the first page). next is
	// "" on the last page.
	History(ctx context.Context, store beat.StoreID, day time.Time, start string, limit int) (page []Entry, next string, err error)
}

// Keys are the credentials of the API.
type Keys interface {
	// List returns all keys that are not revoked.
	List(ctx context.Context) ([]Key, error)
	// Create makes a key (k's ID and Created are ignored) and returns it with
	// its secret, which is shown once. who is for the audit.
	Create(ctx context.Context, k Key, who operator.Actor) (Key, string, error)
	// Revoke ends a key. who is for the audit. The error is nil, ErrNotFound, ErrInvalid (a static
	// one) or ErrUnavailable.
	Revoke(ctx context.Context, id string, who operator.Actor) error
}

// Declarations are what operators declare of stores. Errors are operator's.
type Declarations interface {
	// Stores are those of which something is said, by id.
	Stores() []beat.StoreID
	// Declared is what is declared of a store; false: nothing.
	Declared(store beat.StoreID) (operator.Declared, bool)
	// Apply makes a whole file true, store by store, or says what that would be.
	Apply(ctx context.Context, who operator.Actor, p operator.Plan) (operator.Applied, error)
	// Declare declares one store.
	Declare(ctx context.Context, who operator.Actor, store beat.StoreID, e setting.Entry) (operator.Declared, error)
	// SetPin makes a region tell a store's incidents; "" ends the pin.
	SetPin(ctx context.Context, who operator.Actor, store beat.StoreID, region beat.Region) error
}

// Rules are silences, maintenance windows, pauses and acknowledgements. Errors
// are operator's.
type Rules interface {
	// Rules are those that are not over, in force or still to come, by id.
	Rules() []setting.Rule
	// Begin makes a rule; its id and author are given to it.
	Begin(ctx context.Context, who operator.Actor, r setting.Rule) (setting.Rule, error)
	// End ends a rule before its time.
	End(ctx context.Context, who operator.Actor, kind setting.Kind, id string) error
	// Audited is what operators did on a UTC day, newest first.
	Audited(ctx context.Context, day time.Time) ([]operator.Audit, error)
}

// Explainer says why a store or host is in its state.
type Explainer interface {
	// Explain asks the other region too, and says so where it does not answer.
	// host "" is the store itself. The error is nil or ErrNotFound.
	Explain(ctx context.Context, store beat.StoreID, host beat.HostID) (Explanation, error)
}

// Access is what a request may do.
type Access struct {
	// Read may see; Admin may change, too.
	Read, Admin bool
	// Store narrows both to one store; "" is the fleet.
	Store beat.StoreID
	// Who is the key's id, for the audit; "" is a request without a key.
	Who string
}

// Authorize says what a request may do: by its x-api-key header, or without a
// key where reads are open. It delays or refuses guessers; it is called once
// per request, and of a live stream again every Recheck.
type Authorize func(r *http.Request) Access
