package guard

import (
	"errors"
	"net/netip"
	"time"
)

// Errors of the door.
var (
	// ErrBadCredentials is what Handler.Connect returns (wrapped or not) for a
	// wrong user or password: it counts as a failed login of the address.
	ErrBadCredentials = errors.New("bad user or password")
	// ErrNotAuthorized is what Handler.Connect returns for a client that is who
	// it says and may not do what it wants: another's client id, a will on
	// another's topic. It counts as a failed login too.
	ErrNotAuthorized = errors.New("not authorized")
	// ErrUnavailable is what Handler.Connect returns while nobody can be let in
	// (a standby, a door that closes): no failed login; the client tries again.
	ErrUnavailable = errors.New("unavailable")

	// ErrNoClient is returned by Send for a client that is gone.
	ErrNoClient = errors.New("no such client")
	// ErrNotSubscribed is returned by Send where the client has no subscription
	// that matches the topic.
	ErrNotSubscribed = errors.New("client is not subscribed to the topic")
	// ErrSlowClient is returned by Send when the client's queue is full.
	ErrSlowClient = errors.New("client does not take its messages")
	// ErrTooLarge is returned by Send for a message above what the client or
	// the door allows.
	ErrTooLarge = errors.New("message is too large for the client")
)

// Client is one connection that sent a valid CONNECT. It is made for the
// connection and is not changed after Handler.Connect; the handler may keep it.
type Client struct {
	// ID is never reused in the life of a Door, and never 0.
	ID uint64
	// ClientID is what the client calls itself; for an empty one, the name that
	// the door gave it.
	ClientID string
	// User is the CONNECT's user name.
	User string
	// Password is set during Handler.Connect only.
	Password []byte
	// Remote is where the connection comes from; the zero AddrPort for a
	// connection that has no IP address (net.Pipe).
	Remote netip.AddrPort
	// Will is nil where the CONNECT has none. The door never sends it: its
	// owner reads it here, and acts on Ended.
	Will *Will
	// Keepalive is what is in force; see Options.MaxKeepalive.
	Keepalive time.Duration
	// Version is the MQTT protocol level: 4 (3.1.1) or 5.
	Version byte

	// Data is the handler's own; the door does not touch it. Set it in Connect.
	Data any
}

// Will is a CONNECT's Last-Will.
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Message is what a client published. Payload is the handler's to keep.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Verdict is what Handler.Publish decides.
type Verdict uint8

// The verdicts. No verdict routes the message to anyone.
const (
	// Accept acknowledges the message.
	Accept Verdict = iota + 1
	// Ignore acknowledges it too, and counts it as ignored.
	Ignore
	// Close ends the connection without an acknowledgement: the client sends
	// it again.
	Close
)

func (v Verdict) String() string {
	return [...]string{"", "accepted", "ignored", "closed"}[min(v, Close)]
}

// Cause is why a connection ended.
type Cause uint8

// The causes of an end.
const (
	// Disconnected is a DISCONNECT of the client.
	Disconnected Cause = iota + 1
	// Lost is a connection that broke or was closed without DISCONNECT.
	Lost
	// Silent is a keepalive that ran out.
	Silent
	// TakenOver is a new connection with the same client id.
	TakenOver
	// Malformed is a frame that the door refused.
	Malformed
	// Refused is a Close verdict.
	Refused
	// Dismissed is Door.Disconnect.
	Dismissed
	// DoorClosed is the door's own end: no evidence about the client.
	DoorClosed
	// Broken is a fault in the MQTT library, caught.
	Broken
)

func (c Cause) String() string {
	return [...]string{
		"", "disconnect", "connection lost", "keepalive", "taken over",
		"malformed", "refused", "dismissed", "door closed", "broken",
	}[min(c, Broken)]
}

// End is how a connection ended.
type End struct {
	// Clean says that the client sent DISCONNECT with reason 0x00: it stopped
	// on purpose, its will does not count.
	Clean bool
	Cause Cause
	// By is the new connection's Client.ID where Cause is TakenOver.
	By uint64
	// Detail says more, for logs.
	Detail string
}

// Handler is what a door's owner does. Its methods are called from each
// connection's goroutine: for one client in order, for different clients at
// the same time.
type Handler interface {
	// Connect admits the client by returning nil. It may read memory, and wait
	// for a short read of credentials; it must not change what Ended undoes
	// before it is sure to return nil. An error refuses: see the errors above;
	// any other counts as ErrNotAuthorized without a failed login.
	Connect(c *Client) error
	// Established is called once after the CONNACK was written, before any
	// Publish of c. If the connection broke before, only Ended is called.
	// A connection that was taken over has had its Ended before, unless its
	// handler is stuck for more than a second.
	Established(c *Client)
	// Publish is called for each message, in order. A message of QoS 1 is
	// acknowledged when it returns; of QoS 2 it is called once.
	Publish(c *Client, m Message) Verdict
	// Subscribe says whether the client may have the filter. Nothing but
	// Door.Send ever reaches it.
	Subscribe(c *Client, filter string) bool
	// Ended is called exactly once for each client that Connect admitted, and
	// is the last call for it.
	Ended(c *Client, e End)
}
