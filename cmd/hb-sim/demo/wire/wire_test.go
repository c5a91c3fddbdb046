package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/demo/wire"
)

const soon = 5 * time.Second // more than anything here takes

// port is a listener whose accepted connections a test takes one by one.
func port(t *testing.T, listen func(network, address string) (net.Listener, error)) (string, func() net.Conn) {
	t.Helper()
	ln, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 8)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String(), func() net.Conn {
		t.Helper()
		select {
		case c := <-accepted:
			t.Cleanup(func() { _ = c.Close() })
			return c
		case <-time.After(soon):
			t.Fatal("nothing was accepted")
			return nil
		}
	}
}

func dial(t *testing.T, by wire.Dialer, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	c, err := by(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func network() wire.Dialer { return (&net.Dialer{}).DialContext }

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(soon))
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got, err, text)
	}
}

// expectSilence says that c brings nothing for a moment: no byte and no end.
func expectSilence(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want silence", n, err)
	}
}

func expectReset(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(soon))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read: %v; want a reset", err)
	}
}

func TestCutPowerResetsWhatItAcceptedAndDialled(t *testing.T) {
	power := wire.NewPower(network())
	address, accept := port(t, power.Listen)
	outside, accepted := port(t, net.Listen)

	visitor := dial(t, network(), address)
	served := accept()
	own := dial(t, power.Dial, outside)
	peer := accepted()
	send(t, visitor, "in")
	expect(t, served, "in")

	power.Cut()
	expectReset(t, visitor)
	expectReset(t, peer)
	for _, c := range []net.Conn{served, own} {
		if _, err := c.Write([]byte("late")); err == nil {
			t.Error("a dead process still writes")
		}
	}
	if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial a dead process: %v; want refused", err)
	}
	if _, err := power.Dial(t.Context(), "tcp", outside); !errors.Is(err, wire.ErrOff) {
		t.Errorf("a dead process dials: %v", err)
	}
	if _, err := power.Listen("tcp", address); !errors.Is(err, wire.ErrOff) {
		t.Errorf("a dead process listens: %v", err)
	}
}

func TestNextLifeListensOnTheSamePort(t *testing.T) {
	first := wire.NewPower(network())
	address, accept := port(t, first.Listen)
	dial(t, network(), address)
	accept()
	first.Cut()

	next := wire.NewPower(network())
	ln, err := next.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
}

func TestCutPowerEndsADialThatHangs(t *testing.T) {
	line := wire.NewLine(network())
	line.Cut()
	power := wire.NewPower(line.Dial)
	failed := make(chan error, 1)
	go func() {
		_, err := power.Dial(t.Context(), "tcp", "127.0.0.1:1")
		failed <- err
	}()
	power.Cut()
	select {
	case err := <-failed:
		if !errors.Is(err, wire.ErrOff) {
			t.Errorf("dial: %v; want ErrOff", err)
		}
	case <-time.After(soon):
		t.Error("the dial outlives its process")
	}
}

func TestCutLineHidesEverythingUntilItHeals(t *testing.T) {
	line := wire.NewLine(network())
	t.Cleanup(line.Close)
	address, accept := port(t, net.Listen)
	near := dial(t, line.Dial, address)
	far := accept()
	send(t, near, "a")
	expect(t, far, "a")

	line.Cut()
	send(t, near, "b") // as into a socket's buffer
	send(t, far, "c")
	expectSilence(t, near)
	expectSilence(t, far)

	line.Heal()
	expect(t, far, "b")
	expect(t, near, "c")
	send(t, near, "d")
	expect(t, far, "d")
}

func TestCutLineHidesThatEitherEndWasClosed(t *testing.T) {
	line := wire.NewLine(network())
	t.Cleanup(line.Close)
	address, accept := port(t, net.Listen)
	first := dial(t, line.Dial, address)
	farFirst := accept()
	second := dial(t, line.Dial, address)
	farSecond := accept()

	line.Cut()
	_ = first.Close()
	_ = farSecond.Close()
	expectSilence(t, farFirst)
	expectSilence(t, second)

	line.Heal()
	for name, c := range map[string]net.Conn{"the far end": farFirst, "the near end": second} {
		_ = c.SetReadDeadline(time.Now().Add(soon))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s reads %v after healing; want EOF", name, err)
		}
	}
}

func TestCloseOverACutLineFreesABlockedReader(t *testing.T) {
	line := wire.NewLine(network())
	t.Cleanup(line.Close)
	address, accept := port(t, net.Listen)
	near := dial(t, line.Dial, address)
	far := accept()
	line.Cut()
	read := make(chan error, 1)
	go func() {
		_, err := near.Read(make([]byte, 1))
		read <- err
	}()
	_ = near.Close()
	select {
	case err := <-read:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v; want ErrClosed", err)
		}
	case <-time.After(soon):
		t.Error("the reader still waits")
	}
	expectSilence(t, far)
}

func TestKilledProcessOverACutLineLeaksNothing(t *testing.T) {
	line := wire.NewLine(network())
	t.Cleanup(line.Close)
	power := wire.NewPower(line.Dial)
	address, accept := port(t, net.Listen)
	dial(t, power.Dial, address)
	far := accept()

	line.Cut()
	power.Cut()
	expectSilence(t, far)
	line.Heal()
	expectReset(t, far)
}

func TestDialOverACutLineHangs(t *testing.T) {
	line := wire.NewLine(network())
	t.Cleanup(line.Close)
	address, accept := port(t, net.Listen)
	line.Cut()

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := line.Dial(ctx, "tcp", address); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("dial: %v; want it to hang", err)
	}
	dialled := make(chan net.Conn, 1)
	go func() {
		c, err := line.Dial(t.Context(), "tcp", address)
		if err == nil {
			dialled <- c
		}
	}()
	line.Heal()
	select {
	case c := <-dialled:
		_ = c.Close()
		accept()
	case <-time.After(soon):
		t.Error("the dial still hangs after healing")
	}
}

func TestWriterOverACutLineMeetsItsDeadline(t *testing.T) {
	line := wire.NewLine(network())
	t.Cleanup(line.Close)
	address, accept := port(t, net.Listen)
	near := dial(t, line.Dial, address)
	accept()
	line.Cut()
	_ = near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for range 1000 {
		if _, err := near.Write(make([]byte, 4096)); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("write: %v; want a deadline", err)
			}
			return
		}
	}
	t.Error("a cut line takes any number of bytes")
}

func TestLineThatIsCutAgainWhileItCatchesUpStaysCut(t *testing.T) {
	line := wire.NewLine(network())
	t.Cleanup(line.Close)
	address, accept := port(t, net.Listen)
	near := dial(t, line.Dial, address)
	far := accept()
	for range 50 {
		line.Cut()
		send(t, near, "x")
		line.Heal()
		line.Cut()
		line.Heal()
		expect(t, far, "x")
	}
	line.Cut()
	send(t, near, "y")
	expectSilence(t, far)
}
