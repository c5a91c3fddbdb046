package mutant

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// Mutant is one way to break the code.
type Mutant struct {
	Name string
	// Breaks says what must not be, by the name of the invariant first.
	Breaks string
	// Files are the changed files: their path in the module, and their text.
	Files map[string]string
	// Unfit is why it cannot be laid over the source; "": it can.
	Unfit string
	// Packages are those whose unit tests may notice, its own first; empty: none
	// are run.
	Packages []string
	// key says the change, whatever else its file holds; "": its files do.
	key string
}

// Drawn says whether it was drawn by a seed, not made by hand.
func (m *Mutant) Drawn() bool { return len(m.Packages) > 0 }

// Key names a mutant in the file of results by the change itself: other changes of
// the code leave its result as it is.
func (m *Mutant) Key() string {
	h := sha256.New()
	fmt.Fprintln(h, m.Name, m.key)
	if m.key == "" {
		for _, f := range m.sorted() {
			fmt.Fprintln(h, f, m.Files[f])
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func (m *Mutant) sorted() []string { return slices.Sorted(maps.Keys(m.Files)) }
