package relay

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// byItsNames answers only who calls the relay by an address or a name of its
// own: a page in a technician's browser, whose name its owner lets point to the
// relay, must not read what the relay shows. hostname is the machine's.
func byItsNames(hostname string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !itsName(r.Host, hostname) {
			guard.Answer(w, http.StatusMisdirectedRequest, "Call the relay by its address or its host name")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// itsName says whether host, of a Host header, is an address, the machine's
// name (also as multicast DNS has it), or a name without a dot, which no
// stranger can own. HTTP/1.0 has none.
func itsName(host, hostname string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.Contains(host, ".") || strings.EqualFold(host, hostname) || strings.EqualFold(host, hostname+".local")
}
