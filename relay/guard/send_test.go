package guard_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// inbox lets a client in that may have mine/#.
func mailDoor(t *testing.T, change func(*guard.Options)) *door {
	t.Helper()
	return openDoor(t, &owner{subscribe: func(_ *guard.Client, f string) bool { return strings.HasPrefix(f, "mine/") }}, change)
}

func subscribeTo(w *wire, version byte, filter string, qos byte) {
	none := []byte{}
	if version == 5 {
		none = []byte{0}
	}
	w.send(frame(0x82, []byte{0, 1}, none, str(filter), []byte{qos})...)
}

func TestSendReachesWhoSubscribed(t *testing.T) {
	d := mailDoor(t, nil)
	w := join(t, d, v4("relay"))
	id := d.owner.clients()[0].ID
	if err := d.Send(id, "mine/ack", nil, 1); !errors.Is(err, guard.ErrNotSubscribed) {
		t.Errorf("before the subscription: %v", err)
	}
	subscribeTo(w, 4, "other/#", 1)
	w.expect(0x90, 0, 1, 0x80)
	subscribeTo(w, 4, "mine/#", 1)
	w.expect(0x90, 0, 1, 1)
	for _, c := range []struct {
		topic string
		qos   byte
		want  []byte
	}{
		{"mine/ack", 0, publish("mine/ack", 0, 0, "x")},
		{"mine/ack", 1, publish("mine/ack", 1, 1, "x")},
		{"mine", 2, publish("mine", 1, 2, "x")}, // never QoS 2
	} {
		if err := d.Send(id, c.topic, []byte("x"), c.qos); err != nil {
			t.Fatal(err)
		}
		w.expect(c.want[0], c.want[2:]...)
	}
	if err := d.Send(id, "mines/ack", nil, 1); !errors.Is(err, guard.ErrNotSubscribed) {
		t.Errorf("to another topic: %v", err)
	}
	w.send(frame(0xa2, []byte{0, 2}, str("mine/#"))...)
	w.expect(0xb0, 0, 2)
	if err := d.Send(id, "mine/ack", nil, 1); !errors.Is(err, guard.ErrNotSubscribed) {
		t.Errorf("after the subscription: %v", err)
	}
	if err := d.Send(id+1, "mine/ack", nil, 1); !errors.Is(err, guard.ErrNoClient) {
		t.Errorf("to nobody: %v", err)
	}
}

func TestSendIsLoweredToWhatWasGranted(t *testing.T) {
	d := mailDoor(t, nil)
	w := join(t, d, v5("relay"))
	subscribeTo(w, 5, "mine/+", 0)
	w.expect(0x90, 0, 1, 0, 0)
	if err := d.Send(d.owner.clients()[0].ID, "mine/ack", []byte("x"), 1); err != nil {
		t.Fatal(err)
	}
	w.expect(0x30, append(str("mine/ack"), 0, 'x')...)
}

func TestSendKeepsToTheWindowOfTheClient(t *testing.T) {
	d := mailDoor(t, nil)
	w := join(t, d, hello{version: 5, id: "relay", keepalive: 9, props: []byte{33, 0, 2}}.bytes())
	subscribeTo(w, 5, "mine/#", 1)
	w.expect(0x90, 0, 1, 0, 1)
	id := d.owner.clients()[0].ID
	for range 3 {
		if err := d.Send(id, "mine/a", nil, 1); err != nil {
			t.Fatal(err)
		}
	}
	w.expect(0x32, append(str("mine/a"), 0, 1, 0)...)
	w.expect(0x32, append(str("mine/a"), 0, 2, 0)...)
	w.send(0xc0, 0)
	w.expect(0xd0) // the third waits
	w.send(0x40, 2, 0, 2)
	w.expect(0x32, append(str("mine/a"), 0, 3, 0)...)
}

func TestAClientThatTakesNothingLosesMailAndHoldsNobodyUp(t *testing.T) {
	d := mailDoor(t, func(o *guard.Options) { o.Queue = 3 })
	w := join(t, d, v4("relay"))
	subscribeTo(w, 4, "mine/#", 1)
	w.expect(0x90, 0, 1, 1)
	id := d.owner.clients()[0].ID
	var err error
	for n := 0; err == nil && n < 1000; n++ { // none is acknowledged
		err = d.Send(id, "mine/a", nil, 1)
	}
	if !errors.Is(err, guard.ErrSlowClient) {
		t.Errorf("a queue without end: %v", err)
	}
	served(t, d, "normal")
}

func TestSendRefusesWhatIsTooLarge(t *testing.T) {
	d := mailDoor(t, nil)
	w := join(t, d, hello{version: 5, id: "relay", keepalive: 9, props: []byte{39, 0, 0, 0, 100}}.bytes())
	subscribeTo(w, 5, "mine/#", 1)
	w.expect(0x90, 0, 1, 0, 1)
	if err := d.Send(d.owner.clients()[0].ID, "mine/a", make([]byte, 100), 1); !errors.Is(err, guard.ErrTooLarge) {
		t.Errorf("beyond the client's packet: %v", err)
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	d := mailDoor(t, func(o *guard.Options) { o.MaxSubscriptions = 2 })
	w := join(t, d, v4("relay"))
	w.send(frame(0x82, []byte{0, 1}, str("mine/1"), []byte{1}, str("mine/2"), []byte{0}, str("mine/3"), []byte{0}, str("mine/1"), []byte{0})...)
	w.expect(0x90, 0, 1, 1, 0, 0x80, 0)
}
