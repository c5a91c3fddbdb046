// Package dynamo is the table on DynamoDB: one region's replica of a Global
// Table, over aws-sdk-go-v2.
//
//	attribute  type  is
//	pk, sk     S     the key
//	doc        B     the item's content
//	rev        N     the revision of conditions and fences
//	ttl        N     s of the Unix epoch after which it may vanish; absent: never
//
// The SDK's retries are off and ours take their place, for two reasons. The
// SDK's budget is shared and drained by an outage. And a conditional write
// whose answer was lost must not be sent again blindly: its own first try may
// be what refuses the second, so that a claim that was won looks lost. Such a
// write ends as table.ErrUnknown.
package dynamo
