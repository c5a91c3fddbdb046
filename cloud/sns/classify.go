package sns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/hb-mesh/hb-mesh/broker/notice"
)

// classify says what an error of Publish means to the outbox:
//
//	the message itself is refused    notice.ErrPermanent
//	no answer, or one that says that
//	it broke while at work           notice.ErrUnknown
//	everything else (throttled, no
//	right, no topic, not reached)    a retry, once somebody has mended it
func classify(err error) error {
	var invalid *types.InvalidParameterException
	var invalidValue *types.InvalidParameterValueException
	var answer *smithyhttp.ResponseError
	switch {
	case errors.As(err, &invalid), errors.As(err, &invalidValue):
		return fmt.Errorf("%w: %w", notice.ErrPermanent, err)
	case errors.As(err, &answer) && answer.HTTPStatusCode() != 0: // 0 is none: it wraps what failed before
		return answered(answer.HTTPStatusCode(), err)
	case neverSent(err):
		return err
	default:
		return fmt.Errorf("%w: %w", notice.ErrUnknown, err)
	}
}

func answered(status int, err error) error {
	taken := status >= 200 && status < 300 // perhaps: its answer is garbage
	broke := status >= 500 && status != http.StatusServiceUnavailable
	if taken || broke {
		return fmt.Errorf("%w: %w", notice.ErrUnknown, err)
	}
	return err
}

// neverSent says whether an error came before the request did: no address, no
// connection, no credentials.
func neverSent(err error) bool {
	var dial *net.OpError
	var dns *net.DNSError
	var sending *smithyhttp.RequestSendError
	switch {
	case errors.As(err, &dns), errors.As(err, &dial) && dial.Op == "dial":
		return true
	case errors.As(err, &sending), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	default:
		return true
	}
}
