//go:build !linux

package uplink

import (
	"net"
	"time"
)

// limitStall is Linux's: elsewhere write deadlines and the missing PUBACK notice
// a half-open link.
func limitStall(net.Conn, time.Duration) {}
