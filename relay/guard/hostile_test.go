package guard_test

import (
	"bytes"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hb-mesh/hb-mesh/relay/guard"
)

// nasty is a frame that must end its connection and hurt nobody.
type nasty struct {
	what  string
	bytes []byte
}

// beforeConnect are what strangers send.
func beforeConnect() []nasty {
	long := strings.Repeat("x", 9000)
	return []nasty{
		{"no MQTT at all", []byte("GET / HTTP/1.1\r\n\r\n")},
		{"a TLS hello", []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}},
		{"PUBLISH first", publish("hb/v1/beat/x", 0, 0, "")},
		{"DISCONNECT first", []byte{0xe0, 0}},
		{"CONNECT with flags", append([]byte{0x11}, v4("x")[1:]...)},
		{"256 MB announced", []byte{0x10, 0xff, 0xff, 0xff, 0x7f}},
		{"a length without end", bytes.Repeat([]byte{0x10, 0x80, 0x80, 0x80, 0x80}, 20)},
		{"a length longer than needed", append([]byte{0x10, v4("x")[1] | 0x80, 0}, v4("x")[2:]...)},
		{"a CONNECT of 9 KB", hello{id: long, flags: 2}.bytes()},
		{"an empty CONNECT", []byte{0x10, 0}},
		{"a name beyond the end", []byte{0x10, 2, 0xff, 0xff}},
		{"a reserved flag", hello{id: "x", flags: 3}.bytes()},
		{"a will of QoS 3", hello{id: "x", flags: 2, will: &guard.Will{Topic: "a", QoS: 3}}.bytes()},
		{"a QoS without a will", hello{id: "x", flags: 2 | 1<<3}.bytes()},
		{"a retain flag without a will", hello{id: "x", flags: 2 | 1<<5}.bytes()},
		{"a password without a user", hello{id: "x", flags: 2, password: "p"}.bytes()},
		{"a user flag without a user", hello{id: "x", flags: 2 | 1<<7}.bytes()},
		{"a will flag without a will", hello{id: "x", flags: 2 | 1<<2}.bytes()},
		{"a will on a wildcard", hello{id: "x", flags: 2, will: &guard.Will{Topic: "a/#"}}.bytes()},
		{"a will on nothing", hello{id: "x", flags: 2, will: &guard.Will{}}.bytes()},
		{"a client id that is no UTF-8", hello{id: "\xff\xfe", flags: 2}.bytes()},
		{"a client id with NUL", hello{id: "a\x00b", flags: 2}.bytes()},
		{"bytes after the payload", frame(0x10, v4("x")[2:], []byte("more"))},
		{"v5: properties beyond the end", hello{version: 5, id: "x", props: []byte{33}}.bytes()},
		{"v5: an unknown property", hello{version: 5, id: "x", props: []byte{99, 0}}.bytes()},
		{"v5: a property twice", hello{version: 5, id: "x", props: []byte{33, 0, 9, 33, 0, 9}}.bytes()},
		{"v5: a receive maximum of 0", hello{version: 5, id: "x", props: []byte{33, 0, 0}}.bytes()},
		{"v5: a packet size of 0", hello{version: 5, id: "x", props: []byte{39, 0, 0, 0, 0}}.bytes()},
		{"v5: a property of a PUBLISH", hello{version: 5, id: "x", props: []byte{35, 0, 1}}.bytes()},
		{"v5: 40 user properties", hello{version: 5, id: "x", props: bytes.Repeat([]byte{38, 0, 0, 0, 0}, 40)}.bytes()},
		{"v5: an authentication method", hello{version: 5, id: "x", props: append([]byte{21}, str("SCRAM")...)}.bytes()},
	}
}

