package notice

import "github.com/hb-mesh/hb-mesh/broker/incident"

// Severity is how bad a notice is, in the words of the event.
type Severity string

// The severities; the package comment says what has which.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Error    Severity = "error"
	Critical Severity = "critical"
)

func (s Severity) rank() int {
	switch s {
	case Critical:
		return 3
	case Error:
		return 2
	case Warning:
		return 1
	default:
		return 0
	}
}

// SeverityOf is the severity of one transition.
func SeverityOf(kind incident.Kind, change incident.Change) Severity {
	if change == incident.Recovered {
		return Info
	}
	switch kind {
	case incident.StoreDown, incident.StoreLan, incident.RegionDown, incident.RegionBlind:
		return Critical
	case incident.HostMissing, incident.RelayDead, incident.DidNotComeUp, incident.NeverSeen, incident.RegionPath:
		return Error
	default:
		return Warning
	}
}

// severity is a notice's: a quiet one wakes nobody.
func severity(n *incident.Notice) Severity {
	if n.Quiet {
		return Info
	}
	return worst(n.Items)
}

func worst(items []incident.Item) Severity {
	s := Info
	for i := range items {
		if of := SeverityOf(items[i].Kind, items[i].Change); of.rank() > s.rank() {
			s = of
		}
	}
	return s
}
