package incident

import "slices"

// Folded leaves out the open faults of hosts that another open incident is told
// for: "did not come up" of the same host. The list stays in its order.
func Folded(all []Incident) []Incident {
	told := map[subject]bool{}
	for i := range all {
		if all[i].Open && all[i].Kind == DidNotComeUp {
			told[subject{all[i].Store, all[i].Host, all[i].Region, missingClass}] = true
		}
	}
	return slices.DeleteFunc(all, func(i Incident) bool { return i.Open && told[i.subject()] })
}
