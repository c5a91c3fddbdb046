package notice

import (
	"github.com/hb-mesh/hb-mesh/broker/incident"
)

// shownID is how many characters of an incident's id people read and type: of
// 10,000 open incidents two share them once in 20,000 such nights.
const shownID = 8

// short is an incident's id as people read it.
func short(id incident.ID) string {
	if len(id) > shownID {
		id = id[:shownID]
	}
	return plain(string(id))
}

// acknowledge is what to type to say "I am on it"; "" where nothing is open.
func acknowledge(n *incident.Notice) string {
	var open []incident.Item
	for i := range n.Items {
		if n.Items[i].Change != incident.Recovered {
			open = append(open, n.Items[i])
		}
	}
	if len(open) == 0 || n.Suppressed {
		return ""
	}
	by := "hbctl ack " + short(open[0].Incident)
	switch store := oneStore(open); {
	case len(open) == 1:
		return "To acknowledge: " + by + "\n"
	case store != "":
		return "To acknowledge: hbctl ack " + plain(string(store)) + " (all of the store), or one by its id: " + by + "\n"
	default:
		return "To acknowledge: hbctl ack STORE, or one by its id: " + by + "\n"
	}
}
