package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/dashboard"
	"github.com/hb-mesh/hb-mesh/broker/presence"
)

// facts are the evidence, in the order in which people read it. Both regions
// name the same things alike.
func (k *known) facts() []dashboard.Fact {
	f := &facts{k: k}
	node := fmt.Sprintf("%s, term %d", k.node, k.term)
	if !k.settled {
		node += ", settling: opens nothing from silence"
	}
	f.add("node", "%s", node)
	f.mesh()
	f.home()
	if !k.hasStore {
		f.add("store", "never seen here")
		return f.all
	}
	f.store()
	f.session()
	f.asked()
	if k.hasHost {
		f.host()
	}
	f.telling()
	return f.all
}

// telling is where the incidents stand here, with each channel's mark.
func (f *facts) telling() {
	t := &f.k.telling
	if !t.MayTell {
		f.add("lease", "not held now: this node tells nobody")
	}
	for i := range t.Incidents {
		x := &t.Incidents[i]
		if !x.Open {
			continue
		}
		f.add(string(x.Kind), "%s, k %d, %s", x.ID, x.K, x.Words())
		step := &x.Fault
		if x.Recovery != nil {
			step = x.Recovery
		}
		parts := []string{step.Phase}
		for _, ch := range slices.Sorted(maps.Keys(step.Marks)) {
			parts = append(parts, fmt.Sprintf("%s %s", ch, step.Marks[ch]))
		}
		if step.Notice != "" {
			parts = append(parts, "notice "+step.Notice)
		}
		f.add("teller of "+string(x.Kind), "%s; here: %s", x.Tells, strings.Join(parts, ", "))
	}
}

type facts struct {
	k   *known
	all []dashboard.Fact
}

func (f *facts) add(name, format string, args ...any) {
	if value := fmt.Sprintf(format, args...); value != "" {
		f.all = append(f.all, dashboard.Fact{Name: name, Value: value})
	}
}

// ago is "3s ago", "" for no instant.
func (f *facts) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return age(f.k.now, t) + " ago"
}

// mesh is how the regions are, where that is not as it ought to be.
func (f *facts) mesh() {
	if p := &f.k.seen.Peer; p.State != presence.PeerLives {
		text := p.State.String()
		if !p.CutSince.IsZero() {
			text += fmt.Sprintf(", the link is cut for %s; %d of %d relays heard of it lately", age(f.k.now, p.CutSince), p.Fresh, p.Witnesses)
		}
		f.add("the other region", "%s", text)
	}
	if w := &f.k.seen.Fleet; w.State != presence.FleetWell {
		f.add("this region", "%s: %d of %d stores lost here, %d of them open there", w.State, w.Lost, w.Expected, w.OpenThere)
	}
}

// home is which region tells first, as this one knows: a pin may have reached
// one of the two only.
func (f *facts) home() {
	switch k := f.k; {
	case k.other == "":
	case k.pin == "":
		f.add("home", "%s", k.home)
	case k.pin == k.home:
		f.add("home", "%s, pinned by an operator", k.home)
	default:
		f.add("home", "%s; the pin to %s is of no region of this cell", k.home, k.pin)
	}
}

func (f *facts) store() {
	s := &f.k.store
	f.add("store", "%s for %s%s", s.State, age(f.k.now, s.Since), because(string(s.Reason)))
	f.add("relay", "%s", strings.TrimSpace(fmt.Sprintf("%s %s", s.Relay, s.Software)))
	if f.k.seen.Session.LanDead {
		f.add("store LAN", "dead, as the relay says")
	}
	if s.Journal > 0 || s.JournalLost > 0 {
		f.add("journal", "%d to come, %d lost", s.Journal, s.JournalLost)
	}
}

// session is the relay's session here.
func (f *facts) session() {
	s := &f.k.seen.Session
	text := string(s.View)
	if s.Epoch != 0 {
		text += fmt.Sprintf(", epoch %d", s.Epoch)
	}
	if !s.SuspectSince.IsZero() {
		text += ", ended " + f.ago(s.SuspectSince)
	}
	if !s.ReturnBy.IsZero() {
		text += ", said goodbye until " + s.ReturnBy.UTC().Format(time.RFC3339)
	}
	if s.Rebirths > 0 {
		text += fmt.Sprintf(", asked %d times to come back higher", s.Rebirths)
	}
	f.add("session", "%s", text)
	if !s.LastReport.IsZero() {
		text = f.ago(s.LastReport)
		if s.EveryMs > 0 {
			text += fmt.Sprintf(", one every %s", time.Duration(s.EveryMs)*time.Millisecond)
		}
		f.add("last report", "%s", text)
	}
	if s.SessionThere != nil {
		there := "has no session there"
		if *s.SessionThere {
			there = fmt.Sprintf("has a session there, PUBACK %s before", (time.Duration(s.AckAgeMs) * time.Millisecond).Round(100*time.Millisecond))
		}
		f.add("the relay says", "%s", there)
	}
	if len(s.Rivals) == 2 {
		f.add("conflict", "two relays with one identity: boots %.8s and %.8s", s.Rivals[0], s.Rivals[1])
	}
}

// asked is what became of the question to the other region.
func (f *facts) asked() {
	a := &f.k.seen.Asked
	var parts []string
	if a.Answer != "" {
		parts = append(parts, "answer "+string(a.Answer))
	}
	if a.Opens > 1 {
		parts = append(parts, fmt.Sprintf("%d times open", a.Opens))
	}
	if a.Waits {
		parts = append(parts, "a question is under way")
	}
	if !a.UnansweredSince.IsZero() {
		parts = append(parts, "no answer for "+age(f.k.now, a.UnansweredSince))
	}
	f.add("asked the other", "%s", strings.Join(parts, ", "))
}

func (f *facts) host() {
	h := &f.k.host
	f.add("host", "%s for %s%s", h.State, age(f.k.now, h.Since), because(hostReason(h)))
	f.add("by its relay", "%s", h.Relay)
	if h.Via == presence.ByDirect || h.ThereToo {
		text := h.Direct.String()
		if h.ThereToo {
			text += "; it may beat to the other region too"
		}
		if h.Answer != "" {
			text += ", which says " + string(h.Answer)
		}
		f.add("direct", "%s", text)
	}
	f.add("last beat", "%s", f.ago(h.LastBeat))
	if h.Interval > 0 {
		f.add("promise", "a beat every %s", h.Interval)
	}
	if h.Days > 0 {
		f.add("seen on", "%d of the last 14 open days", h.Days)
	}
	f.add("it says", "%s", h.Message)
	if h.Flapping {
		f.add("flapping", "shown in the worse of its states")
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// age is how long ago t was, to the second.
func age(now, t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return max(now.Sub(t), 0).Round(time.Second).String()
}

func join[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = string(x)
	}
	return strings.Join(texts, ", ")
}
