package guard_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

func TestConnectionsOfAnAddressAreBounded(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.ExemptLoopback, o.MaxPerAddress = false, 3 })
	var in []*wire
	for _, id := range []string{"a", "b", "c"} {
		in = append(in, join(t, d, v4(id)))
	}
	dial(t, d.addr).expectClosed()
	in[0].send(0xe0, 0)
	in[0].expectClosed()
	eventually(t, "the place to be free", func() bool {
		w := dial(t, d.addr)
		_, _ = w.Write(v4("d"))
		_, _, err := w.frame()
		return err == nil
	})
}

func TestOnlyStrangersAreBoundedWhereStoresShareANAT(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) {
		o.ExemptLoopback, o.MaxPerAddress, o.MaxStrangersPerAddress = false, 0, 2
	})
	for n := range uint64(10) {
		join(t, d, v4(itoa(n)))
	}
	oldest, second := dial(t, d.addr), dial(t, d.addr)
	third := dial(t, d.addr) // it may have the right password
	oldest.expectClosed()
	_, _ = third.Write(v4("third"))
	third.expect(0x20, 0, 0)
	_, _ = second.Write(v4("second"))
	second.expect(0x20, 0, 0)
}

func TestAtAnAddressBoundItsOwnStrangerMakesRoom(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.ExemptLoopback, o.MaxPerAddress = false, 3 })
	member := join(t, d, v4("member"))
	elsewhere := dialFrom(t, d.addr, "127.0.0.2")
	oldest := dial(t, d.addr)
	dial(t, d.addr)
	join(t, d, v4("second"))
	oldest.expectClosed()
	_, _ = elsewhere.Write(v4("elsewhere"))
	elsewhere.expect(0x20, 0, 0)
	member.send(0xc0, 0)
	member.expect(0xd0)
}

func TestWhoIsLetInAndSaysNothingMakesRoomInTheEnd(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.MaxConnections, o.ProveWithin = 2, 50*time.Millisecond })
	beating, idle := join(t, d, v4("beating")), join(t, d, v4("idle"))
	beating.send(publish("t", 1, 1, "x")...)
	beating.expect(0x40, 0, 1)
	dial(t, d.addr).expectClosed() // not yet
	time.Sleep(60 * time.Millisecond)
	join(t, d, v4("new"))
	idle.expectClosed()
	beating.send(publish("t", 1, 2, "x")...)
	beating.expect(0x40, 0, 2)
}

func TestAtTheBoundTheOldestStrangerMakesRoom(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.MaxConnections = 3 })
	member := join(t, d, v4("member"))
	oldest, young := dial(t, d.addr), dial(t, d.addr)
	join(t, d, v4("second"))
	oldest.expectClosed()
	join(t, d, v4("third"))
	young.expectClosed()
	dial(t, d.addr).expectClosed() // nobody is left who could make room
	member.send(0xc0, 0)
	member.expect(0xd0)
}

func TestAboveItsRateAConnectionWaitsAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt := guard.DefaultOptions()
		opt.PacketsPerSecond = 50
		o := new(owner)
		d, err := guard.New(opt, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		client, server := net.Pipe()
		go d.ServeConn(server)
		w := &wire{Conn: client, t: t}
		w.r = newReader(client)
		w.send(v4("till")...)
		w.expect(0x20, 0, 0)
		start := time.Now()
		go func() {
			for n := range uint16(600) {
				_, _ = client.Write(publish("a", 1, n+1, ""))
			}
		}()
		for n := range uint16(600) {
			w.expect(0x40, byte((n+1)>>8), byte(n+1))
		}
		if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("600 messages at 50 a second, 100 at once, took %v", took)
		}
		d.Close()
		if end := o.endOf(t, 1); end.Cause != guard.DoorClosed {
			t.Errorf("ended as %+v", end)
		}
	})
}

func TestKeepaliveRunsOutAfterOneAndAHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(owner)
		d, err := guard.New(guard.DefaultOptions(), o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		client, server := net.Pipe()
		go d.ServeConn(server)
		w := &wire{Conn: client, t: t, r: newReader(client)}
		w.send(hello{id: "till", flags: 2, keepalive: 21}.bytes()...)
		w.expect(0x20, 0, 0)
		for range 3 {
			time.Sleep(31 * time.Second)
			w.send(0xc0, 0)
			w.expect(0xd0)
		}
		start := time.Now()
		_ = client.SetReadDeadline(time.Time{})
		_, _ = client.Read(make([]byte, 1))
		if took := time.Since(start); took != 31500*time.Millisecond {
			t.Errorf("silence was noticed after %v", took)
		}
		synctest.Wait() // the end is told before the door closes
		d.Close()
		if end := o.endOf(t, 1); end.Cause != guard.Silent {
			t.Errorf("ended as %+v", end)
		}
	})
}