// afterConnect are what a client of version sends once it is in.
func afterConnect(version byte) []nasty {
	none := []byte{}
	if version == 5 {
		none = []byte{0}
	}
	id := []byte{0, 1}
	all := []nasty{
		{"a second CONNECT", v4("x")},
		{"CONNACK", []byte{0x20, 2, 0, 0}},
		{"PUBREC", []byte{0x50, 2, 0, 1}},
		{"PUBCOMP", []byte{0x70, 2, 0, 1}},
		{"SUBACK", []byte{0x90, 3, 0, 1, 0}},
		{"UNSUBACK", []byte{0xb0, 2, 0, 1}},
		{"PINGRESP", []byte{0xd0, 0}},
		{"AUTH", []byte{0xf0, 0}},
		{"type 0", []byte{0x00, 0}},
		{"PINGREQ with a body", []byte{0xc0, 2, 0, 0}},
		{"PINGREQ with flags", []byte{0xc1, 0}},
		{"PUBLISH of QoS 3", frame(0x36, str("a"), id, none)},
		{"PUBLISH again of QoS 0", frame(0x38, str("a"), none)},
		{"PUBLISH without a topic", frame(0x30, str(""), none)},
		{"PUBLISH on a wildcard", frame(0x30, str("a/+"), none)},
		{"PUBLISH on #", frame(0x30, str("#"), none)},
		{"PUBLISH on a topic that is no UTF-8", frame(0x30, str("\xc3\x28"), none)},
		{"PUBLISH on a topic with NUL", frame(0x30, str("a\x00"), none)},
		{"PUBLISH on a topic of 2 KB", frame(0x30, str(strings.Repeat("a/", 1000)), none)},
		{"PUBLISH with packet id 0", frame(0x32, str("a"), []byte{0, 0}, none)},
		{"PUBLISH without a packet id", frame(0x32, str("a"), []byte{1})},
		{"PUBLISH with a topic beyond the end", frame(0x30, []byte{0xff, 0xff, 'a'})},
		{"PUBLISH, empty", []byte{0x30, 0}},
		{"PUBLISH of 64 KB", publish("a", 0, 0, strings.Repeat("x", 65600))},
		{"PUBLISH of 256 MB, announced", []byte{0x30, 0xff, 0xff, 0xff, 0x7f}},
		{"a length of five bytes", []byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}},
		{"PUBACK, short", []byte{0x40, 1, 0}},
		{"PUBACK of 0", []byte{0x40, 2, 0, 0}},
		{"PUBREL with wrong flags", []byte{0x60, 2, 0, 1}},
		{"SUBSCRIBE with wrong flags", frame(0x80, id, none, str("a"), []byte{0})},
		{"SUBSCRIBE with packet id 0", frame(0x82, []byte{0, 0}, none, str("a"), []byte{0})},
		{"SUBSCRIBE, empty", []byte{0x82, 0}},
		{"SUBSCRIBE without a filter", frame(0x82, id, none)},
		{"SUBSCRIBE without options", frame(0x82, id, none, str("a"))},
		{"SUBSCRIBE with half a filter", frame(0x82, id, none, []byte{0, 9, 'a'})},
		{"SUBSCRIBE to nothing", frame(0x82, id, none, str(""), []byte{0})},
		{"SUBSCRIBE to a#", frame(0x82, id, none, str("a#"), []byte{0})},
		{"SUBSCRIBE to #/a", frame(0x82, id, none, str("#/a"), []byte{0})},
		{"SUBSCRIBE of QoS 3", frame(0x82, id, none, str("a"), []byte{3})},
		{"SUBSCRIBE with reserved options", frame(0x82, id, none, str("a"), []byte{0xc0})},
		{"SUBSCRIBE to 100 filters", frame(0x82, id, none, bytes.Repeat([]byte{0, 1, 'a', 0}, 100))},
		{"UNSUBSCRIBE without a filter", frame(0xa2, id, none)},
		{"UNSUBSCRIBE with half a filter", frame(0xa2, id, none, []byte{0})},
	}
	if version != 5 {
		return append(all, nasty{"DISCONNECT with a body", []byte{0xe0, 1, 0}}, nasty{"PUBACK with a reason", []byte{0x40, 3, 0, 1, 0}})
	}
	return append(all, []nasty{
		{"SUBSCRIBE whose filter ends the packet (mochi issue 501)", []byte{0x82, 5, 0, 1, 0, 0, 0}},
		{"SUBSCRIBE whose filter ends the packet, longer", frame(0x82, id, none, str("abc"))},
		{"PUBLISH with properties beyond the end", frame(0x30, str("a"), []byte{9, 1, 1})},
		{"PUBLISH whose properties reach into the payload", frame(0x30, str("a"), []byte{2, 3, 0}, str("text"))},
		{"PUBLISH with a topic alias", frame(0x30, str("a"), []byte{3, 35, 0, 1})},
		{"PUBLISH with a topic alias and no topic", frame(0x30, str(""), []byte{3, 35, 0, 1})},
		{"PUBLISH with a subscription identifier", frame(0x30, str("a"), []byte{2, 11, 1})},
		{"PUBLISH without a property length", frame(0x30, str("a"))},
		{"PUBLISH with a property length without end", frame(0x30, str("a"), []byte{0x80, 0x80, 0x80, 0x80, 0x80})},
		{"SUBSCRIBE with a subscription identifier of 0", frame(0x82, id, []byte{2, 11, 0}, str("a"), []byte{0})},
		{"SUBSCRIBE with a subscription identifier without end", frame(0x82, id, []byte{5, 11, 0x80, 0x80, 0x80, 0x80}, str("a"), []byte{0})},
		{"DISCONNECT with bytes after its properties", []byte{0xe0, 3, 0, 0, 1}},
		{"DISCONNECT with a property of the server", frame(0xe0, []byte{0, 4, 28, 0, 1, 'x'})},
		{"PUBACK with half a property", []byte{0x40, 5, 0, 1, 0, 1, 31}},
	}...)
}

