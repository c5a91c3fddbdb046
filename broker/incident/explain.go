package incident

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// Explanation is what this region knows of a subject's incidents, and what
// comes next: for people who ask why they were told, or were not.
type Explanation struct {
	Region beat.Region `json:"region"`
	// Home tells first; it is "" where the subject is a region.
	Home beat.Region `json:"home,omitempty"`
	// MayTell says that this node holds its region's lease, until TellsUntil
	// where leases are in use.
	MayTell    bool      `json:"mayTell"`
	TellsUntil time.Time `json:"tellsUntil,omitzero"`
	// Hushed is why people are not told of the subject's faults now.
	Hushed      string      `json:"hushed,omitempty"`
	HushedUntil time.Time   `json:"hushedUntil,omitzero"`
	Incidents   []Explained `json:"incidents"`
}

// Explained is one incident, and where its telling stands.
type Explained struct {
	Incident
	// Tells is the region that tells what comes next of it.
	Tells    beat.Region          `json:"tells"`
	Fault    TransitionExplained  `json:"fault"`
	Recovery *TransitionExplained `json:"recovery,omitempty"`
}

// Words say where the telling of the fault stands, for people.
func (e *Explained) Words() string {
	var on []string
	for _, ch := range e.Told {
		on = append(on, string(ch))
	}
	switch {
	case e.Suppressed:
		return fmt.Sprintf("people not told; programs told %s by %s", strings.Join(on, ", "), e.Teller)
	case len(on) > 0:
		return fmt.Sprintf("told %s by %s", strings.Join(on, ", "), e.Teller)
	case e.Fault.Phase == told.String():
		return fmt.Sprintf("told by %s", e.Teller)
	case e.Waits != "":
		return e.Waits
	default:
		return "not told"
	}
}

// TransitionExplained is where the telling of one transition stands.
type TransitionExplained struct {
	K     int    `json:"k"`
	Phase string `json:"phase"`
	// Why it is held back.
	Why string `json:"why,omitempty"`
	// Notice has it, with its Marks of each channel; Aside is the one that
	// programs got while people are not told. On is where it was told from here.
	Notice string           `json:"notice,omitempty"`
	Marks  map[Channel]Mark `json:"marks,omitempty"`
	Aside  string           `json:"aside,omitempty"`
	On     []Channel        `json:"on,omitempty"`
	Quiet  bool             `json:"quiet,omitempty"`
	// Next is what comes by itself, at At; zero: when something else changes.
	Next string    `json:"next,omitempty"`
	At   time.Time `json:"at,omitzero"`
}

var phaseNames = [...]string{"", "held", "checking", "frozen", "waiting", "gathering", "hushed", "digesting", "leaving", "told", "cancelled"}

func (p phase) String() string { return phaseNames[p] }

// Explain says what this region knows of the incidents of a store ("" with a
// region: of that), and, where host is not "", of that host too: the open ones
// first, then the latest.
func (b *Book) Explain(now beat.Now, store beat.StoreID, host beat.HostID, region beat.Region) Explanation {
	b.now = now
	e := Explanation{Region: b.opt.Region, MayTell: b.mayClaim(), Incidents: []Explained{}}
	if store != "" {
		e.Home = b.home(store)
	}
	if b.fenced {
		e.TellsUntil = b.wall(b.until)
	}
	probe := &incident{Incident: Incident{Store: store, Host: host, Region: region, Open: true}, began: now.Wall}
	h := b.hushOf(&step{inc: probe, change: Opened})
	e.Hushed, e.HushedUntil = h.why, h.until
	for _, inc := range b.byID {
		if inc.Store == store && inc.Region == region && (inc.Host == "" || inc.Host == host) {
			e.Incidents = append(e.Incidents, b.explain(inc))
		}
	}
	slices.SortFunc(e.Incidents, func(x, y Explained) int {
		if x.Open != y.Open {
			return boolFirst(x.Open)
		}
		return cmp.Or(y.OpenedAt.Compare(x.OpenedAt), cmp.Compare(x.ID, y.ID))
	})
	return e
}

func boolFirst(first bool) int {
	if first {
		return -1
	}
	return 1
}

func (b *Book) explain(inc *incident) Explained {
	e := Explained{Incident: inc.Incident, Tells: b.teller(inc), Fault: b.explainStep(inc.fault)}
	e.SeenFrom, e.Told = slices.Clone(inc.SeenFrom), slices.Clone(inc.Told)
	if inc.recovery != nil {
		r := b.explainStep(inc.recovery)
		e.Recovery = &r
	}
	return e
}

func (b *Book) explainStep(s *step) TransitionExplained {
	e := TransitionExplained{K: s.k, Phase: s.phase.String(), On: slices.Clone(s.on), Quiet: s.quiet}
	if o := s.notice; o != nil {
		e.Notice, e.Marks = o.notice.ID, maps.Clone(o.notice.Marks)
	}
	if s.side != nil {
		e.Aside = s.side.notice.ID
	}
	if !s.final() {
		e.Why = s.inc.Waits
		e.Next, e.At = b.comes(s)
	}
	return e
}

// comes is what comes by itself of a transition, and when.
func (b *Book) comes(s *step) (next string, at time.Time) {
	switch s.phase {
	case held, checking:
		return "the other region is asked", b.wall(s.askAt)
	case frozen:
		return "is judged again with its store", time.Time{}
	case waiting:
		return "is told after its fault, or not at all", time.Time{}
	case gathering:
		if g := b.gathering[gatherKey{s.inc.Store, s.inc.Region}]; g != nil {
			return "is told with what else happens there", b.wall(g.due)
		}
	case hushed:
		if l := b.hushed[s.inc.Store]; l != nil {
			return "is looked at again", l.at
		}
	case digesting:
		return "is told in a digest", b.wall(b.budgetOf(people, s.change).due)
	case leaving:
		if o := s.notice; o != nil && o.retryAt > b.now.Mono {
			return "is tried again", b.wall(o.retryAt)
		}
		return "the table or a channel answers", time.Time{}
	}
	return "", time.Time{}
}

// wall is a monotonic instant on the wall clock; zero for none.
func (b *Book) wall(at time.Duration) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return b.now.Wall.Add(at - b.now.Mono).UTC().Truncate(time.Millisecond)
}
