package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hb-mesh/hb-mesh/broker/notice"
	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/cloud/sns"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// topicName is the topic that `make aws` makes, too.
	topicName = "hb-mesh-alerts"
	// awsWithin bounds how long the endpoints may take to answer at the start.
	awsWithin = 15 * time.Second
)

// openFolder makes the folder of the data; a temporary one is removed by the
// function that it returns.
func (d *Demo) openFolder() (remove func(), err error) {
	if d.o.DataDir != "" {
		if err := os.MkdirAll(d.o.DataDir, 0o750); err != nil {
			return nil, fmt.Errorf("make the folder of --data: %w", err)
		}
		d.dir = d.o.DataDir
		return func() {}, nil
	}
	if d.dir, err = os.MkdirTemp("", "hb-mesh-demo-"); err != nil {
		return nil, fmt.Errorf("make a temporary folder (name another with --data): %w", err)
	}
	return func() { _ = os.RemoveAll(d.dir) }, nil
}

// kept says what becomes of the folder, for the banner.
func (d *Demo) kept() string {
	if d.o.DataDir != "" {
		return "kept"
	}
	return "removed at the end; --data DIR keeps one"
}

// openMemory opens the tables and the channels of both regions.
func (d *Demo) openMemory(ctx context.Context) (closeAll func(), err error) {
	common, err := d.commonChannels()
	if err != nil {
		return nil, err
	}
	for _, r := range allRegions() {
		d.channels[r] = append([]notice.Channel{}, common...)
	}
	if len(d.o.AWS) > 0 {
		return func() {}, d.openAWS(ctx)
	}
	o := local.DefaultOptions(filepath.Join(d.dir, "table"), allRegions()...)
	o.Logger = d.logger(context.Background(), "table")
	s, err := local.Open(o)
	if err != nil {
		return nil, err
	}
	for _, r := range allRegions() {
		d.tables[r] = s.Region(r)
	}
	d.joint.set(s)
	d.backup = s.Backup
	return func() {
		if err := s.Close(); err != nil {
			d.screen.note("table", err.Error())
		}
	}, nil
}

// openAWS makes what is missing at the endpoints.
func (d *Demo) openAWS(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, awsWithin)
	defer cancel()
	for i, r := range allRegions() {
		if err := d.openRegion(ctx, r, d.o.AWS[i]); err != nil {
			return fmt.Errorf("--aws: region %s at %s: %w (is it running? `make aws` starts both)", r, d.o.AWS[i], err)
		}
	}
	return nil
}

func (d *Demo) openRegion(ctx context.Context, r beat.Region, endpoint string) error {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(string(r)), config.WithBaseEndpoint(endpoint))
	if err != nil {
		return fmt.Errorf("read the AWS configuration: %w", err)
	}
	if os.Getenv("AWS_ACCESS_KEY_ID") == "" && os.Getenv("AWS_PROFILE") == "" {
		// An emulator takes any name; the SDK wants one.
		cfg.Credentials = aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(demoKey, demoKey, ""))
	}
	o := dynamo.DefaultOptions()
	o.Logger = d.logger(context.Background(), "table/"+string(r))
	t, err := dynamo.New(cfg, o)
	if err != nil {
		return err
	}
	if err := t.Ensure(ctx); err != nil {
		return err
	}
	d.tables[r] = t
	topic := sns.DefaultOptions()
	if topic.TopicARN, err = sns.EnsureTopic(ctx, cfg, topicName); err != nil {
		return err
	}
	c, err := sns.New(topic, cfg)
	if err != nil {
		return err
	}
	d.channels[r] = append(d.channels[r], c)
	return nil
}