func TestHostileFramesEndTheirConnectionAndHurtNobody(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := guard.NewMetrics(reg, "hbmesh_test")
	d := openDoor(t, &owner{subscribe: func(*guard.Client, string) bool { return true }}, nil, m)
	neighbour := join(t, d, v4("neighbour"))
	for _, n := range beforeConnect() {
		w := dial(t, d.addr)
		w.send(n.bytes...)
		for {
			first, body, err := w.frame()
			if err != nil {
				break
			}
			if first != 0x20 || body[1] == 0 {
				t.Errorf("%s: got frame %x %x", n.what, first, body)
			}
		}
		w.expectClosed()
	}
	if got := len(d.owner.clients()); got != 1 {
		t.Errorf("%d clients were let in", got)
	}
	for _, version := range []byte{4, 5} {
		hi := v4
		if version == 5 {
			hi = v5
		}
		for _, n := range afterConnect(version) {
			w := join(t, d, hi("attacker"))
			id := last(d.owner.clients()).ID
			_, _ = w.Write(n.bytes) // the door may close before it has read all
			if end := d.owner.endOf(t, id); end.Cause != guard.Malformed {
				t.Errorf("version %d, %s: ended as %+v", version, n.what, end)
			}
		}
	}
	neighbour.send(publish("hb/v1/beat/pos1", 1, 7, "")...)
	neighbour.expect(0x40, 0, 7)
	served(t, d, "normal")
	if n := gathered(t, reg, "hbmesh_test_door_refused_frames_total"); n < 100 {
		t.Errorf("%v refused frames were counted", n)
	}
	if n := gathered(t, reg, "hbmesh_test_door_panics_total"); n != 0 {
		t.Errorf("the library failed %v times", n)
	}
}

func last(c []*guard.Client) *guard.Client { return c[len(c)-1] }

