package ring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/hb-mesh/hb-mesh/cloud/dynamo"
)

// Strict is AWS's own DynamoDB Local, which is stricter than ministack and has
// neither SNS nor replication: a second opinion on the table. Stop it.
type Strict struct {
	proc *process
	url  string
}

// ErrNoStrict says that there is no DynamoDB Local, and how to get it.
var ErrNoStrict = errors.New("DynamoDB Local is not installed: run `make tools` (it fetches it into .cache/dynamodb, by Java and Maven)")

// strictMain starts DynamoDB Local.
const strictMain = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"

// StartStrict starts a DynamoDB Local in memory, on a free port of 127.0.0.1,
// and waits until it answers; ctx bounds the start alone.
func StartStrict(ctx context.Context) (*Strict, error) {
	lib, err := findStrict()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Djava.library.path="+lib, "-cp", filepath.Join(lib, "*"), strictMain,
		"-inMemory", "-port", strconv.Itoa(port), "-disableTelemetry")
	proc, err := launch(cmd, port)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoStrict, err)
	}
	s := &Strict{proc: proc, url: proc.url()}
	client := dynamodb.NewFromConfig(s.Config("us-east-1"), func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	if err := proc.await(ctx, func(ctx context.Context) bool {
		_, err := client.ListTables(ctx, &dynamodb.ListTablesInput{})
		return err == nil
	}); err != nil {
		s.Stop()
		return nil, fmt.Errorf("DynamoDB Local %w", err)
	}
	return s, nil
}

// findStrict looks for the jars: in the .cache of the working directory or of
// one above it.
func findStrict() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("look for DynamoDB Local: %w", err)
	}
	for {
		lib := filepath.Join(dir, ".cache", "dynamodb")
		if _, err := os.Stat(filepath.Join(lib, ".done")); err == nil {
			return lib, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", ErrNoStrict
		}
		dir = up
	}
}

// Config is what a client in a region needs: regions are apart.
func (s *Strict) Config(region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &s.url,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	}
}

// MakeTable makes the table of a region.
func (s *Strict) MakeTable(ctx context.Context, region string, o dynamo.Options) (*dynamo.Table, error) {
	t, err := dynamo.New(s.Config(region), o)
	if err != nil {
		return nil, err
	}
	if err := t.Ensure(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Stop ends it and waits.
func (s *Strict) Stop() { s.proc.kill() }
