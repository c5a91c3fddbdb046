package dashboard

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"sort"
	"strconv"
)

// The bounds of a page of a list.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Page is one page of a list; Next is the token of the next one, "" ends.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// paging is the part of a query that every list has.
type paging struct {
	after string // the key of the last item of the page before; "": begin
	limit int
}

func parsePaging(q url.Values) (paging, error) {
	p := paging{limit: defaultLimit}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLimit {
			return paging{}, problem(http.StatusBadRequest, "limit is a number from 1 to 1000")
		}
		p.limit = n
	}
	if s := q.Get("next"); s != "" {
		key, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(key) == 0 {
			return paging{}, problem(http.StatusBadRequest, "next is not a token of this list: begin without it")
		}
		p.after = string(key)
	}
	return p, nil
}

// page cuts items, which are sorted by key (falling if desc). An item that is
// gone since the page before does not disturb: keys are compared, not counted.
func page[T any](items []T, p paging, desc bool, key func(T) string) Page[T] {
	from := 0
	if p.after != "" {
		from = sort.Search(len(items), func(i int) bool {
			if desc {
				return key(items[i]) < p.after
			}
			return key(items[i]) > p.after
		})
	}
	items = items[from:]
	out := Page[T]{Items: items}
	if len(items) > p.limit {
		out.Items = items[:p.limit]
		out.Next = token(key(out.Items[p.limit-1]))
	}
	if out.Items == nil {
		out.Items = []T{}
	}
	return out
}

func token(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
