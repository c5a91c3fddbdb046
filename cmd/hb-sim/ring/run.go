package ring

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Run runs a ring until ctx ends, and prints to out what a shell exports to
// use it. An ended ministack ends the ring too, with an error, because its
// data is gone.
func Run(ctx context.Context, out io.Writer, o Options) error {
	r, err := Start(ctx, o)
	if err != nil {
		return err
	}
	defer r.Stop()
	if _, err := io.WriteString(out, r.Banner()); err != nil {
		return fmt.Errorf("print the test ring's environment: %w", err)
	}
	ended := make(chan *node, len(r.nodes))
	for _, n := range r.nodes {
		gone := n.ended()
		go func() {
			<-gone // Stop ends every ministack, and so this goroutine
			ended <- n
		}()
	}
	for range r.nodes {
		select {
		case <-ctx.Done():
			return nil
		case n := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			if _, err := fmt.Fprintf(out, "\n# %s is down: its ministack ended, and its data is gone. The others go on; start anew to have it back.\n", n.region); err != nil {
				return fmt.Errorf("print the test ring's state: %w", err)
			}
		}
	}
	return errEnded
}

// Banner is the environment of each region as lines for a shell, and what
// there is.
func (r *Ring) Banner() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# DynamoDB and SNS of %d regions: table %s, topic %s. Ctrl-C ends them and forgets all.\n",
		len(r.nodes), r.opts.Table, r.opts.Topic)
	fmt.Fprintf(&b, "export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_EC2_METADATA_DISABLED=true\n", accessKey, secretKey)
	for _, n := range r.nodes {
		fmt.Fprintf(&b, "\n# %s: topic %s\n", n.region, r.Topic(n.region))
		fmt.Fprintf(&b, "export AWS_REGION=%s AWS_ENDPOINT_URL_DYNAMODB=%s AWS_ENDPOINT_URL_SNS=%[2]s AWS_ENDPOINT_URL_SQS=%[2]s\n",
			n.region, n.endpoint())
	}
	return b.String()
}
