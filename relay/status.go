package relay

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// errStarting is a relay whose doors are not open yet.
var errStarting = errors.New("the relay starts")

// Status is nil while the relay can do its job: it takes beats, and at least
// one region hears of them. Else it says why not.
func (r *Relay) Status() error {
	select {
	case <-r.ready:
	default:
		return errStarting
	}
	var why []string
	for _, u := range r.uplinks.Status() {
		if u.Open {
			return nil
		}
		text := string(u.Region)
		if u.Error != "" {
			text += ": " + u.Error
		}
		why = append(why, text)
	}
	return fmt.Errorf("no region is reachable (%s)", strings.Join(why, "; "))
}

// warnings are what a technician should know though the relay does its job.
func (r *Relay) warnings() []string {
	var w []string
	if r.inMemory != nil {
		w = append(w, "The disk is full: nothing is kept across a restart. Make room and start the relay again.")
	}
	if rec := r.journal.Recovered(); rec != nil {
		w = append(w, fmt.Sprintf("The data folder was damaged and was moved to %s at the start.", rec.Aside))
	}
	if r.journal.Stats().Refusing {
		w = append(w, "The disk is full: transitions are reported, and not kept. Make room.")
	}
	if lan := r.core.lan(); lan != nil && lan.Dead {
		w = append(w, fmt.Sprintf("The store's LAN is dead for %s: %v. Look at the switch and its power.",
			ago(time.Duration(lan.AgeMs)*time.Millisecond), lan.Reason)) //nolint:gosec // an age
	}
	return w
}
