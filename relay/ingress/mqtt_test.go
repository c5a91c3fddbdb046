package ingress_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hb-mesh/hb-mesh/relay/beat"
	"github.com/hb-mesh/hb-mesh/relay/guard"
	"github.com/hb-mesh/hb-mesh/relay/ingress"
)

func TestBeatsByeAndDisconnect(t *testing.T) {
	l := openLAN(t, nil)
	c := l.join("till", "")
	l.say(c, "hb/v1/beat/pos1", "")
	l.say(c, "hb/v1/beat/pos2", `{"intervalMs": 30000, "status": "fail", "message": "no paper", "version": "1.2", "more": 1}`)
	l.say(c, "hb/v1/bye/pos1", "whatever")
	l.say(c, "hb/v1/gone/pos2", "")
	c.Disconnect(100)
	l.sink.expect(t, "beat pos1 from A", "beat pos2 from A", "bye pos1 from A", "gone pos2 from A", "closed A, clean true")
	b := l.sink.last().Beat
	if b.Interval != 30*time.Second || b.Status != beat.Fail || b.Message != "no paper" || b.Version != "1.2" {
		t.Errorf("beat is %+v", b)
	}
}

// kill ends a raw register's socket without DISCONNECT.
func rawRegister(t *testing.T, l *lan, connect string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, connect); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	head, err := r.Peek(4)
	if err != nil || head[0] != 0x20 || head[3] != 0 {
		t.Fatalf("want to be let in, got %x %v", head, err)
	}
	return c
}

const (
	// v3.1.1, clean, will on hb/v1/gone/pos1 with an empty payload.
	connectWithWill = "\x10\x25\x00\x04MQTT\x04\x06\x00\x3c\x00\x04till\x00\x0fhb/v1/gone/pos1\x00\x00"
	// MQTT 5, clean, no will.
	connectV5 = "\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04till"
	beatPos1  = "\x30\x11\x00\x0fhb/v1/beat/pos1"
	beatV5    = "\x30\x12\x00\x0fhb/v1/beat/pos1\x00"
)

func TestAWillIsTakenByTheRelayAndTheEndIsToldWithoutOneToo(t *testing.T) {
	l := openLAN(t, nil)
	c := rawRegister(t, l, fix(connectWithWill))
	l.sink.expect(t, "connected pos1 by A")
	_, _ = io.WriteString(c, beatPos1)
	l.sink.expect(t, "beat pos1 from A")
	_ = c.Close()
	l.sink.expect(t, "gone pos1 from A", "closed A, clean false")

	c = rawRegister(t, l, fix(connectV5))
	_, _ = io.WriteString(c, beatV5)
	l.sink.expect(t, "beat pos1 from B")
	_ = c.Close()
	l.sink.expect(t, "closed B, clean false")
}

// fix sets the length of a CONNECT that is written by hand.
func fix(connect string) string {
	return connect[:1] + string(rune(len(connect)-2)) + connect[2:]
}

func TestATakeoverKeepsTheHostsConnected(t *testing.T) {
	l := openLAN(t, nil)
	first := rawRegister(t, l, fix(connectV5))
	_, _ = io.WriteString(first, beatV5)
	l.sink.expect(t, "beat pos1 from A")
	second := rawRegister(t, l, fix(connectV5))
	l.sink.expect(t, "closed A, clean false", "connected pos1 by B")
	_, _ = io.WriteString(second, "\xe0\x00")
	l.sink.expect(t, "closed B, clean true")
}

func TestTheDoorsEndIsNoEvidence(t *testing.T) {
	l := openLAN(t, nil)
	c := rawRegister(t, l, fix(connectWithWill))
	_, _ = io.WriteString(c, beatPos1)
	l.sink.expect(t, "connected pos1 by A", "beat pos1 from A")
	l.stop()
	l.sink.expect(t)
}

func TestWhatIsNoBeatIsAcknowledgedAndCounted(t *testing.T) {
	m := ingress.NewMetrics(nil)
	l := openLAN(t, nil, m)
	c := l.join("till", "lwt/till") // some library's habit
	l.say(c, "home/temperature", "21")
	l.say(c, "hb/v1/beat/-bad-", "")
	l.say(c, "hb/v1/beat/pos1", "{")
	l.say(c, "hb/v1/beat/pos1", `{"intervalMs": true}`)
	if tok := c.Publish("hb/v1/beat/pos1", 1, true, ""); !tok.WaitTimeout(patience) {
		t.Error("a retained message got no PUBACK")
	}
	if tok, ok := c.Subscribe("#", 1, nil).(*mqtt.SubscribeToken); !ok || !tok.WaitTimeout(patience) || tok.Result()["#"] != 0x80 {
		t.Error("a register may listen")
	}
	for reason, want := range map[string]float64{"topic": 2, "payload": 2, "retained": 1, "will": 1} {
		if got := testutil.ToFloat64(m.Ignored.WithLabelValues(reason)); got != want {
			t.Errorf("%v ignored for %s, want %v", got, reason, want)
		}
	}
	l.say(c, "hb/v1/beat/pos1", "")
	l.sink.expect(t, "beat pos1 from A")
}

func TestABeatThatIsNotDurableIsNotAcknowledged(t *testing.T) {
	l := openLAN(t, nil)
	c := l.join("till", "")
	l.sink.breakWith(errors.New("disk full"))
	if tok := c.Publish("hb/v1/beat/pos1", 1, false, ""); tok.WaitTimeout(300*time.Millisecond) && tok.Error() == nil && c.IsConnectionOpen() {
		t.Error("it was acknowledged")
	}
	l.sink.breakWith(nil)
	l.say(l.join("till2", ""), "hb/v1/beat/pos1", "")
}

func TestABeatThatIsNeverCountedIsAcknowledged(t *testing.T) {
	l := openLAN(t, nil)
	c := l.join("till", "")
	l.sink.breakWith(&guard.Refusal{Status: 500, Message: "not counted"})
	l.say(c, "hb/v1/beat/pos1", "")
	l.sink.breakWith(nil)
	l.say(c, "hb/v1/beat/pos1", "")
	l.sink.expect(t, "beat pos1 from A")
}

func TestAKeyedDoorAsksForThePassword(t *testing.T) {
	l := openLAN(t, func(o *ingress.Options) { o.Keyed, o.Keys = true, []string{"one", "two"} })
	for password, in := range map[string]bool{"": false, "three": false, "onetwo": false, "one": true, "two": true} {
		if _, err := l.register("till-"+password, "", password); (err == nil) != in {
			t.Errorf("password %q: %v", password, err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for what, change := range map[string]func(*ingress.Options){
		"keyed without a key": func(o *ingress.Options) { o.Keyed = true },
		"an empty key":        func(o *ingress.Options) { o.Keyed, o.Keys = true, []string{""} },
		"no packets":          func(o *ingress.Options) { o.Guard.MaxPacket = 0 },
	} {
		o := ingress.DefaultOptions()
		change(&o)
		if _, err := ingress.New(o, new(sink), nil, nil, nil); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
