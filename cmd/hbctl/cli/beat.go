package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// beatCmd sends one beat.
type beatCmd struct {
	Host     string        `arg:"" help:"The host that beats."`
	Store    string        `help:"The host's store (default: the key's). A relay knows its own." placeholder:"STORE"`
	Interval time.Duration `help:"How soon the next beat is promised (default: the host's own, else 10m)." placeholder:"DURATION"`
	Status   string        `help:"How the host feels: ok, warn or fail." enum:"ok,warn,fail" default:"ok"`
	Message  string        `help:"What it says of itself." placeholder:"TEXT"`
	MQTT     string        `name:"mqtt" help:"Send it by MQTT to a relay instead, at host:port." placeholder:"ADDR"`
}

// Run sends the beat.
func (c *beatCmd) Run(s *session) error {
	host, err := beat.ParseHostID(c.Host)
	if err != nil {
		return usage("choose such a name", "%v", err)
	}
	if c.Interval != 0 && (c.Interval < beat.MinInterval || c.Interval > beat.MaxInterval) {
		return usage("choose an --interval from 1s to 12h", "an interval of %v is not allowed", c.Interval)
	}
	b := beat.Beat{Host: host, Interval: c.Interval, Message: c.Message}
	for _, status := range []beat.Status{beat.OK, beat.Warn, beat.Fail} {
		if status.String() == c.Status {
			b.Status = status
		}
	}
	by := "HTTP"
	if c.MQTT != "" {
		by = "MQTT"
		err = c.publish(s, b)
	} else {
		err = c.post(s, b)
	}
	if err != nil {
		return err
	}
	if s.out.json {
		return s.out.value(map[string]string{"host": c.Host, "by": strings.ToLower(by), "message": "OK"})
	}
	return s.out.line("%s beat by %s", c.Host, by)
}

// post sends the beat as hb-api's clients do.
func (c *beatCmd) post(s *session, b beat.Beat) error {
	body := struct {
		HostID     beat.HostID `json:"hostId"`
		StoreID    string      `json:"storeId,omitempty"`
		IntervalMs int64       `json:"intervalMs,omitempty"`
		Status     string      `json:"status,omitempty"`
		Message    string      `json:"message,omitempty"`
	}{b.Host, c.Store, b.Interval.Milliseconds(), c.Status, b.Message}
	return s.api.do(s.ctx, call{method: http.MethodPost, path: "/v1/heartbeat", body: body}, nil)
}

// publish sends the beat by MQTT, and then says DISCONNECT: it is no death.
func (c *beatCmd) publish(s *session, b beat.Beat) error {
	if _, _, err := net.SplitHostPort(c.MQTT); err != nil {
		return usage("give host:port, such as --mqtt 127.0.0.1:2883", "cannot read the address %q", c.MQTT)
	}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + c.MQTT).SetClientID("hbctl-" + c.Host).
		SetUsername(c.Host).SetPassword(s.key).SetProtocolVersion(4).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(s.timeout).SetWriteTimeout(s.timeout)
	client := mqtt.NewClient(o)
	failed := func(what string, err error) error {
		return &failure{
			exit: ExitNoAnswer, what: what + " " + c.MQTT, err: err,
			hint: "is this a relay's MQTT address? The demo's is 127.0.0.1:2883; a keyed relay wants --key",
		}
	}
	if err := finish(s.ctx, client.Connect(), s.timeout); err != nil {
		return failed("connect to", err)
	}
	defer client.Disconnect(disconnectMs)
	if err := finish(s.ctx, client.Publish(beat.TopicBeat+c.Host, 1, false, b.EncodeMQTT()), s.timeout); err != nil {
		return failed("publish to", err)
	}
	return nil
}

// disconnectMs lets the DISCONNECT leave.
const disconnectMs = 100

// finish waits for a token.
func finish(ctx context.Context, t mqtt.Token, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return fmt.Errorf("no answer within %v", within)
	}
}
