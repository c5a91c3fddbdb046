package wire

import "github.com/hb-mesh/hb-mesh/relay/beat"

// Mail is a request, or an answer, that travels as an item of the table.
type Mail struct {
	From, To beat.Region
	// Node and Term name the writer, Seq its letter: (Term, Seq) is unique in a
	// region.
	Node string
	Term int64
	Seq  uint64
	// Kind and Body are a Request's, or a Response's where Re is set.
	Kind Kind
	Body []byte
	// Re and ReTerm name the letter that this one answers; 0: it is a request.
	Re     uint64
	ReTerm int64
	// Seen is the recipient's lease as the writer last saw it: a letter cannot
	// be older than what it names.
	Seen Moment
}

// Moment is a region's lease at an instant: it orders what two regions say
// without comparing their clocks.
type Moment struct {
	Term    int64 `json:"term"`
	Counter int64 `json:"counter"`
}

// Name is a letter's place among those of its writer.
type Name struct {
	Term int64
	Seq  uint64
}

// Name is the letter's own.
func (m *Mail) Name() Name { return Name{m.Term, m.Seq} }

// Answers is the name of the letter that it answers.
func (m *Mail) Answers() Name { return Name{m.ReTerm, m.Re} }
