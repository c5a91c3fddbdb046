package dynamo

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// Table is one region's replica. It holds no state but its client.
type Table struct {
	opts   Options
	log    *slog.Logger
	client *dynamodb.Client
}

var _ table.Table = (*Table)(nil)

// New makes a Table of the region and the credentials in cfg; it calls
// nothing. An endpoint comes from cfg.BaseEndpoint or, through the SDK's
// config.LoadDefaultConfig, from AWS_ENDPOINT_URL_DYNAMODB.
func New(cfg aws.Config, o Options) (*Table, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open DynamoDB table: %w", err)
	}
	t := &Table{opts: o, log: o.Logger}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.client = dynamodb.NewFromConfig(cfg, func(c *dynamodb.Options) {
		c.Retryer = aws.NopRetryer{}
		// DynamoDB Local and proxies answer without the checksum; TLS guards the bytes.
		c.DisableValidateResponseChecksum = true
	})
	return t, nil
}

// Write implements table.Table.
func (t *Table) Write(ctx context.Context, w table.Write) error {
	if err := w.Check(); err != nil {
		return err
	}
	cond := conditionOf(w, time.Now())
	if w.Fence == nil {
		in := &dynamodb.PutItemInput{
			TableName: &t.opts.Name, Item: attributes(w.Item), ConditionExpression: cond.expr,
			ExpressionAttributeNames: cond.names, ExpressionAttributeValues: cond.values,
		}
		// Sent again after a lost answer, an unconditional put only repeats itself.
		c := call{name: "write", write: true, once: w.If != table.Always}
		return t.do(ctx, c, func(ctx context.Context) error {
			_, err := t.client.PutItem(ctx, in)
			return err
		})
	}
	return t.writeFenced(ctx, w, cond)
}

// writeFenced checks the fence and puts the item in one transaction. Its token
// makes a repeat harmless: DynamoDB answers it as it answered the first.
func (t *Table) writeFenced(ctx context.Context, w table.Write, cond condition) error {
	fence := fenceOf(*w.Fence, time.Now())
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: aws.String(rand.Text()),
		TransactItems: []types.TransactWriteItem{{
			ConditionCheck: &types.ConditionCheck{
				TableName: &t.opts.Name, Key: keyAttributes(w.Fence.Key), ConditionExpression: fence.expr,
				ExpressionAttributeNames: fence.names, ExpressionAttributeValues: fence.values,
			},
		}, {
			Put: &types.Put{
				TableName: &t.opts.Name, Item: attributes(w.Item), ConditionExpression: cond.expr,
				ExpressionAttributeNames: cond.names, ExpressionAttributeValues: cond.values,
			},
		}},
	}
	return t.do(ctx, call{name: "write", write: true}, func(ctx context.Context) error {
		_, err := t.client.TransactWriteItems(ctx, in)
		return err
	})
}

// batchSize is how many items DynamoDB takes in one batch.
const batchSize = 25

// Put implements table.Table.
func (t *Table) Put(ctx context.Context, items []table.Item) error {
	if err := table.CheckPut(items); err != nil {
		return err
	}
	reqs := make([]types.WriteRequest, len(items))
	for i, it := range items {
		reqs[i].PutRequest = &types.PutRequest{Item: attributes(it)}
	}
	return t.batches(ctx, "put", reqs)
}

// Delete implements table.Table.
func (t *Table) Delete(ctx context.Context, keys []table.Key) error {
	var reqs []types.WriteRequest
	seen := make(map[table.Key]struct{}, len(keys))
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return err
		}
		if _, twice := seen[k]; twice {
			continue // a batch with two requests of one key is refused whole
		}
		seen[k] = struct{}{}
		reqs = append(reqs, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: keyAttributes(k)}})
	}
	return t.batches(ctx, "delete", reqs)
}

func (t *Table) batches(ctx context.Context, name string, reqs []types.WriteRequest) error {
	for len(reqs) > 0 {
		n := min(batchSize, len(reqs))
		if err := t.batch(ctx, name, reqs[:n]); err != nil {
			return err
		}
		reqs = reqs[n:]
	}
	return nil
}

// batch writes reqs, and again what came back unprocessed.
func (t *Table) batch(ctx context.Context, name string, reqs []types.WriteRequest) error {
	return t.do(ctx, call{name: name, write: true}, func(ctx context.Context) error {
		out, err := t.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{t.opts.Name: reqs},
		})
		if err != nil {
			return err
		}
		left := out.UnprocessedItems[t.opts.Name]
		if len(left) == 0 {
			return nil
		}
		progress := len(left) < len(reqs)
		reqs = left
		return &unprocessedError{left: len(left), progress: progress}
	})
}

// Query implements table.Table.
func (t *Table) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	if err := table.CheckQuery(pk, prefix, start, limit); err != nil {
		return table.Page{}, err
	}
	in := queryInput(t.opts.Name, pk, prefix, limit)
	if start > prefix {
		if !strings.HasPrefix(start, prefix) {
			return table.Page{}, nil // behind all that has the prefix; DynamoDB refuses such a start
		}
		in.ExclusiveStartKey = keyAttributes(table.Key{PK: pk, SK: start})
	}
	// A page of expired items alone is read over.
	for {
		page, err := t.page(ctx, in)
		if err != nil || len(page.Items) > 0 || page.Next == "" {
			return page, err
		}
		in.ExclusiveStartKey = keyAttributes(table.Key{PK: pk, SK: page.Next})
	}
}

func (t *Table) page(ctx context.Context, in *dynamodb.QueryInput) (table.Page, error) {
	var out *dynamodb.QueryOutput
	if err := t.do(ctx, call{name: "query"}, func(ctx context.Context) (err error) {
		out, err = t.client.Query(ctx, in)
		return err
	}); err != nil {
		return table.Page{}, err
	}
	page := table.Page{Items: make([]table.Item, 0, len(out.Items))}
	now := time.Now()
	for _, a := range out.Items {
		it, err := itemOf(a)
		if err != nil {
			return table.Page{}, fmt.Errorf("query table %s: %w: %w", t.opts.Name, table.ErrUnavailable, err)
		}
		if !it.Expired(now) {
			page.Items = append(page.Items, it)
		}
	}
	if len(out.LastEvaluatedKey) > 0 {
		last, err := keyOf(out.LastEvaluatedKey)
		if err != nil {
			return table.Page{}, fmt.Errorf("query table %s: %w: %w", t.opts.Name, table.ErrUnavailable, err)
		}
		page.Next = last.SK
	}
	return page, nil
}
