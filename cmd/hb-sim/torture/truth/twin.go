package truth

// Told are the lines that the channels took so far, in order; they are valid
// until the next schedule begins.
func (t *Truth) Told() []Told { return t.told }

// Twin hands over what was told in the same schedule without the deaths of
// nodes: the killing of a node adds and loses no notice.
func (t *Truth) Twin(told []Told) { t.twin, t.twinned = told, true }
