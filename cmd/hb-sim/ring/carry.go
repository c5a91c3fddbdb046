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

// lane is one direction: what waits for its lag, and what is held.
type lane struct {
	j        *replicator
	from, to *node
	passage  func(Change) Passage
	waiting  parcels
	held     []parcel
}

// add lets a record wait as its passage says.
func (l *lane) add(p parcel) {
	how := l.passage(Change{From: l.from.region, To: l.to.region, Key: p.rec.key})
	if how.Held {
		l.held = append(l.held, p)
		return
	}
	p.due = time.UnixMicro(p.rec.stamp.at).Add(how.Lag)
	heap.Push(&l.waiting, p)
}

// follow asks a new rule about everything on its way.
func (l *lane) follow(passage func(Change) Passage) {
	all := append(l.held, l.waiting...)
	l.passage, l.held, l.waiting = passage, nil, nil
	for _, p := range all {
		l.add(p)
	}
}

// next fires when the first record is due; it is nil where none waits.
func (l *lane) next() <-chan time.Time {
	if len(l.waiting) == 0 {
		return nil
	}
	return time.After(time.Until(l.waiting[0].due))
}

// deliver applies the first record that waits.
func (l *lane) deliver() {
	p := heap.Pop(&l.waiting).(parcel)
	if err := l.j.apply(l.to, p.rec); err != nil {
		l.j.ring.log.Debug("test ring: replication waits", "from", l.from.region, "to", l.to.region, "err", err)
		heap.Push(&l.waiting, p)
		l.j.pause(retryEvery)
	}
}

// carry applies what one region wrote to another, each record when it is due.
func (j *replicator) carry(from, to *node, in <-chan record) {
	l := &lane{j: j, from: from, to: to}
	var known chan struct{}
	for n := 0; ; n++ {
		passage, turned := j.rule()
		if turned != known {
			known = turned
			l.follow(passage)
		}
		select {
		case <-j.ctx.Done():
			return
		case <-turned:
		case rec := <-in:
			l.add(parcel{n: n, rec: rec})
		case <-l.next():
			select {
			case <-turned: // it may be held by now
			default:
				l.deliver()
			}
		}
	}
}

// Who may be overwritten by a record: what is absent, an older replica, and a
// region's own write, whose time only its stream tells (see apply).
const (
	exprOlder  = "#at < :at OR (#at = :at AND #by <= :by)"
	exprApply  = "attribute_not_exists(#at) OR " + exprOlder
	exprReplay = "attribute_exists(#at) AND (" + exprOlder + ")"
)

// apply writes a record to another region unless that has a newer one.
func (j *replicator) apply(to *node, rec record) error {
	j.mu.Lock()
	newer := rec.stamp.before(j.own[place{to.region, rec.key}])
	if !newer && rec.image == nil {
		j.note(place{to.region, rec.key}, rec.stamp) // an older write that comes later finds no item
	}
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
