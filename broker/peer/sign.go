package peer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// MinSecret is the shortest shared secret, in bytes.
	MinSecret = 16
	// Window is how far the clocks of two regions may differ, and for how long
	// a nonce is remembered on either side of now.
	Window = 60 * time.Second

	headerFrom      = "Hb-Peer-From"
	headerTime      = "Hb-Peer-Time"
	headerNonce     = "Hb-Peer-Nonce"
	headerDigest    = "Hb-Peer-Digest"
	headerSignature = "Hb-Peer-Signature"

	// What a signature is for: one of a request is none of an answer.
	forRequest = "hb-peer request v1"
	forAnswer  = "hb-peer answer v1"

	nonceBytes = 16
)

var errSecret = fmt.Errorf("peer: the shared secret is shorter than %d bytes (openssl rand -hex 32)", MinSecret)

// Why a request or an answer is not the peer's.
var (
	errUnsigned = errors.New("not signed with the shared secret")
	errSender   = errors.New("not sent by the other region")
	errClock    = errors.New("the clocks of the regions differ too much")
	errReplayed = errors.New("seen before")
	errEarlier  = errors.New("made before this node started, which may have answered it then")
	errDigest   = errors.New("the body is not the one that was signed")
)

// mac signs lines, of which none holds a line break.
func mac(secret []byte, lines ...string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(strings.Join(lines, "\n")))
	return h.Sum(nil)
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// signRequest sets the header of a request from one region to another.
func signRequest(h http.Header, secret []byte, from, to beat.Region, path, nonce string, at time.Time, body []byte) {
	when, sum := strconv.FormatInt(at.UnixMilli(), 10), digest(body)
	h.Set(headerFrom, string(from))
	h.Set(headerTime, when)
	h.Set(headerNonce, nonce)
	h.Set(headerDigest, sum)
	h.Set(headerSignature, hex.EncodeToString(mac(secret, forRequest, path, string(from), string(to), when, nonce, sum)))
}

// verifyRequest checks the header of a request; its body is checked against the
// digest that it returns.
func verifyRequest(h http.Header, secret []byte, from, to beat.Region, path string, now time.Time) (nonce, sum string, err error) {
	when := h.Get(headerTime)
	nonce, sum = h.Get(headerNonce), h.Get(headerDigest)
	if len(when) > 20 || len(nonce) != 2*nonceBytes || len(sum) != 2*sha256.Size {
		return "", "", errUnsigned
	}
	given, err := hex.DecodeString(h.Get(headerSignature))
	if err != nil || !hmac.Equal(given, mac(secret, forRequest, path, h.Get(headerFrom), string(to), when, nonce, sum)) {
		return "", "", errUnsigned
	}
	if h.Get(headerFrom) != string(from) {
		return "", "", errSender
	}
	ms, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		return "", "", errUnsigned
	}
	if off := now.Sub(time.UnixMilli(ms)); off > Window || off < -Window {
		return nonce, "", fmt.Errorf("%w: by %v", errClock, off)
	}
	return nonce, sum, nil
}

// signAnswer sets the header of an answer to the request of that nonce.
func signAnswer(h http.Header, secret []byte, nonce string, status int, body []byte) {
	h.Set(headerSignature, hex.EncodeToString(mac(secret, forAnswer, nonce, strconv.Itoa(status), digest(body))))
}

func verifyAnswer(h http.Header, secret []byte, nonce string, status int, body []byte) error {
	given, err := hex.DecodeString(h.Get(headerSignature))
	if err != nil || !hmac.Equal(given, mac(secret, forAnswer, nonce, strconv.Itoa(status), digest(body))) {
		return errUnsigned
	}
	return nil
}
