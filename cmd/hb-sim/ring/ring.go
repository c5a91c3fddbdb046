package ring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// The credentials that every emulator takes.
const (
	accessKey = "test"
	secretKey = "test"
)

// Ring is what runs. Stop it.
type Ring struct {
	opts    Options
	log     *slog.Logger
	program string
	tmp     string // the ministacks' own files
	nodes   []*node
	joint   *replicator
	stop    sync.Once
}

// node is one region.
type node struct {
	region beat.Region
	port   int // of the ministack
	proxy  *Proxy

	// The clients of the ring itself pass by the proxy.
	db      *dynamodb.Client
	streams *dynamodbstreams.Client

	mu    sync.Mutex // guards what follows
	proc  *process
	topic string
}

// Start starts a ring and waits until all of it answers; ctx bounds the start
// alone. Without a ministack the error is ErrNotInstalled.
func Start(ctx context.Context, o Options) (*Ring, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("start test ring: %w", err)
	}
	r := &Ring{opts: o, log: o.Logger, program: o.Program}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.program == "" {
		var err error
		if r.program, err = FindProgram(); err != nil {
			return nil, fmt.Errorf("start test ring: %w", err)
		}
	}
	var err error
	if r.tmp, err = os.MkdirTemp("", "hb-mesh-ring-"); err != nil {
		return nil, fmt.Errorf("start test ring: %w", err)
	}
	for i, region := range o.Regions {
		if err := r.addNode(ctx, region, o.Ports[i]); err != nil {
			r.Stop()
			return nil, fmt.Errorf("start test ring: region %s: %w", region, err)
		}
	}
	r.joint = newReplicator(r)
	r.joint.start()
	return r, nil
}

// portTries is how often a ministack gets another port, where somebody took the
// free one before it.
const portTries = 3

// addNode makes a region and starts it.
func (r *Ring) addNode(ctx context.Context, region beat.Region, port int) error {
	for try := 1; ; try++ {
		n, err := r.newNode(region, port)
		if err != nil {
			return err
		}
		r.nodes = append(r.nodes, n)
		if err = r.startNode(ctx, n); !errors.Is(err, errNoStart) || try == portTries || n.port == port {
			return err
		}
		r.nodes = r.nodes[:len(r.nodes)-1]
		if n.proxy != nil {
			if err := n.proxy.close(); err != nil {
				return err
			}
		}
	}
}

func (r *Ring) newNode(region beat.Region, port int) (*node, error) {
	n := &node{region: region, port: port}
	if port != 0 {
		if err := checkPort(port); err != nil {
			return nil, err
		}
	}
	var err error
	if port == 0 || r.opts.Proxy {
		n.port, err = freePort()
	}
	if err == nil && r.opts.Proxy {
		n.proxy, err = newProxy(port, n.url())
	}
	// Whoever calls tries again, so the SDK need not.
	n.db = dynamodb.NewFromConfig(n.config(n.url()), func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	n.streams = dynamodbstreams.NewFromConfig(n.config(n.url()), func(o *dynamodbstreams.Options) { o.Retryer = aws.NopRetryer{} })
	return n, err
}

// startNode starts the region's ministack and makes the table and the topic.
func (r *Ring) startNode(ctx context.Context, n *node) error {
	proc, err := startProcess(ctx, r.program, n.port, r.tmp)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.proc = proc
	n.mu.Unlock()
	o := dynamo.DefaultOptions()
	o.Name = r.opts.Table
	t, err := dynamo.New(n.config(n.url()), o)
	if err != nil {
		return err
	}
	if err := t.Ensure(ctx); err != nil {
		return err
	}
	out, err := sns.NewFromConfig(n.config(n.url())).CreateTopic(ctx, &sns.CreateTopicInput{Name: &r.opts.Topic})
	if err != nil {
		return fmt.Errorf("make topic %s: %w", r.opts.Topic, err)
	}
	n.mu.Lock()
	n.topic = aws.ToString(out.TopicArn)
	n.mu.Unlock()
	return nil
}

func (n *node) url() string { return (&process{port: n.port}).url() }

// endpoint is where clients go.
func (n *node) endpoint() string {
	if n.proxy != nil {
		return n.proxy.URL()
	}
	return n.url()
}

func (n *node) config(endpoint string) aws.Config {
	return aws.Config{
		Region:       string(n.region),
		BaseEndpoint: &endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	}
}

// node finds a region; asking for one that is not in the ring is a fault of
// the program.
func (r *Ring) node(region beat.Region) *node {
	for _, n := range r.nodes {
		if n.region == region {
			return n
		}
	}
	panic(fmt.Sprintf("the ring has no region %s", region))
}

// Regions are the regions of the ring, as in its options.
func (r *Ring) Regions() []beat.Region { return r.opts.Regions }

// Endpoint is the URL of a region's DynamoDB, SNS and SQS for clients.
func (r *Ring) Endpoint(region beat.Region) string { return r.node(region).endpoint() }

// Config is what clients of a region need: endpoint, region and credentials.
func (r *Ring) Config(region beat.Region) aws.Config {
	n := r.node(region)
	return n.config(n.endpoint())
}

// Topic is the ARN of a region's topic.
func (r *Ring) Topic(region beat.Region) string {
	n := r.node(region)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.topic
}

// Proxy injects faults between clients and a region; nil without
// Options.Proxy.
func (r *Ring) Proxy(region beat.Region) *Proxy { return r.node(region).proxy }

// Kill ends a region's ministack by SIGKILL. All that it held is lost.
func (r *Ring) Kill(region beat.Region) {
	n := r.node(region)
	n.mu.Lock()
	proc := n.proc
	n.mu.Unlock()
	proc.kill()
}

// Restart starts a region's ministack again after Kill, with an empty topic,
// and fills its table from the other region, as a new replica is.
func (r *Ring) Restart(ctx context.Context, region beat.Region) error {
	n := r.node(region)
	if err := r.startNode(ctx, n); err != nil {
		return fmt.Errorf("restart region %s: %w", region, err)
	}
	if err := r.joint.refill(ctx, n); err != nil {
		return fmt.Errorf("restart region %s: %w", region, err)
	}
	return nil
}

// ended is closed when the region's present ministack ends.
func (n *node) ended() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc.ended
}

// Stop ends all of it and waits. It is idempotent.
func (r *Ring) Stop() {
	r.stop.Do(func() {
		if r.joint != nil {
			r.joint.close()
		}
		for _, n := range r.nodes {
			if n.proxy != nil {
				if err := n.proxy.close(); err != nil {
					r.log.Warn("test ring: close proxy", "region", n.region, "err", err)
				}
			}
			n.mu.Lock()
			proc := n.proc
			n.mu.Unlock()
			if proc != nil {
				proc.kill()
			}
		}
		if err := os.RemoveAll(r.tmp); err != nil {
			r.log.Warn("test ring: remove temporary files", "err", err)
		}
	})
}

var errEnded = errors.New("a ministack of the test ring ended by itself")
