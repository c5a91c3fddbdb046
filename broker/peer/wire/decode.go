package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/presence"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// MaxBody bounds a request and an answer: a question about every store of
	// a cell (50,000) is 9 MB.
	MaxBody = 16 << 20
	// MaxBatch bounds the news, or verdicts, of one request.
	MaxBatch = 1000

	// maxAsked bounds the subjects of one question.
	maxAsked = 100_000
	// maxRegions bounds whose evidence a verdict is.
	maxRegions = 8
	// maxWord bounds a node's name, an incident's id and a reason, in bytes.
	maxWord = 256
)

// ErrBody is a body that is not what its kind says.
var ErrBody = errors.New("bad body")

// decode reads one JSON value; unknown fields are a newer region's, and ignored.
func decode[T any](raw []byte, check func(*T) error) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	if err == nil {
		err = check(&v)
	}
	if err != nil {
		var none T
		return none, fmt.Errorf("%w: %w", ErrBody, err)
	}
	return v, nil
}

// DecodeQuestion reads the body of an Ask; every name in it is valid.
func DecodeQuestion(raw []byte) (presence.Question, error) {
	return decode(raw, func(q *presence.Question) error {
		if _, err := beat.ParseRegion(string(q.From)); err != nil {
			return err
		}
		return checkViews(q.Node, q.Stores, q.Hosts)
	})
}

// DecodeAnswer reads the answer to an Ask.
func DecodeAnswer(raw []byte) (presence.Answer, error) {
	return decode(raw, func(a *presence.Answer) error { return checkViews(a.Node, a.Stores, a.Hosts) })
}

// DecodeToldQuestion reads the body of a Told.
func DecodeToldQuestion(raw []byte) (incident.ToldQuestion, error) {
	return decode(raw, func(q *incident.ToldQuestion) error {
		if _, err := beat.ParseRegion(string(q.From)); err != nil {
			return err
		}
		if err := checkCount(len(q.Items), maxAsked); err != nil {
			return err
		}
		for i := range q.Items {
			it := &q.Items[i]
			if err := firstError(checkPlace(it.Store, it.Host, it.Region), checkWord(string(it.Incident)), checkWord(string(it.Kind)), checkWord(string(it.Change))); err != nil {
				return err
			}
		}
		return checkWord(q.Node)
	})
}

// DecodeToldAnswer reads the answer to a Told.
func DecodeToldAnswer(raw []byte) (incident.ToldAnswer, error) {
	return decode(raw, func(a *incident.ToldAnswer) error {
		for _, w := range a.Words {
			if err := checkWord(string(w)); err != nil {
				return err
			}
		}
		return firstError(checkWord(a.Node), checkCount(len(a.Words), maxAsked))
	})
}

// DecodeNews reads the body of a Heard.
func DecodeNews(raw []byte) ([]presence.News, error) {
	b, err := decode(raw, func(b *news) error {
		for i := range b.News {
			if err := firstError(checkHost(b.News[i].Store, b.News[i].Host), checkWord(b.News[i].Cause.Node)); err != nil {
				return err
			}
		}
		return checkCount(len(b.News), MaxBatch)
	})
	return b.News, err
}

// DecodeVerdicts reads the body of a Forward. A condition that nobody knows here
// is a later version's: the incidents set that verdict aside, and no other.
func DecodeVerdicts(raw []byte) ([]presence.Verdict, error) {
	b, err := decode(raw, func(b *forward) error {
		for i := range b.Verdicts {
			if err := checkVerdict(&b.Verdicts[i]); err != nil {
				return err
			}
		}
		return checkCount(len(b.Verdicts), MaxBatch)
	})
	return b.Verdicts, err
}

func checkVerdict(v *presence.Verdict) error {
	const maxMessage = 256
	if v.Condition == 0 {
		return errors.New("no condition")
	}
	if v.Uncertainty < 0 {
		return fmt.Errorf("uncertainty %v", v.Uncertainty)
	}
	for _, r := range v.SeenFrom {
		if _, err := beat.ParseRegion(string(r)); err != nil {
			return err
		}
	}
	for _, id := range v.Lost {
		if err := checkSubject(id, ""); err != nil {
			return err
		}
	}
	v.Message = beat.CutText(v.Message, maxMessage)
	return firstError(checkPlace(v.Store, v.Host, v.Region), checkCount(len(v.SeenFrom), maxRegions), checkCount(len(v.Lost), maxAsked),
		checkWord(v.Cause.Node), checkWord(string(v.Reason)))
}

func checkViews(node string, stores []presence.StoreView, hosts []presence.HostView) error {
	for i := range stores {
		if err := firstError(checkSubject(stores[i].Store, ""), checkWord(string(stores[i].View))); err != nil {
			return err
		}
	}
	for i := range hosts {
		if err := firstError(checkHost(hosts[i].Store, hosts[i].Host), checkWord(string(hosts[i].View))); err != nil {
			return err
		}
	}
	return firstError(checkWord(node), checkCount(len(stores), maxAsked), checkCount(len(hosts), maxAsked))
}

// checkPlace: a store, a host of it, or a region.
func checkPlace(store beat.StoreID, host beat.HostID, region beat.Region) error {
	if store == "" && host == "" {
		_, err := beat.ParseRegion(string(region))
		return err
	}
	return checkSubject(store, host)
}

// checkSubject: a store, or a host of it.
func checkSubject(store beat.StoreID, host beat.HostID) error {
	if _, err := beat.ParseStoreID(string(store)); err != nil {
		return err
	}
	if host == "" {
		return nil
	}
	_, err := beat.ParseHostID(string(host))
	return err
}

func checkHost(store beat.StoreID, host beat.HostID) error {
	if host == "" {
		return beat.ErrHostID
	}
	return checkSubject(store, host)
}

func checkWord(s string) error {
	if len(s) > maxWord || beat.CutText(s, maxWord) != s {
		return errors.New("a word is too long, or no text")
	}
	return nil
}

func checkCount(n, limit int) error {
	if n > limit {
		return fmt.Errorf("%d of them, at most %d", n, limit)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
