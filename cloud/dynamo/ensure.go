package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// pollEvery is how often Ensure asks whether the table is ready.
const pollEvery = 100 * time.Millisecond

// Ensure makes the table when it is missing, on demand, with a stream of both
// images and with TTL, and waits until it is active. It joins no regions: in
// AWS a template does that, and the test ring has a replicator.
func (t *Table) Ensure(ctx context.Context) error {
	status, err := t.status(ctx)
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		err = t.create(ctx)
	}
	for err == nil && status != types.TableStatusActive {
		if status, err = t.status(ctx); err == nil && status != types.TableStatusActive {
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(pollEvery):
			}
		}
	}
	if err == nil {
		err = t.ensureTTL(ctx)
	}
	if err != nil {
		return fmt.Errorf("make table %s: %w", t.opts.Name, err)
	}
	return nil
}

func (t *Table) status(ctx context.Context) (types.TableStatus, error) {
	out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.opts.Name})
	if err != nil {
		return "", err
	}
	return out.Table.TableStatus, nil
}

func (t *Table) create(ctx context.Context) error {
	_, err := t.client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &t.opts.Name,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attrPK), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(attrSK), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(attrPK), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(attrSK), KeyType: types.KeyTypeRange},
		},
		BillingMode: types.BillingModePayPerRequest,
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	})
	if _, exists := errors.AsType[*types.ResourceInUseException](err); exists {
		return nil // another node was faster
	}
	return err
}

func (t *Table) ensureTTL(ctx context.Context) error {
	out, err := t.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &t.opts.Name})
	if err != nil {
		return err
	}
	if d := out.TimeToLiveDescription; d != nil &&
		(d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		return nil
	}
	_, err = t.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &t.opts.Name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(attrTTL), Enabled: aws.Bool(true)},
	})
	return err
}
