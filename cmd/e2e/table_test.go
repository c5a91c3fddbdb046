//go:build linux

package e2e_test

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// key is an item's place in the table.
type key struct{ pk, sk string }

// scan reads the whole table of a region.
func scan(t testing.TB, m *mesh, r beat.Region) []key {
	t.Helper()
	var keys []key
	db := dynamodb.NewFromConfig(m.ring.Config(r))
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: aws.String("hb-mesh"), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			pk, ok1 := i["pk"].(*types.AttributeValueMemberS)
			sk, ok2 := i["sk"].(*types.AttributeValueMemberS)
			if !ok1 || !ok2 {
				t.Fatalf("an item without pk and sk: %v", i)
			}
			keys = append(keys, key{pk.Value, sk.Value})
		}
	}
	return keys
}

const (
	reRegion = `(us-east-1|us-west-2)`
	reStore  = `[a-z0-9][a-z0-9-]{0,62}`
	reHost   = `[A-Za-z0-9][A-Za-z0-9._-]{0,99}`
)

// contract is how the keys of each kind look.
var contract = map[string]*regexp.Regexp{
	"presence": regexp.MustCompile(`^presence#\d+ ` + reRegion + `#` + reStore + `$`),
	"direct":   regexp.MustCompile(`^direct#\d+ ` + reRegion + `#` + reStore + `#` + reHost + `$`),
	"inc":      regexp.MustCompile(`^inc#\d+ ` + reRegion + `#` + reStore + `#[^#]+$`),
	"notice":   regexp.MustCompile(`^notice#\d{4}-\d\d-\d\dT\d\d ` + reRegion + `#[0-9A-HJKMNP-TV-Z]{26}$`),
	"hist":     regexp.MustCompile(`^hist#` + reStore + `#\d{4}-\d\d-\d\d ` + reRegion + `#[0-9a-f]{32}#\d+$`),
	"lease":    regexp.MustCompile(`^lease ` + reRegion + `$`),
	"mail":     regexp.MustCompile(`^mail#` + reRegion + ` ` + reRegion + `#\d{20}#\d{20}$`),
	"audit":    regexp.MustCompile(`^audit#\d{4}-\d\d-\d\d ` + reRegion + `#[0-9a-z]{26}$`),
	"set":      regexp.MustCompile(`^set#\d+ ` + reRegion + `#`),
}

func tableScene(s *stage) {
	for _, r := range s.ring.Regions() {
		seen := map[string]bool{}
		for _, k := range scan(s.t, s.mesh, r) {
			kind, rest, _ := strings.Cut(k.pk, "#")
			if want := contract[kind]; want == nil || !want.MatchString(k.pk+" "+k.sk) {
				s.t.Errorf("%s: the key %s / %s is not in the contract", r, k.pk, k.sk)
			}
			if kind == "presence" || kind == "direct" || kind == "inc" {
				if of := strings.Split(k.sk, "#")[1]; rest != strconv.Itoa(table.Bucket(of)) {
					s.t.Errorf("%s: the key %s / %s is not in the bucket of its store", r, k.pk, k.sk)
				}
			}
			seen[kind+" of "+string(table.Key{PK: k.pk, SK: k.sk}.Writer())] = true
		}
		for _, kind := range []string{"presence", "inc", "notice", "lease"} {
			for _, writer := range s.ring.Regions() {
				if !seen[kind+" of "+string(writer)] {
					s.t.Errorf("%s has no %s of %s; it has %v", r, kind, writer, slices.Sorted(maps.Keys(seen)))
				}
			}
		}
		if !seen["hist of "+string(east)] && !seen["hist of "+string(west)] || !seen["direct of "+string(east)] && !seen["direct of "+string(west)] {
			s.t.Errorf("%s has no history, or no direct host: %v", r, slices.Sorted(maps.Keys(seen)))
		}
	}
}
