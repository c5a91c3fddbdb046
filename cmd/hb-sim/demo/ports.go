package demo

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The regions of the demo.
const (
	east beat.Region = "us-east-1"
	west beat.Region = "us-west-2"
)

// The fixed ports. Scripts of others rely on them.
const (
	portEastMQTT  = 1883
	portWestMQTT  = 1884
	portEastHTTP  = 8080
	portWestHTTP  = 8081
	portRelayMQTT = 2883
	portRelayHTTP = 8090
	portControl   = 8099

	maxPort   = 65535
	maxOffset = maxPort - portControl
)

// ErrPortUsed is a port of the demo that another program has.
var ErrPortUsed = errors.New("in use")

// port is one fixed port, and what it is for.
type port struct {
	number int
	what   string
}

// ports are all of the demo's.
type ports struct{ offset int }

func (p ports) all() []port {
	return []port{
		{portEastMQTT, "MQTT of region " + string(east)},
		{portEastHTTP, "HTTP and dashboard of region " + string(east)},
		{portWestMQTT, "MQTT of region " + string(west)},
		{portWestHTTP, "HTTP and dashboard of region " + string(west)},
		{portRelayMQTT, "MQTT of the relay"},
		{portRelayHTTP, "HTTP of the relay"},
		{portControl, "control of the demo"},
	}
}

// address is where a fixed port is, on loopback.
func (p ports) address(number int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(number+p.offset))
}

func (p ports) url(number int) string { return "http://" + p.address(number) }

// mqtt and http are the doors of a region.
func (p ports) mqtt(r beat.Region) string {
	if r == west {
		return p.address(portWestMQTT)
	}
	return p.address(portEastMQTT)
}

func (p ports) http(r beat.Region) string {
	if r == west {
		return p.address(portWestHTTP)
	}
	return p.address(portEastHTTP)
}

// check says which ports cannot be had, before anything is started.
func (p ports) check() error {
	var errs []error
	for _, one := range p.all() {
		ln, err := net.Listen("tcp", p.address(one.number))
		if err == nil {
			_ = ln.Close()
			continue
		}
		why := err
		if errors.Is(err, syscall.EADDRINUSE) {
			why = ErrPortUsed
		}
		errs = append(errs, fmt.Errorf("port %d (%s): %w", one.number+p.offset, one.what, why))
	}
	if len(errs) == 0 {
		return nil
	}
	offset := p.suggest()
	return fmt.Errorf("%w\nstop the program that has it, or move all ports of the demo: --port-offset %d (make run ARGS=\"--port-offset %d\")",
		errors.Join(errs...), offset, offset)
}

// suggest is an offset with which all ports are free.
func (p ports) suggest() int {
	const step = 10000
	for offset := p.offset%step + step; offset <= maxOffset; offset += step {
		if (ports{offset}).free() {
			return offset
		}
	}
	return step
}

func (p ports) free() bool {
	for _, one := range p.all() {
		ln, err := net.Listen("tcp", p.address(one.number))
		if err != nil {
			return false
		}
		_ = ln.Close()
	}
	return true
}

// flag is how hbctl follows the offset: "" where there is none.
func (p ports) flag() string {
	if p.offset == 0 {
		return ""
	}
	return strings.Join([]string{" --port-offset", strconv.Itoa(p.offset)}, " ")
}
