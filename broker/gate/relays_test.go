package gate_test

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/gate"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

func TestARelaysLife(t *testing.T) {
	d := open(t, nil)
	c, pull := pulled(t, d.withWill(demo, 7))
	got := make(chan mqtt.Message, 1)
	if err := wait(t, c.Subscribe(demo.DownFilter(), 1, func(_ mqtt.Client, m mqtt.Message) { got <- m })); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	for _, r := range []*beat.Report{report(demo, beat.Birth, 7, 1), report(demo, beat.Steady, 7, 2)} {
		if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, r.Encode())); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	reports, ends := d.core.seen()
	if len(reports) != 2 || reports[0].r.Kind != beat.Birth || reports[1].r.Seq != 2 || len(ends) != 0 {
		t.Fatalf("got %d reports and %d ends", len(reports), len(ends))
	}
	if len(d.core.admits) != 1 || d.core.admits[0] != (admitted{demo, death(7)}) {
		t.Fatalf("admitted %+v", d.core.admits)
	}
	ack := beat.Ack{V: beat.Wire, Epoch: 7, Seq: 1, Home: "us-east-1"}
	if err := d.Send(reports[0].conn, demo.AckTopic(), ack.Encode()); err != nil {
		t.Fatalf("send: %v", err)
	}
	if m := <-got; m.Topic() != demo.AckTopic() || string(m.Payload()) != string(ack.Encode()) {
		t.Fatalf("got %s", m.Topic())
	}
	pull()
	eventually(t, "the end of the session", func() bool { _, ends := d.core.seen(); return len(ends) == 1 })
	if _, ends := d.core.seen(); ends[0] != (ended{reports[0].conn, demo, death(7)}) {
		t.Fatalf("got %+v", ends[0])
	}
}

// A relay that floods is read slower, and loses nothing: it is no end of its
// session.
func TestARelayThatFloodsIsReadSlower(t *testing.T) {
	d := open(t, func(o *gate.Options) { o.PacketsPerSecond = 100 })
	c := dial(t, d.withWill(demo, 7))
	const most = 400
	var last mqtt.Token
	for seq := range beat.Seq(most) {
		kind := beat.Steady
		if seq == 0 {
			kind = beat.Birth
		}
		last = c.Publish(demo.ReportTopic(), 1, false, report(demo, kind, 7, seq+1).Encode())
	}
	if err := wait(t, last); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all of its reports", func() bool { reports, _ := d.core.seen(); return len(reports) == most })
	if _, ends := d.core.seen(); len(ends) != 0 || !c.IsConnected() {
		t.Errorf("it was thrown out: %+v", ends)
	}
	if testutil.ToFloat64(d.metrics.Guard.Throttled) == 0 {
		t.Error("it was read as fast as it sends")
	}
}

func TestConnectIsRefused(t *testing.T) {
	d := open(t, nil)
	d.core.admit = func(id beat.Identity, _ beat.Death) error {
		if id.Store == "taken" {
			return errors.New("two live relays of one identity")
		}
		return nil
	}
	other := beat.Identity{Store: "other", Relay: "r1"}
	for name, o := range map[string]*mqtt.ClientOptions{
		"a wrong password":                    d.withWill(demo, 1).SetPassword("wrong"),
		"no user":                             d.withWill(demo, 1).SetUsername("").SetPassword(""),
		"a user that is no relay":             d.withWill(demo, 1).SetUsername("demo"),
		"another's client id":                 d.withWill(demo, 1).SetClientID(other.String()),
		"another's client id, without a will": d.relayOptions(demo).SetClientID(other.String()),
		"a client id with a suffix":           d.withWill(demo, 1).SetClientID("demo/r1/2"),
		"a will on another's death topic":     d.relayOptions(demo).SetBinaryWill(other.DeathTopic(), death(1).Encode(), 1, false),
		"a will on a report topic":            d.relayOptions(demo).SetBinaryWill(demo.ReportTopic(), death(1).Encode(), 1, false),
		"a retained will":                     d.relayOptions(demo).SetBinaryWill(demo.DeathTopic(), death(1).Encode(), 1, true),
		"a will with QoS 0":                   d.relayOptions(demo).SetBinaryWill(demo.DeathTopic(), death(1).Encode(), 0, false),
		"a will that is no death":             d.relayOptions(demo).SetBinaryWill(demo.DeathTopic(), []byte("gone"), 1, false),
		"a will of epoch 0":                   d.withWill(demo, 0),
		"a relay that the core refuses":       d.withWill(beat.Identity{Store: "taken", Relay: "r1"}, 1),
	} {
		t.Run(name, func(t *testing.T) {
			c := mqtt.NewClient(o)
			if err := wait(t, c.Connect()); err == nil {
				t.Fatal("it was let in")
			}
		})
	}
	if _, ends := d.core.seen(); len(ends) != 0 {
		t.Fatalf("the core was told of ends: %+v", ends)
	}
	if n := testutil.ToFloat64(d.metrics.Sessions); n != 0 {
		t.Fatalf("%v sessions are counted", n)
	}
}

