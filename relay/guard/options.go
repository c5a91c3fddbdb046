package guard

import (
	"fmt"
	"time"
)

// Defaults, and why they are what they are.
const (
	// DefaultMaxPacket holds the largest report (48 KiB) with room to spare.
	DefaultMaxPacket = 64 << 10
	// DefaultMaxConnect holds a certificate-sized password and a will; it is
	// smaller than MaxPacket since a CONNECT costs nothing to send.
	DefaultMaxConnect = 8 << 10
	// DefaultConnectTimeout is the contract's: a whole CONNECT within 10 s of
	// the accept, TLS handshake included.
	DefaultConnectTimeout = 10 * time.Second
	// DefaultWriteTimeout is how long a client may let a write wait.
	DefaultWriteTimeout = 10 * time.Second
	// DefaultMaxConnections is far above a store's 256 hosts, and little enough
	// for a small machine's memory and descriptors.
	DefaultMaxConnections = 1024
	// DefaultMaxKeepalive is the longest whose 1.5 × fits the protocol's
	// 16 bits; a beat may promise as much as 12 h.
	DefaultMaxKeepalive = 43690 * time.Second
	// DefaultLoginsPerMinute and DefaultLoginDelay are the contract's.
	DefaultLoginsPerMinute = 10
	DefaultLoginDelay      = time.Second
	// DefaultQueue is how many messages wait for a client.
	DefaultQueue = 64
	// DefaultMaxSubscriptions is more than a relay's one.
	DefaultMaxSubscriptions = 8
)

// Options are a door's limits. Start from DefaultOptions.
type Options struct {
	// Versions are the MQTT protocol levels that are let in: 4 is 3.1.1, 5 is 5.
	// Others get the CONNACK that says so.
	Versions []byte
	// MaxPacket and MaxConnect bound a packet and a CONNECT, in bytes.
	MaxPacket  int
	MaxConnect int
	// ConnectTimeout is absolute from the accept to the end of the CONNECT; no
	// byte renews it.
	ConnectTimeout time.Duration
	// WriteTimeout ends a connection that does not read.
	WriteTimeout time.Duration
	// MaxConnections bounds all connections. At the bound the oldest one that
	// has not sent its CONNECT makes room; else the new one is refused.
	MaxConnections int
	// MaxPerAddress bounds the connections of one address; 0 is no bound. An
	// IPv6 network (/64) may have five times as many.
	MaxPerAddress int
	// MaxStrangersPerAddress bounds those of one address, or IPv6 network, that
	// are not authenticated; 0 is no bound. Stores share NATs: brokers bound
	// this one. At either bound the oldest stranger of the address makes room.
	MaxStrangersPerAddress int
	// ProveWithin is how long who was let in may go without a message that the
	// handler accepts; after it, the connection makes room like a stranger's
	// where a bound is reached. 0 asks for no proof: logins are proof enough.
	ProveWithin time.Duration
	// PacketsPerSecond bounds what one connection may send; above it the door
	// reads slower, nothing is lost. 0 is no bound.
	PacketsPerSecond int
	// Logins holds the failed logins of addresses; nil gives the door its own.
	// Share one between a tier's MQTT and HTTP doors.
	Logins *Logins
	// MaxKeepalive is also what a keepalive of 0 (none) gets, at most 43690 s.
	MaxKeepalive time.Duration
	// Queue bounds the messages of Send that wait for one client.
	Queue int
	// MaxSubscriptions bounds the filters of one client.
	MaxSubscriptions int
	// ExemptLoopback lifts the limits per address for loopback addresses; no
	// other limit.
	ExemptLoopback bool
}

// DefaultOptions are a LAN door's; a broker sets MaxStrangersPerAddress
// instead of MaxPerAddress, and its own PacketsPerSecond and MaxConnections.
func DefaultOptions() Options {
	return Options{
		Versions:         []byte{4, 5},
		MaxPacket:        DefaultMaxPacket,
		MaxConnect:       DefaultMaxConnect,
		ConnectTimeout:   DefaultConnectTimeout,
		WriteTimeout:     DefaultWriteTimeout,
		MaxConnections:   DefaultMaxConnections,
		MaxPerAddress:    64,
		PacketsPerSecond: 50,
		MaxKeepalive:     DefaultMaxKeepalive,
		Queue:            DefaultQueue,
		MaxSubscriptions: DefaultMaxSubscriptions,
	}
}

func (o Options) validate() error {
	for _, v := range o.Versions {
		if v != 4 && v != 5 {
			return fmt.Errorf("guard: MQTT protocol level %d: want 4 or 5", v)
		}
	}
	for _, b := range []struct {
		name     string
		got      int
		low, top int
	}{
		{"Versions", len(o.Versions), 1, 2},
		{"MaxPacket", o.MaxPacket, 256, 1 << 20},
		{"MaxConnect", o.MaxConnect, 128, o.MaxPacket},
		{"MaxConnections", o.MaxConnections, 1, 1 << 24},
		{"MaxPerAddress", o.MaxPerAddress, 0, 1 << 24},
		{"MaxStrangersPerAddress", o.MaxStrangersPerAddress, 0, 1 << 24},
		{"PacketsPerSecond", o.PacketsPerSecond, 0, 1 << 24},
		{"Queue", o.Queue, 1, 1 << 16},
		{"MaxSubscriptions", o.MaxSubscriptions, 0, 1 << 10},
	} {
		if b.got < b.low || b.got > b.top {
			return fmt.Errorf("guard: %s %d: want %d to %d", b.name, b.got, b.low, b.top)
		}
	}
	if o.ConnectTimeout <= 0 || o.WriteTimeout <= 0 {
		return fmt.Errorf("guard: ConnectTimeout %v and WriteTimeout %v: want more than 0", o.ConnectTimeout, o.WriteTimeout)
	}
	if o.MaxKeepalive < time.Second || o.MaxKeepalive > DefaultMaxKeepalive {
		return fmt.Errorf("guard: MaxKeepalive %v: want 1s to %v", o.MaxKeepalive, DefaultMaxKeepalive)
	}
	return nil
}
