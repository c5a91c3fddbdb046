package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// call is how one call may be tried.
type call struct {
	name string
	// write says that a lost answer leaves the outcome unknown.
	write bool
	// once forbids a second attempt after a lost answer.
	once bool
}

// verdict is what one attempt came to.
type verdict uint8

const (
	done    verdict = iota
	refused         // the condition did not hold
	invalid         // no retry helps
	again           // nothing was written
	lost            // it may have been written
)

// do tries until the call succeeds, cannot, or may not be tried again. Every
// error is one of table's, wrapped with its cause.
func (t *Table) do(ctx context.Context, c call, attempt func(context.Context) error) (err error) {
	start := time.Now()
	defer func() { t.opts.Metrics.called(c.name, time.Since(start), err) }()
	var maybe bool // an earlier attempt may have written
	for n := 1; ; n++ {
		v, cause := t.try(ctx, attempt)
		maybe = maybe || c.write && v == lost
		switch v {
		case done:
			return nil
		case refused:
			return t.fail(c, table.ErrConflict, cause)
		case invalid:
			return t.fail(c, table.ErrInvalid, cause)
		}
		if progressed(cause) {
			n = 1 // a batch that shrinks may take as many attempts as it needs
		}
		final := maybe && c.once || n >= t.opts.Attempts
		if !final && t.wait(ctx, n) {
			t.opts.Metrics.retried(c.name)
			continue
		}
		if maybe {
			return t.fail(c, table.ErrUnknown, cause)
		}
		return t.fail(c, table.ErrUnavailable, cause)
	}
}

func (t *Table) fail(c call, kind, cause error) error {
	return fmt.Errorf("%s table %s: %w: %w", c.name, t.opts.Name, kind, cause)
}

// try makes one attempt with its own deadline.
func (t *Table) try(ctx context.Context, attempt func(context.Context) error) (verdict, error) {
	if err := ctx.Err(); err != nil {
		return again, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.opts.AttemptTimeout)
	defer cancel()
	// A request that never got a connection was certainly not written.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	err := attempt(ctx)
	return judge(err, sent.Load()), err
}

// wait sleeps before attempt n+1; false means that ctx ends before.
func (t *Table) wait(ctx context.Context, n int) bool {
	longest := min(t.opts.BackoffCap, t.opts.BackoffFirst<<min(n-1, 20))
	timer := time.NewTimer(rand.N(longest) + time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// unprocessedError is a batch of which DynamoDB left something.
type unprocessedError struct {
	left     int
	progress bool
}

func (e *unprocessedError) Error() string { return fmt.Sprintf("%d items left unprocessed", e.left) }

func progressed(err error) bool {
	unprocessed, ok := errors.AsType[*unprocessedError](err)
	return ok && unprocessed.progress
}

// judge says what an attempt's error means. Sent says whether the request may
// have left this machine.
func judge(err error, sent bool) verdict {
	if err == nil {
		return done
	}
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return judgeCancelled(cancelled)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return judgeCode(api)
	}
	if _, unprocessed := errors.AsType[*unprocessedError](err); unprocessed || !sent {
		return again
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Op == "dial" {
		return again
	}
	return lost
}

// judgeCode reads DynamoDB's own word.
func judgeCode(api smithy.APIError) verdict {
	switch code := api.ErrorCode(); code {
	case "ConditionalCheckFailedException":
		return refused
	case "ValidationException", "ItemCollectionSizeLimitExceededException", "IdempotentParameterMismatchException":
		return invalid
	case "InternalServerError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException":
		return lost
	}
	// Throttles, missing tables, wrong credentials: DynamoDB did nothing. An
	// answer of which it is not the author (a proxy's 502) tells nothing.
	if api.ErrorFault() == smithy.FaultServer {
		return lost
	}
	if code := api.ErrorCode(); code == "" || code == "UnknownError" {
		return lost
	}
	return again
}

// judgeCancelled reads why a transaction was not done; it never is in part.
func judgeCancelled(e *types.TransactionCanceledException) verdict {
	v := again
	for _, r := range e.CancellationReasons {
		if r.Code == nil {
			continue
		}
		switch *r.Code {
		case "ConditionalCheckFailed":
			return refused
		case "ValidationError", "ItemCollectionSizeLimitExceeded":
			v = invalid
		}
	}
	return v
}
