package sns_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hb-mesh/hb-mesh/broker/incident"
	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/cloud/sns"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const topic = "arn:aws:sns:us-east-1:000000000000:hb-mesh-alerts"

var at = time.Date(2025, 11, 24, 8, 12, 23, 0, time.UTC)

func config(endpoint string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

func open(t *testing.T, endpoint string) *sns.Channel {
	t.Helper()
	o := sns.DefaultOptions()
	o.TopicARN, o.Timeout = topic, 500*time.Millisecond
	c, err := sns.New(o, config(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func item(store, host string) incident.Item {
	return incident.Item{
		Kind: incident.HostMissing, Change: incident.Opened, Store: beat.StoreID(store), Host: beat.HostID(host),
		Incident: incident.ID("inc-" + host), K: 1, Since: at.Add(-14 * time.Second),
	}
}

func message(t *testing.T, items ...incident.Item) notice.Message {
	t.Helper()
	m, err := notice.Render(incident.Notice{
		ID: "01KAV7Z9Q4R3VB2M6D8Y0T5W1X", Region: "us-east-1", At: at, Items: items, SeenFrom: []beat.Region{"us-east-1", "us-west-2"},
	}, notice.DefaultRenderOptions("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const taken = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`

// fake answers publishes as a test says, and keeps their forms.
func fake(t *testing.T, answer http.HandlerFunc) (endpoint string, forms <-chan url.Values) {
	t.Helper()
	got := make(chan url.Values, 16)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 4<<20)
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got <- r.PostForm
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

func ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, taken) }

func fails(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`, code)
	}
}

func TestPublishCarriesTextForPeopleAndTheEventForPrograms(t *testing.T) {
	endpoint, forms := fake(t, ok)
	m := message(t, item("demo", "pos3"), item("demo", "pos4"))
	if err := open(t, endpoint).Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	form := <-forms
	if form.Get("Subject") != "Hosts missing [pos3, pos4]" || form.Get("MessageStructure") != "json" || form.Get("TopicArn") != topic {
		t.Errorf("published %v", form)
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(form.Get("Message")), &body); err != nil {
		t.Fatal(err)
	}
	if len(body) != 3 || body["default"] != string(m.Event) || body["email"] != m.Text || body["sms"] != m.SMS {
		t.Errorf("the message is %v", body)
	}
	attributes := map[string][2]string{}
	for i := 1; form.Get(fmt.Sprintf("MessageAttributes.entry.%d.Name", i)) != ""; i++ {
		entry := fmt.Sprintf("MessageAttributes.entry.%d.", i)
		attributes[form.Get(entry+"Name")] = [2]string{form.Get(entry + "Value.DataType"), form.Get(entry + "Value.StringValue")}
	}
	for name, want := range map[string][2]string{
		"store": {"String", "demo"}, "kind": {"String", "host-missing"}, "severity": {"String", "error"}, "region": {"String", "us-east-1"},
		"host": {"String.Array", `["pos3","pos4"]`}, "incident": {"String.Array", `["inc-pos3","inc-pos4"]`},
	} {
		if attributes[name] != want {
			t.Errorf("attribute %s is %v, want %v", name, attributes[name], want)
		}
	}
}

func TestTheLargestNoticeFits(t *testing.T) {
	endpoint, forms := fake(t, ok)
	var items []incident.Item
	hostile := strings.Repeat(`\"<&>`, 60)
	for i := range 10_000 {
		it := item(strings.Repeat("s", 58)+fmt.Sprintf("%05d", i), strings.Repeat("h", 95)+fmt.Sprintf("%05d", i))
		it.Kind, it.Message = incident.HostFailing, hostile
		it.Tags = map[string]string{"area": fmt.Sprintf(`"%d"`, i), "chain": fmt.Sprintf(`\%d`, i), "zip": fmt.Sprint(i)}
		items = append(items, it)
	}
	if err := open(t, endpoint).Publish(t.Context(), message(t, items...)); err != nil {
		t.Fatal(err)
	}
	form := <-forms
	size := len(form.Get("Message"))
	for i := 1; form.Get(fmt.Sprintf("MessageAttributes.entry.%d.Name", i)) != ""; i++ {
		entry := fmt.Sprintf("MessageAttributes.entry.%d.", i)
		size += len(form.Get(entry+"Name") + form.Get(entry+"Value.DataType") + form.Get(entry+"Value.StringValue"))
	}
	t.Logf("%d bytes of %d", size, sns.MaxBytes)
	if size < 200<<10 || size > sns.MaxBytes {
		t.Errorf("%d bytes, want a full event within %d", size, sns.MaxBytes)
	}
}

func TestErrorsSayWhetherARetryHelps(t *testing.T) {
	for _, tt := range []struct {
		says               string
		answer             http.HandlerFunc
		unknown, permanent bool
	}{
		{"a throttled publish is tried again", fails(http.StatusTooManyRequests, "Throttled"), false, false},
		{"a topic that is missing may come", fails(http.StatusNotFound, "NotFound"), false, false},
		{"a missing right may be given", fails(http.StatusForbidden, "AuthorizationError"), false, false},
		{"a message that SNS refuses is given up", fails(http.StatusBadRequest, "InvalidParameter"), false, true},
		{"so is one of a bad value", fails(http.StatusBadRequest, "ParameterValueInvalid"), false, true},
		{"SNS that broke at work may have taken it", fails(http.StatusInternalServerError, "InternalError"), true, false},
		{"SNS that is unavailable has not", fails(http.StatusServiceUnavailable, "ServiceUnavailable"), false, false},
		{"an answer that is garbage leaves it unknown", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<") }, true, false},
		{"an answer that is lost leaves it unknown", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, false},
		{"an answer that is late leaves it unknown", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true, false},
	} {
		t.Run(tt.says, func(t *testing.T) {
			endpoint, forms := fake(t, tt.answer)
			err := open(t, endpoint).Publish(t.Context(), message(t, item("demo", "pos3")))
			if err == nil || errors.Is(err, notice.ErrUnknown) != tt.unknown || errors.Is(err, notice.ErrPermanent) != tt.permanent {
				t.Errorf("got %v", err)
			}
			if n := len(forms); n != 1 {
				t.Errorf("published %d times: the retries are the outbox's", n)
			}
		})
	}
}

func TestWhatWasNotReachedWasNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	closed := open(t, "http://"+address)
	o := sns.DefaultOptions()
	o.TopicARN = topic
	cfg := config("http://" + address)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no role")
	})
	anonymous, err := sns.New(o, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for says, c := range map[string]*sns.Channel{"a port that is closed": closed, "credentials that are missing": anonymous} {
		err := c.Publish(t.Context(), message(t, item("demo", "pos3")))
		if err == nil || errors.Is(err, notice.ErrUnknown) || errors.Is(err, notice.ErrPermanent) {
			t.Errorf("%s: got %v, want an error that a retry may mend", says, err)
		}
	}
}

func TestRulesOfSNSAreCheckedBeforeItIsAsked(t *testing.T) {
	endpoint, forms := fake(t, ok)
	c := open(t, endpoint)
	for says, change := range map[string]func(*notice.Message){
		"a subject with a line break":    func(m *notice.Message) { m.Title = "Hosts\nmissing" },
		"a subject that is not ASCII":    func(m *notice.Message) { m.Title = "Höst missing" },
		"a subject of 100 characters":    func(m *notice.Message) { m.Title = strings.Repeat("x", 100) },
		"a subject that is empty":        func(m *notice.Message) { m.Title = "" },
		"a subject after a space":        func(m *notice.Message) { m.Title = " Hosts" },
		"no default":                     func(m *notice.Message) { m.Event = nil },
		"no text":                        func(m *notice.Message) { m.Text = "" },
		"an SMS of two parts":            func(m *notice.Message) { m.SMS = strings.Repeat("x", 141) },
		"more than 256 KiB":              func(m *notice.Message) { m.Event = []byte(strings.Repeat("x", 256<<10)) },
		"256 KiB with the attributes":    func(m *notice.Message) { m.Attributes["a"] = []string{strings.Repeat("x", 256<<10)} },
		"an attribute without a value":   func(m *notice.Message) { m.Attributes["a"] = []string{""} },
		"an attribute without a name":    func(m *notice.Message) { m.Attributes[""] = []string{"x"} },
		"an attribute of AWS's own":      func(m *notice.Message) { m.Attributes["AWS.x"] = []string{"x"} },
		"an attribute of two dots":       func(m *notice.Message) { m.Attributes["a..b"] = []string{"x"} },
		"an attribute that ends in one":  func(m *notice.Message) { m.Attributes["a."] = []string{"x"} },
		"an attribute name with a space": func(m *notice.Message) { m.Attributes["a b"] = []string{"x"} },
		"more than ten attributes": func(m *notice.Message) {
			for i := range 11 {
				m.Attributes[fmt.Sprint("a", i)] = []string{"x"}
			}
		},
	} {
		m := message(t, item("demo", "pos3"))
		change(&m)
		if err := c.Publish(t.Context(), m); !errors.Is(err, sns.ErrRule) || !errors.Is(err, notice.ErrPermanent) {
			t.Errorf("%s: got %v, want ErrRule, for good", says, err)
		}
	}
	if len(forms) != 0 {
		t.Errorf("%d reached SNS", len(forms))
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for says, change := range map[string]func(*sns.Options){
		"no topic":              func(o *sns.Options) { o.TopicARN = "" },
		"a queue":               func(o *sns.Options) { o.TopicARN = "arn:aws:sqs:us-east-1:000000000000:q" },
		"a topic of a bad name": func(o *sns.Options) { o.TopicARN = "arn:aws:sns:us-east-1:000000000000:a b" },
		"a FIFO topic":          func(o *sns.Options) { o.TopicARN = topic + ".fifo" },
		"another region's":      func(o *sns.Options) { o.TopicARN = strings.Replace(topic, "us-east-1", "us-west-2", 1) },
		"no name":               func(o *sns.Options) { o.Name = "" },
		"no timeout":            func(o *sns.Options) { o.Timeout = 0 },
	} {
		o := sns.DefaultOptions()
		o.TopicARN = topic
		change(&o)
		if _, err := sns.New(o, config("http://127.0.0.1:1")); err == nil {
			t.Errorf("%s is accepted", says)
		}
	}
}
