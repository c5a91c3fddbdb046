package notice

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrTarget is a webhook's address that is not on the public internet.
var ErrTarget = errors.New("the address is private, loopback, link-local or reserved: allow it in the channel's configuration")

// refusePrivate is a net.Dialer's Control: it sees the address that a name was
// resolved to, at the instant of connecting, so that no DNS answer that changes
// between check and use gets by.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTarget, err)
	}
	if !Public(ap.Addr()) {
		return fmt.Errorf("%s: %w", ap.Addr(), ErrTarget)
	}
	return nil
}

// special are the networks of the IANA special-purpose registries that
// netip's own predicates do not know.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("100.64.0.0/10"),    // carriers' NAT; 100.100.100.200 is a cloud's metadata
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments; 192.0.0.192 is a cloud's metadata
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, and the broadcast
	netip.MustParsePrefix("168.63.129.16/32"), // a cloud's host agent
	netip.MustParsePrefix("64:ff9b:1::/48"),   // local NAT64
	netip.MustParsePrefix("100::/64"),         // discard
	netip.MustParsePrefix("2001::/23"),        // protocol assignments, with Teredo
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("3fff::/20"),        // documentation
	netip.MustParsePrefix("5f00::/16"),        // segment routing
	netip.MustParsePrefix("fec0::/10"),        // site-local
	netip.MustParsePrefix("::/96"),            // IPv4-compatible
}

var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	six4  = netip.MustParsePrefix("2002::/16")
)

// Public says whether an address is one of the public internet. An IPv4
// address inside an IPv6 one is judged as itself.
func Public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a.Is6() {
		raw := a.As16()
		switch {
		case nat64.Contains(a):
			return Public(netip.AddrFrom4([4]byte(raw[12:16])))
		case six4.Contains(a):
			return Public(netip.AddrFrom4([4]byte(raw[2:6])))
		}
	}
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