// refusals are what ends a session without a PUBACK.
func TestPublishIsRefused(t *testing.T) {
	other := beat.Identity{Store: "other", Relay: "r1"}
	foreign := func(change func(*beat.Report)) []byte {
		r := report(demo, beat.Steady, 7, 2)
		change(r)
		return r.Encode()
	}
	for name, c := range map[string]struct {
		topic   string
		payload []byte
		reason  string
	}{
		"on another's report topic":    {other.ReportTopic(), foreign(func(*beat.Report) {}), "topic"},
		"on its own death topic":       {demo.DeathTopic(), death(7).Encode(), "topic"},
		"on its own ack topic":         {demo.AckTopic(), foreign(func(*beat.Report) {}), "topic"},
		"on a topic of the LAN":        {"hb/v1/beat/pos1", nil, "topic"},
		"bytes that are no envelope":   {demo.ReportTopic(), []byte("hello"), "envelope"},
		"nothing":                      {demo.ReportTopic(), nil, "envelope"},
		"more than an envelope holds":  {demo.ReportTopic(), make([]byte, beat.MaxReport+1), "size"},
		"an envelope of another store": {demo.ReportTopic(), foreign(func(r *beat.Report) { r.Store = "other" }), "names"},
		"an envelope of another relay": {demo.ReportTopic(), foreign(func(r *beat.Report) { r.Relay = "r2" }), "names"},
		"another epoch than the will":  {demo.ReportTopic(), foreign(func(r *beat.Report) { r.Epoch = 8 }), "session"},
		"another boot than the will":   {demo.ReportTopic(), foreign(func(r *beat.Report) { r.Boot[0]++ }), "session"},
		"another incarnation":          {demo.ReportTopic(), foreign(func(r *beat.Report) { r.Incarnation[0]++ }), "session"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, nil)
			bystander := dial(t, d.withWill(other, 3))
			relay := dial(t, d.withWill(demo, 7))
			tok := relay.Publish(c.topic, 1, false, c.payload)
			eventually(t, "the end of the connection", func() bool { _, ends := d.core.seen(); return len(ends) == 1 })
			if tok.WaitTimeout(100*time.Millisecond) && tok.Error() == nil && relay.IsConnectionOpen() {
				t.Fatal("it was acknowledged")
			}
			reports, ends := d.core.seen()
			if len(reports) != 0 || ends[0].id != demo {
				t.Fatalf("got %+v, %+v", reports, ends)
			}
			if n := testutil.ToFloat64(d.metrics.Refused.WithLabelValues(c.reason)); n != 1 {
				t.Fatalf("%s was counted %v times", c.reason, n)
			}
			if err := wait(t, bystander.Publish(other.ReportTopic(), 1, false, report(other, beat.Birth, 3, 1).Encode())); err != nil {
				t.Fatalf("another relay noticed it: %v", err)
			}
		})
	}
}

func TestSubscribe(t *testing.T) {
	d := open(t, nil)
	c := dial(t, d.withWill(demo, 7))
	for filter, ok := range map[string]bool{
		demo.DownFilter():               true,
		demo.AckTopic():                 true,
		demo.CommandTopic():             true,
		"#":                             false,
		"hb/v1/down/#":                  false,
		"hb/v1/down/demo/#":             false,
		"hb/v1/down/+/r1/ack":           false,
		"hb/v1/down/demo/r1":            false,
		"hb/v1/down/demo/r10/ack":       false,
		"hb/v1/down/other/r1/ack":       false,
		"hb/v1/up/demo/r1/report":       false,
		"hb/v1/up/#":                    false,
		"$SYS/#":                        false,
		"$share/g/hb/v1/down/demo/r1/#": false,
	} {
		tok := c.Subscribe(filter, 1, nil).(*mqtt.SubscribeToken)
		if !tok.WaitTimeout(patience) {
			t.Fatalf("%s: no answer", filter)
		}
		got := tok.Error() == nil
		for _, code := range tok.Result() { // of the one filter, which paho may have shortened
			got = got && code <= 1
		}
		if got != ok {
			t.Errorf("%s: got %v (%v), want %v", filter, got, tok.Error(), ok)
		}
		if !c.IsConnectionOpen() {
			t.Fatalf("%s ended the connection", filter)
		}
	}
}

