package dynamo

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// The attributes of an item.
const (
	attrPK  = "pk"
	attrSK  = "sk"
	attrDoc = "doc"
	attrRev = "rev"
	attrTTL = "ttl"
)

type attributeMap = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func keyAttributes(k table.Key) attributeMap {
	return attributeMap{attrPK: text(k.PK), attrSK: text(k.SK)}
}

func attributes(it table.Item) attributeMap {
	a := keyAttributes(it.Key)
	a[attrRev] = number(it.Rev)
	if len(it.Doc) > 0 {
		a[attrDoc] = &types.AttributeValueMemberB{Value: it.Doc}
	}
	if !it.Expires.IsZero() {
		a[attrTTL] = number(max(1, it.Expires.Unix()))
	}
	return a
}

func keyOf(a attributeMap) (table.Key, error) {
	pk, ok1 := a[attrPK].(*types.AttributeValueMemberS)
	sk, ok2 := a[attrSK].(*types.AttributeValueMemberS)
	if !ok1 || !ok2 {
		return table.Key{}, fmt.Errorf("an item has no text in %s and %s", attrPK, attrSK)
	}
	return table.Key{PK: pk.Value, SK: sk.Value}, nil
}

// itemOf reads an item; attributes that it does not know are ignored.
func itemOf(a attributeMap) (table.Item, error) {
	k, err := keyOf(a)
	if err != nil {
		return table.Item{}, err
	}
	it := table.Item{Key: k}
	if b, ok := a[attrDoc].(*types.AttributeValueMemberB); ok && len(b.Value) > 0 {
		it.Doc = b.Value
	}
	if it.Rev, err = integer(a[attrRev]); err != nil {
		return table.Item{}, fmt.Errorf("item %.100q: %s: %w", k.SK, attrRev, err)
	}
	ttl, err := integer(a[attrTTL])
	if err != nil {
		return table.Item{}, fmt.Errorf("item %.100q: %s: %w", k.SK, attrTTL, err)
	}
	if ttl != 0 {
		it.Expires = time.Unix(ttl, 0).UTC()
	}
	return it, nil
}

// integer reads a number; an absent one is 0.
func integer(v types.AttributeValue) (int64, error) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, nil
	}
	return strconv.ParseInt(n.Value, 10, 64)
}

// condition is a condition expression; the zero value is none.
type condition struct {
	expr   *string
	names  map[string]string
	values attributeMap
}

// The expressions. Until DynamoDB deletes it, an expired item is still there:
// for conditions too it counts as absent.
const (
	exprAbsent = "attribute_not_exists(#pk) OR #ttl <= :now"
	exprRev    = "#rev = :rev AND (attribute_not_exists(#ttl) OR #ttl > :now)"
)

func conditionOf(w table.Write, now time.Time) condition {
	switch w.If {
	case table.IfAbsent:
		return condition{
			expr:   aws.String(exprAbsent),
			names:  map[string]string{"#pk": attrPK, "#ttl": attrTTL},
			values: attributeMap{":now": number(now.Unix())},
		}
	case table.IfRev:
		return revisionIs(w.Rev, now)
	default:
		return condition{}
	}
}

func fenceOf(f table.Fence, now time.Time) condition { return revisionIs(f.Rev, now) }

func revisionIs(rev int64, now time.Time) condition {
	return condition{
		expr:   aws.String(exprRev),
		names:  map[string]string{"#rev": attrRev, "#ttl": attrTTL},
		values: attributeMap{":rev": number(rev), ":now": number(now.Unix())},
	}
}

func queryInput(name, pk, prefix string, limit int) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName:                 &name,
		ConsistentRead:            aws.Bool(true),
		KeyConditionExpression:    aws.String("#pk = :pk"),
		ExpressionAttributeNames:  map[string]string{"#pk": attrPK},
		ExpressionAttributeValues: attributeMap{":pk": text(pk)},
		Limit:                     aws.Int32(int32(limit)),
	}
	if prefix != "" {
		in.KeyConditionExpression = aws.String("#pk = :pk AND begins_with(#sk, :sk)")
		in.ExpressionAttributeNames["#sk"] = attrSK
		in.ExpressionAttributeValues[":sk"] = text(prefix)
	}
	return in
}
