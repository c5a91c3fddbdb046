package guard_test

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

func TestANormalClientIsServed(t *testing.T) {
	d := openDoor(t, new(owner), nil)
	served(t, d, "pos1")
	c := d.owner.clients()[0]
	if end := d.owner.endOf(t, c.ID); !end.Clean || end.Cause != guard.Disconnected {
		t.Errorf("a DISCONNECT ended as %+v", end)
	}
	m := d.owner.messages()
	if len(m) != 1 || m[0].Topic != "hb/v1/beat/pos1" || m[0].QoS != 1 {
		t.Errorf("messages are %+v", m)
	}
}

func TestConnectIsReadWhole(t *testing.T) {
	o := &owner{}
	passwords := make(chan string, 9)
	o.connect = func(c *guard.Client) error { passwords <- string(c.Password); return nil }
	d := openDoor(t, o, nil)
	for _, version := range []byte{4, 5} {
		join(t, d, hello{version: version, id: "pos1", keepalive: 9, user: "till", password: "geheim",
			will: &guard.Will{Topic: "hb/v1/gone/pos1", QoS: 1, Retain: true}}.bytes())
		if got := <-passwords; got != "geheim" {
			t.Errorf("password is %q", got)
		}
		c := o.clients()[len(o.clients())-1]
		if c.ClientID != "pos1" || c.User != "till" || c.Version != version || c.Keepalive != 9*time.Second || c.Password != nil {
			t.Errorf("client is %+v", c)
		}
		if c.Will == nil || c.Will.Topic != "hb/v1/gone/pos1" || c.Will.QoS != 1 || !c.Will.Retain || len(c.Will.Payload) != 0 {
			t.Errorf("will is %+v", c.Will)
		}
		if !c.Remote.Addr().IsLoopback() || c.Remote.Port() == 0 {
			t.Errorf("remote is %v", c.Remote)
		}
	}
}

func TestVersionsThatAreNotOfferedAreToldSo(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.Versions = []byte{4} })
	for what, c := range map[string]struct{ send, want []byte }{
		"MQTT 5":     {v5("a"), []byte{0x20, 3, 0, 0x84, 0}},
		"MQTT 9":     {hello{version: 9, id: "a", flags: 2}.bytes(), []byte{0x20, 3, 0, 0x84, 0}},
		"MQTT 3":     {hello{version: 3, id: "a", flags: 2}.bytes(), []byte{0x20, 2, 0, 1}},
		"MQIsdp":     {frame(0x10, str("MQIsdp"), []byte{3, 2, 0, 9}, str("a")), []byte{0x20, 2, 0, 1}},
		"no name":    {hello{id: ""}.bytes(), []byte{0x20, 2, 0, 2}},
		"of a robot": {frame(0x10, str("MQTX"), []byte{4, 2, 0, 9}, str("a")), nil},
	} {
		w := dial(t, d.addr)
		w.send(c.send...)
		if c.want != nil {
			w.expect(c.want[0], c.want[2:]...)
		}
		w.expectClosed()
		t.Log(what)
	}
	if got := d.owner.lines(); len(got) != 0 {
		t.Errorf("the handler heard of them: %v", got)
	}
	served(t, d, "normal")
}

func TestRefusalsOfTheHandler(t *testing.T) {
	o := &owner{connect: func(c *guard.Client) error {
		return map[string]error{"bad": guard.ErrBadCredentials, "not": guard.ErrNotAuthorized, "later": guard.ErrUnavailable, "odd": errors.New("odd")}[c.User]
	}}
	d := openDoor(t, o, nil)
	for user, code := range map[string][2]byte{"bad": {5, 0x86}, "not": {5, 0x87}, "later": {3, 0x88}, "odd": {5, 0x87}} {
		w := dial(t, d.addr)
		w.send(hello{id: "x", flags: 2, user: user}.bytes()...)
		w.expect(0x20, 0, code[0])
		w.expectClosed()
		w = dial(t, d.addr)
		w.send(hello{version: 5, id: "x", flags: 2, user: user}.bytes()...)
		w.expect(0x20, 0, code[1], 0)
		w.expectClosed()
	}
	if got := o.lines(); len(got) != 0 {
		t.Errorf("a refused client has a life: %v", got)
	}
}

