package notice

import (
	"slices"

	"github.com/hb-mesh/hb-mesh/broker/incident"
)

// The names of the attributes.
const (
	attrKind     = "kind"
	attrSeverity = "severity"
	attrStore    = "store"
	attrHost     = "host"
	attrRegion   = "region"
	attrIncident = "incident"
	attrTag      = "tag."
)

const (
	// maxTags is how many tags become attributes: with the six others they stay
	// below the ten that SQS takes with raw delivery.
	maxTags = 3
	// maxValues bounds the bytes of one attribute's values, so that with a full
	// event all of them fit into SNS's 256 KiB.
	maxValues = 3 << 10
	// rest is the last value of a list that did not fit.
	rest = "*"
)

// values is a list without repetitions, bounded.
type values struct {
	list  []string
	bytes int
	full  bool
}

func (v *values) add(s string) {
	if s == "" || v.full || slices.Contains(v.list, s) {
		return
	}
	// A value costs its quotes and comma, and quotes are escaped once more.
	const around = 5
	if v.bytes+len(s)+around > maxValues {
		v.list, v.full = append(v.list, rest), true
		return
	}
	v.list, v.bytes = append(v.list, s), v.bytes+len(s)+around
}

func attributes(n incident.Notice) map[string][]string {
	names := tagNames(n.Items)
	all := map[string]*values{}
	add := func(name, value string) {
		v := all[name]
		if v == nil {
			v = &values{}
			all[name] = v
		}
		v.add(value)
	}
	add(attrSeverity, string(severity(&n)))
	add(attrRegion, string(n.Region))
	for i := range n.Items {
		it := &n.Items[i]
		add(attrKind, string(it.Kind))
		add(attrStore, string(it.Store))
		add(attrHost, string(it.Host))
		add(attrIncident, string(it.Incident))
		for _, name := range names {
			add(attrTag+name, plain(it.Tags[name]))
		}
	}
	out := make(map[string][]string, len(all))
	for name, v := range all {
		if len(v.list) > 0 {
			out[name] = v.list
		}
	}
	return out
}

// tagNames are the first tags by name, of those that an attribute can be
// called by.
func tagNames(items []incident.Item) []string {
	var names []string
	for i := range items {
		for name := range items[i].Tags {
			if attributeName(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxTags)]
}

// attributeName says whether tag.<name> is a name to SNS and SQS.
func attributeName(name string) bool {
	if len(name) == 0 || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
