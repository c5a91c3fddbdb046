package notice

import (
	"strconv"
	"strings"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// bunch is the items of a notice that share kind and change: people read them
// as one.
type bunch struct {
	kind   incident.Kind
	change incident.Change
	// ended is why they ended, where the hosts did not come back.
	ended incident.Ending
	items []incident.Item
	// store is the store of all of them; "" where they have several.
	store beat.StoreID
}

// group sorts items into bunches: the worst first, else in the items' order.
func group(items []incident.Item) []bunch {
	var out []bunch
	type sort struct {
		kind   incident.Kind
		change incident.Change
		ended  incident.Ending
	}
	at := map[sort]int{}
	for _, it := range items {
		key := sort{it.Kind, it.Change, it.Ended}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, bunch{kind: it.Kind, change: it.Change, ended: it.Ended, store: it.Store})
		}
		out[i].items = append(out[i].items, it)
		if out[i].store != it.Store {
			out[i].store = ""
		}
	}
	return worstFirst(out)
}

func worstFirst(in []bunch) []bunch {
	out := make([]bunch, 0, len(in))
	for _, s := range []Severity{Critical, Error, Warning, Info} {
		for _, b := range in {
			if SeverityOf(b.kind, b.change) == s {
				out = append(out, b)
			}
		}
	}
	return out
}

// maxKind bounds the name of a kind that this version does not know.
const maxKind = 40

// phrase is what a title says of a kind, in hb-api's words where it had any.
type phrase struct{ one, many string }

var opened = map[incident.Kind]phrase{
	incident.HostMissing: {"Hosts missing", "Hosts missing"},
	incident.HostFailing: {"Hosts failing", "Hosts failing"},
	incident.StoreDown:   {"Store down", "Stores down"},
	incident.RelayDead:   {"Relay dead", "Relays dead"},

	incident.StoreLan:     {"Store LAN down", "Store LANs down"},
	incident.DidNotComeUp: {"Hosts did not come up", "Hosts did not come up"},
	incident.NeverSeen:    {"Never seen", "Never seen"},
	incident.Flapping:     {"Flapping", "Flapping"},
	incident.Conflict:     {"Two relays as one", "Two relays as one"},
	incident.RegionDown:   {"Region down", "Regions down"},
	incident.RegionPath:   {"Region not reached by stores", "Regions not reached by stores"},
	incident.RegionBlind:  {"Region blind", "Regions blind"},
}

var recovered = map[incident.Kind]phrase{
	incident.HostMissing: {"Hosts registered", "Hosts registered"},
	incident.HostFailing: {"Hosts well", "Hosts well"},
	incident.StoreDown:   {"Store up", "Stores up"},
	incident.RelayDead:   {"Relay back", "Relays back"},

	incident.StoreLan:     {"Store LAN up", "Store LANs up"},
	incident.DidNotComeUp: {"Hosts came up", "Hosts came up"},
	incident.NeverSeen:    {"Seen for the first time", "Seen for the first time"},
	incident.Flapping:     {"Calm again", "Calm again"},
	incident.Conflict:     {"One relay again", "One relay again"},
	incident.RegionDown:   {"Region back", "Regions back"},
	incident.RegionPath:   {"Region reached by stores again", "Regions reached by stores again"},
	incident.RegionBlind:  {"Region sees again", "Regions see again"},
}

func (b bunch) words() string {
	table, suffix := opened, ""
	if b.change == incident.Recovered {
		table, suffix = recovered, " over"
	}
	p, ok := table[b.kind]
	switch {
	case b.ended == incident.Retired:
		return "Hosts retired"
	case b.ended == incident.Stopped:
		return "Hosts stopped"
	case !ok: // a kind that a newer region knows: its own name will do
		return cut(plain(strings.ReplaceAll(string(b.kind), "-", " ")), maxKind) + suffix
	case len(b.items) == 1:
		return p.one
	default:
		return p.many
	}
}

// Says is a change of one incident in a title's words, such as "Hosts missing
// [demo/pos3]".
func Says(i *incident.Incident, change incident.Change) string {
	it := incident.Item{Kind: i.Kind, Change: change, Store: i.Store, Host: i.Host, Region: i.Region}
	if change == incident.Recovered {
		it.Ended = i.Ended
		if i.ToldAs != "" {
			it.Kind = i.ToldAs
		}
	}
	b := bunch{kind: it.Kind, change: change, ended: it.Ended, items: []incident.Item{it}}
	out := b.words() + " [" + b.name(&it) + "]"
	if change == incident.Changed {
		out += ", open before"
	}
	return out
}

// names are the subjects of a bunch: hosts of one store by their own name,
// hosts of several by store/host, stores by their id.
func (b bunch) names() []string {
	out := make([]string, 0, len(b.items))
	for i := range b.items {
		out = append(out, b.name(&b.items[i]))
	}
	return out
}

func (b bunch) name(it *incident.Item) string {
	switch {
	case it.Region != "":
		return plain(string(it.Region))
	case it.Host == "":
		return plain(string(it.Store))
	case b.store != "":
		return plain(string(it.Host))
	default:
		return plain(string(it.Store) + "/" + string(it.Host))
	}
}

// list joins as many names as fit into width characters, and counts the rest:
// "pos1, pos2 +3 more". A first name that is too long by itself is cut.
func list(names []string, width int) string {
	out, shown := "", 0
	for i, name := range names {
		next := name
		if i > 0 {
			next = out + ", " + name
		}
		if len(next)+len(more(len(names)-i-1)) > width {
			break
		}
		out, shown = next, i+1
	}
	if shown == 0 && len(names) > 0 {
		rest := more(len(names) - 1)
		return cut(names[0], width-len(rest)) + rest
	}
	return out + more(len(names)-shown)
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return " +" + strconv.Itoa(n) + " more"
}
