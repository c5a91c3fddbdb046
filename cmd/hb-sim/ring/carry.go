package ring

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// parcel is a record that waits for its lag.
type parcel struct {
	due time.Time
	n   int // keeps the order of the stream among equals
	rec record
}

type parcels []parcel

func (p parcels) Len() int { return len(p) }
func (p parcels) Less(i, k int) bool {
	return p[i].due.Before(p[k].due) || p[i].due.Equal(p[k].due) && p[i].n < p[k].n
}
func (p parcels) Swap(i, k int) { p[i], p[k] = p[k], p[i] }
func (p *parcels) Push(x any)   { *p = append(*p, x.(parcel)) }
func (p *parcels) Pop() any {
	old := *p
	last := old[len(old)-1]
	*p = old[:len(old)-1]
	return last
}

// carry applies what one region wrote to another, each record when it is due.
func (j *replicator) carry(from, to *node, lane <-chan record) {
	var waiting parcels
	for n := 0; ; n++ {
		var next <-chan time.Time
		healed := j.held(from.region)
		if len(waiting) > 0 && healed == nil {
			next = time.After(time.Until(waiting[0].due))
		}
		if len(waiting) == 0 {
			healed = nil // nothing waits for it
		}
		select {
		case <-j.ctx.Done():
			return
		case rec := <-lane:
			p := parcel{due: time.UnixMilli(rec.stamp.at), n: n, rec: rec}
			if j.ring.opts.Lag != nil {
				p.due = p.due.Add(j.ring.opts.Lag(Change{From: from.region, To: to.region, Key: rec.key}))
			}
			heap.Push(&waiting, p)
		case <-healed:
		case <-next:
			if j.held(from.region) != nil {
				continue
			}
			p := heap.Pop(&waiting).(parcel)
			if err := j.apply(to, p.rec); err != nil {
				j.ring.log.Debug("test ring: replication waits", "from", from.region, "to", to.region, "err", err)
				heap.Push(&waiting, p)
				j.pause(retryEvery)
			}
		}
	}
}

// Who may be overwritten by a record: what is absent, an older replica, and a
// region's own write, whose time only its stream tells (see apply). What one
// region wrote twice in a millisecond comes in its order.
const (
	exprOlder  = "#at < :at OR (#at = :at AND #by <= :by)"
	exprApply  = "attribute_not_exists(#at) OR " + exprOlder
	exprReplay = "attribute_exists(#at) AND (" + exprOlder + ")"
)

// apply writes a record to another region unless that has a newer one.
func (j *replicator) apply(to *node, rec record) error {
	j.mu.Lock()
	newer := rec.stamp.before(j.own[place{to.region, rec.key}])
	j.mu.Unlock()
	if newer {
		return nil
	}
	return j.put(to, rec, exprApply)
}

// restore undoes what apply did to a newer write of the region itself before
// its stream told of it.
func (j *replicator) restore(at *node, rec record) error { return j.put(at, rec, exprReplay) }

// put writes or deletes under a condition; one that does not hold is fine.
func (j *replicator) put(to *node, rec record, expr string) error {
	names := map[string]string{"#at": attrAt, "#by": attrBy}
	values := map[string]types.AttributeValue{
		":at": &types.AttributeValueMemberN{Value: strconv.FormatInt(rec.stamp.at, 10)},
		":by": &types.AttributeValueMemberS{Value: string(rec.stamp.by)},
	}
	var err error
	if rec.image == nil {
		err = j.remove(to, rec.key, expr, names, values)
	} else {
		_, err = to.db.PutItem(j.ctx, &dynamodb.PutItemInput{
			TableName: &j.ring.opts.Table, Item: rec.image.stamped(rec.stamp),
			ConditionExpression: &expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
	}
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		return nil
	}
	return err
}

// remove deletes and notes that the stream will show it.
func (j *replicator) remove(to *node, k table.Key, expr string, names map[string]string, values map[string]types.AttributeValue) error {
	here := place{to.region, k}
	// The stream may show it before the answer is here.
	j.expect(here, 1)
	out, err := to.db.DeleteItem(j.ctx, &dynamodb.DeleteItemInput{
		TableName: &j.ring.opts.Table, ReturnValues: types.ReturnValueAllOld,
		Key:                 map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: k.PK}, "sk": &types.AttributeValueMemberS{Value: k.SK}},
		ConditionExpression: &expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	if err != nil || len(out.Attributes) == 0 {
		j.expect(here, -1)
	}
	return err
}

func (j *replicator) expect(here place, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.echos[here] += n; j.echos[here] <= 0 {
		delete(j.echos, here)
	}
}

// refill copies the table of another region into an empty one.
func (j *replicator) refill(ctx context.Context, to *node) error {
	for _, from := range j.ring.nodes {
		if from == to {
			continue
		}
		pages := dynamodb.NewScanPaginator(from.db, &dynamodb.ScanInput{TableName: &j.ring.opts.Table, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return fmt.Errorf("copy the table of %s: %w", from.region, err)
			}
			for _, item := range page.Items {
				if err := j.copyItem(ctx, from.region, to, item); err != nil {
					return fmt.Errorf("copy the table of %s: %w", from.region, err)
				}
			}
		}
	}
	return nil
}

// copyItem keeps the stamp of an item that was replicated before.
func (j *replicator) copyItem(ctx context.Context, from beat.Region, to *node, item image) error {
	if !item.replicated() {
		item = item.stamped(stamp{by: from})
	}
	expr := exprApply
	_, err := to.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &j.ring.opts.Table, Item: item, ConditionExpression: &expr,
		ExpressionAttributeNames:  map[string]string{"#at": attrAt, "#by": attrBy},
		ExpressionAttributeValues: map[string]types.AttributeValue{":at": item[attrAt], ":by": item[attrBy]},
	})
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		return nil
	}
	return err
}