func TestRetainedIsNoEvidence(t *testing.T) {
	d := open(t, nil)
	c := dial(t, d.withWill(demo, 7))
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, true, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	if reports, _ := d.core.seen(); len(reports) != 0 || !c.IsConnectionOpen() {
		t.Fatalf("a retained report was counted: %+v", reports)
	}
}

// A session that is not clean is treated as one: nothing waits for a relay.
func TestQueuedSessionIsNoEvidence(t *testing.T) {
	d := open(t, nil)
	c := dial(t, d.withWill(demo, 7).SetCleanSession(false))
	if err := wait(t, c.Subscribe(demo.DownFilter(), 1, nil)); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	reports, _ := d.core.seen()
	c.Disconnect(100)
	eventually(t, "the end", func() bool { _, ends := d.core.seen(); return len(ends) == 1 })
	_ = d.Send(reports[0].conn, demo.AckTopic(), []byte("late"))
	got := make(chan mqtt.Message, 1)
	again := dial(t, d.withWill(demo, 8).SetCleanSession(false).SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { got <- m }))
	if err := wait(t, again.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 8, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-got:
		t.Fatalf("a message waited for the relay: %s", m.Topic())
	default:
	}
	if reports, _ := d.core.seen(); reports[0].conn == reports[1].conn {
		t.Fatal("two connections have one handle")
	}
}

