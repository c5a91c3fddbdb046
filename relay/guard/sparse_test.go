package guard_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

func TestAStrangerCannotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, nil))
		d, err := guard.New(guard.DefaultOptions(), &owner{connect: func(*guard.Client) error { return errors.New("no") }}, log, nil)
		if err != nil {
			t.Fatal(err)
		}
		knock := func() {
			here, there := net.Pipe()
			served := make(chan struct{})
			go func() { defer close(served); d.ServeConn(there) }()
			w := &wire{Conn: here, t: t, r: newReader(here)}
			w.send(hello{id: strings.Repeat("i", 4000), user: strings.Repeat("u", 3000), flags: 0x82, keepalive: 60}.bytes()...)
			w.expect(0x20, 0, 5)
			_ = here.Close()
			<-served
		}
		for range 25 {
			knock()
		}
		if n, bytes := strings.Count(text.String(), "\n"), text.Len(); n != 10 || bytes > 10*500 {
			t.Errorf("25 refused clients wrote %d lines, %d bytes", n, bytes)
		}
		time.Sleep(time.Minute)
		text.Reset()
		knock()
		if line := text.String(); !strings.Contains(line, "unsaid_before=15") {
			t.Errorf("a minute later: %s", line)
		}
	})
}

func TestClipKeepsWholeCharacters(t *testing.T) {
	for in, want := range map[string]string{
		"short":                       "short",
		strings.Repeat("a", 65):       strings.Repeat("a", 64) + "…",
		"a" + strings.Repeat("é", 40): "a" + strings.Repeat("é", 31) + "…",
		strings.Repeat("b", 64):       strings.Repeat("b", 64),
	} {
		if got := guard.Clip(in); got != want {
			t.Errorf("Clip(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAnIPv6NetworkGuessesAsOne(t *testing.T) {
	l := guard.NewLogins(2, time.Second)
	for from, want := range [][2]string{{"2001:db8::1", "0s"}, {"2001:db8::2", "0s"}, {"2001:db8::3", "1s"}, {"2001:db8:0:1::1", "0s"}, {"192.0.2.1", "0s"}} {
		if got := l.Failed(netip.MustParseAddr(want[0])); got.String() != want[1] {
			t.Errorf("failure %d, from %s: %v late, want %s", from+1, want[0], got, want[1])
		}
	}
}
