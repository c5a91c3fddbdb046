package notice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

const (
	secretPrefix = "whsec_"
	minSecret    = 24
	maxSecret    = 64
)

var errSecret = errors.New("webhook: a secret is whsec_ and the base64 of 24 to 64 random bytes (openssl rand -base64 32)")

func parseSecret(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, secretPrefix))
	if err != nil || len(key) < minSecret || len(key) > maxSecret {
		return nil, errSecret // never the secret itself
	}
	return key, nil
}

// sign makes the header webhook-signature of Standard Webhooks 1.0: for each
// key v1, and the base64 of HMAC-SHA256(id.timestamp.body), apart by spaces.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	out := make([]string, 0, len(keys))
	for _, key := range keys {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(id + "." + unix(at) + "."))
		h.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	return strings.Join(out, " ")
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
