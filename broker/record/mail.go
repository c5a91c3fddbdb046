package record

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/peer/wire"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// keepMail is how long a letter stays that its writer could not delete. Who reads
// it may have another time by hours or days: then the regions refuse each other's
// calls, and letters are all that they have. How old a letter is, leases say.
const keepMail = 14 * 24 * time.Hour

// letter is the document of a letter; its key says the rest.
type letter struct {
	versioned

	Node   string          `json:"node"`
	Kind   wire.Kind       `json:"kind"`
	Re     uint64          `json:"re,omitempty"`
	ReTerm int64           `json:"reTerm,omitempty"`
	Seen   wire.Moment     `json:"seen"`
	Body   json.RawMessage `json:"body"`
}

// MailKey is where region keeps a letter to the other one.
func MailKey(from, to beat.Region, n wire.Name) table.Key {
	return table.Key{PK: MailPK(to), SK: fmt.Sprintf("%s#%020d#%020d", from, n.Term, n.Seq)}
}

// MailPK is the partition of a region's letters.
func MailPK(to beat.Region) string { return "mail#" + string(to) }

// Mail is the item of a letter that is posted at an instant.
func Mail(m *wire.Mail, now time.Time) table.Item {
	return table.Item{
		Key: MailKey(m.From, m.To, m.Name()),
		Doc: document(letter{
			Node: m.Node, Kind: m.Kind, Re: m.Re, ReTerm: m.ReTerm, Seen: m.Seen, Body: m.Body,
		}),
		Rev: m.Term, Expires: now.Add(keepMail),
	}
}

// ReadMail reads a letter. Its body is checked by who opens it.
func ReadMail(it table.Item) (wire.Mail, Reason) {
	var l letter
	if why := read(it.Doc, &l); why != "" {
		return wire.Mail{}, why
	}
	to, ok := strings.CutPrefix(it.PK, "mail#")
	parts := strings.Split(it.SK, "#")
	if !ok || len(parts) != 3 {
		return wire.Mail{}, Misplaced
	}
	term, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return wire.Mail{}, Misplaced
	}
	seq, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return wire.Mail{}, Misplaced
	}
	m := wire.Mail{
		From: beat.Region(parts[0]), To: beat.Region(to), Node: l.Node, Term: term, Seq: seq, Kind: l.Kind,
		Re: l.Re, ReTerm: l.ReTerm, Seen: l.Seen, Body: l.Body,
	}
	if seq == 0 || MailKey(m.From, m.To, m.Name()) != it.Key {
		return wire.Mail{}, Misplaced
	}
	return m, ""
}
