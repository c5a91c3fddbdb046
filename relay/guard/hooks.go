package guard

import (
	"errors"
	"log/slog"
	"strconv"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// receiveMaximum bounds the messages of QoS 2 between PUBLISH and PUBREL: the
// library keeps each.
const receiveMaximum = 256

// errNotOurs is for a connection that did not come from the door.
var errNotOurs = errors.New("not a connection of the door")

// newLibrary makes the MQTT server. It is never told to serve: the door
// accepts, and hands it connections one by one. So it has no loops, no $SYS
// topics and nobody to route to.
func newLibrary() (*mqtt.Server, error) {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumPacketSize = 0 // the door's own limit holds before
	caps.MaximumClientWritesPending = 1
	caps.MaximumSessionExpiryInterval = 0
	caps.ReceiveMaximum = receiveMaximum
	caps.MaximumInflight = receiveMaximum
	caps.TopicAliasMaximum = 0
	caps.SharedSubAvailable = 0
	caps.MinimumProtocolVersion = 4
	caps.Compatibilities.NoInheritedPropertiesOnAck = true
	s := mqtt.New(&mqtt.Options{
		Capabilities:             caps,
		Logger:                   slog.New(slog.DiscardHandler),
		ClientNetReadBufferSize:  1 << 10,
		ClientNetWriteBufferSize: 1 << 10,
		SysTopicResendInterval:   3600,
	})
	return s, s.AddHook(new(hooks), nil)
}

// hooks are the library's calls to the door.
type hooks struct{ mqtt.HookBase }

func (*hooks) ID() string { return "door" }

func (*hooks) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished,
		mqtt.OnPublish, mqtt.OnSubscribed, mqtt.OnUnsubscribed:
		return true
	}
	return false
}

// OnConnect gives the library a name of its own for the client: two of one
// client id never meet there, the door itself does the takeover.
func (*hooks) OnConnect(lib *mqtt.Client, _ packets.Packet) error {
	c, ok := lib.Net.Conn.(*conn)
	if !ok {
		return errNotOurs
	}
	c.lib = lib
	lib.ID = strconv.FormatUint(c.client.ID, 36)
	if c.client.Version == 5 {
		if c.assigned {
			lib.Properties.Props.AssignedClientID = c.client.ClientID
		}
		lib.State.ServerKeepalive = c.clamped
	}
	return nil
}

// OnConnectAuthenticate lets in who got here: Handler.Connect was asked before
// the library saw the connection.
func (*hooks) OnConnectAuthenticate(lib *mqtt.Client, _ packets.Packet) bool {
	_, ok := lib.Net.Conn.(*conn)
	return ok
}

func (*hooks) OnSessionEstablished(lib *mqtt.Client, _ packets.Packet) {
	if c, ok := lib.Net.Conn.(*conn); ok {
		c.door.established(c)
	}
}

// OnACLCheck asks for subscriptions; publications are judged in OnPublish.
func (*hooks) OnACLCheck(lib *mqtt.Client, topic string, write bool) bool {
	c, ok := lib.Net.Conn.(*conn)
	if !ok || write {
		return ok
	}
	return c.door.subscribe(c, topic)
}

// OnPublish never lets the library route: it rejects what the door
// acknowledged itself, and says ignore where the library acknowledges (QoS 2).
func (*hooks) OnPublish(lib *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c, ok := lib.Net.Conn.(*conn)
	if !ok {
		return pk, packets.ErrRejectPacket
	}
	if !c.door.publish(c, &pk) {
		lib.Stop(packets.ErrNotAuthorized)
		return pk, packets.ErrRejectPacket
	}
	switch pk.FixedHeader.Qos {
	case 0:
		return pk, packets.CodeSuccessIgnore
	case 1:
		c.ack(pk.PacketID)
		return pk, packets.ErrRejectPacket
	}
	return pk, packets.CodeSuccessIgnore
}

func (*hooks) OnSubscribed(lib *mqtt.Client, pk packets.Packet, codes []byte) {
	c, ok := lib.Net.Conn.(*conn)
	if !ok {
		return
	}
	for i, f := range pk.Filters {
		if i < len(codes) && codes[i] <= 2 {
			c.grant(f.Filter, codes[i])
		}
	}
}

func (*hooks) OnUnsubscribed(lib *mqtt.Client, pk packets.Packet) {
	c, ok := lib.Net.Conn.(*conn)
	if !ok {
		return
	}
	for _, f := range pk.Filters {
		c.unsubscribed(f.Filter)
	}
}