func TestTakeover(t *testing.T) {
	d := open(t, nil)
	old := dial(t, d.withWill(demo, 7))
	if err := wait(t, old.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	stranger := mqtt.NewClient(d.withWill(demo, 9).SetPassword("wrong"))
	if err := wait(t, stranger.Connect()); err == nil || !old.IsConnectionOpen() {
		t.Fatal("who cannot log in ended the session of who can")
	}
	newer := dial(t, d.withWill(demo, 8))
	if err := wait(t, newer.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 8, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the old one", func() bool { _, ends := d.core.seen(); return len(ends) == 1 })
	reports, ends := d.core.seen()
	if ends[0] != (ended{reports[0].conn, demo, death(7)}) {
		t.Fatalf("the end of the old connection is %+v", ends[0])
	}
	if !slices.Equal(d.core.order, []string{"report", "ended", "report"}) {
		t.Fatalf("the order was %v", d.core.order)
	}
	eventually(t, "the old client's notice", func() bool { return !old.IsConnectionOpen() })
	if !newer.IsConnectionOpen() {
		t.Fatal("the new connection ended too")
	}
}

func TestBirthWithoutAWill(t *testing.T) {
	d := open(t, nil)
	c, pull := pulled(t, d.relayOptions(demo))
	if len(d.core.admits) != 0 {
		t.Fatal("a connection without a will was admitted before its birth")
	}
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	if len(d.core.admits) != 1 || d.core.admits[0] != (admitted{demo, death(7)}) {
		t.Fatalf("admitted %+v", d.core.admits)
	}
	pull()
	eventually(t, "the end", func() bool { _, ends := d.core.seen(); return len(ends) == 1 })
	if _, ends := d.core.seen(); ends[0].d != death(7) {
		t.Fatalf("the end names %+v", ends[0].d)
	}
}

func TestUnbornSessionsLeave(t *testing.T) {
	d := open(t, func(o *gate.Options) { o.BirthWithin = 2 * time.Second }) // the born one has as long
	born := dial(t, d.withWill(beat.Identity{Store: "born", Relay: "r1"}, 1))
	id := beat.Identity{Store: "born", Relay: "r1"}
	if err := wait(t, born.Publish(id.ReportTopic(), 1, false, report(id, beat.Birth, 1, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	with, without := dial(t, d.withWill(demo, 7)), dial(t, d.relayOptions(beat.Identity{Store: "demo", Relay: "r2"}))
	eventually(t, "both to be disconnected", func() bool { return !with.IsConnectionOpen() && !without.IsConnectionOpen() })
	if n := testutil.ToFloat64(d.metrics.Refused.WithLabelValues("unborn")); n != 2 {
		t.Fatalf("counted %v", n)
	}
	if !born.IsConnectionOpen() {
		t.Fatal("a relay that was born had to go")
	}
	_, ends := d.core.seen()
	if len(ends) != 1 || ends[0].id != demo {
		t.Fatalf("the core was told of %+v: only the one with a will has a session to end", ends)
	}
}

func TestRevokedLoginEndsTheSession(t *testing.T) {
	d := open(t, func(o *gate.Options) { o.BirthWithin = time.Second })
	key, text, err := d.keys.Create(t.Context(), credential.Request{Roles: []credential.Role{credential.Relay}, Store: "demo", Relay: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, d.withWill(demo, 7).SetPassword(text))
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	if err := d.keys.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the session", func() bool { return !c.IsConnectionOpen() })
	again := mqtt.NewClient(d.withWill(demo, 8).SetPassword(text))
	if err := wait(t, again.Connect()); err == nil {
		t.Fatal("a revoked password still opens")
	}
}

func TestCloseByTheCore(t *testing.T) {
	d := open(t, nil)
	c := dial(t, d.withWill(demo, 7))
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	reports, _ := d.core.seen()
	d.Close(reports[0].conn, "replaced")
	d.Close(reports[0].conn, "replaced")
	eventually(t, "the end of the session", func() bool { _, ends := d.core.seen(); return len(ends) == 1 && !c.IsConnectionOpen() })
	if err := d.Send(reports[0].conn, demo.AckTopic(), []byte("x")); err == nil {
		t.Fatal("a message to nobody was sent")
	}
}

// The gate's own stop is no evidence about the relays (P7).
func TestStopTellsNoEnds(t *testing.T) {
	d := open(t, nil)
	c := dial(t, d.withWill(demo, 7))
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 7, 1).Encode())); err != nil {
		t.Fatal(err)
	}
	d.stop()
	if _, ends := d.core.seen(); len(ends) != 0 {
		t.Fatalf("got %+v", ends)
	}
	eventually(t, "the client's notice", func() bool { return !c.IsConnectionOpen() })
}

// A flood of wrong passwords is slowed down, and a relay of the same address
// is served meanwhile.
func TestWrongPasswordFlood(t *testing.T) {
	d := open(t, func(o *gate.Options) { o.FailureDelay = late })
	try := func() time.Duration {
		start := time.Now()
		c := mqtt.NewClient(d.withWill(demo, 1).SetPassword("guess"))
		if err := wait(t, c.Connect()); err == nil {
			t.Fatal("a guess opened the door")
		}
		return time.Since(start)
	}
	for i := range 10 {
		if took := try(); took >= late {
			t.Fatalf("failure %d took %v", i+1, took)
		}
	}
	if took := try(); took < late {
		t.Fatalf("failure 11 took %v", took)
	}
	c := dial(t, d.withWill(demo, 1))
	if err := wait(t, c.Publish(demo.ReportTopic(), 1, false, report(demo, beat.Birth, 1, 1).Encode())); err != nil {
		t.Fatal(err)
	}
}

// Connections that never authenticate are bounded by address, and those that
// have are not among them.
func TestStrangersAtTheMQTTDoor(t *testing.T) {
	d := open(t, func(o *gate.Options) { o.Strangers = 8 })
	var relays []mqtt.Client
	for r := range strings.SplitSeq("a b c d e f g h i j k l", " ") {
		relays = append(relays, dial(t, d.relayOptions(beat.Identity{Store: "demo", Relay: beat.RelayID(r)})))
	}
	closed := make(chan struct{}, 100)
	for range 40 {
		c, err := net.Dial("tcp", d.MQTTAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			if _, err := c.Read(make([]byte, 1)); err != nil {
				closed <- struct{}{}
			}
		}()
	}
	for range 32 {
		<-closed
	}
	for _, c := range relays {
		if !c.IsConnectionOpen() {
			t.Fatal("a relay had to go")
		}
	}
}
