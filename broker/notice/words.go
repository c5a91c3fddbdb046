package notice

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// stamp is a time as people read it: the weekday helps at 3 a.m.
	stamp = "Mon 2006-01-02 15:04:05 MST"
	clock = "15:04:05 MST"

	// maxLines is how many subjects a text names one by one; nobody reads more
	// on a phone, and the link has them all.
	maxLines = 20
	// maxQuote bounds what a host says of itself, in bytes.
	maxQuote = 160
)

// title is one line such as "Hosts missing [pos3]". The last of several bunches
// is left out first when they do not fit, with "..." instead.
func title(groups []bunch) string {
	out := ""
	for i, b := range groups {
		sep := ""
		if i > 0 {
			sep = "; "
		}
		words := sep + b.words() + " ["
		left := MaxTitle - len(out) - len(words) - len("]")
		if i < len(groups)-1 {
			left -= len("; " + ellipsis)
		}
		if i > 0 && left < 12 { // too little for a name and a count
			return out + "; " + ellipsis
		}
		out += words + list(b.names(), left) + "]"
	}
	return out
}

// text says what, where, since when, seen from where, and where to look.
func text(n incident.Notice, groups []bunch, o RenderOptions) string {
	var out strings.Builder
	out.WriteString(summary(&n, groups))
	left := maxLines
	for i, b := range groups {
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(b.headline() + "\n")
		for j := range b.items {
			if left == 0 {
				fmt.Fprintf(&out, "- and %d more\n", len(b.items)-j)
				break
			}
			left--
			out.WriteString("- " + b.line(&b.items[j], o) + "\n")
		}
	}
	known := n.Known
	if known.IsZero() {
		known = n.At
	}
	fmt.Fprintf(&out, "\nKnown since %s.\n", known.In(o.Zone).Format(stamp))
	if from := seenFrom(n); from != "" {
		out.WriteString(from + "\n")
	}
	out.WriteString(acknowledge(&n))
	if l := link(n, o); l != "" {
		out.WriteString(l + "\n")
	}
	return out.String()
}

// summary opens the text of a notice about much: how many, where, what they
// share, and what to look at first.
func summary(n *incident.Notice, groups []bunch) string {
	out := ""
	if n.FleetWide {
		out += "Most of the fleet is lost at once. Check us first: certificates, DNS, the last deployment.\n"
	}
	if n.Suppressed {
		out += "People are not told: " + plain(n.Why) + ".\n"
	}
	if n.Digest && (len(n.Items) > maxLines || len(groups) > 1) {
		stores := map[beat.StoreID]bool{}
		for i := range n.Items {
			stores[n.Items[i].Store] = true
		}
		out += fmt.Sprintf("%d changes in %d stores within a short time.%s\n", len(n.Items), len(stores), shared(n.Items))
	}
	if out != "" {
		out += "\n"
	}
	return out
}

// shared names the tags that all items have in common.
func shared(items []incident.Item) string {
	var common []string
	for name, value := range items[0].Tags {
		all := true
		for i := range items {
			all = all && items[i].Tags[name] == value
		}
		if all {
			common = append(common, plain(name+"="+value))
		}
	}
	if len(common) == 0 {
		return ""
	}
	slices.Sort(common)
	return " All of them have " + strings.Join(common, ", ") + "."
}

// headline is a bunch in one sentence.
func (b bunch) headline() string {
	if b.items[0].Host == "" {
		return b.words() + ": " + list(b.names(), 200) + "."
	}
	where := "in several stores"
	if b.store != "" {
		where = "in store " + plain(string(b.store))
	}
	return b.words() + " " + where + ": " + list(b.names(), 200) + "."
}

// line is what is known of one subject.
func (b bunch) line(it *incident.Item, o RenderOptions) string {
	out := b.name(it)
	if it.Change != incident.Recovered {
		out += " [" + short(it.Incident) + "]"
	}
	out += ": "
	since := it.Since.In(o.Zone).Format(stamp)
	if it.Change == incident.Recovered {
		out += past(it.Kind) + " since " + since
		if it.DurationMs > 0 {
			out = b.name(it) + ": " + back(it) + " after " + lasted(time.Duration(it.DurationMs)*time.Millisecond) +
				", was " + past(it.Kind) + " since " + since
		}
		return out + "."
	}
	if it.Kind == incident.StoreLan || it.Region != "" {
		return out + past(it.Kind) + " since " + since + ": " + explained(it) + lost(it)
	}
	out += present(it.Kind) + " " + since
	if u := time.Duration(it.SinceUncertaintyMs) * time.Millisecond; u > 0 {
		out += ", or up to " + lasted((u + time.Second - 1).Truncate(time.Second)) + " later"
	}
	out += "."
	if it.Message != "" {
		out += " It says: " + quote(it.Message, maxQuote)
	}
	return out
}

