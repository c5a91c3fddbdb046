package uplink

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitStall lets the kernel end a connection whose bytes nobody acknowledges
// for that long: on a half-open link it would try for a quarter of an hour.
func limitStall(conn net.Conn, stall time.Duration) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return // a test's pipe; writeConn and the missing PUBACK notice, too
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(stall.Milliseconds()))
	})
}