// far is one end of a pipe, of a client that has an address.
type far struct{ net.Conn }

func (far) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 50_000} }

func TestAnswersToTooManyFailedLoginsAreLate(t *testing.T) {
	o := &owner{connect: func(c *guard.Client) error {
		if c.User == "bad" {
			return guard.ErrBadCredentials
		}
		return nil
	}}
	synctest.Test(t, func(t *testing.T) {
		opt := guard.DefaultOptions()
		opt.Logins = guard.NewLogins(2, 300*time.Millisecond)
		d, err := guard.New(opt, o, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range []time.Duration{0, 0, 300 * time.Millisecond, 0} {
			client, server := net.Pipe()
			go d.ServeConn(far{server})
			w := &wire{Conn: client, t: t, r: newReader(client)}
			start := time.Now()
			if n < 3 {
				w.send(hello{id: "x", flags: 2, user: "bad"}.bytes()...)
				w.expect(0x20, 0, 5)
			} else {
				w.send(hello{id: "x", flags: 2, user: "good"}.bytes()...)
				w.expect(0x20, 0, 0)
			}
			if took := time.Since(start); took != want {
				t.Errorf("login %d was answered after %v", n+1, took)
			}
		}
		d.Close()
	})
}

func TestAnEndIsToldOnceAndSaysHow(t *testing.T) {
	for _, version := range []byte{4, 5} {
		hi := hello{version: version, id: "till", flags: 2, keepalive: 1}.bytes()
		for _, c := range []struct {
			what string
			do   func(d *door, w *wire, id uint64)
			want guard.End
		}{
			{"DISCONNECT is clean", func(_ *door, w *wire, _ uint64) { w.send(0xe0, 0) }, guard.End{Clean: true, Cause: guard.Disconnected}},
			{"a closed socket is a loss", func(_ *door, w *wire, _ uint64) { _ = w.Close() }, guard.End{Cause: guard.Lost}},
			{"silence beyond 1.5 keepalives", func(*door, *wire, uint64) {}, guard.End{Cause: guard.Silent}},
			{"bytes of a frame keep nobody alive", func(_ *door, w *wire, _ uint64) {
				for _, b := range publish("hb/v1/beat/x", 0, 0, "12345678901234567890") {
					if _, err := w.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}, guard.End{Cause: guard.Silent}},
			{"a second CONNECT", func(_ *door, w *wire, _ uint64) { w.send(hi...) }, guard.End{Cause: guard.Malformed}},
			{"a refused message", func(_ *door, w *wire, _ uint64) { w.send(publish("close", 1, 1, "")...) }, guard.End{Cause: guard.Refused}},
			{"the owner's word", func(d *door, _ *wire, id uint64) { d.Disconnect(id, "tired") }, guard.End{Cause: guard.Dismissed}},
			{"the door's end", func(d *door, _ *wire, _ uint64) { go d.stop() }, guard.End{Cause: guard.DoorClosed}},
		} {
			if version == 5 && c.want.Cause == guard.Refused {
				continue // the frame above is one of 3.1.1
			}
			t.Run(c.what, func(t *testing.T) {
				t.Parallel()
				o := &owner{publish: func(_ *guard.Client, m guard.Message) guard.Verdict {
					if m.Topic == "close" {
						return guard.Close
					}
					return guard.Accept
				}}
				d := openDoor(t, o, nil)
				w := join(t, d, hi)
				id := o.clients()[0].ID
				c.do(d, w, id)
				end := o.endOf(t, id)
				if end.Clean != c.want.Clean || end.Cause != c.want.Cause {
					t.Errorf("ended as %+v, want %+v", end, c.want)
				}
				if !slices.Contains([]guard.Cause{guard.Disconnected, guard.Lost}, c.want.Cause) {
					w.expectClosed()
				}
				d.stop()
				o.endOf(t, id) // still once
			})
		}
	}
}

func TestDisconnectReasonsOfMQTT5(t *testing.T) {
	d := openDoor(t, new(owner), nil)
	for n, c := range []struct {
		frame []byte
		clean bool
	}{
		{[]byte{0xe0, 1, 0}, true},
		{[]byte{0xe0, 1, 4}, false},                                   // with will
		{[]byte{0xe0, 2, 0x80, 0}, false},                             // an error
		{[]byte{0xe0, 7, 0, 5, 17, 0, 0, 0, 60}, true},                // a session expiry, after the door said 0
		{append([]byte{0xe0, 0}, publish("late", 0, 0, "")...), true}, // nothing counts after it
	} {
		w := join(t, d, hello{version: 5, id: "x", flags: 0, keepalive: 9, props: []byte{17, 0, 0, 0, 60}}.bytes())
		w.send(c.frame...)
		w.expectClosed()
		id := d.owner.clients()[n].ID
		if end := d.owner.endOf(t, id); end.Cause != guard.Disconnected || end.Clean != c.clean {
			t.Errorf("%x ended as %+v", c.frame, end)
		}
	}
	if len(d.owner.messages()) != 0 {
		t.Error("a message after DISCONNECT was delivered")
	}
}

func TestTakeoverEndsTheOldBeforeTheNewIsEstablished(t *testing.T) {
	d := openDoor(t, &owner{onEnd: func(*guard.Client, guard.End) { time.Sleep(20 * time.Millisecond) }}, nil)
	var wires []*wire
	for n := range 20 {
		hi := v4("till")
		if n%2 == 1 {
			hi = v5("till")
		}
		wires = append(wires, join(t, d, hi))
	}
	last := wires[len(wires)-1]
	last.send(0xc0, 0)
	last.expect(0xd0)
	clients := d.owner.clients()
	for n, c := range clients[:len(clients)-1] {
		end := d.owner.endOf(t, c.ID)
		if end.Cause != guard.TakenOver || end.By != clients[n+1].ID || end.Clean {
			t.Errorf("client %d ended as %+v", c.ID, end)
		}
		wires[n].expectClosed()
	}
	lines := d.owner.lines()
	for n, c := range clients[1:] {
		end := slices.Index(lines, "ended "+itoa(clients[n].ID)+" taken over")
		if start := slices.Index(lines, "established "+itoa(c.ID)); start >= 0 && start < end {
			t.Fatalf("client %d was established before its forerunner ended:\n%s", c.ID, strings.Join(lines, "\n"))
		}
	}
	// The new one is who gets the mail, and it has no end.
	if err := d.Send(clients[0].ID, "x", nil, 0); !errors.Is(err, guard.ErrNoClient) {
		t.Errorf("a message to the old one: %v", err)
	}
	if err := d.Send(clients[len(clients)-1].ID, "x", nil, 0); !errors.Is(err, guard.ErrNotSubscribed) {
		t.Errorf("a message to the new one: %v", err)
	}
}

func TestManyTakeoversAtOnceLeaveOne(t *testing.T) {
	d := openDoor(t, new(owner), nil)
	const n = 50
	for range n {
		go func() {
			c, err := net.Dial("tcp", d.addr)
			if err == nil {
				_, _ = c.Write(v4("till"))
				t.Cleanup(func() { _ = c.Close() })
			}
		}()
	}
	ended := func() (connects, ends int) {
		for _, l := range d.owner.lines() {
			if strings.HasPrefix(l, "connect") {
				connects++
			}
			if strings.HasPrefix(l, "ended") {
				ends++
			}
		}
		return
	}
	eventually(t, "all but one to end", func() bool { c, e := ended(); return c == n && e == n-1 })
	d.stop()
	if c, e := ended(); c != n || e != n {
		t.Errorf("%d connects, %d ends", c, e)
	}
}

func itoa(n uint64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestNothingIsRouted(t *testing.T) {
	o := &owner{subscribe: func(*guard.Client, string) bool { return true }}
	d := openDoor(t, o, nil)
	listener := join(t, d, v4("listener"))
	listener.send(frame(0x82, []byte{0, 1}, str("#"), []byte{2})...)
	listener.expect(0x90, 0, 1, 2)
	for qos := range byte(3) {
		w := join(t, d, hello{id: "speaker", flags: 2, keepalive: 9, will: &guard.Will{Topic: "will", Payload: []byte("x"), QoS: qos, Retain: true}}.bytes())
		first := publish("news", qos, 5, "x")
		first[0] |= 1 // retained
		w.send(first...)
		w.send(0xc0, 0)
		for f := byte(0); f != 0xd0; {
			var err error
			if f, _, err = w.frame(); err != nil {
				t.Fatal(err)
			}
		}
		_ = w.Close() // its will is due
	}
	second := join(t, d, v4("second"))
	second.send(frame(0x82, []byte{0, 1}, str("#"), []byte{0})...)
	second.expect(0x90, 0, 1, 0)
	for _, w := range []*wire{listener, second} {
		w.send(0xc0, 0)
		w.expect(0xd0) // and nothing before it
	}
	if n := len(o.messages()); n != 3 {
		t.Errorf("%d messages came, want 3", n)
	}
}

func TestQoS2IsDeliveredOnce(t *testing.T) {
	d := openDoor(t, new(owner), nil)
	w := join(t, d, v4("till"))
	again := publish("news", 2, 9, "x")
	w.send(again...)
	w.expect(0x50, 0, 9)
	again[0] |= 8
	w.send(again...)
	w.expect(0x50, 0, 9)
	w.send(0x62, 2, 0, 9)
	w.expect(0x70, 0, 9)
	w.send(0x62, 2, 0, 9) // a lost PUBCOMP
	w.expect(0x70, 0, 9)
	if n := len(d.owner.messages()); n != 1 {
		t.Errorf("delivered %d times", n)
	}
}

func TestKeepaliveIsClampedAndToldToMQTT5(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.MaxKeepalive = 5 * time.Minute })
	for n, k := range []uint16{0, 43691, 65535, 300, 7} {
		w := dial(t, d.addr)
		w.send(hello{version: 5, id: "x", flags: 2, keepalive: k}.bytes()...)
		_, body, err := w.frame()
		if err != nil {
			t.Fatal(err)
		}
		told := slices.Contains(body[2:], 19)
		if told != (k != 300 && k != 7) {
			t.Errorf("keepalive %d: CONNACK %x", k, body)
		}
		want := 5 * time.Minute
		if k == 7 {
			want = 7 * time.Second
		}
		if got := d.owner.clients()[n].Keepalive; got != want {
			t.Errorf("keepalive %d is in force as %v", k, got)
		}
	}
}

func TestAnEmptyClientIDGetsAName(t *testing.T) {
	d := openDoor(t, new(owner), nil)
	join(t, d, hello{flags: 2, keepalive: 9}.bytes())
	w := dial(t, d.addr)
	w.send(hello{version: 5, keepalive: 9}.bytes()...)
	_, body, err := w.frame()
	if err != nil {
		t.Fatal(err)
	}
	c := d.owner.clients()
	if !strings.Contains(string(body), c[1].ClientID) || c[0].ClientID == c[1].ClientID || c[0].ClientID == "" {
		t.Errorf("the names are %q and %q, CONNACK %q", c[0].ClientID, c[1].ClientID, body)
	}
}
