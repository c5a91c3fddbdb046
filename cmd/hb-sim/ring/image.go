package ring

import (
	"maps"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/hb-mesh/hb-mesh/broker/table"
)

// The attributes of a replicated item: when and where it was written.
const (
	attrAt = "hb:at"
	attrBy = "hb:by"
)

// image is a whole item.
type image map[string]types.AttributeValue

func (i image) replicated() bool { return i[attrAt] != nil }

// stamped is the image as it is written to another region.
func (i image) stamped(s stamp) image {
	out := maps.Clone(i)
	out[attrAt] = &types.AttributeValueMemberN{Value: strconv.FormatInt(s.at, 10)}
	out[attrBy] = &types.AttributeValueMemberS{Value: string(s.by)}
	return out
}

// imageOf translates a stream's image: the SDK has the same types twice.
func imageOf(in map[string]streamtypes.AttributeValue) image {
	out := make(image, len(in))
	for name, v := range in {
		out[name] = valueOf(v)
	}
	return out
}

func valueOf(v streamtypes.AttributeValue) types.AttributeValue {
	switch v := v.(type) {
	case *streamtypes.AttributeValueMemberS:
		return &types.AttributeValueMemberS{Value: v.Value}
	case *streamtypes.AttributeValueMemberN:
		return &types.AttributeValueMemberN{Value: v.Value}
	case *streamtypes.AttributeValueMemberB:
		return &types.AttributeValueMemberB{Value: v.Value}
	case *streamtypes.AttributeValueMemberBOOL:
		return &types.AttributeValueMemberBOOL{Value: v.Value}
	case *streamtypes.AttributeValueMemberSS:
		return &types.AttributeValueMemberSS{Value: v.Value}
	case *streamtypes.AttributeValueMemberNS:
		return &types.AttributeValueMemberNS{Value: v.Value}
	case *streamtypes.AttributeValueMemberBS:
		return &types.AttributeValueMemberBS{Value: v.Value}
	case *streamtypes.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: imageOf(v.Value)}
	case *streamtypes.AttributeValueMemberL:
		list := make([]types.AttributeValue, len(v.Value))
		for i, e := range v.Value {
			list[i] = valueOf(e)
		}
		return &types.AttributeValueMemberL{Value: list}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

func streamKey(in map[string]streamtypes.AttributeValue) (table.Key, bool) {
	pk, ok1 := in["pk"].(*streamtypes.AttributeValueMemberS)
	sk, ok2 := in["sk"].(*streamtypes.AttributeValueMemberS)
	if !ok1 || !ok2 {
		return table.Key{}, false
	}
	return table.Key{PK: pk.Value, SK: sk.Value}, true
}
