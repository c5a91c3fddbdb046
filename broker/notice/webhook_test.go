package notice_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
)

const (
	secret      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

func webhook(t *testing.T, url string, change func(*notice.WebhookOptions)) *notice.Webhook {
	t.Helper()
	o := notice.DefaultWebhookOptions()
	o.URL, o.Secrets, o.AllowPrivate, o.Timeout = url, []string{secret}, true, 30*time.Second
	if change != nil {
		change(&o)
	}
	w, err := notice.NewWebhook(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func message(t *testing.T) notice.Message {
	t.Helper()
	return render(t, of(item(incident.HostMissing, incident.Opened, "demo", "pos3")))
}

func TestWebhookIsSignedAsStandardWebhooksHasIt(t *testing.T) {
	m := message(t)
	type seen struct {
		header http.Header
		body   []byte
	}
	got := make(chan seen, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Header, body}
	}))
	defer srv.Close()
	hook := webhook(t, srv.URL, func(o *notice.WebhookOptions) { o.Secrets = []string{secret, otherSecret} })
	if err := hook.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	s := <-got
	for _, key := range []string{secret, otherSecret} {
		verifier, err := standardwebhooks.NewWebhook(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(s.body, s.header); err != nil {
			t.Errorf("the library does not verify the signature of %s: %v", key, err)
		}
	}
	if s.header.Get("webhook-id") != m.ID || !bytes.Equal(s.body, m.Event) {
		t.Errorf("id %q and body %q, want the notice's and the event", s.header.Get("webhook-id"), s.body)
	}
	if ct := s.header.Get("Content-Type"); ct != "application/cloudevents+json; charset=utf-8" {
		t.Errorf("content type %q", ct)
	}
}

func TestWebhookAnswers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed")
	}))
	defer elsewhere.Close()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(code)
		}
	}
	for _, tt := range []struct {
		says               string
		answer             http.HandlerFunc
		taken              bool
		unknown, permanent bool
	}{
		{"any 2xx takes it", status(http.StatusAccepted), true, false, false},
		{"a redirect is not followed, and fails", status(http.StatusTemporaryRedirect), false, false, false},
		{"a 404 may be mended", status(http.StatusNotFound), false, false, false},
		{"a 500 is tried again", status(http.StatusInternalServerError), false, false, false},
		{"a gateway that lost the answer leaves it unknown", status(http.StatusGatewayTimeout), false, true, false},
		{"410 refuses for good", status(http.StatusGone), false, false, true},
		{"413 refuses for good", status(http.StatusRequestEntityTooLarge), false, false, true},
		{"a connection that is cut before the answer leaves it unknown", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, true, false},
		{"a silent receiver leaves it unknown", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, false, true, false},
		{"an endless answer is not read to its end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, true, false, false},
	} {
		t.Run(tt.says, func(t *testing.T) {
			srv := httptest.NewServer(tt.answer)
			defer srv.Close()
			hook := webhook(t, srv.URL+"/token-in-the-path", func(o *notice.WebhookOptions) { o.Timeout = 2 * time.Second })
			err := hook.Publish(t.Context(), message(t))
			if (err == nil) != tt.taken || errors.Is(err, notice.ErrUnknown) != tt.unknown || errors.Is(err, notice.ErrPermanent) != tt.permanent {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "token-in-the-path") {
				t.Errorf("the error shows the url: %v", err)
			}
		})
	}
}

func TestWebhookThatIsNotReachedWasNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = webhook(t, "http://"+address, nil).Publish(t.Context(), message(t))
	if err == nil || errors.Is(err, notice.ErrUnknown) || errors.Is(err, notice.ErrPermanent) {
		t.Errorf("got %v, want an error that a retry may mend", err)
	}
}

func TestWebhookDoesNotReachPrivateAddresses(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a private target was reached")
	}))
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"} {
		hook := webhook(t, "http://"+host+":"+port, func(o *notice.WebhookOptions) { o.AllowPrivate = false })
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		if err := hook.Publish(ctx, message(t)); err == nil || errors.Is(err, notice.ErrUnknown) {
			t.Errorf("%s: got %v, want a refusal before anything is sent", host, err)
		}
		cancel()
	}
}

func TestPublic(t *testing.T) {
	for _, address := range []string{"8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"} {
		if !notice.Public(netip.MustParseAddr(address)) {
			t.Errorf("%s is public", address)
		}
	}
	for _, address := range []string{
		"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16",
		"0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1",
		"::", "::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
		"::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::", "2001:db8::1", "2001::1", "100::1",
	} {
		if notice.Public(netip.MustParseAddr(address)) {
			t.Errorf("%s is not public", address)
		}
	}
	if notice.Public(netip.Addr{}) {
		t.Error("no address is not public")
	}
}

func TestWebhookOptionsAreChecked(t *testing.T) {
	for says, change := range map[string]func(*notice.WebhookOptions){
		"no url":                 func(o *notice.WebhookOptions) { o.URL = "" },
		"another scheme":         func(o *notice.WebhookOptions) { o.URL = "file:///etc/passwd" },
		"no host":                func(o *notice.WebhookOptions) { o.URL = "https://" },
		"a url that is none":     func(o *notice.WebhookOptions) { o.URL = "http://a b/%zz" },
		"a secret too short":     func(o *notice.WebhookOptions) { o.Secrets = []string{"whsec_c2hvcnQ="} },
		"a secret not in base64": func(o *notice.WebhookOptions) { o.Secrets = []string{"whsec_*"} },
		"no name":                func(o *notice.WebhookOptions) { o.Name = "" },
		"no timeout":             func(o *notice.WebhookOptions) { o.Timeout = 0 },
	} {
		o := notice.DefaultWebhookOptions()
		o.URL, o.Secrets = "https://example.com/hook", []string{secret}
		change(&o)
		if _, err := notice.NewWebhook(o); err == nil {
			t.Errorf("%s is accepted", says)
		}
	}
}

func TestLogTakesEveryNotice(t *testing.T) {
	var out bytes.Buffer
	l := notice.NewLog("log", slog.New(slog.NewTextHandler(&out, nil)))
	if err := l.Publish(t.Context(), message(t)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `title="Hosts missing [pos3]" severity=error store=[demo]`) {
		t.Errorf("logged %q", out.String())
	}
}
