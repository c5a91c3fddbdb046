package ring

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

const (
	// pollEvery is how often a stream is read: the least lag.
	pollEvery = 15 * time.Millisecond
	// retryEvery is how long a reader waits for a region that does not answer.
	retryEvery = 250 * time.Millisecond
	// knownMax bounds what is remembered of own writes; beyond it, all older
	// than knownFor is forgotten, because nothing older is still on its way.
	knownMax = 200_000
	knownFor = 10 * time.Minute
	// seqMillis is how many leading digits of a sequence number of ministack
	// are its time in ms. The stream's own time is in whole seconds.
	seqMillis = 20
)

// replicator joins the tables of all regions.
type replicator struct {
	ring *Ring
	stop context.CancelFunc
	ctx  context.Context
	work sync.WaitGroup

	mu      sync.Mutex // guards what follows
	passage func(Change) Passage
	cuts    map[beat.Region]bool
	turned  chan struct{}         // closed when passage or cuts change
	last    map[beat.Region]int64 // the last stamp of a region's own change
	own     map[place]stamp       // when a region last changed a key by itself, or what was deleted there
	echos   map[place]int         // deletes of ours that its stream will show
}

// place is a key in a region.
type place struct {
	region beat.Region
	key    table.Key
}

// stamp orders the writes of a key: by time, then by region.
type stamp struct {
	at int64 // µs of the Unix epoch, unique in a region
	by beat.Region
}

func (s stamp) before(o stamp) bool { return s.at < o.at || s.at == o.at && s.by < o.by }

// record is one change of a region's table by somebody else than us.
type record struct {
	key   table.Key
	stamp stamp
	image image // nil: deleted
}

func newReplicator(r *Ring) *replicator {
	j := &replicator{
		ring: r, passage: r.opts.Passage, turned: make(chan struct{}),
		cuts: map[beat.Region]bool{}, last: map[beat.Region]int64{}, own: map[place]stamp{}, echos: map[place]int{},
	}
	j.ctx, j.stop = context.WithCancel(context.Background())
	return j
}

func (j *replicator) start() {
	for _, from := range j.ring.nodes {
		lanes := map[*node]chan record{}
		for _, to := range j.ring.nodes {
			if to != from {
				lane := make(chan record, 1<<16)
				lanes[to] = lane
				j.work.Go(func() { j.carry(from, to, lane) })
			}
		}
		j.work.Go(func() { j.follow(from, lanes) })
	}
}

func (j *replicator) close() {
	j.stop()
	j.work.Wait()
}

func (j *replicator) pause(d time.Duration) bool {
	select {
	case <-j.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// follow reads a region's stream for ever; of a ministack that was started
// anew, from its beginning.
func (j *replicator) follow(from *node, lanes map[*node]chan record) {
	var last string // the last sequence number that was read
	for {
		err := j.read(from, lanes, &last)
		if j.ctx.Err() != nil {
			return
		}
		if _, trimmed := errors.AsType[*streamtypes.TrimmedDataAccessException](err); trimmed {
			last = "" // another ministack, which does not know it
		}
		j.ring.log.Debug("test ring: stream broke", "region", from.region, "err", err)
		if !j.pause(retryEvery) {
			return
		}
	}
}

// read reads a region's stream after last until it breaks.
func (j *replicator) read(from *node, lanes map[*node]chan record, last *string) error {
	iterator, err := j.iterator(from, *last)
	if err != nil {
		return err
	}
	for {
		out, err := from.streams.GetRecords(j.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator})
		if err != nil {
			return err
		}
		for _, raw := range out.Records {
			if rec, ok := j.sort(from, raw); ok {
				if err := j.forward(from, rec, lanes); err != nil {
					return err
				}
			}
			if raw.Dynamodb != nil {
				*last = aws.ToString(raw.Dynamodb.SequenceNumber)
			}
		}
		if iterator = out.NextShardIterator; iterator == nil {
			return errors.New("the stream has ended")
		}
		if len(out.Records) == 0 && !j.pause(pollEvery) {
			return j.ctx.Err()
		}
	}
}

// forward gives a record to every other region. A record that was forwarded
// twice finds itself applied.
func (j *replicator) forward(from *node, rec record, lanes map[*node]chan record) error {
	if err := j.restore(from, rec); err != nil {
		return err
	}
	for _, lane := range lanes {
		select {
		case lane <- rec:
		case <-j.ctx.Done():
			return j.ctx.Err()
		}
	}
	return nil
}

func (j *replicator) iterator(from *node, last string) (*string, error) {
	desc, err := from.db.DescribeTable(j.ctx, &dynamodb.DescribeTableInput{TableName: &j.ring.opts.Table})
	if err != nil {
		return nil, err
	}
	arn := desc.Table.LatestStreamArn
	stream, err := from.streams.DescribeStream(j.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		return nil, err
	}
	if len(stream.StreamDescription.Shards) == 0 {
		return nil, errors.New("the stream has no shard yet")
	}
	in := &dynamodbstreams.GetShardIteratorInput{
		StreamArn: arn, ShardId: stream.StreamDescription.Shards[0].ShardId,
		ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
	}
	if last != "" {
		in.ShardIteratorType, in.SequenceNumber = streamtypes.ShardIteratorTypeAfterSequenceNumber, &last
	}
	it, err := from.streams.GetShardIterator(j.ctx, in)
	if err != nil {
		return nil, err
	}
	return it.ShardIterator, nil
}

// sort tells a change by somebody else from our own echo and from a write that
// changed nothing, and notes when it was.
func (j *replicator) sort(from *node, raw streamtypes.Record) (record, bool) {
	if raw.Dynamodb == nil {
		return record{}, false
	}
	key, ok := streamKey(raw.Dynamodb.Keys)
	if !ok {
		return record{}, false
	}
	at, err := writtenAt(aws.ToString(raw.Dynamodb.SequenceNumber))
	if err != nil {
		j.ring.log.Warn("test ring: record without a time", "region", from.region, "err", err)
		return record{}, false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	// The emulator's time is in ms, and a record may overtake another of its ms.
	at = max(at*1000, j.last[from.region]+1)
	j.last[from.region] = at
	rec := record{key: key, stamp: stamp{at, from.region}}
	here := place{from.region, key}
	if raw.EventName == streamtypes.OperationTypeRemove {
		if j.echos[here] > 0 {
			if j.echos[here]--; j.echos[here] == 0 {
				delete(j.echos, here)
			}
			return record{}, false
		}
	} else {
		rec.image = imageOf(raw.Dynamodb.NewImage)
		if rec.image.replicated() || reflect.DeepEqual(rec.image, imageOf(raw.Dynamodb.OldImage)) {
			return record{}, false
		}
	}
	j.note(here, rec.stamp)
	return rec, true
}

// note remembers what is newest at a place; j.mu is held.
func (j *replicator) note(here place, s stamp) {
	if j.own[here].before(s) {
		j.own[here] = s
	}
	if len(j.own) <= knownMax {
		return
	}
	horizon := time.Now().Add(-knownFor).UnixMicro()
	for p, s := range j.own {
		if s.at < horizon {
			delete(j.own, p)
		}
	}
}

func writtenAt(sequence string) (int64, error) {
	if len(sequence) < seqMillis {
		return 0, fmt.Errorf("sequence number %q is no ministack's", sequence)
	}
	return strconv.ParseInt(sequence[:seqMillis], 10, 64)
}