// gathered sums a metric over its labels.
func gathered(t testing.TB, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestAWrongFrameAfterGoodOnesDoesNotTakeThemBack(t *testing.T) {
	d := openDoor(t, new(owner), nil)
	w := join(t, d, v4("x"))
	w.send(append(append(publish("a", 1, 1, ""), publish("b", 1, 2, "")...), 0xd0, 0)...)
	w.expect(0x40, 0, 1)
	w.expect(0x40, 0, 2)
	w.expectClosed()
	if n := len(d.owner.messages()); n != 2 {
		t.Errorf("%d messages were delivered", n)
	}
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func TestAnnouncedBytesReserveNothing(t *testing.T) {
	d := openDoor(t, quiet{}, nil)
	before := heap()
	const n = 200
	for k := range n {
		w := dial(t, d.addr)
		if k%2 == 0 {
			w.send(0x10, 0xfb, 0x3f) // a CONNECT of 8 KB, of which nothing comes
			continue
		}
		w.send(append(v4(itoa(uint64(k))), 0x30, 0xf0, 0xff, 3, 0, 1, 'a')...) // a PUBLISH of 64 KB
		w.expect(0x20, 0, 0)
	}
	if grew := int64(heap()) - int64(before); grew > n*40<<10 {
		t.Errorf("%d connections that announce much take %d KB", n, grew>>10)
	}
}

func TestAThousandSilentConnections(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) {
		o.ConnectTimeout = 2 * time.Second
		o.MaxConnections = 500
	})
	before := heap()
	silent := make([]*wire, 1000)
	for n := range silent {
		silent[n] = dial(t, d.addr)
		if n%3 == 1 {
			silent[n].send(0x10, 30, 0) // and says no more
		}
		if n%100 == 0 {
			served(t, d, "normal")
		}
	}
	if grew := int64(heap()) - int64(before); grew > 20<<20 {
		t.Errorf("1000 silent connections take %d KB", grew>>10)
	}
	served(t, d, "normal")
	for _, w := range silent {
		w.expectClosed()
	}
	served(t, d, "normal")
}

func TestSingleBytesDoNotRenewTheDeadlineForConnect(t *testing.T) {
	d := openDoor(t, new(owner), func(o *guard.Options) { o.ConnectTimeout = 300 * time.Millisecond })
	w := dial(t, d.addr)
	start := time.Now()
	for _, b := range v4(strings.Repeat("x", 100)) {
		if _, err := w.Write([]byte{b}); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.expectClosed()
	if took := time.Since(start); took < 250*time.Millisecond || len(d.owner.lines()) > 0 {
		t.Errorf("closed after %v, the handler heard %v", took, d.owner.lines())
	}
}

// flood writes b until the door closes or stop does.
func flood(addr string, hello, b []byte, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		_, _ = c.Write(hello)
		_ = c.SetDeadline(time.Now().Add(time.Second))
		for err == nil {
			_, err = c.Write(b)
		}
		_ = c.Close()
	}
}

func TestANormalClientIsServedThroughFloods(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := guard.NewMetrics(reg, "hbmesh_test")
	d := openDoor(t, &owner{publish: func(*guard.Client, guard.Message) guard.Verdict { return guard.Ignore }}, func(o *guard.Options) { o.PacketsPerSecond = 50 }, m)
	stop := make(chan struct{})
	var floods []func()
	for _, f := range []struct{ hello, b []byte }{
		{nil, []byte{}}, // connections alone
		{nil, bytes.Repeat([]byte{0x10, 0xff}, 500)},        // nonsense
		{v4("a"), bytes.Repeat(publish("a", 1, 1, ""), 99)}, // messages
		{v4("b"), bytes.Repeat([]byte{0xc0, 0}, 999)},       // pings
		{v4("c"), bytes.Repeat([]byte{0x40, 2, 0, 1}, 999)}, // acknowledgements of nothing
		{v5("d"), bytes.Repeat(frame(0x82, []byte{0, 1, 0}, str("a/b"), []byte{0}), 99)},
		{v4("e"), bytes.Repeat(publish("a", 2, 1, strings.Repeat("x", 60000)), 2)},
	} {
		floods = append(floods, func() { flood(d.addr, f.hello, f.b, stop) })
	}
	done := make(chan struct{})
	for _, f := range floods {
		go func() { f(); done <- struct{}{} }()
	}
	before := heap()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		served(t, d, "normal")
	}
	if grew := int64(heap()) - int64(before); grew > 30<<20 {
		t.Errorf("floods take %d KB", grew>>10)
	}
	close(stop)
	for range floods {
		<-done
	}
	if n := gathered(t, reg, "hbmesh_test_door_throttled_total"); n == 0 {
		t.Error("no flood was slowed down")
	}
}
