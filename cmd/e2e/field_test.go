//go:build linux

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/hb-mesh/hb-mesh/cmd/hb-sim/ring"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// field is two regions and the relays of some stores as processes, with a way
// that can be hurt between any two of them, and an observer.
type field struct {
	t       testing.TB
	ring    *ring.Ring
	dir     string
	brokers map[beat.Region]*server
	standby map[beat.Region]*server // nil: there are none
	relays  map[string]*server
	wan     map[beat.Region]*way  // from all relays to a region
	link    map[beat.Region]*way  // from the other region to this one
	table   map[beat.Region]*way  // from a region to its DynamoDB
	traps   map[beat.Region]*trap // before a region's DynamoDB and SNS
	seen    *observer
}

var regions = []beat.Region{east, west}

func newField(t testing.TB, stores ...string) *field {
	t.Helper()
	return buildField(t, false, stores)
}

// newFieldOfNodes has two nodes in each region behind a balancer: one is active,
// the other stands by.
func newFieldOfNodes(t testing.TB, stores ...string) *field {
	t.Helper()
	return buildField(t, true, stores)
}

func buildField(t testing.TB, nodes bool, stores []string) *field {
	t.Helper()
	f := &field{
		t: t, dir: t.TempDir(), brokers: map[beat.Region]*server{}, relays: map[string]*server{},
		wan: map[beat.Region]*way{}, link: map[beat.Region]*way{}, table: map[beat.Region]*way{},
		traps: map[beat.Region]*trap{}, seen: newObserver(t),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var err error
	if f.ring, err = ring.Start(ctx, ring.TestOptions()); err != nil {
		t.Fatal(err) // says how to install what is missing
	}
	t.Cleanup(f.ring.Stop)
	for _, r := range regions {
		b := &server{owner: t, program: "hb-broker", mqtt: loopback(freePort(t)), http: loopback(freePort(t))}
		f.brokers[r] = b
		mqtt, http := b.mqtt, b.http
		if nodes {
			s := &server{owner: t, program: "hb-broker", mqtt: loopback(freePort(t)), http: loopback(freePort(t))}
			if f.standby == nil {
				f.standby = map[beat.Region]*server{}
			}
			f.standby[r] = s
			mqtt = newBalancer(t, func(s *server) string { return s.mqtt }, b, s).address()
			http = newBalancer(t, func(s *server) string { return s.http }, b, s).address()
		}
		f.wan[r], f.link[r] = newWay(t, "wan to "+string(r), mqtt), newWay(t, "link to "+string(r), http)
		f.traps[r] = newTrap(t, f.ring.Endpoint(r))
		f.table[r] = newWay(t, "table of "+string(r), f.traps[r].address())
		f.subscribe(ctx, r)
	}
	was := map[beat.Region][3]string{east: {"127.0.0.1:1883", "127.0.0.1:8080", "127.0.0.1:4566"}, west: {"127.0.0.1:1884", "127.0.0.1:8081", "127.0.0.1:4567"}}
	for _, r := range regions {
		f.configure(r, f.brokers[r], "", was)
		if nodes {
			f.configure(r, f.standby[r], "-b", was)
		}
	}
	for _, s := range stores {
		f.relays[s] = f.newRelay(s)
	}
	return f
}

// configure writes a broker's configuration; suffix tells a region's nodes apart.
func (f *field) configure(r beat.Region, b *server, suffix string, was map[beat.Region][3]string) {
	f.t.Helper()
	times := brokerTimes
	if f.standby != nil {
		times = nodeTimes
	}
	example := "broker-" + string(r) + ".yaml"
	b.config = edit(f.t, example, filepath.Join(f.dir, string(r)+suffix+".yaml"), map[string]string{
		was[r][0]: b.mqtt, was[r][1]: b.http, was[other(r)][1]: f.link[other(r)].address(), was[r][2]: f.table[r].address(),
		"    endpoint: http://" + was[r][2]:                          "    endpoint: http://" + f.traps[r].address(), // SNS
		fmt.Sprintf("arn:aws:sns:%s:000000000000:hb-mesh-alerts", r): f.ring.Topic(r),
		"  - name: log\n    type: log":                               "  - name: programs\n    type: webhook\n    allowPrivate: true\n    url: " + f.seen.url + "\n  - name: log\n    type: log",
	}, "\nnode: "+string(r)+suffix+times)
}

// reconfigure changes a word of a configuration, before the next start.
func (f *field) reconfigure(s *server, old, now string) {
	f.t.Helper()
	raw, err := os.ReadFile(s.config)
	if err == nil && !strings.Contains(string(raw), old) {
		err = fmt.Errorf("%s does not say %q", s.config, old)
	}
	if err == nil {
		err = os.WriteFile(s.config, []byte(strings.Replace(string(raw), old, now, 1)), 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func other(r beat.Region) beat.Region {
	if r == east {
		return west
	}
	return east
}

// subscribe lets the observer read a region's topic.
func (f *field) subscribe(ctx context.Context, r beat.Region) {
	f.t.Helper()
	queue := sqs.NewFromConfig(f.ring.Config(r))
	made, err := queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("observer")})
	if err != nil {
		f.t.Fatal(err)
	}
	a, err := queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn}})
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := sns.NewFromConfig(f.ring.Config(r)).Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: aws.String(f.ring.Topic(r)), Protocol: aws.String("sqs"), Endpoint: aws.String(a.Attributes["QueueArn"]),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	}); err != nil {
		f.t.Fatal(err)
	}
	f.seen.read(queue, made.QueueUrl)
}

func (f *field) newRelay(store string) *server {
	f.t.Helper()
	dir := filepath.Join(f.dir, store)
	s := newRelay(f.t, mkdir(f.t, dir), map[string]string{
		"127.0.0.1:1883": f.wan[east].address(), "127.0.0.1:1884": f.wan[west].address(),
		"store: demo": "store: " + store, "user: demo/r1": "user: " + store + "/r1",
	}, relayTimes)
	return s
}

// up starts all of it, and waits until both regions see every store.
func (f *field) up() {
	f.t.Helper()
	for _, b := range f.brokers {
		b.start()
	}
	for _, b := range f.brokers {
		b.ready(f.t)
	}
	for _, s := range f.relays {
		s.start()
	}
	f.healed()
}

// healed waits until both regions see every store, and have settled.
func (f *field) healed() {
	f.t.Helper()
	f.count(len(f.relays))
}

// count waits until both regions see so many stores, and have settled.
func (f *field) count(stores int) {
	f.t.Helper()
	for _, r := range regions {
		within(f.t, time.Minute, fmt.Sprintf("%s sees %d stores", r, stores), func() bool {
			up := 0
			for _, row := range f.brokers[r].list("/v1/stores") {
				if row.State == "up" {
					up++
				}
			}
			return up == stores
		})
	}
	f.settled()
}

// settled waits until both regions open incidents from silence.
func (f *field) settled() {
	f.t.Helper()
	for _, r := range regions {
		within(f.t, time.Minute, string(r)+" has settled", func() bool {
			for _, row := range f.brokers[r].list("/v1/regions") {
				if row.Self {
					return row.State == "ready"
				}
			}
			return false
		})
	}
}

// lose kills a store's relay.
func (f *field) lose(store string) *absence {
	out := f.seen.lost(store)
	f.relays[store].kill()
	return out
}

// restore starts it again.
func (f *field) restore(out *absence) {
	f.relays[out.subject].start()
	f.seen.back(out)
}

// mkdir makes a folder.
func mkdir(t testing.TB, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
