package beat

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// check says why the picture of a relay that has run for monoMs cannot be true.
func (p *Picture) check(monoMs uint64) error {
	if p == nil {
		return nil
	}
	if len(p.Hosts) > MaxHosts {
		return fmt.Errorf("%d hosts, at most %d: %w", len(p.Hosts), MaxHosts, ErrTooManyHosts)
	}
	for i := range p.Hosts {
		h := &p.Hosts[i]
		if i > 0 && p.Hosts[i-1].Host >= h.Host {
			return fmt.Errorf("host %s: %w", clip(string(h.Host)), ErrHostTwice)
		}
		if err := h.check(monoMs); err != nil {
			return fmt.Errorf("host %s: %w", clip(string(h.Host)), err)
		}
	}
	return p.Lan.check()
}

func (h *HostReport) check(monoMs uint64) error {
	switch {
	case !validHostID(string(h.Host)):
		return ErrHostID
	case h.Number >= MaxCounter:
		return ErrNumber
	case h.State >= Covered:
		return fmt.Errorf("a relay reports no %v", h.State)
	case h.IntervalMs > uint32(MaxInterval.Milliseconds()):
		return fmt.Errorf("interval %d ms", h.IntervalMs)
	case h.AgeMs > maxAgeMs, h.State.Alive() && h.AgeMs > monoMs:
		return fmt.Errorf("%w: %d ms after %d ms of uptime", ErrAge, h.AgeMs, monoMs)
	case h.Status > Fail || len(h.Message) > maxMessage || !utf8.ValidString(h.Message):
		return errors.New("bad status or message")
	}
	return nil
}

func (l *Lan) check() error {
	switch {
	case l == nil:
		return nil
	case l.Number == 0 || l.Number >= MaxCounter:
		return fmt.Errorf("store LAN: %w", ErrNumber)
	case l.AgeMs > maxAgeMs:
		return fmt.Errorf("store LAN: %w", ErrAge)
	}
	return nil
}

// minWallMs and maxWallMs are the years 1 to 9999 (Unix, ms): beyond them no
// date can be written, and no clock of an operating system stands, however wrong
// it is. Within them a wrong date is the reader's to judge, so that no relay
// loses its history for its clock.
const (
	minWallMs = -62_135_596_800_000
	maxWallMs = 253_402_300_799_999
)

func checkJournal(entries []Transition) error {
	if len(entries) > MaxBatch {
		return fmt.Errorf("%d journal entries, at most %d", len(entries), MaxBatch)
	}
	for i := range entries {
		t := &entries[i]
		shed := t.Reason == Shed
		switch {
		case t.Number == 0 || i > 0 && max(entries[i-1].Number, entries[i-1].Until) >= t.Number:
			return fmt.Errorf("journal entry %d is out of order", t.Number)
		case t.Number >= MaxCounter || t.Until >= MaxCounter:
			return fmt.Errorf("journal entry %d: %w", t.Number, ErrNumber)
		case shed && t.Until < t.Number || !shed && t.Until != 0:
			return fmt.Errorf("journal entry %d: bad shed range", t.Number)
		case !shed && !t.ofLan() && !validHostID(string(t.Host)):
			return ErrHostID
		case t.WallMs < minWallMs || t.WallMs > maxWallMs:
			return fmt.Errorf("journal entry %d: %w", t.Number, ErrDate)
		case t.State >= Covered || len(t.Message) > maxJournalText:
			return fmt.Errorf("journal entry %d: bad state or message", t.Number)
		}
	}
	return nil
}

// ofLan says whether the transition is the store LAN's: it has no host. So may
// be those of reasons that a later version knows.
func (t *Transition) ofLan() bool { return t.Host == "" && t.Reason > Shed }