// sick is a listener whose Accept fails now and then.
type sick struct {
	net.Listener
	calls atomic.Int32
}

func (s *sick) Accept() (net.Conn, error) {
	switch s.calls.Add(1) % 3 {
	case 1:
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	case 2:
		return nil, errors.New("odd")
	}
	return s.Listener.Accept()
}

func TestAcceptSurvivesErrorsAndFreesDescriptors(t *testing.T) {
	m := guard.NewMetrics(nil, "hbmesh_test")
	d := openDoor(t, new(owner), nil, m)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served2 := make(chan error)
	go func() { served2 <- d.Serve(ctx, &sick{Listener: ln}) }()
	second := &door{Door: d.Door, addr: ln.Addr().String(), owner: d.owner}
	silent := dial(t, second.addr)
	eventually(t, "the silent connection to make room", func() bool {
		served(t, second, "normal")
		_ = silent.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := silent.Read(make([]byte, 1))
		return !errors.Is(err, os.ErrDeadlineExceeded)
	})
	silent.expectClosed() // it made room when descriptors were out
	cancel()
	if err := <-served2; err != nil {
		t.Errorf("Serve: %v", err)
	}
	served(t, d, "normal") // the other listener goes on
}

func TestServeSaysWhenAnotherClosedItsListener(t *testing.T) {
	d, err := guard.New(guard.DefaultOptions(), new(owner), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := d.Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func TestTLSHandshakeIsWithinTheDeadline(t *testing.T) {
	cert := httptest.NewTLSServer(nil)
	defer cert.Close()
	d := openDoor(t, new(owner), func(o *guard.Options) { o.ConnectTimeout = 3 * time.Second })
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: cert.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Serve(ctx, ln) }()
	silent := dial(t, ln.Addr().String())
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := &wire{Conn: c, t: t, r: newReader(c)}
	w.send(v4("tls")...)
	w.expect(0x20, 0, 0)
	w.send(publish("a", 1, 1, "")...)
	w.expect(0x40, 0, 1)
	silent.expectClosed()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	w.expectClosed()
}

func TestOptionsAreChecked(t *testing.T) {
	for what, change := range map[string]func(*guard.Options){
		"no version":         func(o *guard.Options) { o.Versions = nil },
		"version 3":          func(o *guard.Options) { o.Versions = []byte{3} },
		"a tiny packet":      func(o *guard.Options) { o.MaxPacket = 10 },
		"a CONNECT too big":  func(o *guard.Options) { o.MaxConnect = o.MaxPacket + 1 },
		"no time to connect": func(o *guard.Options) { o.ConnectTimeout = 0 },
		"no time to write":   func(o *guard.Options) { o.WriteTimeout = -1 },
		"a day of keepalive": func(o *guard.Options) { o.MaxKeepalive = 24 * time.Hour },
		"no queue":           func(o *guard.Options) { o.Queue = 0 },
		"no connections":     func(o *guard.Options) { o.MaxConnections = 0 },
	} {
		o := guard.DefaultOptions()
		change(&o)
		if _, err := guard.New(o, new(owner), nil, nil); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	guard.NewMetrics(reg, "hbmesh_relay")
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
}

// distant is a connection from an address of the test's choice.
type distant struct {
	net.Conn
	from string
}

func (d distant) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(d.from), Port: 1} }

func TestTheAddressesOfAnIPv6NetworkAreBoundedTogether(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.MaxPerAddress, o.MaxStrangersPerAddress = 0, 2 })
	come := func(from string) *wire {
		here, there := net.Pipe()
		go d.ServeConn(distant{there, from})
		t.Cleanup(func() { _ = here.Close() })
		return &wire{Conn: here, t: t, r: newReader(here)}
	}
	first := come("2001:db8::1")
	elsewhere := come("2001:db8:0:1::1")
	_ = first.SetDeadline(time.Now().Add(20 * time.Millisecond)) // it is in before the others
	_, _ = first.r.Peek(1)
	come("2001:db8::2")
	come("2001:db8::3")
	first.expectClosed()
	_, _ = elsewhere.Write(v4("elsewhere"))
	elsewhere.expect(0x20, 0, 0)
}
