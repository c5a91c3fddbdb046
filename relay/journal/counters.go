package journal

import (
	"crypto/rand"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// epochBlock and numberBlock are how many epochs and numbers are reserved
	// with one write.
	epochBlock  = 64
	numberBlock = 1024
	// scarceEpochs and scarceNumbers are reserved while the disk is short, so
	// that the relay connects and counts on when it is full: for weeks of
	// reconnects, and for more transitions than a journal holds.
	scarceEpochs  = 1 << 16
	scarceNumbers = 1 << 20
	// maxCounter keeps a hostile answer from exhausting a counter: nobody comes
	// here by counting.
	maxCounter = 1 << 62
)

// Incarnation is the 128 random bits made with this journal.
func (j *Journal) Incarnation() beat.Incarnation {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.Incarnation
}

// Acked says whether a region ever acked this incarnation.
func (j *Journal) Acked() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.Acked
}

// NoteAcked keeps on disk that a region acked this incarnation. It writes once.
func (j *Journal) NoteAcked() error {
	if j.Acked() {
		return nil
	}
	return j.update(func(s *state) { s.Acked = true })
}

// Renew makes a new incarnation: this folder was restored from a copy.
// Entries, hosts, epochs and numbers stay.
func (j *Journal) Renew() (beat.Incarnation, error) {
	var inc beat.Incarnation
	_, _ = rand.Read(inc[:]) // crypto/rand does not fail
	err := j.update(func(s *state) { s.Format, s.Incarnation, s.Acked = format, inc, false })
	if err != nil {
		return beat.Incarnation{}, fmt.Errorf("renew incarnation: %w", err)
	}
	return inc, nil
}

// NextEpoch returns an epoch above every one that this journal ever returned,
// and above the given one. It writes once in 64 calls.
func (j *Journal) NextEpoch(above beat.Epoch) (beat.Epoch, error) {
	if above >= maxCounter {
		return 0, fmt.Errorf("epoch above %d: %w", above, ErrRange)
	}
	j.writing <- struct{}{}
	defer func() { <-j.writing }()
	j.mu.Lock()
	next, top := max(j.epoch, above)+1, j.state.EpochTop
	j.mu.Unlock()
	if next > top {
		if err := j.updateLocked(func(s *state) { s.EpochTop = next + epochBlock - 1 }); err != nil {
			return 0, fmt.Errorf("reserve epochs: %w", err)
		}
	}
	j.mu.Lock()
	j.epoch = next
	j.mu.Unlock()
	return next, nil
}

// EpochTop is the highest epoch that is reserved on disk.
func (j *Journal) EpochTop() beat.Epoch {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.EpochTop
}

// ReserveNumbers reserves 1,024 numbers on disk, above every one that was ever
// reserved for a caller, and above the given one.
func (j *Journal) ReserveNumbers(above beat.Number) (from, to beat.Number, err error) {
	if above >= maxCounter {
		return 0, 0, fmt.Errorf("number above %d: %w", above, ErrRange)
	}
	j.writing <- struct{}{}
	defer func() { <-j.writing }()
	j.mu.Lock()
	from = max(j.number, above) + 1
	to = from + numberBlock - 1
	top := j.state.NumberTop
	j.mu.Unlock()
	if to > top {
		if err := j.updateLocked(func(s *state) { s.NumberTop = to }); err != nil {
			return 0, 0, fmt.Errorf("reserve numbers: %w", err)
		}
	}
	j.mu.Lock()
	j.number = to
	j.mu.Unlock()
	return from, to, nil
}

// provide reserves for the time when the disk is full, unless it did. It is
// called while the disk is short, by the holder of writing.
func (j *Journal) provide() {
	j.mu.Lock()
	epochs, numbers := j.epoch+scarceEpochs, j.number+scarceNumbers
	done := j.state.EpochTop-j.epoch >= scarceEpochs/2 && j.state.NumberTop-j.number >= scarceNumbers/2
	j.mu.Unlock()
	if done {
		return
	}
	err := j.updateLocked(func(s *state) {
		s.EpochTop, s.NumberTop = max(s.EpochTop, epochs), max(s.NumberTop, numbers)
	})
	if err != nil {
		j.log.Warn("no epochs and numbers in reserve for a full disk", "err", err)
	}
}

// NumberTop is the highest number that is reserved on disk.
func (j *Journal) NumberTop() beat.Number {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.NumberTop
}

// update changes the state on disk, then in memory.
func (j *Journal) update(change func(*state)) error {
	j.writing <- struct{}{}
	defer func() { <-j.writing }()
	return j.updateLocked(change)
}

// updateLocked is update for a caller that holds writing.
func (j *Journal) updateLocked(change func(*state)) error {
	j.mu.Lock()
	s, closed := j.state, j.closed
	j.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if err := j.reserve(); err != nil {
		return err
	}
	change(&s)
	if err := j.commit(func(txn *badger.Txn) error { return txn.Set(stateKey, encode(s)) }); err != nil {
		return err
	}
	j.mu.Lock()
	j.state = s
	j.mu.Unlock()
	return nil
}
