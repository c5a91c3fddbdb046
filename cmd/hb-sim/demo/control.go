package demo

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// requestHeader must come with an order: a page of a stranger cannot send it.
const requestHeader = "X-Hb-Request"

// panelPath is where the regions' doors serve the control and its panel.
const panelPath = "/demo/"

//go:embed panel.js
var panelScript []byte

// control is the HTTP API of the switches:
//
//	GET  /v1/switches          {"items": [{"target", "plugged", "since", "text"}], "next": ""}
//	POST /v1/unplug/{target…}  the switch as it is then
//	POST /v1/plug/{target…}    the same
//	GET  /panel.js             the panel of the dashboard
//
// It serves loopback only, and takes orders only with requestHeader.
func control(b *switchboard) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/switches", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"items": b.states(), "next": ""})
	})
	mux.HandleFunc("POST /v1/unplug/{target...}", order(b, false))
	mux.HandleFunc("POST /v1/plug/{target...}", order(b, true))
	mux.HandleFunc("GET /panel.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "panel.js", time.Time{}, bytes.NewReader(panelScript))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		if !ownName(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, "the control of the demo is for this machine only: use 127.0.0.1 or localhost")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// order turns one switch. Who asked may leave: the switch is turned all the same.
func order(b *switchboard, plugged bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(requestHeader) == "" {
			refuse(w, http.StatusForbidden, "send the header "+requestHeader+": 1")
			return
		}
		target := strings.TrimSuffix(r.PathValue("target"), "/")
		var state switchState
		var err error
		select {
		case <-b.order(target, plugged, &state, &err):
		case <-r.Context().Done():
			return // it may be this very server that was unplugged: it must not wait for us
		}
		switch {
		case errors.Is(err, errNoSwitch):
			refuse(w, http.StatusNotFound, err.Error())
		case err != nil:
			refuse(w, http.StatusInternalServerError, err.Error())
		default:
			answer(w, http.StatusOK, state)
		}
	}
}

// ownName says whether a Host header is this machine: a stranger's page could
// rebind its own name to loopback, but it cannot make it "localhost".
func ownName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// refuse answers with a problem, as RFC 9457 has it.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	answer(w, status, map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encode the answer", http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who asked has left: nobody to tell
}