// explained is what a fault of a LAN or a region means, and where to look.
func explained(it *incident.Item) string {
	switch it.Kind {
	case incident.StoreLan:
		return "the relay lives, and its hosts vanished together."
	case incident.RegionDown:
		return "it does not answer, and no relay reaches it."
	case incident.RegionPath:
		return "the other region sees them. Look at its certificate, DNS and network."
	case incident.RegionBlind:
		return "it sees neither many of its stores nor the other region."
	default:
		return "look at the page."
	}
}

// lost are the stores that a region's fault lists.
func lost(it *incident.Item) string {
	if len(it.Lost) == 0 {
		return ""
	}
	names := make([]string, 0, len(it.Lost))
	for _, s := range it.Lost {
		names = append(names, plain(string(s)))
	}
	return fmt.Sprintf(" Not seen: %d stores: %s.", len(names), list(names, 200))
}

func present(k incident.Kind) string {
	switch k {
	case incident.DidNotComeUp:
		return "missing since before its store opened; last sign of life"
	case incident.NeverSeen:
		return "expected, and never seen; looked for since"
	case incident.Flapping:
		return "changes again and again since"
	case incident.Conflict:
		return "two live relays have one identity since"
	case incident.HostMissing, incident.StoreDown:
		return "last sign of life"
	case incident.RelayDead:
		return "hosts beat directly; last word of the relay"
	case incident.HostFailing:
		return "lives, says that it fails since"
	default:
		return "since"
	}
}

func past(k incident.Kind) string {
	switch k {
	case incident.HostMissing:
		return "missing"
	case incident.HostFailing:
		return "failing"
	case incident.StoreDown:
		return "down"
	case incident.RelayDead:
		return "without its relay"
	case incident.DidNotComeUp:
		return "missing"
	case incident.NeverSeen:
		return "expected"
	case incident.Flapping:
		return "flapping"
	case incident.StoreLan:
		return "without its LAN"
	case incident.Conflict:
		return "two relays with one identity"
	case incident.RegionDown:
		return "down"
	case incident.RegionPath:
		return "not reached by many stores"
	case incident.RegionBlind:
		return "blind"
	default:
		return "in trouble"
	}
}

func back(it *incident.Item) string {
	switch {
	case it.Ended == incident.Retired:
		return "retired by an operator"
	case it.Ended == incident.Stopped:
		return "said goodbye"
	case it.Kind == incident.HostFailing:
		return "well"
	case it.Kind == incident.NeverSeen:
		return "seen"
	case it.Kind == incident.Flapping:
		return "calm"
	case it.Kind == incident.Conflict:
		return "one relay again"
	default:
		return "back"
	}
}

// lasted is a duration as people say it: its two largest units.
func lasted(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return two(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	case d < 24*time.Hour:
		return two(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	default:
		return two(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
	}
}

// lasted is how long a bunch of recoveries lasted, for its one line: the longest,
// and "up to" where they do not agree as people read it; "" is not known.
func (b bunch) lasted() string {
	longest, agree := int64(0), true
	for i := range b.items {
		longest = max(longest, b.items[i].DurationMs)
	}
	if longest == 0 {
		return ""
	}
	words := lasted(time.Duration(longest) * time.Millisecond)
	for i := range b.items {
		agree = agree && lasted(time.Duration(b.items[i].DurationMs)*time.Millisecond) == words
	}
	if !agree {
		words = "up to " + words
	}
	return ", lasted " + words
}

func two(a int, unitA string, b int, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

// seenFrom says whose evidence it is; one-sided is said in words.
func seenFrom(n incident.Notice) string {
	names := make([]string, 0, len(n.SeenFrom))
	for _, r := range n.SeenFrom {
		names = append(names, plain(string(r)))
	}
	all := strings.Join(names, " and ")
	switch {
	case n.OneSided && all == "":
		return "Seen from " + plain(string(n.Region)) + " only: the other region gave no answer."
	case n.OneSided:
		return "Seen from " + all + " only: the other region gave no answer."
	case all == "":
		return ""
	default:
		return "Seen from " + all + "."
	}
}

// link leads to the store, where it is one.
func link(n incident.Notice, o RenderOptions) string {
	if o.Link == "" {
		return ""
	}
	if store := oneStore(n.Items); store != "" {
		return strings.TrimRight(o.Link, "/") + "/#open=" + plain(string(store)) // the page's own link to a store
	}
	return o.Link
}

func oneStore(items []incident.Item) beat.StoreID {
	store := items[0].Store
	for i := range items {
		if items[i].Store != store {
			return ""
		}
	}
	return store
}

// sms is one line: title, store, since when or how long, and whether it is
// one-sided.
func sms(n incident.Notice, groups []bunch, o RenderOptions) string {
	tail := ""
	b := groups[0]
	if b.items[0].Host != "" && b.store != "" {
		tail = " in " + plain(string(b.store))
	}
	if b.change == incident.Recovered {
		tail += b.lasted()
	} else {
		tail += " since " + b.items[0].Since.In(o.Zone).Format(clock)
	}
	if n.OneSided {
		tail += " (one region only)"
	}
	tail = plain(tail)
	return cut(cut(title(groups), max(MaxSMS-len(tail), MaxSMS/2))+tail, MaxSMS)
}
